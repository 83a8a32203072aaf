//! One field of one document type: its baseline, its window, and whether it has drifted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::threshold::Settings;
use crate::confidence::Confidence;
use crate::revision::Revision;
use crate::stats::{Span, Window};
use crate::time::Timestamp;

/// The largest number of documents in a baseline: keeps the comparison of two means within 128
/// bits.
pub(super) const MOST_DOCUMENTS: u64 = 1_000_000_000_000;

/// Whether the confidence of one field of one document type has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftState {
    /// The window mean is not below the baseline by more than the allowed drop.
    Healthy,
    /// The window has too few documents to compare its mean with the baseline: a drift is possible.
    InsufficientData,
    /// The mean fell below the baseline, and the threshold is raised until the operator resolves
    /// the drift.
    Raised,
    /// The baseline is still being measured, or no document has arrived yet: a drift is possible.
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

/// The baseline and the window mean of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfidenceMeans {
    /// The baseline, rounded to millionths; the mean so far while it is being measured.
    pub baseline: Option<Confidence>,
    /// The number of documents on which the baseline was measured.
    pub baseline_documents: u64,
    /// The mean over the window, rounded to millionths.
    pub window: Option<Confidence>,
    /// The number of documents in the window.
    pub window_documents: u64,
}

/// Documents, and the sum of their confidences in millionths: an exact mean, whatever their order.
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

    /// The mean, rounded to millionths; `None` without documents.
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
                "{documents} documents cannot have a confidence sum of {millionths} millionths"
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

/// A window mean that has fallen below its baseline.
#[derive(Debug)]
pub(super) struct Fall {
    pub(super) baseline: Confidence,
    pub(super) mean: Confidence,
    pub(super) documents: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    /// The baseline of the configuration: shows on a restore whether the configuration has changed.
    given: Option<Sums>,
    baseline: Sums,
    frozen: bool,
    raised: bool,
    /// How often the threshold was raised or a command was given.
    #[serde(default)]
    revision: Revision,
    span: Span,
    /// Documents, and the sum of their confidences in millionths.
    window: Window<2>,
}

impl Watch {
    pub(super) fn new(span: Span) -> Self {
        Self {
            given: None,
            baseline: Sums::default(),
            frozen: false,
            raised: false,
            revision: Revision::default(),
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

    /// Restores what was stored, except for a window or a given baseline that has changed since.
    pub(super) fn restore(&mut self, stored: Self) {
        let (span, given) = (self.span, self.given);
        *self = stored;
        if self.span != span {
            (self.span, self.window) = (span, Window::new(span));
        }
        if let Some(sums) = given.filter(|_| given != self.given) {
            (self.given, self.baseline, self.frozen) = (given, sums, true);
        }
    }

    pub(super) fn has_given_baseline(&self) -> bool {
        self.given.is_some()
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn raise(&mut self, now: Timestamp) {
        self.raised = true;
        self.revision.advance(now);
    }

    /// Lowers the threshold, and empties the window so that its documents do not raise it again.
    pub(super) fn lower(&mut self, now: Timestamp) {
        self.raised = false;
        self.revision.advance(now);
        self.window.clear();
    }

    /// Measures a new baseline on the documents that follow.
    pub(super) fn restart_baseline(&mut self, now: Timestamp) {
        self.lower(now);
        (self.baseline, self.frozen) = (Sums::default(), false);
    }

    pub(super) fn record(&mut self, score: Confidence, now: Timestamp, settings: &Settings) {
        if !self.frozen {
            self.baseline.add(score);
            self.frozen = self.baseline.documents >= settings.baseline_documents;
        }
        self.window.add(now, [1, u64::from(score.as_millionths())]);
    }

    /// The fall of the window mean, if the threshold is not yet raised for it.
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

    /// The means of a watch whose threshold is raised.
    pub(super) fn now_fallen(&mut self, now: Timestamp) -> Fall {
        let recent = self.recent(now);
        let baseline = self.baseline.mean().unwrap_or(Confidence::CERTAIN);
        Fall {
            baseline,
            mean: recent.mean().unwrap_or(baseline),
            documents: recent.documents,
        }
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
