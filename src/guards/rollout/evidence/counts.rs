//! The counts of one document type, for the candidate and for production.

use serde::{Deserialize, Serialize};

use super::super::plan::Denominator;
use super::likelihood::{Likelihood, Stratum};
use super::ratio_test::RatioTest;
use crate::call::{Outcome, Role};
use crate::event::{Evidence, Measure, Tally};
use crate::failure::FailureKind;

/// The measures that are known as soon as a call ends.
pub(crate) const OUTCOME_MEASURES: [Measure; 4] = [
    Measure::Abandonments,
    Measure::Diversions,
    Measure::Failures,
    Measure::Truncations,
];

/// One value for each version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair<T> {
    pub(crate) candidate: T,
    pub(crate) stable: T,
}

impl<T> Pair<T> {
    pub(crate) fn of(&mut self, role: Role) -> &mut T {
        match role {
            Role::Candidate => &mut self.candidate,
            Role::Stable | Role::Previous => &mut self.stable,
        }
    }
}

/// Documents of one version that were admitted in one time slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arm {
    /// Calls that ended with any outcome.
    pub(crate) processed: u32,
    /// Calls that ended with an answer.
    pub(crate) answered: u32,
    /// Answers that were reviewed or corrected.
    pub(crate) looked_at: u32,
    /// Answers that were corrected; a batch counts as one.
    pub(crate) corrected: u32,
}

impl Arm {
    fn tally(&self, denominator: Denominator) -> Tally {
        let documents = match denominator {
            Denominator::Processed => self.processed,
            Denominator::Reviewable => self.answered,
            Denominator::Reviewed => self.looked_at,
        };
        Tally::new(
            u64::from(self.corrected.min(documents)),
            u64::from(documents),
        )
    }

    /// Whether the counts are consistent.
    fn is_possible(&self) -> bool {
        self.answered <= self.processed
            && self.looked_at <= self.answered
            && self.corrected <= self.answered
    }
}

/// The outcomes of one version's calls in one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes {
    pub(crate) processed: u32,
    abandoned: u32,
    diverted: u32,
    failed: u32,
    truncated: u32,
}

impl Outcomes {
    /// Counts an outcome; returns the measure that it is an event of.
    fn count(&mut self, outcome: &Outcome) -> Option<Measure> {
        self.processed = self.processed.saturating_add(1);
        let (count, measure) = match outcome {
            Outcome::Abandoned => (&mut self.abandoned, Measure::Abandonments),
            Outcome::Diverted(_) | Outcome::NeedsReview => {
                (&mut self.diverted, Measure::Diversions)
            }
            Outcome::Failed(FailureKind::Truncated) => (&mut self.truncated, Measure::Truncations),
            Outcome::Failed(_) => (&mut self.failed, Measure::Failures),
            Outcome::Accepted | Outcome::Released => return None,
        };
        *count = count.saturating_add(1);
        Some(measure)
    }

    fn tally(&self, measure: Measure) -> Tally {
        let events = match measure {
            Measure::Abandonments => self.abandoned,
            Measure::Corrections => 0,
            Measure::Diversions => self.diverted,
            Measure::Failures => self.failed,
            Measure::Truncations => self.truncated,
        };
        Tally::new(u64::from(events), u64::from(self.processed))
    }

    fn is_possible(&self) -> bool {
        let ends = [self.abandoned, self.diverted, self.failed, self.truncated];
        ends.iter().map(|end| u64::from(*end)).sum::<u64>() <= u64::from(self.processed)
    }
}

/// One stage of one document type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StageCounts {
    /// By the time of admission.
    pub(crate) time_slices: Vec<Pair<Arm>>,
    pub(crate) ends: Pair<Outcomes>,
}

/// The counts of one document type in all stages.
#[derive(Debug, Default)]
pub(crate) struct TypeCounts {
    pub(crate) stages: Vec<StageCounts>,
    /// For each cadence of this type, the number of documents that the candidate answered.
    pub(crate) on_time: Vec<u32>,
    /// The likelihood as it was last calculated.
    likelihood: Option<Box<Likelihood>>,
    /// The evidence, if it was calculated since.
    evidence: Option<Evidence>,
    /// Whether `likelihood` covers all counts.
    is_up_to_date: bool,
}

impl TypeCounts {
    pub(crate) fn stored(stages: Vec<StageCounts>, on_time: Vec<u32>) -> Self {
        Self {
            stages,
            on_time,
            ..Self::default()
        }
    }

    /// The counts of a stratum, to be changed: this invalidates the likelihood.
    fn arm(&mut self, stage: usize, time_slice: usize, role: Role) -> Option<&mut Arm> {
        self.is_up_to_date = false;
        if self.stages.len() <= stage {
            self.stages.reserve_exact(stage + 1 - self.stages.len());
            self.stages.resize_with(stage + 1, StageCounts::default);
        }
        let time_slices = &mut self.stages.get_mut(stage)?.time_slices;
        if time_slices.len() <= time_slice {
            time_slices.resize_with(time_slice + 1, Pair::default);
        }
        time_slices.get_mut(time_slice).map(|pair| pair.of(role))
    }

