//! What canary and blue/green have in common: the same commands, settings and guard.

use std::fmt;
use std::marker::PhantomData;

use super::controller::Rollout;
use super::feasibility::Feasibility;
use super::plan::{Denominator, Plan, WorseType};
use super::status::RolloutStatus;
use crate::call::{Call, Signal, Ticket};
use crate::error::Error;
use crate::guard::{Cx, Guard, Route, State};
use crate::name::DocumentType;
use crate::ratio::Ratio;

/// A rollout of one kind: a [`CanaryPolicy`](crate::CanaryPolicy) or a [`BlueGreenPolicy`](crate::BlueGreenPolicy).
///
/// Commands take effect at once, as of the last call or tick that the policy saw; their events come with the next call or
/// tick. A command is an error when no rollout is on, or in a state in which it means nothing: then nothing is changed.
pub struct RolloutPolicy<K> {
    rollout: Rollout,
    kind: PhantomData<fn() -> K>,
}

impl<K> RolloutPolicy<K> {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            rollout: Rollout::new(plan),
            kind: PhantomData,
        }
    }

    #[cfg(test)]
    pub(super) fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// Where the rollout stands, with the evidence as of the last moment that was seen.
    pub fn status(&self) -> RolloutStatus {
        self.rollout.status()
    }

    /// What this plan can find out with so many documents of each type an hour, of which people correct such a share: how
    /// long a verdict takes, how often it is wrong, which types cannot be judged. It warns and never refuses; an error when
    /// there is no type, or when a number is out of its range (more than 0 and at most 10,000,000 documents an hour, more
    /// than 0 % and at most 50 % corrections).
    pub fn feasibility(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: Ratio,
    ) -> Result<Feasibility, Error> {
        self.rollout.feasibility(per_hour, corrections)
    }

    /// Goes on to the next stage, or through with it after the last, without waiting for evidence; that ends a pause.
    pub fn promote(&self) -> Result<(), Error> {
        self.rollout.promote()
    }

    /// Takes the candidate out of service, even after it was promoted; it stays out when it is deployed again.
    pub fn abort(&self) -> Result<(), Error> {
        self.rollout.abort()
    }

    /// Stops the time of the stage. The share stays, and a candidate that is worse is still rolled back.
    pub fn pause(&self) -> Result<(), Error> {
        self.rollout.pause()
    }

    /// Ends a pause: the stage is longer by its length.
    pub fn resume(&self) -> Result<(), Error> {
        self.rollout.resume()
    }

    /// Wants to be asked before the next stage, as if the stage had been planned with an approval.
    pub fn hold(&self) -> Result<(), Error> {
        self.rollout.hold()
    }

    /// Approves what comes after this stage. It comes with the next look when all conditions are met, and has its full
    /// time.
    pub fn approve(&self) -> Result<(), Error> {
        self.rollout.approve()
    }
}

impl<K> Guard for RolloutPolicy<K> {
    fn name(&self) -> &'static str {
        self.rollout.name()
    }

    fn route(&self, call: &Call<'_>, cx: &Cx<'_>) -> Route {
        self.rollout.route(call, cx)
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        self.rollout.observe(ticket, signal, cx);
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.rollout.tick(cx);
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        self.rollout.snapshot(cx)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        self.rollout.restore(state, cx)
    }
}

impl<K> fmt::Debug for RolloutPolicy<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RolloutPolicy").field(&self.rollout).finish()
    }
}

/// Configures a rollout of one kind.
#[must_use = "nothing is exposed before `build`"]
pub struct RolloutPolicyBuilder<K> {
    pub(super) plan: Plan,
    kind: PhantomData<fn() -> K>,
}

impl<K> RolloutPolicyBuilder<K> {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            kind: PhantomData,
        }
    }

    /// How many times as often as production the candidate may be corrected (150 % by default, more than 100 % and at
    /// most 400 %).
    pub fn max_ratio(mut self, ratio: Ratio) -> Self {
        self.plan.max_ratio = ratio;
        self
    }

    /// After how many times its own length a stage that is not clear waits for a person (4 by default, at least 1).
    pub fn max_hold(mut self, times: u32) -> Self {
        self.plan.max_hold = times;
        self
    }

    /// What corrections are divided by (all answers by default).
    pub fn denominator(mut self, by: Denominator) -> Self {
        self.plan.denominator = by;
        self
    }

    /// What happens when the candidate is worse for one document type alone (it is rolled back by default).
    pub fn when_one_type_is_worse(mut self, then: WorseType) -> Self {
        self.plan.worse_type = then;
        self
    }

    /// The policy. An error when there is no stage, when shares do not rise within 0 % and 100 %, when a stage has no time or
    /// more than the longest wait, or when the ratio or the longest hold is out of its range.
    pub fn build(self) -> Result<RolloutPolicy<K>, Error> {
        self.plan.validate()?;
        Ok(RolloutPolicy::new(self.plan))
    }
}

impl<K> Clone for RolloutPolicyBuilder<K> {
    fn clone(&self) -> Self {
        Self::new(self.plan.clone())
    }
}

impl<K> fmt::Debug for RolloutPolicyBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RolloutPolicyBuilder")
            .field("plan", &self.plan)
            .finish()
    }
}
