//! A step of a rollout: what an operator must know of before a command, and what all processes of a
//! pipeline do alike.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::status::RolloutState;
use super::trial::Trial;
use crate::name::{DocumentType, VersionId};
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) candidate: VersionId,
    stable: VersionId,
    pub(super) started: Timestamp,
    pub(super) stage: u8,
    since: Timestamp,
    pub(super) state: RolloutState,
    paused_at: Option<Timestamp>,
    held: bool,
    approved: bool,
    excluded: BTreeSet<DocumentType>,
    /// Whether it waits for no clearance, or did not when it was aborted.
    is_cleared: bool,
}

impl Step {
    pub(super) fn of(trial: &Trial) -> Self {
        Self {
            candidate: trial.candidate.clone(),
            stable: trial.stable.clone(),
            started: trial.started,
            stage: trial.stage,
            since: trial.since,
            state: trial.state,
            paused_at: trial.paused_at,
            held: trial.held,
            approved: trial.approved,
            excluded: trial.excluded.clone(),
            is_cleared: trial.not_cleared.is_none(),
        }
    }

    /// Whether it is a step of a rollout of the same two versions.
    pub(super) fn is_of(&self, trial: &Trial) -> bool {
        self.candidate == trial.candidate && self.stable == trial.stable
    }

    pub(super) fn is_more_cautious_than(&self, other: &Self) -> bool {
        self.caution() > other.caution()
    }

    /// The greater, the fewer documents the candidate gets, and the more it waits for a person.
    fn caution(&self) -> impl Ord + use<> {
        let state = match self.state {
            RolloutState::Promoted => 0,
            RolloutState::Running => 1,
            RolloutState::Escalated => 2,
            RolloutState::Waiting => 3,
            RolloutState::Aborted | RolloutState::RolledBack => 4,
        };
        let waits = (self.paused_at.is_some(), self.held, !self.approved);
        (state, waits, Reverse(self.stage))
    }

    /// Excludes the same types in the same trial; a type that is excluded stays so until it begins anew.
    pub(super) fn exclude(&self, trial: &mut Trial, now: Timestamp) {
        if self.started != trial.started {
            return;
        }
        for document_type in &self.excluded {
            trial.exclude(document_type, now);
        }
    }

    /// Takes the same step in a trial of the same versions.
    pub(super) fn take(&self, trial: &mut Trial, now: Timestamp) {
        if self.started != trial.started {
            *trial = trial.again(self.started);
        }
        trial.is_known = true;
        let is_promoted = |state| state == RolloutState::Promoted;
        let is_new_stage = self.stage != trial.stage || is_promoted(self.state);
        if is_new_stage && !is_promoted(trial.state) {
            trial.enter(self.stage, self.since);
        }
        if self.state == RolloutState::Waiting && trial.has_started() {
            trial.wait();
        }
        let was_paused = trial.paused_at.is_some();
        (trial.stage, trial.since, trial.state) = (self.stage, self.since, self.state);
        trial.paused_at = self.paused_at;
        (trial.held, trial.approved) = (self.held, self.approved);
        match (was_paused, self.paused_at) {
            (false, Some(_)) => trial.serving.pause(now),
            (true, None) => trial.serving.resume(now),
            _ => {}
        }
        if self.is_cleared {
            trial.not_cleared = None;
        } else if trial.not_cleared.is_none() {
            trial.not_cleared = Some("another process asked for it".to_owned());
        }
        self.exclude(trial, now);
    }
}
