//! The counts of one document type, for the candidate and for production.

use serde::{Deserialize, Serialize};

use super::plan::Denominator;
use crate::call::{Outcome, Role};
use crate::event::Measure;
use crate::failure::FailureKind;
use crate::stats::{Counts, Likelihood, RatioTest, Stratum, Weighted};

/// Every measure; the first is known only when reviewers have answered, the others as soon as a call
/// ends.
pub(super) const MEASURES: [Measure; 5] = [
    Measure::Corrections,
    Measure::Abandonments,
    Measure::Diversions,
    Measure::Failures,
    Measure::Truncations,
];

/// One value for each version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pair<T> {
    pub(super) candidate: T,
    pub(super) stable: T,
}

impl<T> Pair<T> {
    pub(super) fn of(&mut self, role: Role) -> &mut T {
        match role {
            Role::Candidate => &mut self.candidate,
            Role::Stable | Role::Previous => &mut self.stable,
        }
    }
}

/// The measure of which an outcome is an event, if it is one of the bad ends.
pub(super) fn measure_of(outcome: &Outcome) -> Option<Measure> {
    match outcome {
        Outcome::Abandoned => Some(Measure::Abandonments),
        Outcome::Diverted(_) | Outcome::NeedsReview => Some(Measure::Diversions),
        Outcome::Failed(FailureKind::Truncated) => Some(Measure::Truncations),
        Outcome::Failed(_) => Some(Measure::Failures),
        Outcome::Accepted | Outcome::Released => None,
    }
}

/// Documents of one version in one stage; of documents in batches, the events are batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arm {
    /// Documents whose call ended, whatever the outcome.
    pub(super) processed: u32,
    /// Documents that were answered.
    pub(super) answered: u32,
    /// Answers that were reviewed or corrected.
    pub(super) looked_at: u32,
    pub(super) corrected: u32,
    abandoned: u32,
    diverted: u32,
    failed: u32,
    truncated: u32,
}

impl Arm {
    pub(super) fn events(&mut self, measure: Measure) -> &mut u32 {
        match measure {
            Measure::Abandonments => &mut self.abandoned,
            Measure::Corrections => &mut self.corrected,
            Measure::Diversions => &mut self.diverted,
            Measure::Failures => &mut self.failed,
            Measure::Truncations => &mut self.truncated,
        }
    }

    /// Counts a failed document, or no longer.
    pub(super) fn failed(&mut self, counts: bool) {
        for count in [&mut self.processed, &mut self.failed] {
            *count = if counts {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            };
        }
    }

    fn counts(mut self, measure: Measure, divide_by: Denominator) -> Counts {
        let documents = match (measure, divide_by) {
            (Measure::Corrections, Denominator::Reviewable) => self.answered,
            (Measure::Corrections, Denominator::Reviewed) => self.looked_at,
            _ => self.processed,
        };
        Counts {
            events: u64::from((*self.events(measure)).min(documents)),
            documents: u64::from(documents),
        }
    }

    /// Whether the counts are consistent.
    fn is_possible(self) -> bool {
        let bad_ends = [self.abandoned, self.failed, self.truncated, self.diverted];
        self.answered <= self.processed
            && self.looked_at <= self.answered
            && self.corrected <= self.looked_at
            && bad_ends.into_iter().all(|events| events <= self.processed)
    }
}

/// The counts of one document type in all stages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct TypeCounts {
    pub(super) stages: Vec<Pair<Arm>>,
    /// For each cadence of this type, the number of documents that the candidate answered.
    pub(super) on_time: Vec<u32>,
    /// What the corrections say, divided by this, since they last changed.
    #[serde(skip)]
    corrections: Option<(Denominator, Box<Likelihood>)>,
}

impl TypeCounts {
    /// The counts of a stage and version, to be changed.
    pub(super) fn arm(&mut self, (stage, role): (usize, Role)) -> &mut Arm {
        self.corrections = None;
        let missing = (stage + 1).saturating_sub(self.stages.len());
        self.stages.reserve_exact(missing);
        self.stages
            .extend(std::iter::repeat_n(Pair::default(), missing));
        #[allow(clippy::indexing_slicing, reason = "the stage has just been added")]
        self.stages[stage].of(role)
    }

    /// The strata of a measure: one for each stage.
    pub(super) fn strata(
        &self,
        measure: Measure,
        divide_by: Denominator,
    ) -> impl Iterator<Item = Stratum> {
        self.stages.iter().map(move |stage| Stratum {
            first: stage.candidate.counts(measure, divide_by),
            second: stage.stable.counts(measure, divide_by),
        })
    }

    pub(super) fn weighted(&self, measure: Measure, divide_by: Denominator) -> Weighted {
        Weighted::of(self.strata(measure, divide_by))
    }

    /// What the counts of a measure say; that of corrections is kept until they change.
    pub(super) fn likelihood(
        &mut self,
        ratio_test: &RatioTest,
        measure: Measure,
        divide_by: Denominator,
    ) -> Likelihood {
        if measure != Measure::Corrections {
            return ratio_test.add_up(self.strata(measure, divide_by));
        }
        let known = self.corrections.take().filter(|(by, _)| *by == divide_by);
        let (_, likelihood) = known.unwrap_or_else(|| {
            let likelihood = ratio_test.add_up(self.strata(measure, divide_by));
            (divide_by, Box::new(likelihood))
        });
        let found = (*likelihood).clone();
        self.corrections = Some((divide_by, likelihood));
        found
    }

    /// Whether the counts are consistent.
    pub(super) fn is_possible(&self) -> bool {
        let mut stages = self.stages.iter();
        stages.all(|stage| stage.candidate.is_possible() && stage.stable.is_possible())
    }
}
