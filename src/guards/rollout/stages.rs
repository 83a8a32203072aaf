//! The stage machine: expose a share, for a time, under conditions, then promote, hold, roll back or escalate.

use std::collections::VecDeque;
use std::fmt;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::judge::Evidence;
use super::plan::Plan;
use super::split::is_exposed;
use super::trial::{Stored as StoredTrial, Trial};
use crate::call::Call;
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::format::Format;
use crate::guard::{Cx, State};
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::signal::{Outcome, Signal};
use crate::time::Timestamp;
use crate::verdict::Route;

/// So many rejected candidates are remembered.
const REJECTED: usize = 100;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutState {
    /// The candidate keeps its share and waits for a person to promote or abort; it is still rolled back if it turns out
    /// to be worse.
    Escalated,
    /// The candidate serves everything.
    Promoted,
    /// The candidate serves nothing any more.
    RolledBack,
    /// The candidate serves the share of its stage.
    Running,
}

/// What the evidence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Decision {
    /// A person must decide: the time for this stage is over, and it is not clear.
    Escalate,
    /// Wait.
    Hold(HoldReason),
    /// Go on to the next stage, or through after the last.
    Promote,
    /// The candidate is worse.
    RollBack,
}

/// Why a rollout waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HoldReason {
    /// A document type was not seen often enough.
    Coverage,
    /// There are too few corrections, on either side, to tell anything.
    NoEvidence,
    /// The time of the stage is not over.
    NotDue,
    /// The corrections speak neither clearly for nor clearly against it.
    Unclear,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coverage => "some document types were not seen often enough",
            Self::NoEvidence => "too few corrections to tell",
            Self::NotDue => "the time of the stage is not over",
            Self::Unclear => "the corrections are not clear",
        })
    }
}

/// A rollout as it stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RolloutStatus {
    /// The candidate; `None` when there is none, and everything below says nothing.
    pub candidate: Option<VersionId>,
    /// Where the rollout stands.
    pub state: RolloutState,
    /// The stage, counted from 0.
    pub stage: u8,
    /// The share of documents that the candidate gets.
    pub share: Ratio,
    /// What the evidence asks for; `None` when the rollout is over.
    pub decision: Option<Decision>,
    /// The evidence.
    pub evidence: Evidence,
    /// Expected document types that the candidate has not answered often enough.
    pub uncovered: Vec<DocumentType>,
}

#[derive(Debug)]
pub(super) struct Rollout {
    plan: Plan,
    core: Mutex<Core>,
}

