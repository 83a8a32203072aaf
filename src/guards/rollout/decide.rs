//! From counts to a decision. Rolling back comes first: no other condition can mask it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::counts::{MEASURES, OUTCOMES, TypeCounts, evidence};
use super::plan::{DecisionRule, Denominator, Plan, Stage, UnjudgedType, WorseType};
use super::review_delays::ReviewDelays;
use super::status::RolloutState;
use super::thresholds::{
    AMPLE, JUDGED, MIN_MATURITY, MIN_MATURITY_OF_SLOW, can_be_worse, is_worse,
};
use super::trial::Trial;
use crate::call::Role;
use crate::event::{Decision, Evidence, Findings, HoldReason, Measure};
use crate::name::DocumentType;
use crate::stats::{BoundedMap, Likelihood, RatioTest, Tracked, Weighted, is_off_share};
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

/// What decides: the counts of one document type, or of all together.
pub(super) type Deciding = (Option<DocumentType>, Evidence);

impl Trial {
    /// The decision at this time, and the findings behind it.
    pub(super) fn decide(&mut self, view: &View<'_>) -> (Decision, Findings) {
        let corrections = self.evidence(view, Measure::Corrections);
        self.decide_by(view, corrections)
    }

    /// The same, once the corrections of all types together are known.
    pub(super) fn decide_by(
        &mut self,
        view: &View<'_>,
        corrections: Evidence,
    ) -> (Decision, Findings) {
        if self.state == RolloutState::Waiting {
            let findings = self.findings(view, (None, corrections));
            return (Decision::Hold(HoldReason::NotCleared), findings);
        }
        if let Some(worse) = self.worse(view, corrections) {
            return (Decision::RollBack, self.findings(view, worse));
        }
        let mut findings = self.findings(view, (None, corrections));
        let stage = view.plan.stage(self.stage);
        let decision = match stage.filter(|_| self.state.is_under_way()) {
            None => Decision::Promote,
            Some(stage) => {
                let decision = self.promote_or_hold(view, stage, &mut findings);
                findings.next_evaluation = self.next_evaluation(view, stage, decision, &findings);
                decision
            }
        };
        (decision, findings)
    }

    fn promote_or_hold(
        &mut self,
        view: &View<'_>,
        stage: &Stage,
        findings: &mut Findings,
    ) -> Decision {
        let plan = view.plan;
        if self.paused_at.is_some() {
            return Decision::Hold(HoldReason::Paused);
        }
        let away = self.serving.away();
        let is_due = away.is_none() && self.observed(view.now) >= stage.at_least;
        if plan.rule == DecisionRule::PlainRatio && is_due {
            return if findings.evidence.exceeds {
                Decision::RollBack
            } else if self.needs_approval(plan) {
                Decision::Hold(HoldReason::Approval)
            } else {
                Decision::Promote
            };
        }
        let bar = plan.bar(self.stage);
        let processed = self.serving.split();
        let all_processed = processed.candidate + processed.stable;
        let is_immature = self.is_immature(view, findings);
        let reason = if let Some(reason) = away {
            reason
        } else if !is_due {
            HoldReason::NotDue
        } else if self.lacks_reviews(plan) {
            HoldReason::NoReviews
        } else if findings.evidence.information < bar.information {
            HoldReason::NoEvidence
        } else if is_immature {
            HoldReason::Immature
        } else if is_off_share(processed.candidate, all_processed, stage.share) {
            HoldReason::SplitBroken
        } else if !findings.uncovered.is_empty() {
            HoldReason::Coverage
        } else if findings.evidence.p_exceeds > bar.risk {
            HoldReason::Unclear
        } else if let Some((document_type, evidence)) = self.doubtful(view, findings.evidence) {
            (findings.document_type, findings.evidence) = (document_type, evidence);
            HoldReason::Unclear
        } else if self.needs_approval(plan) {
            HoldReason::Approval
        } else {
            return Decision::Promote;
        };
        self.waits_for_reviews = is_immature
            && matches!(reason, HoldReason::NoEvidence | HoldReason::Immature)
            && view.review_delays.of_all(view.now).is_some();
        let has_escalated = self.state == RolloutState::Escalated;
        if has_escalated || self.left(view, stage, reason).is_zero() {
            return Decision::Escalate;
        }
        Decision::Hold(reason)
    }

