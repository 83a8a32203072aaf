//! P4 and P5: a new version is exposed to a share of the documents, for a time, under conditions.
//!
//! One stage machine (`controller`), one way to weigh corrections (`evidence`), one way to split documents (`split`), and two
//! presets on top of them.

mod blue_green;
mod canary;
mod commands;
mod controller;
mod coverage;
mod decide;
mod evidence;
mod feasibility;
mod findings;
mod observe;
mod plan;
mod split;
mod status;
mod trial;

pub use crate::event::kind::{NotCounted, RolloutCommand};
pub use crate::event::rollout::{
    Decision, Evidence, Findings, HoldReason, Maturity, Measure, Tally,
};

pub use blue_green::{BlueGreenPolicy, BlueGreenPolicyBuilder};
pub use canary::{CanaryPolicy, CanaryPolicyBuilder};
pub use coverage::{Cadence, Times};
pub use feasibility::{Feasibility, Forecast, StageForecast, TypeForecast};
pub use plan::{Denominator, WorseType};
pub use status::{RolloutState, RolloutStatus, TypeStatus, TypeVerdict};

/// Makes a policy that wraps a `Rollout` a guard.
macro_rules! guard_by_rollout {
    ($policy:ty) => {
        impl $crate::guard::Guard for $policy {
            fn name(&self) -> &'static str {
                self.0.name()
            }

            fn route(
                &self,
                call: &$crate::call::Call<'_>,
                cx: &mut $crate::guard::Cx<'_>,
            ) -> $crate::guard::Route {
                self.0.route(call, cx)
            }

            fn observe(&self, signal: &$crate::call::Signal, cx: &mut $crate::guard::Cx<'_>) {
                self.0.observe(signal, cx);
            }

            fn tick(&self, cx: &mut $crate::guard::Cx<'_>) {
                self.0.tick(cx);
            }

            fn snapshot(&self) -> Option<$crate::guard::State> {
                self.0.snapshot()
            }

            fn restore(
                &self,
                state: &$crate::guard::State,
                _cx: &mut $crate::guard::Cx<'_>,
            ) -> Result<(), $crate::error::Error> {
                self.0.restore(state)
            }
        }

        impl $policy {
            /// Where the rollout stands, with the evidence as of the last moment that was seen.
            pub fn status(&self) -> $crate::guards::rollout::RolloutStatus {
                self.0.status()
            }

            /// What this plan can find out with so many documents of each type an hour, of which people correct such a share:
            /// how long a verdict takes, how often it is wrong, which types cannot be judged. It warns and never refuses; an
            /// error when there is no type, or when a number is out of its range (more than 0 and at most 10,000,000 documents
            /// an hour, more than 0 % and at most 50 % corrections).
            pub fn feasibility(
                &self,
                per_hour: &[($crate::name::DocumentType, f64)],
                corrections: $crate::ratio::Ratio,
            ) -> Result<$crate::guards::rollout::Feasibility, $crate::error::Error> {
                self.0.feasibility(per_hour, corrections)
            }

            /// Goes on to the next stage, or through with it after the last, without waiting for evidence; that ends a pause.
            ///
            /// This and the other commands take effect at once, as of the last call or tick that the policy saw; their events
            /// come with the next. An error when no rollout is on, or in a state in which the command means nothing: then
            /// nothing is changed.
            pub fn promote(&self) -> Result<(), $crate::error::Error> {
                self.0.promote()
            }

            /// Takes the candidate out of service, even after it was promoted; it stays out when it is deployed again.
            pub fn abort(&self) -> Result<(), $crate::error::Error> {
                self.0.abort()
            }

            /// Stops the time of the stage. The share stays, and a candidate that is worse is still rolled back.
            pub fn pause(&self) -> Result<(), $crate::error::Error> {
                self.0.pause()
            }

            /// Ends a pause: the stage is longer by its length.
            pub fn resume(&self) -> Result<(), $crate::error::Error> {
                self.0.resume()
            }

            /// Wants to be asked before the next stage, as if the stage had been planned with an approval.
            pub fn hold(&self) -> Result<(), $crate::error::Error> {
                self.0.hold()
            }

            /// Approves what comes after this stage. It comes with the next look when all conditions are met, and has its full
            /// time.
            pub fn approve(&self) -> Result<(), $crate::error::Error> {
                self.0.approve()
            }
        }
    };
}
use guard_by_rollout;

/// Gives a builder with a `plan` the settings that all rollouts share.
macro_rules! settings_of_rollouts {
    ($builder:ty) => {
        impl $builder {
            /// How many times as often as production the candidate may be corrected (150 % by default, more than 100 % and at
            /// most 400 %).
            pub fn max_ratio(mut self, ratio: $crate::ratio::Ratio) -> Self {
                self.plan.max_ratio = ratio;
                self
            }

            /// After how many times its own length a stage that is not clear waits for a person (4 by default, at least 1).
            pub fn max_hold(mut self, times: u32) -> Self {
                self.plan.max_hold = times;
                self
            }

            /// What corrections are divided by (all answers by default).
            pub fn denominator(mut self, by: $crate::guards::rollout::Denominator) -> Self {
                self.plan.denominator = by;
                self
            }

            /// What happens when the candidate is worse for one document type alone (it is rolled back by default).
            pub fn when_one_type_is_worse(
                mut self,
                then: $crate::guards::rollout::WorseType,
            ) -> Self {
                self.plan.worse_type = then;
                self
            }
        }
    };
}
use settings_of_rollouts;
