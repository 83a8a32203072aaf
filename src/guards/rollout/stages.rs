//! The stage machine: expose a share, for a time, under conditions, then promote, hold, roll back or escalate.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::judge::Evidence;
use super::plan::Plan;
use super::split::is_exposed;
use super::status::{Decision, HoldReason, RolloutState, RolloutStatus};
use super::trial::{Stored as StoredTrial, Trial};
use crate::call::Call;
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::format::Format;
use crate::guard::{Cx, State};
use crate::name::VersionId;
use crate::ratio::Ratio;
use crate::signal::{Outcome, Signal};
use crate::time::Timestamp;
use crate::verdict::Route;

/// So many rejected candidates are remembered.
const REJECTED: usize = 100;

#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) plan: Plan,
    pub(super) core: Mutex<Core>,
}

#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) trial: Option<Trial>,
    /// Candidates that were taken out of service: deploying one again exposes nobody to it.
    rejected: VecDeque<VersionId>,
    /// What a person's commands did, to be told at the pipeline's next call or tick.
    pub(super) untold: Vec<(Severity, EventKind)>,
    pub(super) latest: Timestamp,
}

impl Rollout {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            core: Mutex::new(Core::default()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.plan.name
    }

    pub(super) fn status(&self) -> RolloutStatus {
        let core = self.core.lock();
        let Some(trial) = &core.trial else {
            return RolloutStatus {
                candidate: None,
                state: RolloutState::Running,
                stage: 0,
                share: Ratio::ZERO,
                paused: false,
                decision: None,
                evidence: super::judge::weigh(&[], self.plan.max_ratio),
                uncovered: Vec::new(),
            };
        };
        let evidence = trial.evidence(&self.plan);
        let is_over = !trial.state.is_under_way();
        RolloutStatus {
            candidate: Some(trial.candidate.clone()),
            state: trial.state,
            stage: trial.stage,
            share: self.share(trial),
            paused: trial.paused_at.is_some(),
            decision: (!is_over).then(|| trial.decide(&self.plan, &evidence, core.latest)),
            evidence,
            uncovered: self
                .plan
                .coverage
                .as_ref()
                .map_or_else(Vec::new, |coverage| trial.uncovered(coverage)),
        }
    }

