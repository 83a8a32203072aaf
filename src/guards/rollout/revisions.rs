//! Which step of a rollout an operator must know of before a command.

use super::step::Step;
use super::trial::Trial;
use crate::revision::Revision;
use crate::time::Timestamp;

/// The revisions of rollouts; a step has one from when somebody looks.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    revision: Revision,
    last: Option<Step>,
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

    /// Another process's step was taken: a command that was meant for it is for this one, too.
    pub(super) fn follow(&mut self, theirs: Revision, trial: Option<&Trial>, now: Timestamp) {
        self.last = trial.map(Step::of);
        if theirs > self.revision {
            self.revision = theirs;
        } else {
            self.revision.advance(now);
        }
    }

    /// Another process has this revision for the same step.
    pub(super) fn at_least(&mut self, theirs: Revision, trial: Option<&Trial>) {
        self.last = trial.map(Step::of);
        self.revision = self.revision.max(theirs);
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