    /// Counts an outcome; returns the measure that it is an event of.
    pub(crate) fn ended(
        &mut self,
        (stage, time_slice, role): (usize, usize, Role),
        outcome: &Outcome,
    ) -> Option<Measure> {
        let arm = self.arm(stage, time_slice, role)?;
        arm.processed = arm.processed.saturating_add(1);
        if matches!(outcome, Outcome::Accepted | Outcome::NeedsReview) {
            arm.answered = arm.answered.saturating_add(1);
        }
        self.stages.get_mut(stage)?.ends.of(role).count(outcome)
    }

    /// Counts answers in bulk, all of them reviewed.
    pub(crate) fn add(&mut self, (stage, time_slice): (usize, usize), tallies: Pair<Tally>) {
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        for (role, tally) in [
            (Role::Candidate, tallies.candidate),
            (Role::Stable, tallies.stable),
        ] {
            let documents = small(tally.documents);
            if let Some(arm) = self.arm(stage, time_slice, role) {
                for count in [&mut arm.processed, &mut arm.answered, &mut arm.looked_at] {
                    *count = count.saturating_add(documents);
                }
                arm.corrected = arm.corrected.saturating_add(small(tally.events));
            }
            if let Some(stage) = self.stages.get_mut(stage) {
                let ends = stage.ends.of(role);
                ends.processed = ends.processed.saturating_add(documents);
            }
        }
    }

    pub(crate) fn reviewed(&mut self, (stage, time_slice, role): (usize, usize, Role)) {
        if let Some(arm) = self.arm(stage, time_slice, role) {
            arm.looked_at = arm.looked_at.saturating_add(1).min(arm.answered);
        }
    }

    /// Counts a correction; returns `false` if every answer of the stratum is already corrected.
    pub(crate) fn corrected(&mut self, (stage, time_slice, role): (usize, usize, Role)) -> bool {
        let Some(arm) = self.arm(stage, time_slice, role) else {
            return false;
        };
        let is_possible = arm.corrected < arm.answered;
        arm.corrected += u32::from(is_possible);
        is_possible
    }

    pub(crate) fn retracted(&mut self, (stage, time_slice, role): (usize, usize, Role)) {
        if let Some(arm) = self.arm(stage, time_slice, role) {
            arm.corrected = arm.corrected.saturating_sub(1);
        }
    }

    /// Every stratum, with its stage and time slice.
    pub(crate) fn time_slices(&self) -> impl Iterator<Item = (usize, usize, &Pair<Arm>)> {
        let stages = self.stages.iter().enumerate();
        stages.flat_map(|(number, stage)| {
            let time_slices = stage.time_slices.iter().enumerate();
            time_slices.map(move |(time_slice, pair)| (number, time_slice, pair))
        })
    }

    /// The likelihood of all corrections, recalculated if the counts have changed.
    pub(crate) fn likelihood(
        &mut self,
        ratio_test: &RatioTest,
        denominator: Denominator,
    ) -> &Likelihood {
        let before = self.likelihood.take().filter(|_| self.is_up_to_date);
        let likelihood = before.unwrap_or_else(|| {
            self.evidence = None;
            Box::new(self.add_up(ratio_test, denominator, |_, _| true))
        });
        self.is_up_to_date = true;
        self.likelihood.insert(likelihood)
    }

    /// The likelihood as it was last calculated.
    pub(crate) fn previous_likelihood(&self) -> Option<&Likelihood> {
        self.likelihood.as_deref()
    }

    pub(crate) fn evidence(
        &mut self,
        ratio_test: &RatioTest,
        denominator: Denominator,
    ) -> Evidence {
        self.likelihood(ratio_test, denominator);
        match (&self.evidence, &self.likelihood) {
            (Some(evidence), _) => *evidence,
            (None, Some(likelihood)) => *self
                .evidence
                .insert(ratio_test.evidence(Measure::Corrections, likelihood)),
            (None, None) => ratio_test.evidence(Measure::Corrections, &Likelihood::default()),
        }
    }

    /// The likelihood of the corrections of some time slices.
    pub(crate) fn add_up(
        &self,
        ratio_test: &RatioTest,
        denominator: Denominator,
        is_in: impl Fn(usize, usize) -> bool,
    ) -> Likelihood {
        let time_slices = self
            .time_slices()
            .filter(|(stage, time_slice, _)| is_in(*stage, *time_slice));
        ratio_test.add_up(time_slices.map(|(_, _, pair)| Stratum {
            candidate: pair.candidate.tally(denominator),
            stable: pair.stable.tally(denominator),
        }))
    }

    /// Whether the candidate has any event of this measure.
    pub(crate) fn has_any(&self, measure: Measure) -> bool {
        let mut stages = self.stages.iter();
        stages.any(|stage| stage.ends.candidate.tally(measure).events > 0)
    }

    /// The strata of an outcome measure, by stage.
    pub(crate) fn outcomes(&self, measure: Measure) -> impl Iterator<Item = Stratum> {
        self.stages.iter().map(move |stage| Stratum {
            candidate: stage.ends.candidate.tally(measure),
            stable: stage.ends.stable.tally(measure),
        })
    }

    /// Whether the counts are consistent.
    pub(crate) fn is_possible(&self) -> bool {
        self.time_slices()
            .all(|(_, _, pair)| pair.candidate.is_possible() && pair.stable.is_possible())
            && self
                .stages
                .iter()
                .all(|stage| stage.ends.candidate.is_possible() && stage.ends.stable.is_possible())
    }
}
