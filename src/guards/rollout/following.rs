//! A rollout takes the steps that were decided for all processes.

use serde::Deserialize;

use super::agreement::{Agreed, Next, Proposal, SLOT};
use super::controller::{Core, Rollout};
use crate::error::Error;
use crate::event::{EventKind, RolloutEvent, Severity};
use crate::guard::{Cx, Decided};

impl Rollout {
    /// Takes in the step that was decided.
    pub(super) fn decided(&self, decided: &Decided, cx: &Cx<'_>) -> Result<(), Error> {
        if decided.slot != SLOT {
            return Ok(());
        }
        let unreadable = |error| Error::unreadable(cx.guard(), error);
        let mut proposal = Proposal::deserialize(&decided.value).map_err(unreadable)?;
        let mut core = self.core.lock();
        let core = &mut *core;
        core.latest = core.latest.max(cx.now());
        let step = &mut proposal.agreed.step;
        if step.state.is_rejected() {
            // It gets no documents, whichever stages the plan has.
            step.stage = step.stage.min(self.plan.last_stage());
        }
        let step = &proposal.agreed.step;
        let trial = core.trial.as_mut().filter(|trial| step.is_of(trial));
        let Some(trial) = trial else {
            if !decided.is_own && core.agreement.is_news(&proposal) {
                // That it is in service again says nothing here: the step may be older than its end.
                if step.state.is_rejected() {
                    core.reject(&step.candidate);
                }
                core.agreement.decided_elsewhere(proposal, decided.at);
            }
            return Ok(());
        };
        if self.plan.stage(step.stage).is_none() {
            let stage = u32::from(step.stage) + 1;
            let reason = format!("another process is at stage {stage}, which the plan has not");
            return Err(Error::state(cx.guard(), reason));
        }
        let age = core.latest.since(decided.at);
        let agreement = &mut core.agreement;
        match agreement.decided(&proposal, trial, decided.is_own, age) {
            Next::Follow => self.follow(core, &proposal, cx),
            Next::Same => {
                let revision = proposal.agreed.revision;
                core.revisions.at_least(revision, core.trial.as_ref());
            }
            Next::Keep => core.keep_to_own(&proposal, cx),
        }
        Ok(())
    }

    /// Goes on where another process has begun the same rollout shortly before, if one has.
    pub(super) fn joins(&self, core: &mut Core, cx: &Cx<'_>) -> bool {
        let trial = core.trial.as_ref();
        let joined = trial.and_then(|trial| core.agreement.join(trial, core.latest));
        let joined = joined.filter(|proposal| {
            let step = &proposal.agreed.step;
            let is_barred = !step.state.is_rejected() && core.rejected.contains(&step.candidate);
            !is_barred && self.plan.stage(step.stage).is_some()
        });
        let Some(proposal) = joined else {
            return false;
        };
        core.agreement.agreed = Some(proposal.agreed.clone());
        self.follow(core, &proposal, cx);
        true
    }

    /// Takes the same step, and tells what people were told of it: whoever told it may end, and its
    /// pages with it.
    fn follow(&self, core: &mut Core, proposal: &Proposal, cx: &Cx<'_>) {
        let now = core.latest;
        let Some(trial) = &mut core.trial else { return };
        let Agreed { revision, step } = &proposal.agreed;
        let (before, began) = (self.described(trial), trial.started);
        step.take(trial, now);
        let kind = RolloutEvent::RolloutFollowed {
            candidate: trial.candidate.clone(),
            stage: trial.number(),
            before,
            after: self.described(trial),
        };
        cx.emit(Severity::Info, EventKind::Rollout(kind));
        trial.tell_too(&proposal.told, cx);
        if step.state.is_rejected() {
            core.reject(&step.candidate);
        } else {
            core.rejected.retain(|rejected| *rejected != step.candidate);
        }
        if step.started != began {
            core.review_delays.begin();
        }
        core.revisions.follow(*revision, core.trial.as_ref(), now);
    }
}
