//! One candidate on its way: where it is, and what its answers and production's came to.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::judge::{Arm, Evidence, Stratum, weigh};
use super::plan::{Coverage, E_VALUE, Plan, Rule, WATCH};
use super::status::{Decision, HoldReason, RolloutState};
use crate::event::EventKind;
use crate::keyed::{Keyed, Place};
use crate::name::{DocumentType, VersionId};
use crate::ticket::{Ticket, TicketId};
use crate::time::Timestamp;
use crate::version::Role;

/// Document types that are weighed apart; the others share one stratum.
const TYPES: usize = 1_000;
/// Corrected documents that are remembered, so that a second correction does not count.
const REMEMBERED: usize = 100_000;

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) candidate: VersionId,
    pub(super) stable: VersionId,
    pub(super) started: Timestamp,
    pub(super) stage: u8,
    pub(super) since: Timestamp,
    pub(super) state: RolloutState,
    /// Since when it is paused.
    pub(super) paused_at: Option<Timestamp>,
    /// Whether a person wants to be asked before the next stage.
    pub(super) held: bool,
    /// Whether a person approved the next stage.
    pub(super) approved: bool,
    /// Whether somebody was told that an approval is needed.
    pub(super) asked: bool,
    /// For each type, a stratum for each stage.
    strata: Keyed<DocumentType, Vec<Stratum>>,
    corrected: HashSet<TicketId>,
}

impl Trial {
    pub(super) fn new(candidate: VersionId, stable: VersionId, now: Timestamp) -> Self {
        Self {
            candidate,
            stable,
            started: now,
            stage: 0,
            since: now,
            state: RolloutState::Running,
            paused_at: None,
            held: false,
            approved: false,
            asked: false,
            strata: Keyed::new(TYPES),
            corrected: HashSet::new(),
        }
    }

    /// A stage begins.
    pub(super) fn enter(&mut self, stage: u8, now: Timestamp) {
        self.stage = stage;
        self.since = now;
        self.state = RolloutState::Running;
        self.paused_at = None;
        (self.held, self.approved, self.asked) = (false, false, false);
    }

    /// The candidate goes out of service; what there is to tell.
    pub(super) fn take_out(&mut self, state: RolloutState, evidence: String) -> EventKind {
        self.state = state;
        self.paused_at = None;
        EventKind::RolledBack {
            candidate: self.candidate.clone(),
            stage: self.stage,
            evidence,
        }
    }

