//! Commands of the operator. A command takes effect at once, as of the last call or tick; its event
//! is emitted at the next.

use std::fmt;

use super::controller::Rollout;
use super::status::RolloutState;
use super::trial::Trial;
use crate::error::Error;
use crate::event::{EventKind, Findings, RolloutCommand, RolloutEvent, Severity};
use crate::time::Timestamp;

impl Rollout {
    pub(super) fn promote(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Promote, |trial, now, findings| {
            if !trial.state.is_under_way() {
                return Err("a rollout that is running or escalated");
            }
            Ok(self.advance(trial, now, findings))
        })
    }

    pub(super) fn abort(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Abort, |trial, _, findings| {
            if trial.state.is_rejected() {
                return Err("a candidate that is in service");
            }
            Ok(trial.take_out_of_service(RolloutState::Aborted, findings))
        })
    }

    pub(super) fn pause(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Pause, |trial, now, _| {
            if !trial.state.is_under_way() || trial.paused_at.is_some() {
                return Err("a rollout that is running or escalated, and not paused");
            }
            trial.paused_at = Some(now);
            trial.serving.pause(now);
            Ok(trial.commanded(RolloutCommand::Pause))
        })
    }

    pub(super) fn resume(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Resume, |trial, now, _| {
            let Some(paused_at) = trial.paused_at.take() else {
                return Err("a paused rollout");
            };
            trial.since = trial.since + now.since(paused_at);
            trial.serving.resume(now);
            Ok(trial.commanded(RolloutCommand::Resume))
        })
    }

    pub(super) fn hold(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Hold, |trial, _, _| {
            if !trial.state.is_under_way() {
                return Err("a rollout that is running or escalated");
            }
            (trial.held, trial.approved) = (true, false);
            Ok(trial.commanded(RolloutCommand::Hold))
        })
    }

    pub(super) fn approve(&self) -> Result<(), Error> {
        self.command(RolloutCommand::Approve, |trial, _, _| {
            if !trial.state.is_under_way() || !trial.needs_approval(&self.plan) {
                return Err("a stage that still needs an approval");
            }
            trial.approved = true;
            Ok(trial.commanded(RolloutCommand::Approve))
        })
    }

    fn command(
        &self,
        command: RolloutCommand,
        act: impl FnOnce(&mut Trial, Timestamp, Findings) -> Result<EventKind, &'static str>,
    ) -> Result<(), Error> {
        let mut core = self.core.lock();
        let (latest, name) = (core.latest, self.plan.name);
        let refused = |shown: &dyn fmt::Display, allowed| {
            Err(Error::invalid(format!("{name} {command}"), shown, allowed))
        };
        let (trial, view) = self.view(&mut core);
        let Some(trial) = trial else {
            return refused(
                &"no rollout",
                "a rollout, which starts with the first call or tick after a candidate is deployed",
            );
        };
        let shown = trial.shown();
        let (_, mut findings) = trial.decide(&view);
        findings.by_operator = true;
        findings.next_evaluation = None;
        match act(trial, latest, findings) {
            Err(allowed) => return refused(&shown, allowed),
            Ok(kind) => {
                let severity = match command {
                    RolloutCommand::Abort => Severity::Warning,
                    _ => Severity::Info,
                };
                core.pending_events.push((severity, kind));
            }
        }
        core.remember();
        Ok(())
    }
}

impl Trial {
    fn commanded(&self, command: RolloutCommand) -> EventKind {
        EventKind::Rollout(RolloutEvent::RolloutCommanded {
            candidate: self.candidate.clone(),
            stage: self.number(),
            command,
        })
    }

    fn shown(&self) -> String {
        if self.paused_at.is_some() {
            format!("{} and paused", self.state)
        } else {
            self.state.to_string()
        }
    }
}
