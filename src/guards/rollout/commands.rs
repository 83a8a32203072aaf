//! Commands of the operator. A command takes effect at once, as of the last call or tick; its event
//! is emitted at the next.

use std::fmt;

use super::controller::Rollout;
use super::status::RolloutState;
use super::trial::Trial;
use crate::error::Error;
use crate::event::{EventKind, Findings, RolloutCommand, RolloutEvent, Severity};
use crate::order::{Order, check_revision};
use crate::revision::Revision;
use crate::time::Timestamp;

/// What a command does to the trial: the event of the change, if it is more than the command, or
/// what it expected.
type Effect = Result<Option<EventKind>, &'static str>;

impl Rollout {
    pub(super) fn promote(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(
            RolloutCommand::Promote,
            meant_for,
            order,
            |trial, now, findings| {
                if trial.state == RolloutState::Waiting {
                    return Ok(Some(self.start(trial, now, findings)));
                }
                if !trial.state.is_under_way() {
                    return Err("a rollout that is waiting, running or escalated");
                }
                Ok(Some(self.advance(trial, now, findings)))
            },
        )
    }

    pub(super) fn abort(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(
            RolloutCommand::Abort,
            meant_for,
            order,
            |trial, _, findings| {
                if trial.state.is_rejected() {
                    return Err("a candidate that is in service");
                }
                if trial.is_production {
                    return Err("a candidate that is not the production version: deploy another");
                }
                let event = trial.take_out_of_service(RolloutState::Aborted, findings);
                Ok(Some(EventKind::Rollout(event)))
            },
        )
    }

    pub(super) fn readmit(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(
            RolloutCommand::Readmit,
            meant_for,
            order,
            |trial, now, findings| {
                if !trial.state.is_rejected() {
                    return Err("a candidate that was taken out of service");
                }
                if trial.not_cleared.is_some() {
                    *trial = trial.again(now);
                    trial.wait();
                    return Ok(None);
                }
                Ok(Some(self.start(trial, now, findings)))
            },
        )
    }

    pub(super) fn pause(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(RolloutCommand::Pause, meant_for, order, |trial, now, _| {
            if !trial.state.is_under_way() || trial.paused_at.is_some() {
                return Err("a rollout that is running or escalated, and not paused");
            }
            trial.paused_at = Some(now);
            trial.serving.pause(now);
            Ok(None)
        })
    }

    pub(super) fn resume(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(RolloutCommand::Resume, meant_for, order, |trial, now, _| {
            let Some(paused_at) = trial.paused_at.take() else {
                return Err("a paused rollout");
            };
            trial.since = trial.since + now.since(paused_at);
            trial.serving.resume(now);
            Ok(None)
        })
    }

    pub(super) fn hold(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(RolloutCommand::Hold, meant_for, order, |trial, _, _| {
            if !trial.state.is_under_way() {
                return Err("a rollout that is running or escalated");
            }
            (trial.held, trial.approved) = (true, false);
            Ok(None)
        })
    }

    pub(super) fn approve(&self, meant_for: Revision, order: Order) -> Result<(), Error> {
        self.command(RolloutCommand::Approve, meant_for, order, |trial, _, _| {
            if !trial.state.is_under_way() || !trial.needs_approval(&self.plan) {
                return Err("a stage that still needs an approval");
            }
            trial.approved = true;
            Ok(None)
        })
    }

    fn command(
        &self,
        command: RolloutCommand,
        meant_for: Revision,
        mut order: Order,
        act: impl FnOnce(&mut Trial, Timestamp, Findings) -> Effect,
    ) -> Result<(), Error> {
        let mut core = self.core.lock();
        let core = &mut *core;
        let (latest, name) = (core.latest, self.plan.name);
        let revision = core.revisions.of(core.trial.as_ref(), latest);
        let now = core.trial.as_ref().map(|trial| {
            let (shown, stage, share) = (trial.shown(), trial.number(), self.share(trial));
            format!("{} {shown} at stage {stage} with {share}", trial.candidate)
        });
        let now = now.unwrap_or_else(|| "no rollout".to_owned());
        check_revision(format_args!("{name} {command}"), meant_for, revision, now)?;
        let refused = |shown: &dyn fmt::Display, allowed| {
            Err(Error::invalid(format!("{name} {command}"), shown, allowed))
        };
        let (trial, view) = self.view(core);
        let Some(trial) = trial else {
            return refused(
                &"no rollout",
                "a rollout, which starts with the first call or tick after a candidate is deployed",
            );
        };
        let (shown, stage, before) = (trial.shown(), trial.number(), self.described(trial));
        let (_, mut findings) = trial.decide(&view);
        findings.by_operator = true;
        findings.next_evaluation = None;
        match act(trial, latest, findings) {
            Err(allowed) => return refused(&shown, allowed),
            Ok(change) => {
                order.changed(before, self.described(trial));
                let commanded = trial.commanded(command, stage, order);
                let severity = match command {
                    RolloutCommand::Abort => Severity::Warning,
                    _ => Severity::Info,
                };
                core.pending_events.push((Severity::Info, commanded));
                core.pending_events
                    .extend(change.map(|change| (severity, change)));
            }
        }
        if let (RolloutCommand::Readmit, Some(trial)) = (command, &core.trial) {
            core.rejected
                .retain(|rejected| *rejected != trial.candidate);
            core.review_delays.begin();
        }
        core.revisions.commanded(core.trial.as_ref(), latest);
        core.remember();
        Ok(())
    }
}

impl Rollout {
    /// What a command may change, in words.
    pub(super) fn described(&self, trial: &Trial) -> String {
        let (state, stage, share) = (trial.state, trial.number(), self.share(trial));
        let mut text = format!("{state} at stage {stage} with {share}");
        let more = [
            (trial.paused_at.is_some(), ", paused"),
            (trial.held, ", held"),
            (trial.approved, ", approved"),
        ];
        for (_, word) in more.iter().filter(|(is_so, _)| *is_so) {
            text.push_str(word);
        }
        text
    }
}

impl Trial {
    fn commanded(&self, command: RolloutCommand, stage: u8, order: Order) -> EventKind {
        let Order {
            who,
            why,
            before,
            after,
        } = order;
        EventKind::Rollout(RolloutEvent::RolloutCommanded {
            candidate: self.candidate.clone(),
            stage,
            command,
            who,
            why,
            before,
            after,
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
