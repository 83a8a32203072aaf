//! Which step of a rollout an operator must know of before a command.

use super::status::RolloutState;
use super::trial::Trial;
use crate::name::VersionId;
use crate::revision::Revision;
use crate::time::Timestamp;

/// The revisions of rollouts; a step has one from when somebody looks.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    revision: Revision,
    last: Option<Step>,
}

/// What a command may be meant for.
#[derive(Debug, PartialEq)]
struct Step {
    candidate: VersionId,
    started: Timestamp,
    stage: u8,
    state: RolloutState,
    is_paused: bool,
    is_held: bool,
    is_approved: bool,
    excluded: usize,
}

impl Revisions {
    /// Goes on with the revision that was stored for a trial.
    pub(super) fn restored(revision: Revision, trial: Option<&Trial>) -> Self {
        Self {
            revision,
            last: trial.map(Step::of),
        }
    }

    /// A command was carried out: also one that repeats another, with a reason of its own.
    pub(super) fn commanded(&mut self, trial: Option<&Trial>, now: Timestamp) {
        self.last = trial.map(Step::of);
        self.revision.advance(now);
    }

    /// The revision of now.
    pub(super) fn of(&mut self, trial: Option<&Trial>, now: Timestamp) -> Revision {
        let step = trial.map(Step::of);
        if step != self.last {
            self.last = step;
            self.revision.advance(now);
        }
        self.revision
    }
}

impl Step {
    fn of(trial: &Trial) -> Self {
        Self {
            candidate: trial.candidate.clone(),
            started: trial.started,
            stage: trial.stage,
            state: trial.state,
            is_paused: trial.paused_at.is_some(),
            is_held: trial.held,
            is_approved: trial.approved,
            excluded: trial.excluded.len(),
        }
    }
}
