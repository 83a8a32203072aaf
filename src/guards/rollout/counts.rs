//! The counts of one document type, for the candidate and for production.

use serde::{Deserialize, Serialize};

use super::documents::{Added, Failure};
use super::plan::Denominator;
use crate::call::{Outcome, Role};
use crate::event::{Evidence, Measure, Tally};
use crate::failure::FailureKind;
use crate::stats::{Counts, Likelihood, RatioTest, Stratum, Weighted};

/// Every measure: corrections, which are known when reviewers have answered, and the outcomes.
pub(super) const MEASURES: [Measure; 5] = [
    Measure::Corrections,
    Measure::Abandonments,
    Measure::Diversions,
    Measure::Failures,
    Measure::Truncations,
];

/// The measures that are known as soon as a call ends.
pub(super) const OUTCOMES: [Measure; 4] = [
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

impl Pair<Arm> {
    fn has_events(&self, measure: Measure) -> bool {
        self.candidate.events(measure) > 0 || self.stable.events(measure) > 0
    }

    fn stratum(&self, measure: Measure, divide_by: Denominator) -> Stratum {
        Stratum {
            first: self.candidate.counts(measure, divide_by),
            second: self.stable.counts(measure, divide_by),
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
    fn events(&self, measure: Measure) -> u32 {
        match measure {
            Measure::Abandonments => self.abandoned,
            Measure::Corrections => self.corrected,
            Measure::Diversions => self.diverted,
            Measure::Failures => self.failed,
            Measure::Truncations => self.truncated,
        }
    }

    fn events_mut(&mut self, measure: Measure) -> &mut u32 {
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
            let events = self.events_mut(measure);
            *events = events.saturating_add(1);
        }
    }

    /// No longer counts a failure, and its document if that came with it.
    pub(super) fn take_back(&mut self, failure: &Failure) {
        let document = u32::from(failure.added_document);
        self.processed = self.processed.saturating_sub(document);
        self.failed = self.failed.saturating_sub(1);
    }

    fn counts(&self, measure: Measure, divide_by: Denominator) -> Counts {
        let documents = match (measure, divide_by) {
            (Measure::Corrections, Denominator::Reviewable) => self.answered,
            (Measure::Corrections, Denominator::Reviewed) => self.looked_at,
            _ => self.processed,
        };
        Counts {
            events: u64::from(self.events(measure).min(documents)),
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

impl Corrections {
    fn is_of(&self, measure: Measure, divide_by: Denominator) -> bool {
        measure == Measure::Corrections && self.divide_by == divide_by
    }
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
    fn strata(&self, measure: Measure, divide_by: Denominator) -> impl Iterator<Item = Stratum> {
        let stages = self.stages.iter();
        stages.map(move |stage| stage.stratum(measure, divide_by))
    }

    pub(super) fn events_of_candidate(&self, measure: Measure) -> u32 {
        let events = self
            .stages
            .iter()
            .map(|stage| stage.candidate.events(measure));
        events.fold(0, u32::saturating_add)
    }

    /// The weighted events of a measure; those of corrections are kept until they change.
    pub(super) fn weighted(&self, measure: Measure, divide_by: Denominator) -> Weighted {
        let known = self.corrections.as_deref();
        if let Some(known) = known.filter(|known| known.is_of(measure, divide_by)) {
            return known.likelihood.weighted;
        }
        let mut sum = Weighted::default();
        for stage in &self.stages {
            if stage.has_events(measure) {
                sum.count(stage.stratum(measure, divide_by));
            }
        }
        sum
    }

    /// Adds what the counts of a measure say.
    pub(super) fn add_to(
        &mut self,
        sum: &mut Likelihood,
        ratio_test: &RatioTest,
        measure: Measure,
        divide_by: Denominator,
    ) {
        if !self.stages.iter().any(|stage| stage.has_events(measure)) {
            let strata = self.strata(measure, divide_by);
            strata.for_each(|stratum| sum.add_documents(stratum));
        } else if measure == Measure::Corrections {
            sum.add(&self.corrections(ratio_test, divide_by).likelihood);
        } else {
            sum.add(&ratio_test.add_up(self.strata(measure, divide_by)));
        }
    }

    /// The evidence of a measure; that of corrections is kept until they change.
    pub(super) fn evidence(
        &mut self,
        ratio_test: &RatioTest,
        measure: Measure,
        divide_by: Denominator,
    ) -> Evidence {
        if measure != Measure::Corrections {
            let likelihood = ratio_test.add_up(self.strata(measure, divide_by));
            return evidence(ratio_test, measure, &likelihood);
        }
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
