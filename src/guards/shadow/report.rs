//! The findings of a shadow run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Comparison, ShadowEnd, Ticket};
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::stats::wilson;

/// The verdict on a candidate after the latest evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum ShadowVerdict {
    /// The upper end of the rate's 95 % interval does not exceed the threshold.
    CertifiedBelow,
    /// Too few documents for a first evaluation.
    Collecting {
        /// Documents compared so far.
        compared: u64,
        /// Documents that the first evaluation needs.
        needed: u64,
    },
    /// The rate does not exceed the threshold, but the upper end of its 95 % interval does.
    NotShownBelow,
    /// The rate exceeded the threshold in at least one evaluation: the diverging answers need
    /// review.
    ReviewRequired,
}

impl fmt::Display for ShadowVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertifiedBelow => f.pad("certified below the threshold"),
            Self::Collecting { compared, needed } => {
                write!(f, "collecting: {compared} of {needed} documents compared")
            }
            Self::NotShownBelow => f.pad("not shown to be below the threshold"),
            Self::ReviewRequired => f.pad("review required"),
        }
    }
}

/// The results of comparisons: each document is in one of the four counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShadowCounts {
    /// The answers agree.
    pub matched: u64,
    /// The answers differ.
    pub diverged: u64,
    /// The candidate failed or did not answer in time.
    pub candidate_failed: u64,
    /// The answers cannot be compared; not part of the rate.
    pub not_comparable: u64,
}

impl ShadowCounts {
    /// The denominator of the rate: all documents except those that are not comparable.
    pub fn compared(&self) -> u64 {
        self.matched.saturating_add(self.diverging())
    }

    /// The numerator of the rate: documents that diverged, or on which the candidate failed.
    pub fn diverging(&self) -> u64 {
        self.diverged.saturating_add(self.candidate_failed)
    }

    /// The 95 % interval of the rate (Wilson, two-sided), its ends rounded outwards to millionths;
    /// 0 % to 100 % without compared documents.
    pub fn interval(&self) -> (Ratio, Ratio) {
        let (low, high) = wilson(self.diverging(), self.compared());
        (
            millionths((low * MILLION).floor()),
            millionths((high * MILLION).ceil()),
        )
    }

    pub(super) fn add(&mut self, end: &ShadowEnd) {
        let count = match end {
            ShadowEnd::Compared(Comparison::Match | Comparison::Ignored(_)) => &mut self.matched,
            ShadowEnd::Compared(Comparison::Diverged(_)) => &mut self.diverged,
            ShadowEnd::Cancelled
            | ShadowEnd::Compared(Comparison::NotComparable(_))
            | ShadowEnd::ProductionFailed => &mut self.not_comparable,
            ShadowEnd::CandidateFailed(_)
            | ShadowEnd::CandidatePanicked
            | ShadowEnd::ComparatorPanicked
            | ShadowEnd::TimedOut => &mut self.candidate_failed,
        };
        *count = count.saturating_add(1);
    }

    pub(super) fn is_divergence(end: &ShadowEnd) -> bool {
        let mut counts = Self::default();
        counts.add(end);
        counts.diverging() == 1
    }
}

const MILLION: f64 = 1e6;

fn millionths(count: f64) -> Ratio {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to a million fits"
    )]
    let count = count.clamp(0.0, MILLION) as u32;
    Ratio::new(count, 1_000_000).unwrap_or(Ratio::ONE)
}

/// A document on which the candidate diverges from production, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The ticket of production's call: document, type, version and model.
    pub ticket: Ticket,
    /// The fields that differ (the first 100 of them), or how the candidate failed.
    pub end: ShadowEnd,
}

/// The findings of a shadow run so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShadowReport {
    pub(super) verdict: ShadowVerdict,
    pub(super) total: ShadowCounts,
    pub(super) types: BTreeMap<DocumentType, ShadowCounts>,
    pub(super) other: Option<ShadowCounts>,
    pub(super) surplus: u64,
    pub(super) divergences: Vec<Divergence>,
}

impl ShadowReport {
    /// The verdict on the candidate, as of the latest evaluation.
    pub fn verdict(&self) -> ShadowVerdict {
        self.verdict
    }

    /// The counts over all document types.
    pub fn total(&self) -> ShadowCounts {
        self.total
    }

    /// The counts of each document type, by name.
    pub fn types(&self) -> impl Iterator<Item = (&DocumentType, &ShadowCounts)> {
        self.types.iter()
    }

    /// The counts of one document type.
    pub fn of(&self, document_type: impl AsRef<str>) -> ShadowCounts {
        let counts = self.types.get(document_type.as_ref());
        counts.copied().unwrap_or_default()
    }

    /// The counts of the types above the limit of 1,000; `None` while no type is above it.
    pub fn other(&self) -> Option<&ShadowCounts> {
        self.other.as_ref()
    }

    /// The number of comparisons that arrived after the run was over; they are not counted
    /// elsewhere.
    pub fn surplus(&self) -> u64 {
        self.surplus
    }

    /// Every document that diverged or on which the candidate failed, in order of arrival.
    pub fn divergences(&self) -> &[Divergence] {
        &self.divergences
    }
}