    /// How much longer a stage that holds for this reason waits before it escalates: while documents
    /// come, and not while their corrections are late as they always are. It waits by the clock for
    /// document types, where so many documents have come that more would hardly help, and where none
    /// has come since the stage began.
    fn left(&self, view: &View<'_>, stage: &Stage, reason: HoldReason) -> Duration {
        let without_production = self.serving.without_production(view.now);
        let waited = view.now.since(self.since + without_production);
        let patience = view.plan.patience(stage);
        let (answered, _) = self.cohort.counts(Role::Candidate);
        let busy = self.serving.busy();
        match (reason, view.plan.longest) {
            (HoldReason::Coverage, Some(longest)) => longest.saturating_sub(waited),
            _ if self.waits_for_reviews => patience.saturating_sub(busy),
            _ if answered >= AMPLE || busy.is_zero() => patience.saturating_sub(waited),
            _ => patience.saturating_sub(busy),
        }
    }

    fn is_immature(&self, view: &View<'_>, findings: &Findings) -> bool {
        let maturity = findings.maturity;
        maturity.least() < MIN_MATURITY
            || (self.is_slow(view) && maturity.candidate < MIN_MATURITY_OF_SLOW)
    }

    /// Whether the candidate's corrections take longer than production's, where that matters: of
    /// reviewed answers the same share is corrected, however long the review took.
    pub(super) fn is_slow(&self, view: &View<'_>) -> bool {
        let waits = &self.waits;
        self.divide_by(view.plan) != Denominator::Reviewed
            && waits.candidate.are_longer_than(&waits.stable)
    }

    /// When the decision can change without new data.
    fn next_evaluation(
        &self,
        view: &View<'_>,
        stage: &Stage,
        decision: Decision,
        findings: &Findings,
    ) -> Option<Timestamp> {
        let Decision::Hold(reason) = decision else {
            return None;
        };
        let given_up = view.now + self.left(view, stage, reason);
        match reason {
            HoldReason::NotCleared | HoldReason::Paused | HoldReason::StableNotServing => None,
            HoldReason::NotDue => {
                Some(view.now + stage.at_least.saturating_sub(self.observed(view.now)))
            }
            HoldReason::Coverage => {
                let coverage = view.plan.coverage.iter();
                let missing = coverage.flat_map(|coverage| {
                    let types = findings.uncovered.iter();
                    types.flat_map(|document_type| self.missing(coverage, document_type))
                });
                let next = missing.filter_map(|cadence| cadence.next(view.now));
                Some(next.fold(given_up, Timestamp::min))
            }
            HoldReason::Approval
            | HoldReason::CandidateNotServing
            | HoldReason::NoEvidence
            | HoldReason::NoReviews
            | HoldReason::Immature
            | HoldReason::SplitBroken
            | HoldReason::Unclear => Some(given_up),
        }
    }

    /// Evidence against the candidate that is strong enough to act at once.
    fn worse(&mut self, view: &View<'_>, corrections: Evidence) -> Option<Deciding> {
        match view.plan.rule {
            DecisionRule::PlainRatio => None,
            DecisionRule::Evidence if view.plan.worse_type == WorseType::Exclude => {
                self.worse_alone(view).or_else(|| {
                    let evidence = self.worse_together(view, corrections)?;
                    let excluded = self.type_to_exclude(view, evidence.measure);
                    Some(excluded.unwrap_or((None, evidence)))
                })
            }
            DecisionRule::Evidence => self
                .worse_together(view, corrections)
                .map(|evidence| (None, evidence))
                .or_else(|| self.worse_alone(view)),
        }
    }

