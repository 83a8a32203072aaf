//! How documents ended in a shadow run: each in exactly one of the counts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::interval::IntervalMethod;
use crate::call::{Comparison, ShadowEnd};
use crate::ratio::Ratio;

/// In which count a document of a shadow run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bucket {
    /// Dropped before it ended, together with production's call, or by a restart.
    Cancelled,
    /// The candidate failed; part of the rate, as diverging.
    CandidateFailed,
    /// The candidate's code panicked; part of the rate, as diverging.
    CandidatePanicked,
    /// The comparator panicked; part of the rate, as diverging.
    ComparatorPanicked,
    /// The answers differ; part of the rate.
    Diverged,
    /// The answers differ only where that does not count; part of the rate, as agreeing.
    Ignored,
    /// The answers agree; part of the rate.
    Matched,
    /// The answers cannot be compared, or a judge could not decide.
    NotComparable,
    /// It is not in the share of documents that the run samples.
    NotSampled,
    /// Production gave no answer to compare with.
    ProductionFailed,
    /// Too many candidate calls were in flight.
    Shed,
    /// The candidate did not answer in time; part of the rate, as diverging.
    TimedOut,
    /// The run has spent what it may spend.
    Withheld,
}

impl Bucket {
    /// Every bucket, in the order of a document's way through the run.
    pub const ALL: [Self; 13] = [
        Self::NotSampled,
        Self::Withheld,
        Self::Shed,
        Self::Cancelled,
        Self::ProductionFailed,
        Self::NotComparable,
        Self::TimedOut,
        Self::CandidateFailed,
        Self::CandidatePanicked,
        Self::ComparatorPanicked,
        Self::Diverged,
        Self::Ignored,
        Self::Matched,
    ];

    /// The bucket of an end.
    pub fn of(end: &ShadowEnd) -> Self {
        match end {
            ShadowEnd::Cancelled => Self::Cancelled,
            ShadowEnd::CandidateFailed(_) => Self::CandidateFailed,
            ShadowEnd::CandidatePanicked => Self::CandidatePanicked,
            ShadowEnd::ComparatorPanicked => Self::ComparatorPanicked,
            ShadowEnd::Compared(Comparison::Diverged(_)) => Self::Diverged,
            ShadowEnd::Compared(Comparison::Ignored(_)) => Self::Ignored,
            ShadowEnd::Compared(Comparison::Match) => Self::Matched,
            ShadowEnd::Compared(Comparison::NotComparable(_)) => Self::NotComparable,
            ShadowEnd::ProductionFailed => Self::ProductionFailed,
            ShadowEnd::TimedOut => Self::TimedOut,
        }
    }

    /// Whether its documents are in the numerator of the rate.
    pub fn is_diverging(self) -> bool {
        matches!(
            self,
            Self::CandidateFailed
                | Self::CandidatePanicked
                | Self::ComparatorPanicked
                | Self::Diverged
                | Self::TimedOut
        )
    }

    /// Whether its documents are in the denominator of the rate.
    pub fn is_compared(self) -> bool {
        self.is_diverging() || matches!(self, Self::Ignored | Self::Matched)
    }

    /// Whether the run has begun on its documents.
    pub fn is_begun(self) -> bool {
        !matches!(self, Self::NotSampled | Self::Shed | Self::Withheld)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::CandidateFailed => "candidate failed",
            Self::CandidatePanicked => "candidate panicked",
            Self::ComparatorPanicked => "comparator panicked",
            Self::Diverged => "diverged",
            Self::Ignored => "ignored",
            Self::Matched => "matched",
            Self::NotComparable => "not comparable",
            Self::NotSampled => "not sampled",
            Self::ProductionFailed => "production failed",
            Self::Shed => "shed",
            Self::TimedOut => "timed out",
            Self::Withheld => "withheld",
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How many documents of a shadow run ended in each [`Bucket`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after its bucket, which says what it has"
)]
pub struct ShadowCounts {
    pub cancelled: u64,
    pub candidate_failed: u64,
    pub candidate_panicked: u64,
    pub comparator_panicked: u64,
    pub diverged: u64,
    pub ignored: u64,
    pub matched: u64,
    pub not_comparable: u64,
    pub not_sampled: u64,
    pub production_failed: u64,
    pub shed: u64,
    pub timed_out: u64,
    pub withheld: u64,
}

impl ShadowCounts {
    /// The number of documents in a bucket.
    pub fn of(&self, bucket: Bucket) -> u64 {
        let mut counts = *self;
        *counts.count(bucket)
    }

    /// Every document that ended, whatever its bucket.
    pub fn ended(&self) -> u64 {
        self.sum(|_| true)
    }

    /// The documents on which the run began: all but those not sampled, shed or withheld.
    pub fn begun(&self) -> u64 {
        self.sum(Bucket::is_begun)
    }

    /// The denominator of the rate: documents on which the candidate's answer could be compared with
    /// production's, or is missing.
    pub fn compared(&self) -> u64 {
        self.sum(Bucket::is_compared)
    }

    /// The numerator of the rate: documents that diverged, or on which the candidate gave no answer.
    pub fn diverging(&self) -> u64 {
        self.sum(Bucket::is_diverging)
    }

    /// The 95 % interval of the rate (Wilson, two-sided), its ends rounded outwards to billionths;
    /// 0 % to 100 % without compared documents.
    pub fn interval(&self) -> (Ratio, Ratio) {
        self.interval_by(IntervalMethod::Wilson)
    }

    /// The same by another method.
    pub fn interval_by(&self, method: IntervalMethod) -> (Ratio, Ratio) {
        method.interval(self.diverging(), self.compared())
    }

    pub(super) fn add(&mut self, bucket: Bucket) {
        let count = self.count(bucket);
        *count = count.saturating_add(1);
    }

    fn sum(&self, is_counted: impl Fn(Bucket) -> bool) -> u64 {
        let buckets = Bucket::ALL.into_iter().filter(|bucket| is_counted(*bucket));
        buckets.fold(0, |sum, bucket| sum.saturating_add(self.of(bucket)))
    }

    fn count(&mut self, bucket: Bucket) -> &mut u64 {
        match bucket {
            Bucket::Cancelled => &mut self.cancelled,
            Bucket::CandidateFailed => &mut self.candidate_failed,
            Bucket::CandidatePanicked => &mut self.candidate_panicked,
            Bucket::ComparatorPanicked => &mut self.comparator_panicked,
            Bucket::Diverged => &mut self.diverged,
            Bucket::Ignored => &mut self.ignored,
            Bucket::Matched => &mut self.matched,
            Bucket::NotComparable => &mut self.not_comparable,
            Bucket::NotSampled => &mut self.not_sampled,
            Bucket::ProductionFailed => &mut self.production_failed,
            Bucket::Shed => &mut self.shed,
            Bucket::TimedOut => &mut self.timed_out,
            Bucket::Withheld => &mut self.withheld,
        }
    }
}
