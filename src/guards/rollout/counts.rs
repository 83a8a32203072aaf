//! The counts of one document type, for the candidate and for production.

use serde::{Deserialize, Serialize};

use super::documents::{Added, Failure};
use super::plan::Denominator;
use crate::call::{Outcome, Role};
use crate::event::{Evidence, Measure, Tally};
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

/// What the counts of a measure are evidence of.
pub(super) fn evidence(
    ratio_test: &RatioTest,
    measure: Measure,
    likelihood: &Likelihood,
) -> Evidence {
    let tally = |counts: Counts| Tally::new(counts.events, counts.documents);
    let weighted = likelihood.weighted;
    Evidence {
        measure,
        candidate: tally(likelihood.first),
        stable: tally(likelihood.second),
        ratio: weighted.ratio(),
        ln_e: ratio_test.ln_e(likelihood),
        p_exceeds: ratio_test.p_exceeds(likelihood),
        information: ratio_test.information(weighted),
        exceeds: ratio_test.exceeds(weighted),
    }
}

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

    /// That of the other version.
    pub(super) fn other(&self, role: Role) -> &T {
        match role {
            Role::Candidate => &self.stable,
            Role::Stable | Role::Previous => &self.candidate,
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

    /// Counts the end of a document's call.
    pub(super) fn ended(&mut self, added: Added, measure: Option<Measure>) {
        self.processed = self.processed.saturating_add(u32::from(added.document));
        self.answered = self.answered.saturating_add(u32::from(added.answer));
        if let Some(measure) = measure.filter(|_| added.event) {
            let events = self.events(measure);
            *events = events.saturating_add(1);
        }
    }

    /// No longer counts a failure, and its document if that came with it.
    pub(super) fn take_back(&mut self, failure: &Failure) {
        let document = u32::from(failure.added_document);
        self.processed = self.processed.saturating_sub(document);
        self.failed = self.failed.saturating_sub(1);
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
    /// What the corrections say, since they last changed.
    #[serde(skip)]
    corrections: Option<Box<Corrections>>,
}

/// What the corrections of a type say.
#[derive(Clone, Debug)]
struct Corrections {
    divide_by: Denominator,
    likelihood: Likelihood,
    evidence: Option<Evidence>,
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
        match measure {
            Measure::Corrections => self.corrections(ratio_test, divide_by).likelihood.clone(),
            _ => ratio_test.add_up(self.strata(measure, divide_by)),
        }
    }

    /// The evidence of the corrections, kept until they change.
    pub(super) fn evidence(&mut self, ratio_test: &RatioTest, divide_by: Denominator) -> Evidence {
        let known = self.corrections(ratio_test, divide_by);
        let likelihood = &known.likelihood;
        *known
            .evidence
            .get_or_insert_with(|| evidence(ratio_test, Measure::Corrections, likelihood))
    }

    fn corrections(&mut self, ratio_test: &RatioTest, divide_by: Denominator) -> &mut Corrections {
        let known = self.corrections.take();
        let known = known.filter(|known| known.divide_by == divide_by);
        let known = known.unwrap_or_else(|| {
            Box::new(Corrections {
                divide_by,
                likelihood: ratio_test.add_up(self.strata(Measure::Corrections, divide_by)),
                evidence: None,
            })
        });
        self.corrections.insert(known)
    }

    /// Whether the counts are consistent.
    pub(super) fn is_possible(&self) -> bool {
        let mut stages = self.stages.iter();
        stages.all(|stage| stage.candidate.is_possible() && stage.stable.is_possible())
    }
}
