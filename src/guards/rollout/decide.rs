//! From counts to a decision. Rolling back comes first: no other condition can mask it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::evidence::counts::{OUTCOME_MEASURES, Pair, TypeCounts};
use super::evidence::likelihood::Likelihood;
use super::evidence::ratio_test::RatioTest;
use super::evidence::review_delay::ReviewDelays;
use super::plan::{DecisionRule, Denominator, Plan, Stage, WorseType};
use super::split::is_split_broken;
use super::status::RolloutState;
use super::thresholds::{MIN_MATURITY, ln_bar};
use super::trial::Trial;
use crate::event::{Decision, Evidence, Findings, HoldReason, Measure};
use crate::name::DocumentType;
use crate::stats::BoundedMap;
use crate::time::Timestamp;

/// What a trial is decided with.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ratio_test: &'a RatioTest,
    pub(super) review_delays: &'a ReviewDelays,
    /// When production last answered each type.
    pub(super) seen: &'a BoundedMap<DocumentType, Timestamp>,
    pub(super) now: Timestamp,
}

/// Why a candidate is worse: for one document type, or over all together.
pub(super) type Worse = (Option<DocumentType>, Evidence);

impl Trial {
    /// Whether no decision can change the trial any more.
    pub(super) fn is_closed(&self, view: &View<'_>) -> bool {
        let is_over = self.is_over(view.now) && self.uncovered(view).is_empty();
        self.state.is_rejected() || is_over
    }

    /// The decision at this time, and the findings behind it.
    pub(super) fn decide(&mut self, view: &View<'_>) -> (Decision, Findings) {
        let all = self.add_up_all(view);
        if let Some(worse) = self.worse(view, &all) {
            return (Decision::RollBack, self.findings(view, worse));
        }
        let evidence = view.ratio_test.evidence(Measure::Corrections, &all);
        let mut findings = self.findings(view, (None, evidence));
        let stage = view.plan.stage(self.stage);
        let decision = match stage.filter(|_| self.state.is_under_way()) {
            None => Decision::Promote,
            Some(stage) => {
                let decision = self.promote_or_hold(view, stage, &findings);
                findings.next_evaluation =
                    self.next_evaluation(view, stage, decision, &findings.uncovered);
                decision
            }
        };
        (decision, findings)
    }

    fn promote_or_hold(&self, view: &View<'_>, stage: &Stage, findings: &Findings) -> Decision {
        let (plan, evidence) = (view.plan, &findings.evidence);
        if self.paused_at.is_some() {
            return Decision::Hold(HoldReason::Paused);
        }
        let away = self.serving.away();
        let without_production = self.serving.without_production(view.now);
        let waited = view.now.since(self.since + without_production);
        let observed = waited.saturating_sub(self.serving.without_candidate(view.now));
        let is_due = away.is_none() && observed >= stage.at_least;
        if plan.rule == DecisionRule::PlainRatio && is_due {
            return if evidence.exceeds {
                Decision::RollBack
            } else if self.needs_approval(plan) {
                Decision::Hold(HoldReason::Approval)
            } else {
                Decision::Promote
            };
        }
        let bar = plan.bar(self.stage);
        let reason = if let Some(reason) = away {
            reason
        } else if !is_due {
            HoldReason::NotDue
        } else if evidence.information < bar.information {
            HoldReason::NoEvidence
        } else if findings.maturity.least() < MIN_MATURITY {
            HoldReason::Immature
        } else if is_split_broken(self.serving.split(), stage.share) {
            HoldReason::SplitBroken
        } else if !findings.uncovered.is_empty() {
            HoldReason::Coverage
        } else if evidence.p_exceeds > bar.risk {
            HoldReason::Unclear
        } else if self.needs_approval(plan) {
            HoldReason::Approval
        } else if self.state == RolloutState::Escalated {
            return Decision::Escalate;
        } else {
            return Decision::Promote;
        };
        if self.state == RolloutState::Escalated || waited >= plan.patience(stage, reason) {
            return Decision::Escalate;
        }
        Decision::Hold(reason)
    }

    /// When the decision can change without new data.
    fn next_evaluation(
        &self,
        view: &View<'_>,
        stage: &Stage,
        decision: Decision,
        uncovered: &[DocumentType],
    ) -> Option<Timestamp> {
        let Decision::Hold(reason) = decision else {
            return None;
        };
        let since = self.since + self.serving.without_production(view.now);
        let given_up = since + view.plan.patience(stage, reason);
        match reason {
            HoldReason::Paused | HoldReason::StableNotServing => None,
            HoldReason::NotDue => {
                Some(since + self.serving.without_candidate(view.now) + stage.at_least)
            }
            HoldReason::Coverage => {
                let coverage = view.plan.coverage.iter();
                let missing = coverage.flat_map(|coverage| {
                    let types = uncovered.iter();
                    types.flat_map(|document_type| self.missing(coverage, document_type))
                });
                let next = missing.filter_map(|cadence| cadence.next(view.now));
                Some(next.fold(given_up, Timestamp::min))
            }
            HoldReason::Approval
            | HoldReason::CandidateNotServing
            | HoldReason::NoEvidence
            | HoldReason::Immature
            | HoldReason::SplitBroken
            | HoldReason::Unclear => Some(given_up),
        }
    }