    pub(super) fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        if cx.line_up().candidate().is_none() {
            return Route::Abstain;
        }
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        let Some(trial) = &core.trial else {
            return Route::Abstain;
        };
        if trial.state.is_under_way() {
            cx.mark_stage(trial.stage);
        }
        if is_exposed(
            self.plan.name,
            &trial.candidate,
            call.document(),
            self.share(trial),
        ) {
            Route::Candidate
        } else {
            Route::Stable
        }
    }

    pub(super) fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        if signal.ticket().stage().is_none() {
            return;
        }
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        let latest = core.latest;
        let Some(trial) = &mut core.trial else { return };
        match signal {
            Signal::Settled {
                ticket,
                outcome: Outcome::Accepted | Outcome::NeedsReview,
                ..
            } => {
                if let Some(limit) = trial.answered(ticket) {
                    let first = ticket.document_type().to_string();
                    cx.emit(Severity::Warning, EventKind::KeysExhausted { limit, first });
                }
            }
            Signal::Corrected { ticket, .. } if trial.corrected(ticket) => {
                self.look(trial, latest, cx);
                core.remember();
            }
            _ => {}
        }
    }

    pub(super) fn tick(&self, cx: &mut Cx<'_>) {
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        let latest = core.latest;
        if let Some(trial) = &mut core.trial {
            self.look(trial, latest, cx);
        }
        core.remember();
    }

    pub(super) fn snapshot(&self) -> Option<State> {
        let core = self.core.lock();
        State::of(&Stored {
            format: Format,
            trial: core.trial.as_ref().map(StoredTrial::from),
            rejected: core.rejected.clone(),
            untold: core.untold.clone(),
            latest: core.latest,
        })
    }

    pub(super) fn restore(&self, state: &State) -> Result<(), Error> {
        let stored: Stored = state.read(self.plan.name)?;
        let trial = stored.trial.map(Trial::from);
        if let Some(trial) = trial
            .as_ref()
            .filter(|trial| self.plan.stage(trial.stage).is_none())
        {
            let reason = format!(
                "stage {} does not exist in this plan",
                u32::from(trial.stage) + 1
            );
            return Err(Error::state(self.plan.name, reason));
        }
        let mut core = self.core.lock();
        core.trial = trial;
        core.rejected = stored.rejected;
        core.untold = stored.untold;
        core.latest = core.latest.max(stored.latest);
        Ok(())
    }

    /// The share that the candidate gets now.
    fn share(&self, trial: &Trial) -> Ratio {
        match trial.state {
            RolloutState::Promoted => Ratio::ONE,
            RolloutState::Aborted | RolloutState::RolledBack => Ratio::ZERO,
            RolloutState::Escalated | RolloutState::Running => self
                .plan
                .stage(trial.stage)
                .map_or(Ratio::ZERO, |stage| stage.share),
        }
    }

    /// Takes up the time and the line-up. Another candidate, or another version in production, starts over.
    fn catch_up(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = core.latest.max(cx.now());
        for (severity, kind) in core.untold.drain(..) {
            cx.emit(severity, kind);
        }
        let stable = cx.line_up().stable().id();
        match cx.line_up().candidate() {
            None => core.trial = None,
            Some(candidate) => {
                let goes_on =
                    |trial: &Trial| trial.candidate == *candidate.id() && trial.stable == *stable;
                if !core.trial.as_ref().is_some_and(goes_on) {
                    core.trial = Some(self.begin(candidate.id(), stable, core, cx));
                }
            }
        }
    }

    fn begin(&self, candidate: &VersionId, stable: &VersionId, core: &Core, cx: &Cx<'_>) -> Trial {
        let mut trial = Trial::new(candidate.clone(), stable.clone(), core.latest);
        if core.rejected.contains(candidate) {
            trial.state = RolloutState::RolledBack;
        } else {
            let kind = self.stage_started(&trial, "the first stage begins".to_owned());
            cx.emit(Severity::Info, kind);
        }
        trial
    }

    fn look(&self, trial: &mut Trial, now: Timestamp, cx: &Cx<'_>) {
        if trial.state.is_rejected() || trial.is_settled(now) {
            return;
        }
        let evidence = trial.evidence(&self.plan);
        match trial.decide(&self.plan, &evidence, now) {
            Decision::Hold(HoldReason::Approval) if !trial.asked => {
                trial.asked = true;
                let kind = EventKind::ApprovalNeeded {
                    candidate: trial.candidate.clone(),
                    stage: trial.stage,
                    evidence: evidence.to_string(),
                };
                cx.emit(Severity::Warning, kind);
            }
            Decision::Hold(_) => {}
            Decision::Promote if trial.state == RolloutState::Promoted => {}
            Decision::Promote => {
                let kind = self.go_on(trial, now, evidence.to_string());
                cx.emit(Severity::Info, kind);
            }
            Decision::RollBack => {
                let evidence = match trial.worse_type(&self.plan) {
                    Some((name, evidence)) => format!("{name}: {evidence}"),
                    None => evidence.to_string(),
                };
                let kind = trial.take_out(RolloutState::RolledBack, evidence);
                cx.emit(Severity::Page, kind);
            }
            Decision::Escalate => self.escalate(trial, &evidence, cx),
        }
    }

    /// The next stage begins, or the rollout is through; what there is to tell.
    pub(super) fn go_on(&self, trial: &mut Trial, now: Timestamp, evidence: String) -> EventKind {
        let is_last = usize::from(trial.stage) + 1 >= self.plan.stages.len();
        trial.enter(trial.stage.saturating_add(u8::from(!is_last)), now);
        if is_last {
            trial.state = RolloutState::Promoted;
            return EventKind::RolloutPromoted {
                candidate: trial.candidate.clone(),
                evidence,
            };
        }
        self.stage_started(trial, evidence)
    }

    fn escalate(&self, trial: &mut Trial, evidence: &Evidence, cx: &Cx<'_>) {
        if trial.state == RolloutState::Escalated {
            return;
        }
        trial.state = RolloutState::Escalated;
        let mut evidence = evidence.to_string();
        let uncovered = self
            .plan
            .coverage
            .as_ref()
            .map_or_else(Vec::new, |coverage| trial.uncovered(coverage));
        if !uncovered.is_empty() {
            let names: Vec<_> = uncovered.iter().map(ToString::to_string).collect();
            evidence = format!("{evidence}; not seen often enough: {}", names.join(", "));
        }
        let (candidate, stage) = (trial.candidate.clone(), trial.stage);
        cx.emit(
            Severity::Page,
            EventKind::RolloutEscalated {
                candidate,
                stage,
                evidence,
            },
        );
    }

    fn stage_started(&self, trial: &Trial, evidence: String) -> EventKind {
        EventKind::StageStarted {
            candidate: trial.candidate.clone(),
            stage: trial.stage,
            share: self.share(trial),
            evidence,
        }
    }
}

impl Core {
    /// Remembers a candidate that has just been taken out of service.
    pub(super) fn remember(&mut self) {
        let rejected = self
            .trial
            .as_ref()
            .filter(|trial| trial.state.is_rejected());
        let Some(candidate) = rejected.map(|trial| &trial.candidate) else {
            return;
        };
        if !self.rejected.contains(candidate) {
            self.rejected.truncate(REJECTED - 1);
            self.rejected.push_front(candidate.clone());
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    trial: Option<StoredTrial>,
    rejected: VecDeque<VersionId>,
    untold: Vec<(Severity, EventKind)>,
    latest: Timestamp,
}
