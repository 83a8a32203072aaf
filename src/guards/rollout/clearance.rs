//! Whether the candidate may serve its first document, where the plan demands a clearance.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::controller::Rollout;
use super::status::RolloutState;
use super::trial::Trial;
use crate::event::{EventKind, Findings, HoldReason, RolloutEvent, Severity};
use crate::guard::{Clearance, Cx};
use crate::name::VersionId;
use crate::time::Timestamp;

/// The longest reason that is kept and shown, in characters.
const LONGEST_REASON: usize = 400;

impl Rollout {
    /// Asks whether the candidate may serve, while it waits; starts the rollout if it may.
    ///
    /// The answer comes from foreign code, so it is asked for without the lock. What it was asked
    /// for may be over when it comes.
    pub(super) fn ask_for_clearance(&self, cx: &Cx<'_>) {
        let asked = {
            let mut core = self.core.lock();
            self.catch_up(&mut core, cx);
            core.trial.as_ref().and_then(Trial::asks)
        };
        let Some(asked) = asked else { return };
        let answer = match &self.plan.clearance {
            Some(clearance) => answer(clearance.as_ref(), &asked.0),
            None => Ok(()),
        };
        let mut core = self.core.lock();
        core.latest = core.latest.max(cx.now());
        let (trial, view) = self.view(&mut core);
        let Some(trial) = trial.filter(|trial| trial.asks().as_ref() == Some(&asked)) else {
            return;
        };
        match answer {
            Ok(()) => {
                *trial = trial.again(view.now);
                let (_, findings) = trial.decide(&view);
                let kind = self.stage_started(trial, findings);
                cx.emit(Severity::Info, kind);
            }
            Err(why) => {
                if trial
                    .last_reported_hold
                    .replace(HoldReason::NotCleared)
                    .is_none()
                {
                    let (candidate, why) = (trial.candidate.clone(), why.clone());
                    let kind = RolloutEvent::RolloutWaits { candidate, why };
                    cx.emit(Severity::Info, EventKind::Rollout(kind));
                }
                trial.not_cleared = Some(why);
            }
        }
    }

    /// Starts the first stage now; returns the event.
    pub(super) fn start(&self, trial: &mut Trial, now: Timestamp, findings: Findings) -> EventKind {
        *trial = trial.again(now);
        self.stage_started(trial, findings)
    }
}

impl Trial {
    /// The same trial from its first stage, with nothing counted.
    pub(super) fn again(&self, now: Timestamp) -> Self {
        Self::new(self.candidate.clone(), self.stable.clone(), now)
    }

    /// Gives the candidate no document until it is cleared.
    pub(super) fn wait(&mut self) {
        self.state = RolloutState::Waiting;
        self.last_reported_hold = None;
        self.not_cleared = Some("no tick has asked it yet".to_owned());
    }

    /// Whether the candidate does not wait for its clearance, or no longer.
    pub(super) fn has_started(&self) -> bool {
        self.state != RolloutState::Waiting
    }

    /// Why the candidate waits, if it does.
    pub(super) fn waits_for(&self) -> Option<&str> {
        let why = self.not_cleared.as_deref();
        why.filter(|_| !self.has_started())
    }

    /// Which candidate waits for its clearance, and since when.
    fn asks(&self) -> Option<(VersionId, Timestamp)> {
        (!self.has_started()).then(|| (self.candidate.clone(), self.started))
    }
}

/// What the clearance says; a panic is no clearance.
fn answer(clearance: &dyn Clearance, candidate: &VersionId) -> Result<(), String> {
    let answer = catch_unwind(AssertUnwindSafe(|| clearance.clears(candidate)));
    let answer = answer.unwrap_or_else(|_| Err("the check panicked".to_owned()));
    answer.map_err(|why| one_line(&why))
}

/// A reason as an event can show it.
fn one_line(why: &str) -> String {
    let shown = why.trim().chars().take(LONGEST_REASON);
    let shown: String = shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if shown.is_empty() {
        return "no reason given".to_owned();
    }
    shown
}