    /// Evidence against the candidate that is strong enough to act at once.
    fn worse(&mut self, view: &View<'_>, all: &Likelihood) -> Option<Worse> {
        match view.plan.rule {
            DecisionRule::PlainRatio => None,
            DecisionRule::Evidence if view.plan.worse_type == WorseType::Exclude => {
                self.worse_alone(view).or_else(|| {
                    let worse = self.worse_together(view, all)?;
                    Some(self.type_to_exclude(view, worse.1.measure).unwrap_or(worse))
                })
            }
            DecisionRule::Evidence => self
                .worse_together(view, all)
                .or_else(|| self.worse_alone(view)),
        }
    }

    fn worse_together(&mut self, view: &View<'_>, all: &Likelihood) -> Option<Worse> {
        let corrections = view.worse(Measure::Corrections, all, 1);
        let worse = corrections.or_else(|| {
            OUTCOME_MEASURES
                .into_iter()
                .find_map(|m| self.worse_outcomes(view, m))
        });
        worse.map(|evidence| (None, evidence))
    }

    /// Evidence against it from an outcome measure, over all types.
    fn worse_outcomes(&self, view: &View<'_>, measure: Measure) -> Option<Evidence> {
        let by_type = || compared_types(&self.by_type, &self.excluded).map(|(_, counts)| counts);
        if !by_type().any(|counts| counts.has_any(measure)) {
            return None;
        }
        let strata = || by_type().flat_map(|counts| counts.outcomes(measure));
        if !view.ratio_test.exceeds_in(strata()) {
            return None;
        }
        let strata = strata();
        view.worse(measure, &view.ratio_test.add_up(strata), 1)
    }

    /// The first type, by name, for which the candidate is worse.
    fn worse_alone(&mut self, view: &View<'_>) -> Option<Worse> {
        let types = self.compared();
        let age_cutoff = self.age_cutoff(view);
        let worse =
            compared_types_mut(&mut self.by_type, &self.excluded).filter_map(|(name, counts)| {
                let likelihood = view.corrections(counts, age_cutoff.as_ref());
                let corrections = view.worse(Measure::Corrections, &likelihood, types);
                let evidence = corrections.or_else(|| {
                    OUTCOME_MEASURES.into_iter().find_map(|measure| {
                        let exceeds = counts.has_any(measure)
                            && view.ratio_test.exceeds_in(counts.outcomes(measure));
                        let ends =
                            exceeds.then(|| view.ratio_test.add_up(counts.outcomes(measure)))?;
                        view.worse(measure, &ends, types)
                    })
                })?;
                Some((name, evidence))
            });
        let first = worse.min_by(|(one, _), (other, _)| one.cmp(other));
        first.map(|(name, evidence)| (Some(name), evidence))
    }

    /// The type with the strongest evidence, if the others together do not exceed the tolerated
    /// ratio without it.
    fn type_to_exclude(&mut self, view: &View<'_>, measure: Measure) -> Option<Worse> {
        let age_cutoff = self.age_cutoff(view);
        let mut all = Likelihood::default();
        let mut strongest: Option<(f64, DocumentType, Likelihood)> = None;
        for (name, counts) in compared_types_mut(&mut self.by_type, &self.excluded) {
            let likelihood = match measure {
                Measure::Corrections => view.corrections(counts, age_cutoff.as_ref()).into_owned(),
                _ => view.ratio_test.add_up(counts.outcomes(measure)),
            };
            all.add(&likelihood);
            let ln_e = view.ratio_test.ln_e(&likelihood);
            if strongest.as_ref().is_none_or(|(most, _, _)| ln_e > *most) {
                strongest = Some((ln_e, name, likelihood));
            }
        }
        let (_, name, likelihood) = strongest?;
        all.remove(&likelihood);
        let evidence = view.ratio_test.evidence(measure, &likelihood);
        (!view.ratio_test.exceeds(&all)).then_some((Some(name), evidence))
    }

    /// Whether another event of the candidate may make it worse: evaluated for the event's own
    /// type, and for all types as of the last decision.
    pub(super) fn may_be_worse(
        &mut self,
        view: &View<'_>,
        document_type: &DocumentType,
        measure: Measure,
    ) -> bool {
        if view.plan.rule == DecisionRule::PlainRatio || self.excluded.contains(document_type) {
            return false;
        }
        let types = self.compared();
        if measure != Measure::Corrections {
            let (counts, _) = self.by_type.entry(document_type, Box::default);
            let alone = view.ratio_test.exceeds_in(counts.outcomes(measure))
                && view
                    .worse(
                        measure,
                        &view.ratio_test.add_up(counts.outcomes(measure)),
                        types,
                    )
                    .is_some();
            return alone || self.worse_outcomes(view, measure).is_some();
        }
        if self.age_cutoff(view).is_some() {
            return true;
        }
        let (counts, _) = self.by_type.entry(document_type, Box::default);
        if let Some(before) = counts.previous_likelihood() {
            self.all.remove(before);
        }
        let likelihood = counts.likelihood(view.ratio_test, view.plan.denominator);
        self.all.add(likelihood);
        view.is_worse(measure, likelihood, types) || view.is_worse(measure, &self.all, 1)
    }

