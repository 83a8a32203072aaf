//! What canary and blue/green share: the commands, the settings and the guard.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::controller::Rollout;
use super::feasibility::Feasibility;
use super::plan::{Denominator, Plan, UnjudgedType, WorseType};
use super::status::RolloutStatus;
use super::traffic::Traffic;
use crate::call::{Call, Signal, Ticket};
use crate::error::Error;
use crate::guard::{Attached, Clearance, Cx, Decided, Guard, Route, Share, State, Wanted};
use crate::order::Order;
use crate::ratio::Ratio;
use crate::revision::Revision;

/// A rollout of one kind: a [`CanaryPolicy`](crate::CanaryPolicy) or a
/// [`BlueGreenPolicy`](crate::BlueGreenPolicy).
///
/// Commands take effect at once, as of the last call or tick that the policy observed; their events
/// are emitted at the next call or tick. A command names the [`Revision`] of the
/// [`status`](Self::status) that it was meant for, who gives it, and why. It returns an error and
/// changes nothing if the rollout has changed since ([`Outdated`](crate::ErrorKind::Outdated)), if
/// there is no rollout, if the rollout's state does not allow the command, or if `who` or `why` is
/// blank or not one line of at most 1,000 bytes.
///
/// ```
/// use std::sync::Arc;
/// use fusebox::{CanaryPolicy, LineUp, Pipeline, Version};
///
/// let canary = Arc::new(CanaryPolicy::default());
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
/// let pipeline = Pipeline::builder(line_up).guard(Arc::clone(&canary)).build()?;
/// pipeline.tick();
///
/// let seen = canary.status();
/// println!("{seen}"); // and the operator decides
/// canary.promote(seen.revision, "ada", "checked 50 invoices by hand")?;
///
/// let refused = canary.promote(seen.revision, "bob", "looks fine").unwrap_err();
/// assert!(refused.to_string().ends_with("now: v8 running at stage 2 with 25 %"));
/// # Ok::<(), fusebox::Error>(())
/// ```
pub struct RolloutPolicy<K> {
    rollout: Rollout,
    attached: Attached,
    kind: PhantomData<fn() -> K>,
}

impl<K> RolloutPolicy<K> {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            rollout: Rollout::new(plan),
            attached: Attached::new(),
            kind: PhantomData,
        }
    }

    #[cfg(test)]
    pub(super) fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The status of the rollout, with the evidence as of the last call or tick.
    pub fn status(&self) -> RolloutStatus {
        self.rollout.status()
    }

    /// Estimates what this plan can detect with this traffic: how long a decision takes, how often
    /// it is wrong, and which types cannot be evaluated. Corrections come as late as the policy has
    /// learnt, or as the traffic says where it has learnt nothing yet. It warns and never refuses.
    pub fn feasibility(&self, traffic: &Traffic) -> Feasibility {
        self.rollout.feasibility(traffic)
    }

    /// Starts the next stage, or promotes the candidate to all documents after the last, without
    /// waiting for evidence; the first stage, without waiting for
    /// [the shadow run](RolloutPolicyBuilder::after_shadow). Ends a pause.
    pub fn promote(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.promote(meant_for, Order::new(who, why)?)
    }

    /// Takes the candidate out of service, even after its promotion; it gets no documents if it is
    /// deployed again, until [`readmit`](Self::readmit).
    pub fn abort(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.abort(meant_for, Order::new(who, why)?)
    }

    /// Starts the rollout of a candidate again that was rolled back or aborted, from its first stage:
    /// its cause was outside of it. What was counted before is gone. A candidate that was aborted
    /// while it waited for its shadow run waits again.
    pub fn readmit(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.readmit(meant_for, Order::new(who, why)?)
    }

    /// Stops the clock of the stage. The share stays, and a worse candidate is still rolled back.
    pub fn pause(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.pause(meant_for, Order::new(who, why)?)
    }

    /// Ends a pause and extends the stage by its length.
    pub fn resume(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.resume(meant_for, Order::new(who, why)?)
    }

    /// Requires an approval before the next stage, as if the plan had one there.
    pub fn hold(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.hold(meant_for, Order::new(who, why)?)
    }

    /// Approves the step after this stage. The policy takes it at the next tick at which all other
    /// conditions are met; a next stage runs for its full time.
    pub fn approve(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.rollout.approve(meant_for, Order::new(who, why)?)
    }
}

