//! What a shadow run has found.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Comparison, Ticket};
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::stats::wilson;

/// What may be said of a candidate after the latest look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum ShadowVerdict {
    /// The rate is below the threshold even at the upper end of its 95 % interval.
    CertifiedBelow,
    /// Too few documents for a first look.
    Collecting {
        /// Documents compared so far.
        compared: u64,
        /// Documents that the first look needs.
        needed: u64,
    },
    /// The rate is not above the threshold, and the documents do not show that it is below.
    NotShownBelow,
    /// At one of the looks the rate was above the threshold: a person should look.
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

/// How comparisons came out: each document is in one of the four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShadowCounts {
    /// Both answered, and they agree.
    pub matched: u64,
    /// Both answered, and they differ.
    pub diverged: u64,
    /// The candidate failed.
    pub candidate_failed: u64,
    /// They cannot be compared; outside the rate.
    pub not_comparable: u64,
}

impl ShadowCounts {
    /// Documents that the rate is a share of: all but those that cannot be compared.
    pub fn compared(&self) -> u64 {
        self.matched.saturating_add(self.diverging())
    }

    /// Documents that count as diverged: a candidate that fails does not agree.
    pub fn diverging(&self) -> u64 {
        self.diverged.saturating_add(self.candidate_failed)
    }

    /// The 95 % interval of the rate (Wilson, two-sided), its ends rounded outwards to millionths; from 0 % to 100 % of
    /// nothing.
    pub fn interval(&self) -> (Ratio, Ratio) {
        let (low, high) = wilson(self.diverging(), self.compared());
        (
            millionths((low * MILLION).floor()),
            millionths((high * MILLION).ceil()),
        )
    }

    pub(super) fn add(&mut self, comparison: &Comparison) {
        let count = match comparison {
            Comparison::CandidateFailed(_) => &mut self.candidate_failed,
            Comparison::Diverged(_) => &mut self.diverged,
            Comparison::Match => &mut self.matched,
            Comparison::NotComparable => &mut self.not_comparable,
        };
        *count = count.saturating_add(1);
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

/// A document on which candidate and production do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The ticket of production's call: document, type, version and model.
    pub ticket: Ticket,
    /// The fields that differ (the first 100 of them), or how the candidate failed.
    pub comparison: Comparison,
}

/// What a shadow run has found so far.
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
    /// What may be said of the candidate, as of the latest look.
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
    pub fn of(&self, document_type: &str) -> ShadowCounts {
        self.types.get(document_type).copied().unwrap_or_default()
    }

    /// The counts of all types past the number that is kept apart; `None` while every type is.
    pub fn other(&self) -> Option<&ShadowCounts> {
        self.other.as_ref()
    }

    /// Comparisons that came after the run was over; they are in none of the counts.
    pub fn surplus(&self) -> u64 {
        self.surplus
    }

    /// Every document that counts as diverged, in the order in which they came.
    pub fn divergences(&self) -> &[Divergence] {
        &self.divergences
    }
}
