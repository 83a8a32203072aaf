//! What the processes of a pipeline agree on: the steps of a rollout, one after the other.
//!
//! A process takes a step at once, and proposes it. The first proposal that comes to the store after
//! the last agreed step is the next one for all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::Step;
use super::trial::Trial;
use crate::event::RolloutEvent;
use crate::format::Format;
use crate::revision::Revision;
use crate::time::{Timestamp, minutes};

/// The slot in which steps are decided.
pub(super) const SLOT: &str = "step";
/// For so long the step of another process is that of a rollout that begins here: of processes that
/// overlap, the earlier one has left nothing yet of a rollout that began just before.
const OVERLAP: Duration = minutes(10);

/// What was agreed on last.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreement {
    /// Of a trial of this process.
    pub(super) agreed: Option<Agreed>,
    /// Of versions that have no trial here, and when it was proposed.
    elsewhere: Option<(Timestamp, Proposal)>,
}

/// A step, and the revision for which commands are meant then: it is to be the same everywhere, so
/// that a command may come to another process than the status came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Agreed {
    pub(super) revision: Revision,
    #[serde(flatten)]
    pub(super) step: Step,
}

/// What is to hold for all processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Proposal {
    format: Format<1>,
    #[serde(flatten)]
    pub(super) agreed: Agreed,
    /// Whether the process begins the rollout, and knows of no earlier step of it.
    begins: bool,
    /// What people were told of the rollout.
    pub(super) told: Vec<RolloutEvent>,
}

/// What this process does when a step was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It takes the step.
    Follow,
    /// It has taken it, and may have another revision.
    Same,
    /// It keeps to its own step, and proposes it again if it was not that one.
    Keep,
}

impl Agreement {
    pub(super) fn restored(agreed: Option<Agreed>) -> Self {
        Self {
            agreed,
            elsewhere: None,
        }
    }

    /// What this process has done that is not agreed on yet. A version that is in production takes no
    /// step.
    pub(super) fn proposal(&self, trial: &Trial, revision: Revision) -> Option<Proposal> {
        let step = Step::of(trial);
        let own = Agreed { revision, step };
        let is_new = !trial.is_production && self.agreed.as_ref() != Some(&own);
        is_new.then(|| Proposal {
            format: Format,
            agreed: own,
            begins: !trial.is_known,
            told: trial.told.clone(),
        })
    }

    /// A step of the versions that have a trial here was decided, proposed so long ago.
    pub(super) fn decided(
        &mut self,
        proposal: &Proposal,
        trial: &mut Trial,
        is_own: bool,
        age: Duration,
    ) -> Next {
        let decided = &proposal.agreed;
        if self.agreed.as_ref() == Some(decided) || trial.is_production {
            return Next::Keep;
        }
        let (own, step) = (Step::of(trial), &decided.step);
        trial.is_known |= own.started == step.started;
        let before = self.agreed.replace(decided.clone());
        let before = before.filter(|before| before.step.is_of(trial));
        // Whoever begins a rollout that goes on here follows it.
        let is_late = proposal.begins && before.is_some() && !trial.state.is_rejected();
        // A build that agreed on nothing has gone on since.
        let is_stale = before.is_none() && age > OVERLAP;
        let is_ahead = before.is_none_or(|before| before.step != own);
        if own == *step {
            Next::Same
        } else if is_own || is_late || is_stale || is_ahead && own.is_more_cautious_than(step) {
            Next::Keep
        } else {
            Next::Follow
        }
    }

    /// Whether a step of versions without a trial here is not the last one of a rollout that has ended
    /// here.
    pub(super) fn is_news(&self, proposal: &Proposal) -> bool {
        self.agreed.as_ref() != Some(&proposal.agreed)
    }

    /// A step of versions without a trial here was decided, by another process.
    pub(super) fn decided_elsewhere(&mut self, proposal: Proposal, at: Timestamp) {
        self.elsewhere = Some((at, proposal));
    }

    /// The step at which another process has the same rollout that begins here.
    pub(super) fn join(&mut self, trial: &Trial, now: Timestamp) -> Option<Proposal> {
        let (at, proposal) = self.elsewhere.take()?;
        let is_recent = now.since(at).max(at.since(now)) <= OVERLAP;
        let is_same = proposal.agreed.step.is_of(trial);
        (is_same && is_recent).then_some(proposal)
    }
}