#[derive(Debug, Default)]
struct Core {
    trial: Option<Trial>,
    /// Candidates that were taken out of service: deploying one again exposes nobody to it.
    rejected: VecDeque<VersionId>,
    commands: Vec<Command>,
    latest: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Command {
    Abort,
    Promote,
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

    pub(super) fn promote(&self) {
        self.core.lock().commands.push(Command::Promote);
    }

    pub(super) fn abort(&self) {
        self.core.lock().commands.push(Command::Abort);
    }

    pub(super) fn status(&self) -> RolloutStatus {
        let core = self.core.lock();
        let Some(trial) = &core.trial else {
            return RolloutStatus {
                candidate: None,
                state: RolloutState::Running,
                stage: 0,
                share: Ratio::ZERO,
                decision: None,
                evidence: super::judge::weigh(&[], self.plan.max_ratio),
                uncovered: Vec::new(),
            };
        };
        let evidence = trial.evidence(&self.plan);
        let is_over = matches!(
            trial.state,
            RolloutState::Promoted | RolloutState::RolledBack
        );
        RolloutStatus {
            candidate: Some(trial.candidate.clone()),
            state: trial.state,
            stage: trial.stage,
            share: self.share(trial),
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
        if matches!(trial.state, RolloutState::Escalated | RolloutState::Running) {
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
                Self::remember(&mut core);
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
        Self::remember(&mut core);
    }

    pub(super) fn snapshot(&self) -> Option<State> {
        let core = self.core.lock();
        State::of(&Stored {
            format: Format,
            trial: core.trial.as_ref().map(StoredTrial::from),
            rejected: core.rejected.clone(),
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
        Ok(())
    }

    /// Remembers a candidate that has just been taken out of service.
    fn remember(core: &mut Core) {
        let Some(trial) = core
            .trial
            .as_ref()
            .filter(|trial| trial.state == RolloutState::RolledBack)
        else {
            return;
        };
        if !core.rejected.contains(&trial.candidate) {
            core.rejected.truncate(REJECTED - 1);
            core.rejected.push_front(trial.candidate.clone());
        }
    }

    /// The share that the candidate gets now.
    fn share(&self, trial: &Trial) -> Ratio {
        match trial.state {
            RolloutState::Promoted => Ratio::ONE,
            RolloutState::RolledBack => Ratio::ZERO,
            RolloutState::Escalated | RolloutState::Running => self
                .plan
                .stage(trial.stage)
                .map_or(Ratio::ZERO, |stage| stage.share),
        }
    }

    /// Takes up the time, the line-up and commands. Another candidate, or another version in production, starts over.
    fn catch_up(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = core.latest.max(cx.now());
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
        let (commands, latest) = (std::mem::take(&mut core.commands), core.latest);
        let Some(trial) = &mut core.trial else { return };
        for command in commands {
            if matches!(
                trial.state,
                RolloutState::Promoted | RolloutState::RolledBack
            ) {
                continue;
            }
            match command {
                Command::Abort => {
                    Self::roll_back(trial, Severity::Warning, "by a person".to_owned(), cx);
                }
                Command::Promote => self.go_on(trial, latest, "by a person".to_owned(), cx),
            }
        }
        Self::remember(core);
    }

    fn begin(&self, candidate: &VersionId, stable: &VersionId, core: &Core, cx: &Cx<'_>) -> Trial {
        let mut trial = Trial::new(candidate.clone(), stable.clone(), core.latest);
        if core.rejected.contains(candidate) {
            trial.state = RolloutState::RolledBack;
        } else {
            self.announce(&trial, "the first stage begins".to_owned(), cx);
        }
        trial
    }

    fn look(&self, trial: &mut Trial, now: Timestamp, cx: &Cx<'_>) {
        if trial.state == RolloutState::RolledBack || trial.state == RolloutState::Promoted {
            return;
        }
        let evidence = trial.evidence(&self.plan);
        match trial.decide(&self.plan, &evidence, now) {
            Decision::Hold(_) => {}
            Decision::Promote => self.go_on(trial, now, evidence.to_string(), cx),
            Decision::RollBack => {
                let evidence = match trial.worse_type(&self.plan) {
                    Some((name, evidence)) => format!("{name}: {evidence}"),
                    None => evidence.to_string(),
                };
                Self::roll_back(trial, Severity::Page, evidence, cx);
            }
            Decision::Escalate => self.escalate(trial, &evidence, cx),
        }
    }

    fn go_on(&self, trial: &mut Trial, now: Timestamp, evidence: String, cx: &Cx<'_>) {
        trial.since = now;
        trial.state = RolloutState::Running;
        if usize::from(trial.stage) + 1 < self.plan.stages.len() {
            trial.stage += 1;
            self.announce(trial, evidence, cx);
        } else {
            trial.state = RolloutState::Promoted;
            let candidate = trial.candidate.clone();
            cx.emit(
                Severity::Info,
                EventKind::RolloutPromoted {
                    candidate,
                    evidence,
                },
            );
        }
    }

    fn roll_back(trial: &mut Trial, severity: Severity, evidence: String, cx: &Cx<'_>) {
        trial.state = RolloutState::RolledBack;
        let (candidate, stage) = (trial.candidate.clone(), trial.stage);
        cx.emit(
            severity,
            EventKind::RolledBack {
                candidate,
                stage,
                evidence,
            },
        );
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

    fn announce(&self, trial: &Trial, evidence: String, cx: &Cx<'_>) {
        let kind = EventKind::StageStarted {
            candidate: trial.candidate.clone(),
            stage: trial.stage,
            share: self.share(trial),
            evidence,
        };
        cx.emit(Severity::Info, kind);
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    trial: Option<StoredTrial>,
    rejected: VecDeque<VersionId>,
}
