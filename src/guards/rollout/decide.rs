//! What the counts ask for. Rolling back comes first: no other condition masks it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::evidence::counts::{AT_ONCE, Book, Pair};
use super::evidence::likelihood::Weighed;
use super::evidence::ratio_test::Judge;
use super::evidence::review_delay::Learnt;
use super::plan::{Denominator, MIN_MATURITY, Plan, Rule, Stage, WorseType, ln_bar};
use super::status::RolloutState;
use super::trial::Trial;
use crate::event::{Decision, Evidence, Findings, HoldReason, Measure};
use crate::name::DocumentType;
use crate::stats::Keyed;
use crate::time::Timestamp;

/// What a trial is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) judge: &'a Judge,
    pub(super) learnt: &'a Learnt,
    /// When production last answered each type.
    pub(super) seen: &'a Keyed<DocumentType, Timestamp>,
    pub(super) now: Timestamp,
}

/// What makes a candidate worse: one document type, or all together.
pub(super) type Worse = (Option<DocumentType>, Evidence);

impl Trial {
    /// What is to be done now, and from what that follows.
    pub(super) fn decide(&mut self, view: &View<'_>) -> (Decision, Findings) {
        let all = self.weigh_all(view);
        if let Some(worse) = self.worse(view, &all) {
            return (Decision::RollBack, self.findings(view, worse));
        }
        let evidence = view.judge.evidence(Measure::Corrections, &all);
        let mut findings = self.findings(view, (None, evidence));
        let stage = view.plan.stage(self.stage);
        let decision = match stage.filter(|_| self.state.is_under_way()) {
            None => Decision::Promote,
            Some(stage) => {
                let decision = self.go_on_or_hold(view, stage, &findings);
                findings.next_look = self.next_look(view, stage, decision, &findings.uncovered);
                decision
            }
        };
        (decision, findings)
    }