    /// The number of types with counts, by which a single type's e-value is corrected.
    pub(super) fn compared(&self) -> usize {
        self.by_type.iter().count() + usize::from(self.by_type.other().is_some())
    }

    /// If reviewers check the answers of one version sooner, only answers that are older than the
    /// 90th percentile of both versions' review delays are compared.
    pub(super) fn age_cutoff(&self, view: &View<'_>) -> Option<AgeCutoff> {
        // With reviewed answers as the denominator, the review speed does not change the ratio.
        let by_share = view.plan.denominator != Denominator::Reviewed;
        let differing = self
            .review_speed
            .iter()
            .filter(|Pair { candidate, stable }| candidate.differs_from(stable, by_share));
        let ages = differing.map(|Pair { candidate, stable }| {
            candidate.percentile_90().max(stable.percentile_90())
        });
        let age = ages.max()?;
        // Long delays of recent answers have not been observed yet.
        let age = if view.review_delays.is_known(view.now) {
            age
        } else {
            age.saturating_mul(2)
        };
        let stages = (0_u8..).zip(&self.began).map(|(stage, began)| {
            let length = view
                .plan
                .stage(stage)
                .map(|stage| view.plan.time_slice_length(stage));
            let length = length.unwrap_or(Duration::MAX).as_millis().max(1);
            let old = view.now.since(*began + age).as_millis() / length;
            usize::try_from(old).unwrap_or(usize::MAX)
        });
        Some(AgeCutoff(stages.collect()))
    }

    /// The corrections of all types that are not excluded.
    fn add_up_all(&mut self, view: &View<'_>) -> Likelihood {
        let age_cutoff = self.age_cutoff(view);
        let mut all = Likelihood::default();
        for (_, counts) in compared_types_mut(&mut self.by_type, &self.excluded) {
            all.add(&view.corrections(counts, age_cutoff.as_ref()));
        }
        self.all = all.clone();
        all
    }
}

impl View<'_> {
    /// The likelihood of a type's corrections, of old enough answers only if there is a cutoff.
    fn corrections<'a>(
        &self,
        counts: &'a mut TypeCounts,
        age_cutoff: Option<&AgeCutoff>,
    ) -> Cow<'a, Likelihood> {
        let denominator = self.plan.denominator;
        match age_cutoff {
            None => Cow::Borrowed(counts.likelihood(self.ratio_test, denominator)),
            Some(AgeCutoff(old_enough)) => {
                let is_old_enough = |stage: usize, time_slice| {
                    old_enough.get(stage).is_some_and(|old| time_slice < *old)
                };
                Cow::Owned(counts.add_up(self.ratio_test, denominator, is_old_enough))
            }
        }
    }

    /// The evidence from the same corrections; without a cutoff the counts cache it.
    pub(super) fn type_evidence(
        &self,
        counts: &mut TypeCounts,
        age_cutoff: Option<&AgeCutoff>,
    ) -> Evidence {
        if age_cutoff.is_none() {
            return counts.evidence(self.ratio_test, self.plan.denominator);
        }
        let likelihood = self.corrections(counts, age_cutoff);
        self.ratio_test.evidence(Measure::Corrections, &likelihood)
    }

    fn is_worse(&self, measure: Measure, likelihood: &Likelihood, types: usize) -> bool {
        self.ratio_test.exceeds(likelihood)
            && self.ratio_test.ln_e(likelihood) >= ln_bar(measure, types)
    }

    fn worse(&self, measure: Measure, likelihood: &Likelihood, types: usize) -> Option<Evidence> {
        self.is_worse(measure, likelihood, types)
            .then(|| self.ratio_test.evidence(measure, likelihood))
    }
}

/// The number of time slices of each stage that are old enough to be compared.
pub(super) struct AgeCutoff(Vec<usize>);

/// The types that are not excluded; the overflow types appear under their common name.
pub(super) fn compared_types<'a>(
    by_type: &'a BoundedMap<DocumentType, Box<TypeCounts>>,
    excluded: &'a BTreeSet<DocumentType>,
) -> impl Iterator<Item = (DocumentType, &'a TypeCounts)> {
    by_type
        .iter()
        .filter(|(name, _)| !excluded.contains(*name))
        .map(|(name, counts)| (name.clone(), &**counts))
        .chain(
            by_type
                .other()
                .map(|counts| (DocumentType::other(), &**counts)),
        )
}

fn compared_types_mut<'a>(
    by_type: &'a mut BoundedMap<DocumentType, Box<TypeCounts>>,
    excluded: &'a BTreeSet<DocumentType>,
) -> impl Iterator<Item = (DocumentType, &'a mut TypeCounts)> {
    let (own, other) = by_type.all_mut();
    own.filter(|(name, _)| !excluded.contains(*name))
        .map(|(name, counts)| (name.clone(), &mut **counts))
        .chain(other.map(|counts| (DocumentType::other(), &mut **counts)))
}