impl<K> Guard for RolloutPolicy<K> {
    fn name(&self) -> &'static str {
        self.rollout.name()
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        self.rollout.plan.settings()
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

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        self.rollout.give(wanted, cx)
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        self.rollout.take(shared, cx)
    }

    fn decided(&self, decided: &Decided, cx: &Cx<'_>) -> Result<(), Error> {
        self.rollout.decided(decided, cx)
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

    /// The tolerated ratio of the candidate's correction rate to production's (default 150 %; more
    /// than 100 % and at most 400 %).
    pub fn max_ratio(mut self, ratio: Ratio) -> Self {
        self.plan.max_ratio = ratio;
        self
    }

    /// After how many times its own length an unclear stage escalates to the operator (default 4,
    /// at least 1).
    pub fn max_hold(mut self, times: u32) -> Self {
        self.plan.max_hold = times;
        self
    }

    /// The denominator of the correction rate (default: the reviewed answers where reviews are
    /// reported, else all answers).
    pub fn denominator(mut self, by: Denominator) -> Self {
        self.plan.denominator = by;
        self
    }

    /// What happens when the candidate is worse for one document type alone (default: it is rolled
    /// back).
    pub fn when_one_type_is_worse(mut self, then: WorseType) -> Self {
        self.plan.worse_type = then;
        self
    }

    /// What happens after a promotion to a document type with too few corrections to evaluate it by
    /// itself (default: the candidate serves it, and the events name it).
    pub fn when_a_type_cannot_be_judged(mut self, then: UnjudgedType) -> Self {
        self.plan.unjudged_type = then;
        self
    }

    /// The traffic that you expect: if even half of the candidates that are as good as production
    /// cannot leave a stage with it before it escalates, the rollout says so at its start
    /// ([`PlanTooShort`](crate::event::RolloutEvent::PlanTooShort)). Once the policy has learnt how
    /// many corrections come, it goes by that.
    pub fn for_traffic(mut self, traffic: Traffic) -> Self {
        self.plan.traffic = Some(traffic);
        self
    }

    /// Starts a rollout only once its candidate is cleared, by default by the verdict of a shadow run
    /// on it (default: it starts when the candidate is deployed).
    ///
    /// The policy asks at each [`tick`](crate::Pipeline::tick). Until the answer is yes, the
    /// candidate gets no document, no stage begins, nothing is counted and nobody is paged: the state
    /// is [`Waiting`](crate::rollout::RolloutState::Waiting), the status says
    /// [why](RolloutStatus::not_cleared), and [`RolloutWaits`](crate::event::RolloutEvent::RolloutWaits)
    /// tells it once. Then the first stage starts at its beginning. The rollout does not ask again for
    /// this candidate, whatever the answer would be later, also after a restart; a redeployed one must
    /// be cleared anew. [`promote`](RolloutPolicy::promote) starts the first stage without a
    /// clearance. A panic counts as "no".
    ///
    /// A shadow run clears only [its own candidate](crate::ShadowComparator::candidate): for
    /// several candidates, write a [`Clearance`] that knows the run of each. The last call of this
    /// method counts.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use fusebox::{CanaryPolicy, LineUp, Pipeline, Ratio, ShadowComparator, Version, VersionId};
    /// use fusebox::rollout::RolloutState;
    ///
    /// let shadow = ShadowComparator::builder(VersionId::new("v8")?).share(Ratio::percent(20)).build()?;
    /// let shadow = Arc::new(shadow);
    /// let canary = CanaryPolicy::builder()
    ///     .stage(Ratio::percent(5), Duration::from_secs(2 * 3_600))
    ///     .after_shadow(Arc::clone(&shadow))
    ///     .build()?;
    /// let canary = Arc::new(canary);
    ///
    /// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
    /// let pipeline = Pipeline::builder(line_up).guard(shadow).guard(Arc::clone(&canary)).build()?;
    /// pipeline.tick();
    ///
    /// assert_eq!(canary.status().state, RolloutState::Waiting);
    /// assert_eq!(
    ///     canary.status().to_string(),
    ///     "v8 waits for its shadow run: collecting: 0 of 200 documents compared"
    /// );
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn after_shadow(mut self, clearance: impl Clearance + 'static) -> Self {
        self.plan.clearance = Some(Arc::new(clearance));
        self
    }

    /// Builds the policy. Returns an error if there is no stage, if shares do not rise within 0 %
    /// and 100 %, if a stage has no time or more than the longest wait, or if `max_ratio` or
    /// `max_hold` is out of range.
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