    fn go_on_or_hold(&self, view: &View<'_>, stage: &Stage, findings: &Findings) -> Decision {
        let (plan, evidence) = (view.plan, &findings.evidence);
        let waited = view.now.since(self.since);
        if self.paused_at.is_some() {
            return Decision::Hold(HoldReason::Paused);
        }
        if plan.rule == Rule::PlainRatio && waited >= stage.at_least {
            return if evidence.exceeds {
                Decision::RollBack
            } else if self.needs_approval(plan) {
                Decision::Hold(HoldReason::Approval)
            } else {
                Decision::Promote
            };
        }
        let bar = plan.bar(self.stage);
        let reason = if waited < stage.at_least {
            HoldReason::NotDue
        } else if evidence.information < bar.information {
            HoldReason::NoEvidence
        } else if findings.maturity.least() < MIN_MATURITY {
            HoldReason::Immature
        } else if self.is_split_broken(stage.share) {
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

    /// When something is decided even if nothing new is learnt.
    fn next_look(
        &self,
        view: &View<'_>,
        stage: &Stage,
        decision: Decision,
        uncovered: &[DocumentType],
    ) -> Option<Timestamp> {
        let Decision::Hold(reason) = decision else {
            return None;
        };
        let given_up = self.since + view.plan.patience(stage, reason);
        match reason {
            HoldReason::Paused => None,
            HoldReason::NotDue => Some(self.since + stage.at_least),
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
            | HoldReason::NoEvidence
            | HoldReason::Immature
            | HoldReason::SplitBroken
            | HoldReason::Unclear => Some(given_up),
        }
    }

    /// What speaks against the candidate strongly enough to act at once.
    fn worse(&mut self, view: &View<'_>, all: &Weighed) -> Option<Worse> {
        match view.plan.rule {
            Rule::PlainRatio => None,
            Rule::Evidence if view.plan.worse_type == WorseType::Exclude => {
                self.worse_alone(view).or_else(|| {
                    let worse = self.worse_together(view, all)?;
                    Some(self.blamed(view, worse.1.measure).unwrap_or(worse))
                })
            }
            Rule::Evidence => self
                .worse_together(view, all)
                .or_else(|| self.worse_alone(view)),
        }
    }

    fn worse_together(&mut self, view: &View<'_>, all: &Weighed) -> Option<Worse> {
        let corrections = view.worse(Measure::Corrections, all, 1);
        let worse =
            corrections.or_else(|| AT_ONCE.into_iter().find_map(|m| self.worse_ends(view, m)));
        worse.map(|evidence| (None, evidence))
    }

    /// What speaks against it of a measure that is known at once, over all types.
    fn worse_ends(&self, view: &View<'_>, measure: Measure) -> Option<Evidence> {
        let books = || judged(&self.books, &self.excluded).map(|(_, book)| book);
        if !books().any(|book| book.has_any(measure)) {
            return None;
        }
        let strata = || books().flat_map(|book| book.ends(measure));
        if !view.judge.exceeds_in(strata()) {
            return None;
        }
        let strata = strata();
        view.worse(measure, &view.judge.weigh(strata), 1)
    }

    /// The first type, by name, for which the candidate is worse by itself.
    fn worse_alone(&mut self, view: &View<'_>) -> Option<Worse> {
        let types = self.compared();
        let cut = self.cut(view);
        let worse = judged_mut(&mut self.books, &self.excluded).filter_map(|(name, book)| {
            let weighed = match &cut {
                Some(cut) => &cut.weigh(view, book),
                None => book.weighed(view.judge, view.plan.denominator),
            };
            let corrections = view.worse(Measure::Corrections, weighed, types);
            let evidence = corrections.or_else(|| {
                AT_ONCE.into_iter().find_map(|measure| {
                    let exceeds =
                        book.has_any(measure) && view.judge.exceeds_in(book.ends(measure));
                    let ends = exceeds.then(|| view.judge.weigh(book.ends(measure)))?;
                    view.worse(measure, &ends, types)
                })
            })?;
            Some((name, evidence))
        });
        let first = worse.min_by(|(one, _), (other, _)| one.cmp(other));
        first.map(|(name, evidence)| (Some(name), evidence))
    }

    /// The type without which the others together are not above the tolerated ratio: the one with the strongest evidence.
    fn blamed(&mut self, view: &View<'_>, measure: Measure) -> Option<Worse> {
        let cut = self.cut(view);
        let mut all = Weighed::default();
        let mut strongest: Option<(f64, DocumentType, Weighed)> = None;
        for (name, book) in judged_mut(&mut self.books, &self.excluded) {
            let weighed = match (measure, &cut) {
                (Measure::Corrections, Some(cut)) => cut.weigh(view, book),
                (Measure::Corrections, None) => {
                    book.weighed(view.judge, view.plan.denominator).clone()
                }
                _ => view.judge.weigh(book.ends(measure)),
            };
            all.add(&weighed);
            let ln_e = view.judge.ln_e(&weighed);
            if strongest.as_ref().is_none_or(|(most, _, _)| ln_e > *most) {
                strongest = Some((ln_e, name, weighed));
            }
        }
        let (_, name, weighed) = strongest?;
        all.remove(&weighed);
        let evidence = view.judge.evidence(measure, &weighed);
        (!view.judge.exceeds(&all)).then_some((Some(name), evidence))
    }

    /// Whether one more event of the candidate may be too many: told from the type that it is of, and from all types as of the
    /// last look.
    pub(super) fn may_be_worse(
        &mut self,
        view: &View<'_>,
        document_type: &DocumentType,
        measure: Measure,
    ) -> bool {
        if view.plan.rule == Rule::PlainRatio || self.excluded.contains(document_type) {
            return false;
        }
        let types = self.compared();
        if measure != Measure::Corrections {
            let (book, _) = self.books.entry(document_type, Box::default);
            let alone = view.judge.exceeds_in(book.ends(measure))
                && view
                    .worse(measure, &view.judge.weigh(book.ends(measure)), types)
                    .is_some();
            return alone || self.worse_ends(view, measure).is_some();
        }
        if self.cut(view).is_some() {
            return true;
        }
        let (book, _) = self.books.entry(document_type, Box::default);
        if let Some(before) = book.weighed_before() {
            self.all.remove(before);
        }
        let weighed = book.weighed(view.judge, view.plan.denominator);
        self.all.add(weighed);
        view.is_worse(measure, weighed, types) || view.is_worse(measure, &self.all, 1)
    }

    /// How many types are judged beside each other.
    pub(super) fn compared(&self) -> usize {
        self.books.iter().count() + usize::from(self.books.other().is_some())
    }

    /// If answers of one version are looked at sooner than the other's: only those are compared that are so old that nine in
    /// ten of either version are looked at.
    pub(super) fn cut(&self, view: &View<'_>) -> Option<Cut> {
        // Of what was looked at, shares are the same however fast that went.
        let by_share = view.plan.denominator != Denominator::Reviewed;
        let differing = self
            .pace
            .iter()
            .filter(|Pair { candidate, stable }| candidate.differs_from(stable, by_share));
        let ages = differing
            .map(|Pair { candidate, stable }| candidate.nine_in_ten().max(stable.nine_in_ten()));
        let age = ages.max()?;
        // Of answers that are given since, long delays cannot have been seen yet.
        let age = if view.learnt.is_settled(view.now) {
            age
        } else {
            age.saturating_mul(2)
        };
        let stages = (0_u8..).zip(&self.began).map(|(stage, began)| {
            let length = view
                .plan
                .stage(stage)
                .map(|stage| view.plan.stretch_length(stage));
            let length = length.unwrap_or(Duration::MAX).as_millis().max(1);
            let old = view.now.since(*began + age).as_millis() / length;
            usize::try_from(old).unwrap_or(usize::MAX)
        });
        Some(Cut(stages.collect()))
    }

    /// The corrections of all types that are not left to production.
    fn weigh_all(&mut self, view: &View<'_>) -> Weighed {
        let cut = self.cut(view);
        let mut all = Weighed::default();
        for (_, book) in judged_mut(&mut self.books, &self.excluded) {
            match &cut {
                Some(cut) => all.add(&cut.weigh(view, book)),
                None => all.add(book.weighed(view.judge, view.plan.denominator)),
            }
        }
        self.all = all.clone();
        all
    }
}

impl View<'_> {
    fn is_worse(&self, measure: Measure, weighed: &Weighed, types: usize) -> bool {
        self.judge.exceeds(weighed) && self.judge.ln_e(weighed) >= ln_bar(measure, types)
    }

    fn worse(&self, measure: Measure, weighed: &Weighed, types: usize) -> Option<Evidence> {
        self.is_worse(measure, weighed, types)
            .then(|| self.judge.evidence(measure, weighed))
    }
}

/// How many stretches of each stage are old enough to be compared.
pub(super) struct Cut(Vec<usize>);

impl Cut {
    pub(super) fn weigh(&self, view: &View<'_>, book: &Book) -> Weighed {
        book.weigh(view.judge, view.plan.denominator, |stage, stretch| {
            self.0.get(stage).is_some_and(|old| stretch < *old)
        })
    }
}

/// The types that are not left to production; those that share one book under their common name.
pub(super) fn judged<'a>(
    books: &'a Keyed<DocumentType, Box<Book>>,
    excluded: &'a BTreeSet<DocumentType>,
) -> impl Iterator<Item = (DocumentType, &'a Book)> {
    books
        .iter()
        .filter(|(name, _)| !excluded.contains(*name))
        .map(|(name, book)| (name.clone(), &**book))
        .chain(books.other().map(|book| (DocumentType::other(), &**book)))
}

/// The same, to change them.
fn judged_mut<'a>(
    books: &'a mut Keyed<DocumentType, Box<Book>>,
    excluded: &'a BTreeSet<DocumentType>,
) -> impl Iterator<Item = (DocumentType, &'a mut Book)> {
    let (own, other) = books.all_mut();
    own.filter(|(name, _)| !excluded.contains(*name))
        .map(|(name, book)| (name.clone(), &mut **book))
        .chain(other.map(|book| (DocumentType::other(), &mut **book)))
}