    /// The first measure by which the candidate is worse over all types.
    fn worse_together(&mut self, view: &View<'_>, corrections: Evidence) -> Option<Evidence> {
        let corrections = Some(corrections).filter(|evidence| is_worse(evidence, 1));
        let mut outcomes = OUTCOMES.into_iter();
        corrections.or_else(|| outcomes.find_map(|measure| self.worse_by(view, measure)))
    }

    /// The evidence of a measure over all types, if the candidate is worse by it.
    fn worse_by(&mut self, view: &View<'_>, measure: Measure) -> Option<Evidence> {
        if !view.ratio_test.exceeds(self.weighted(view, measure)) {
            return None;
        }
        let evidence = self.evidence(view, measure);
        is_worse(&evidence, 1).then_some(evidence)
    }

    /// The first type, by name, for which the candidate is worse.
    fn worse_alone(&mut self, view: &View<'_>) -> Option<Deciding> {
        let (types, divide_by) = (self.compared(), self.divide_by(view.plan));
        let worse = self.compared_types().filter_map(|(name, counts)| {
            let evidence = MEASURES
                .into_iter()
                .find_map(|measure| view.worse_type(counts, measure, divide_by, types))?;
            Some((name, evidence))
        });
        let first = worse.min_by(|(one, _), (other, _)| one.cmp(other));
        first.map(|(name, evidence)| (Some(name.into_owned()), evidence))
    }

    /// The type with the strongest evidence, if the others together do not exceed the tolerated
    /// ratio without it.
    fn type_to_exclude(&mut self, view: &View<'_>, measure: Measure) -> Option<Deciding> {
        let divide_by = self.divide_by(view.plan);
        let types = self.compared_types().map(|(name, counts)| {
            let evidence = counts.evidence(view.ratio_test, measure, divide_by);
            (name, evidence)
        });
        let strongest = types.max_by(|(_, one), (_, other)| one.ln_e.total_cmp(&other.ln_e));
        let (name, evidence) = strongest?;
        let name = name.into_owned();
        let others = compared_types(&self.by_type, &self.excluded);
        let others = others.filter(|(other, _)| **other != name);
        let others = others.map(|(_, counts)| counts.weighted(measure, divide_by));
        let others = others.sum();
        (!view.ratio_test.exceeds(others)).then_some((Some(name), evidence))
    }

    /// Whether an event of the candidate makes it worse: for the event's own type, or for all.
    pub(super) fn is_worse_now(
        &mut self,
        view: &View<'_>,
        document_type: &DocumentType,
        measure: Measure,
    ) -> bool {
        if view.plan.rule == DecisionRule::PlainRatio || self.excluded.contains(document_type) {
            return false;
        }
        let (types, divide_by) = (self.compared(), self.divide_by(view.plan));
        let (counts, _) = self.by_type.entry(document_type, Tracked::default);
        view.worse_type(counts.read(), measure, divide_by, types)
            .is_some()
            || self.worse_by(view, measure).is_some()
    }

    /// A measure or a type that has enough events to be evaluated, and by which the candidate is more
    /// likely too bad than before anything was counted.
    fn doubtful(&mut self, view: &View<'_>, corrections: Evidence) -> Option<Deciding> {
        let no_data = view.ratio_test.p_exceeds(&Likelihood::default());
        let is_judged = |weighted| view.ratio_test.information(weighted) >= JUDGED;
        let is_doubtful =
            |evidence: &Evidence| evidence.information >= JUDGED && evidence.p_exceeds > no_data;
        let corrections = Some(corrections).filter(is_doubtful);
        let together = corrections.or_else(|| {
            OUTCOMES.into_iter().find_map(|measure| {
                let is_judged = is_judged(self.weighted(view, measure));
                let evidence = is_judged.then(|| self.evidence(view, measure));
                evidence.filter(is_doubtful)
            })
        });
        if let Some(evidence) = together {
            return Some((None, evidence));
        }
        let divide_by = self.divide_by(view.plan);
        let types = self.compared_types().filter_map(|(name, counts)| {
            let evidence = MEASURES.into_iter().find_map(|measure| {
                let is_judged = is_judged(counts.weighted(measure, divide_by));
                let evidence =
                    is_judged.then(|| counts.evidence(view.ratio_test, measure, divide_by));
                evidence.filter(is_doubtful)
            })?;
            Some((name, evidence))
        });
        let first = types.min_by(|(one, _), (other, _)| one.cmp(other));
        first.map(|(name, evidence)| (Some(name.into_owned()), evidence))
    }

