//! The findings behind a decision, and the status of each type.

use super::counts::{OUTCOMES, Pair};
use super::coverage::REMEMBERED;
use super::decide::{Deciding, View, compared_types};
use super::plan::Denominator;
use super::status::{TypeStatus, TypeVerdict};
use super::thresholds::is_worse;
use super::trial::Trial;
use crate::call::Role;
use crate::event::{Evidence, Findings, Maturity, Measure};
use crate::name::DocumentType;
use crate::stats::Delays;
use crate::time::Timestamp;

impl Trial {
    pub(super) fn findings(&self, view: &View<'_>, deciding: Deciding) -> Findings {
        let (document_type, evidence) = deciding;
        Findings {
            document_type,
            evidence,
            maturity: self.maturity(view),
            equal_review_assumed: self.divide_by(view.plan) != Denominator::Reviewed,
            slow_reviews: self.is_slow(view),
            uncovered: self.uncovered(view),
            unjudged: self.unjudged(view),
            excluded: self.excluded.iter().cloned().collect(),
            not_serving: self.serving.not_serving(&self.stable, &self.candidate),
            max_ratio: view.plan.max_ratio,
            next_evaluation: None,
            by_operator: false,
        }
    }

    /// The share of the expected corrections that has arrived, of the stage's own documents and of
    /// earlier stages: by the number of reviewed answers, or by the share that usually arrives within
    /// their age, whichever is larger. Where the candidate's reviews take longer, by how long they
    /// take.
    fn maturity(&self, view: &View<'_>) -> Maturity {
        let mut sums = Pair::<Come>::default();
        for role in [Role::Candidate, Role::Stable] {
            let (answered, looked_at) = self.cohort.counts(role);
            sums.of(role).add_reviewed(answered, looked_at);
        }
        let all_delays = view.review_delays.of_all(view.now);
        let of_all = all_delays.map_or(Usual::default(), |delays| self.usual(view, delays));
        for (name, counts) in compared_types(&self.by_type, &self.excluded) {
            let own_delays = view.review_delays.own(&name, view.now);
            let usual = own_delays.map_or(of_all, |delays| self.usual(view, delays));
            for (stage, arms) in counts.stages.iter().enumerate() {
                let is_earlier = stage < usize::from(self.stage);
                let usual = if is_earlier {
                    usual.of_earlier
                } else {
                    usual.of_stage
                };
                for (sums, arm, usual) in [
                    (&mut sums.candidate, arms.candidate, usual.candidate),
                    (&mut sums.stable, arms.stable, usual.stable),
                ] {
                    if is_earlier {
                        sums.add_reviewed(arm.answered, arm.looked_at);
                    }
                    sums.add_usual(arm.answered, usual);
                }
            }
        }
        let of_candidate = if self.is_slow(view) {
            let usual = self.waits.candidate.share_come(view.now);
            sums.candidate.reviewed().max(usual)
        } else {
            sums.candidate.share()
        };
        Maturity::new(of_candidate, sums.stable.share())
    }

    fn usual(&self, view: &View<'_>, delays: &Delays) -> Usual {
        let of_earlier = delays.share_within(view.now.since(self.since));
        Usual {
            of_earlier: Pair {
                candidate: of_earlier,
                stable: of_earlier,
            },
            of_stage: self.cohort.usual(delays, self.since, view.now),
        }
    }

    /// The expected types that the candidate has not answered often enough.
    pub(super) fn uncovered(&self, view: &View<'_>) -> Vec<DocumentType> {
        let Some(coverage) = &view.plan.coverage else {
            return Vec::new();
        };
        let mut expected: Vec<DocumentType> = if coverage.is_from_traffic() {
            let is_recent = |at: &Timestamp| view.now.since(*at) <= REMEMBERED;
            let recent = view.seen.iter().filter(|(_, at)| is_recent(at));
            recent.map(|(name, _)| name.clone()).collect()
        } else {
            coverage.expected.keys().cloned().collect()
        };
        expected.retain(|name| !self.excluded.contains(name) && !self.covers(view.plan, name));
        expected.sort();
        expected
    }

    /// The types with too few corrections to be evaluated by themselves.
    fn unjudged(&self, view: &View<'_>) -> Vec<DocumentType> {
        let types = compared_types(&self.by_type, &self.excluded);
        let unjudged = types.filter(|(_, counts)| self.is_unjudged(view, counts));
        let mut unjudged: Vec<_> = unjudged.map(|(name, _)| name.into_owned()).collect();
        unjudged.sort();
        unjudged
    }

    /// The status of every type by itself.
    pub(super) fn types(&mut self, view: &View<'_>) -> Vec<TypeStatus> {
        let (types, divide_by) = (self.compared(), self.divide_by(view.plan));
        let risk = view.plan.last_bar().risk;
        let excluded = &self.excluded;
        let (own, other) = self.by_type.all_mut();
        let own = own.map(|(name, counts)| (name.clone(), counts.read()));
        let other = other.map(|counts| (DocumentType::other(), counts.read()));
        let mut all: Vec<_> = own.chain(other).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter()
            .map(|(document_type, counts)| {
                let evidence = counts.evidence(view.ratio_test, Measure::Corrections, divide_by);
                let verdict = if excluded.contains(&document_type) {
                    TypeVerdict::Excluded
                } else if is_worse(&evidence, types) {
                    TypeVerdict::Worse
                } else if evidence.candidate.documents == 0 {
                    TypeVerdict::Unseen
                } else if evidence.p_exceeds <= risk {
                    TypeVerdict::NoWorse
                } else {
                    TypeVerdict::Unclear
                };
                TypeStatus {
                    document_type,
                    verdict,
                    evidence,
                }
            })
            .collect()
    }

    /// The outcome measures, over all types.
    pub(super) fn at_once(&mut self, view: &View<'_>) -> Vec<Evidence> {
        let outcomes = OUTCOMES.into_iter();
        outcomes
            .map(|measure| self.evidence(view, measure))
            .collect()
    }
}

/// The shares of the corrections that have usually come by now: of earlier stages' documents, and
/// of the stage's own.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    of_earlier: Pair<f64>,
    of_stage: Pair<f64>,
}

/// How many of one version's corrections have come.
#[derive(Clone, Copy, Debug, Default)]
struct Come {
    planned: f64,
    looked_at: f64,
    answered: f64,
    usual: f64,
}

impl Come {
    fn add_reviewed(&mut self, answered: u32, looked_at: u32) {
        self.planned += f64::from(answered);
        self.looked_at += f64::from(looked_at);
    }

    fn add_usual(&mut self, answered: u32, share: f64) {
        self.answered += f64::from(answered);
        self.usual += f64::from(answered) * share;
    }

    fn reviewed(self) -> f64 {
        self.looked_at / self.planned.max(1.0)
    }

    fn share(self) -> f64 {
        self.reviewed().max(self.usual / self.answered.max(1.0))
    }
}