    /// Whether it is through, and late corrections change nothing any more.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        self.state == RolloutState::Promoted && now.since(self.since) >= WATCH
    }

    pub(super) fn needs_approval(&self, plan: &Plan) -> bool {
        let by_plan = plan
            .stage(self.stage)
            .is_some_and(|stage| stage.needs_approval);
        (self.held || by_plan) && !self.approved
    }

    /// Counts an answer where its ticket says. `Some(limit)` when document types have just become too many.
    pub(super) fn answered(&mut self, ticket: &Ticket) -> Option<usize> {
        let limit = self.strata.limit();
        let (arm, place) = self.arm(ticket)?;
        arm.answered += 1;
        (place == Place::FirstOfOthers).then_some(limit)
    }

    /// Counts a correction where its ticket says; only the first of a document counts. Whether it was the candidate's.
    pub(super) fn corrected(&mut self, ticket: &Ticket) -> bool {
        if self.corrected.contains(&ticket.id()) {
            return false;
        }
        let role = ticket.role();
        let Some((arm, _)) = self.arm(ticket) else {
            return false;
        };
        if arm.corrected == arm.answered {
            return false;
        }
        arm.corrected += 1;
        if self.corrected.len() < REMEMBERED {
            self.corrected.insert(ticket.id());
        }
        role == Role::Candidate
    }

    fn arm(&mut self, ticket: &Ticket) -> Option<(&mut Arm, Place)> {
        let stage = usize::from(ticket.stage()?);
        let is_candidate = match ticket.role() {
            Role::Candidate if *ticket.version() == self.candidate => true,
            Role::Stable if *ticket.version() == self.stable => false,
            _ => return None,
        };
        if ticket.admitted_at() < self.started {
            return None;
        }
        let (strata, place) = self.strata.entry(ticket.document_type(), Vec::new);
        if strata.len() <= stage {
            strata.resize_with(stage + 1, Stratum::default);
        }
        let stratum = strata.get_mut(stage)?;
        let arm = if is_candidate {
            &mut stratum.candidate
        } else {
            &mut stratum.stable
        };
        Some((arm, place))
    }

    pub(super) fn evidence(&self, plan: &Plan) -> Evidence {
        let others = self.strata.other().into_iter().flatten();
        weigh(
            self.strata
                .iter()
                .flat_map(|(_, strata)| strata)
                .chain(others),
            plan.max_ratio,
        )
    }

    /// The evidence of a type that is worse by itself, with the bar raised by the number of types.
    pub(super) fn worse_type(&self, plan: &Plan) -> Option<(DocumentType, Evidence)> {
        plan.coverage.as_ref()?;
        let types: Vec<_> = self
            .strata
            .iter()
            .map(|(name, strata)| (name, weigh(strata, plan.max_ratio)))
            .collect();
        let compared = types
            .iter()
            .filter(|(_, evidence)| evidence.candidate_answered > 0)
            .count();
        let bar = (E_VALUE * f64::from(u32::try_from(compared).unwrap_or(u32::MAX))).ln();
        let is_worse = |evidence: &Evidence| evidence.exceeds && evidence.ln_e >= bar;
        let worse = types.into_iter().filter(|(_, evidence)| is_worse(evidence));
        worse
            .min_by_key(|(name, _)| (*name).clone())
            .map(|(name, evidence)| (name.clone(), evidence))
    }

    /// The types that the candidate has not answered often enough.
    pub(super) fn uncovered(&self, coverage: &Coverage) -> Vec<DocumentType> {
        let answered = |strata: &[Stratum]| {
            strata.iter().fold((0, 0), |(candidate, stable), stratum| {
                (
                    candidate + stratum.candidate.answered,
                    stable + stratum.stable.answered,
                )
            })
        };
        let seen = self
            .strata
            .iter()
            .filter(|(_, strata)| answered(strata).1 > 0)
            .map(|(name, _)| name);
        let mut expected: Vec<&DocumentType> = if coverage.expected.is_empty() {
            seen.collect()
        } else {
            coverage.expected.iter().collect()
        };
        expected.sort();
        let is_covered = |name: &&DocumentType| {
            self.strata
                .get::<DocumentType>(name)
                .is_some_and(|strata| answered(strata).0 >= coverage.min_documents)
        };
        expected
            .into_iter()
            .filter(|name| !is_covered(name))
            .cloned()
            .collect()
    }

    /// What the plain rule asks for at the end of a stage.
    fn decide_plainly(&self, plan: &Plan, evidence: &Evidence) -> Decision {
        if evidence.exceeds {
            Decision::RollBack
        } else if self.needs_approval(plan) {
            Decision::Hold(HoldReason::Approval)
        } else {
            Decision::Promote
        }
    }

    /// What the evidence asks for now. Rolling back comes first: no other condition masks it.
    pub(super) fn decide(&self, plan: &Plan, evidence: &Evidence, now: Timestamp) -> Decision {
        let is_worse = evidence.exceeds && evidence.ln_e >= E_VALUE.ln();
        let is_plain = plan.rule == Rule::PlainRatio;
        if !is_plain && (is_worse || self.worse_type(plan).is_some()) {
            return Decision::RollBack;
        }
        let stage = plan.stage(self.stage).filter(|_| self.state.is_under_way());
        let Some(stage) = stage else {
            return Decision::Promote;
        };
        if self.paused_at.is_some() {
            return Decision::Hold(HoldReason::Paused);
        }
        let waited = now.since(self.since);
        if is_plain && waited >= stage.at_least {
            return self.decide_plainly(plan, evidence);
        }
        let bar = plan.bar(self.stage);
        let uncovered = || {
            plan.coverage
                .as_ref()
                .is_some_and(|coverage| !self.uncovered(coverage).is_empty())
        };
        let reason = if waited < stage.at_least {
            HoldReason::NotDue
        } else if evidence.information < bar.information {
            HoldReason::NoEvidence
        } else if uncovered() {
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
}

/// A trial as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    candidate: VersionId,
    stable: VersionId,
    started: Timestamp,
    stage: u8,
    since: Timestamp,
    state: RolloutState,
    #[serde(default)]
    paused_at: Option<Timestamp>,
    #[serde(default)]
    held: bool,
    #[serde(default)]
    approved: bool,
    #[serde(default)]
    asked: bool,
    strata: Vec<(DocumentType, Vec<Stratum>)>,
    other: Option<Vec<Stratum>>,
    corrected: Vec<TicketId>,
}

impl From<&Trial> for Stored {
    fn from(trial: &Trial) -> Self {
        Self {
            candidate: trial.candidate.clone(),
            stable: trial.stable.clone(),
            started: trial.started,
            stage: trial.stage,
            since: trial.since,
            state: trial.state,
            paused_at: trial.paused_at,
            held: trial.held,
            approved: trial.approved,
            asked: trial.asked,
            strata: trial
                .strata
                .iter()
                .map(|(name, strata)| (name.clone(), strata.clone()))
                .collect(),
            other: trial.strata.other().cloned(),
            corrected: trial.corrected.iter().copied().collect(),
        }
    }
}

impl From<Stored> for Trial {
    fn from(stored: Stored) -> Self {
        let mut trial = Self::new(stored.candidate, stored.stable, stored.started);
        trial.stage = stored.stage;
        trial.since = stored.since;
        trial.state = stored.state;
        trial.paused_at = stored.paused_at;
        (trial.held, trial.approved, trial.asked) = (stored.held, stored.approved, stored.asked);
        trial.strata.refill(stored.strata, stored.other);
        trial.corrected = stored.corrected.into_iter().collect();
        trial
    }
}
