//! Whether the candidate may serve its first document, where the plan demands a clearance.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::controller::Rollout;
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
