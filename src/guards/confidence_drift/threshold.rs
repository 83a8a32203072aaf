//! The settings of the comparison, and how far a threshold rises.

use super::bets::{Allowance, FalseAlarms, Pace};
use super::season::{Season, Slot};
use crate::confidence::Confidence;
use crate::ratio::Ratio;
use crate::stats::{Lambdas, LatticeCounts, Span, at_most_ruinous, lambdas};
use crate::time::Timestamp;

/// The settings with which answers and scores are compared.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) threshold: Confidence,
    pub(super) step: Confidence,
    pub(super) max_threshold: Confidence,
    /// How many errors there are for each that the confidences expect, where the expected error of
    /// accepted answers is held.
    pub(super) distrust: Option<Ratio>,
    /// The share of a type's documents that may go to review for raised thresholds.
    pub(super) capacity: Option<Ratio>,
    pub(super) max_drop: Confidence,
    pub(super) exit_drop: Confidence,
    pub(super) slow_drop: Confidence,
    /// The drop over a week at which a slow drift ends.
    pub(super) slow_exit: Confidence,
    pub(super) shape_distance: Confidence,
    pub(super) span: Span,
    pub(super) min_documents: u64,
    pub(super) baseline_documents: u64,
    pub(super) false_alarms: FalseAlarms,
    /// Only the mean over the window counts, with as many documents as `min_documents`.
    pub(super) plain_mean: bool,
    pub(super) restores: bool,
    pub(super) season: Option<Season>,
    /// The bets of the sequential test; `None` for those that suit the tested mean.
    pub(super) lambdas: Option<Lambdas>,
}

impl Settings {
    /// The number of the season's slot at this time, if there is a season.
    pub(super) fn slot_at(&self, now: Timestamp) -> Option<u16> {
        self.season.as_ref().map(|season| season.number_at(now))
    }

    /// With what the documents of a slot are compared, where that is not the same at all times.
    pub(super) fn compared_with(&self, slot: Option<u16>) -> Option<Slot> {
        self.season.as_ref().map(|season| season.slot(slot))
    }

    /// The bets of the sequential test, where it tests this mean.
    pub(super) fn lambdas(&self, mean: Confidence) -> Lambdas {
        let mean = mean.as_f64();
        self.lambdas
            .map_or_else(|| lambdas(mean), |given| at_most_ruinous(given, mean))
    }

    /// What one segment may bet at this pace.
    pub(super) fn allowance(&self, pace: &Pace) -> Allowance {
        self.false_alarms.allow(self.span.bucket(), pace)
    }

    /// The threshold one step above the normal one.
    pub(super) fn one_step(&self) -> Confidence {
        self.threshold.raised_by(self.step, self.max_threshold)
    }

    /// A threshold one step lower, at least the normal one.
    pub(super) fn one_step_below(&self, threshold: Confidence) -> Confidence {
        threshold.lowered_by(self.step).max(self.threshold)
    }

    /// The threshold at which accepted answers are expected to have no more errors than the baseline
    /// had at the normal one, if that is to be held: not below the normal one, at most the highest.
    /// `None` where the baseline had no answers that were accepted.
    pub(super) fn holding_threshold(
        &self,
        before: &LatticeCounts,
        now: &LatticeCounts,
    ) -> Option<Confidence> {
        let distrust = self.distrust?.as_f64();
        let target = before.mean_error_from(self.threshold)?;
        let threshold = now.threshold_for(target / distrust);
        let lowest = threshold.unwrap_or(self.threshold).max(self.threshold);
        Some(lowest.min(self.max_threshold))
    }
}