    /// Whether a type has too few corrections to be evaluated by itself.
    pub(super) fn is_unjudged(&self, view: &View<'_>, counts: &TypeCounts) -> bool {
        let weighted = counts.weighted(Measure::Corrections, self.divide_by(view.plan));
        view.ratio_test.information(weighted) < JUDGED
    }

    /// Whether the candidate may serve all documents of a type after its promotion.
    pub(super) fn may_serve_all(&self, view: &View<'_>, document_type: &DocumentType) -> bool {
        self.covers(view.plan, document_type)
            && (view.plan.unjudged_type == UnjudgedType::Promote
                || self
                    .by_type
                    .get::<DocumentType>(document_type)
                    .is_some_and(|counts| !self.is_unjudged(view, counts)))
    }

    /// The number of types with counts, by which a single type's e-value is corrected.
    pub(super) fn compared(&self) -> usize {
        self.by_type.iter().count() + usize::from(self.by_type.other().is_some())
    }

    /// A measure over all types that are compared.
    pub(super) fn evidence(&mut self, view: &View<'_>, measure: Measure) -> Evidence {
        let divide_by = self.divide_by(view.plan);
        let mut all = Likelihood::default();
        for (_, counts) in self.compared_types() {
            counts.add_to(&mut all, view.ratio_test, measure, divide_by);
        }
        evidence(view.ratio_test, measure, &all)
    }

    fn weighted(&self, view: &View<'_>, measure: Measure) -> Weighted {
        let divide_by = self.divide_by(view.plan);
        let types = compared_types(&self.by_type, &self.excluded);
        types
            .map(|(_, counts)| counts.weighted(measure, divide_by))
            .sum()
    }

    /// The types that are not excluded; the overflow types appear under their common name.
    pub(super) fn compared_types(
        &mut self,
    ) -> impl Iterator<Item = (Cow<'_, DocumentType>, &mut TypeCounts)> {
        let (excluded, (own, other)) = (&self.excluded, self.by_type.all_mut());
        own.filter(|(name, _)| !excluded.contains(*name))
            .map(|(name, counts)| (Cow::Borrowed(name), counts.read()))
            .chain(other.map(|counts| (Cow::Owned(DocumentType::other()), counts.read())))
    }
}

impl View<'_> {
    fn worse_type(
        &self,
        counts: &mut TypeCounts,
        measure: Measure,
        divide_by: Denominator,
        types: usize,
    ) -> Option<Evidence> {
        if !can_be_worse(counts.events_of_candidate(measure), measure, types)
            || !self.ratio_test.exceeds(counts.weighted(measure, divide_by))
        {
            return None;
        }
        let evidence = counts.evidence(self.ratio_test, measure, divide_by);
        is_worse(&evidence, types).then_some(evidence)
    }
}

/// The types that are not excluded; the overflow types appear under their common name.
pub(super) fn compared_types<'a>(
    by_type: &'a BoundedMap<DocumentType, Tracked<TypeCounts>>,
    excluded: &'a BTreeSet<DocumentType>,
) -> impl Iterator<Item = (Cow<'a, DocumentType>, &'a TypeCounts)> {
    by_type
        .iter()
        .filter(|(name, _)| !excluded.contains(*name))
        .map(|(name, counts)| (Cow::Borrowed(name), &**counts))
        .chain(
            by_type
                .other()
                .map(|counts| (Cow::Owned(DocumentType::other()), &**counts)),
        )
}
