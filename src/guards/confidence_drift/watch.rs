//! What is known of one field of one document type: its baseline, its last hours, and whether it has fallen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::stats::{Span, Window};
use crate::time::Timestamp;

/// More documents than any baseline has; it keeps the comparison of two means inside 128 bits.
pub(super) const MOST_DOCUMENTS: u64 = 1_000_000_000_000;

/// What is known of the confidence of one field of one document type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftState {
    /// There is a baseline, and the mean of the window is near it.
    Healthy,
    /// There is a baseline, and too few documents are in the window to compare with it. Nobody knows.
    InsufficientData,
    /// The mean fell, and the threshold stays raised until a person resolves it.
    Raised,
    /// The baseline is still being learnt, or no document has come yet. Nobody knows.
    Warming,
}

impl fmt::Display for DriftState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::InsufficientData => "insufficient data",
            Self::Raised => "raised",
            Self::Warming => "warming up",
        })
    }
}

/// The two means that are compared, as data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfidenceMeans {
    /// The baseline, rounded to millionths; as far as it is learnt while it is being learnt.
    pub baseline: Option<Confidence>,
    /// How many documents the baseline is made of.
    pub baseline_documents: u64,
    /// The mean over the window, rounded to millionths.
    pub window: Option<Confidence>,
    /// How many documents are in the window.
    pub window_documents: u64,
}

/// Documents, and the sum of their confidences in millionths. Adding up keeps means exact and their order irrelevant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub(super) struct Sums {
    documents: u64,
    millionths: u64,
}

impl Sums {
    pub(super) fn of(mean: Confidence, documents: u64) -> Self {
        Self {
            documents,
            millionths: documents.saturating_mul(u64::from(mean.as_millionths())),
        }
    }

    pub(super) fn add(&mut self, score: Confidence) {
        self.documents = self.documents.saturating_add(1);
        self.millionths = self
            .millionths
            .saturating_add(u64::from(score.as_millionths()));
    }

    /// The mean, rounded to millionths; `None` of nothing.
    pub(super) fn mean(self) -> Option<Confidence> {
        let half = self.documents / 2;
        let rounded = self
            .millionths
            .saturating_add(half)
            .checked_div(self.documents)?;
        let millionths = u32::try_from(rounded).unwrap_or(u32::MAX);
        Some(Confidence::try_from(millionths).unwrap_or(Confidence::CERTAIN))
    }

    /// Whether the mean of `self` is above the mean of `other` by strictly more than `by`.
    fn exceeds(self, other: Self, by: Confidence) -> bool {
        let [documents, others] = [self.documents, other.documents].map(i128::from);
        let difference =
            i128::from(self.millionths) * others - i128::from(other.millionths) * documents;
        difference > i128::from(by.as_millionths()) * documents * others
    }
}

impl TryFrom<(u64, u64)> for Sums {
    type Error = String;

    fn try_from((documents, millionths): (u64, u64)) -> Result<Self, String> {
        let most = u64::from(Confidence::CERTAIN.as_millionths()).saturating_mul(documents);
        if documents > MOST_DOCUMENTS || millionths > most {
            return Err(format!(
                "{documents} documents cannot have {millionths} millionths of confidence"
            ));
        }
        Ok(Self {
            documents,
            millionths,
        })
    }
}

impl From<Sums> for (u64, u64) {
    fn from(sums: Sums) -> Self {
        (sums.documents, sums.millionths)
    }
}

/// What an answer and a mean are compared with.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) threshold: Confidence,
    pub(super) raised: Confidence,
    pub(super) max_drop: Confidence,
    pub(super) span: Span,
    pub(super) min_documents: u64,
    pub(super) baseline_documents: u64,
}

impl Settings {
    pub(super) fn threshold_of(&self, watch: Option<&Watch>) -> Confidence {
        if watch.is_some_and(Watch::is_raised) {
            self.raised
        } else {
            self.threshold
        }
    }
}

/// A mean that has fallen: from where, to where, over how many documents.
#[derive(Debug)]
pub(super) struct Fall {
    pub(super) baseline: Confidence,
    pub(super) mean: Confidence,
    pub(super) documents: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    /// The baseline of the configuration; it tells after a restart whether that has changed since.
    given: Option<Sums>,
    baseline: Sums,
    frozen: bool,
    raised: bool,
    span: Span,
    /// Documents, sum of their confidences in millionths.
    window: Window<2>,
}

impl Watch {
    pub(super) fn new(span: Span) -> Self {
        Self {
            given: None,
            baseline: Sums::default(),
            frozen: false,
            raised: false,
            span,
            window: Window::new(span),
        }
    }

    pub(super) fn with_baseline(span: Span, given: Sums) -> Self {
        Self {
            given: Some(given),
            baseline: given,
            frozen: true,
            ..Self::new(span)
        }
    }

    /// Takes up `stored`: all of it, except what the configuration says otherwise by now.
    pub(super) fn take_up(&mut self, stored: Self) {
        let (span, given) = (self.span, self.given);
        *self = stored;
        if self.span != span {
            (self.span, self.window) = (span, Window::new(span));
        }
        if let Some(sums) = given.filter(|_| given != self.given) {
            (self.given, self.baseline, self.frozen) = (given, sums, true);
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised
    }

    pub(super) fn raise(&mut self) {
        self.raised = true;
    }

    /// Back to normal. The documents that raised it are forgotten, so that they do not raise it again.
    pub(super) fn lower(&mut self) {
        self.raised = false;
        self.window.clear();
    }

    /// Learns a new baseline from the documents that come.
    pub(super) fn relearn(&mut self) {
        self.lower();
        (self.baseline, self.frozen) = (Sums::default(), false);
    }

    pub(super) fn record(&mut self, score: Confidence, now: Timestamp, settings: &Settings) {
        if !self.frozen {
            self.baseline.add(score);
            self.frozen = self.baseline.documents >= settings.baseline_documents;
        }
        self.window.add(now, [1, u64::from(score.as_millionths())]);
    }

    /// Whether the mean has fallen since it was last looked at.
    pub(super) fn fall(&mut self, now: Timestamp, settings: &Settings) -> Option<Fall> {
        let recent = self.recent(now);
        let is_known = self.frozen && recent.documents >= settings.min_documents;
        if self.raised || !is_known || !self.baseline.exceeds(recent, settings.max_drop) {
            return None;
        }
        Some(Fall {
            baseline: self.baseline.mean()?,
            mean: recent.mean()?,
            documents: recent.documents,
        })
    }

    pub(super) fn state(&mut self, now: Timestamp, settings: &Settings) -> DriftState {
        if self.raised {
            DriftState::Raised
        } else if !self.frozen {
            DriftState::Warming
        } else if self.recent(now).documents < settings.min_documents {
            DriftState::InsufficientData
        } else {
            DriftState::Healthy
        }
    }

    pub(super) fn means(&mut self, now: Timestamp) -> ConfidenceMeans {
        let recent = self.recent(now);
        ConfidenceMeans {
            baseline: self.baseline.mean(),
            baseline_documents: self.baseline.documents,
            window: recent.mean(),
            window_documents: recent.documents,
        }
    }

    fn recent(&mut self, now: Timestamp) -> Sums {
        let [documents, millionths] = self.window.total(now);
        Sums {
            documents,
            millionths,
        }
    }
}
