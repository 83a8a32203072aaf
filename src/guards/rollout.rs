//! P4 and P5: a new version is exposed to a share of the documents, for a time, under conditions.
//!
//! One stage machine (`stages`), one way to weigh corrections (`judge`), one way to split documents (`split`), and two
//! presets on top of them.

mod blue_green;
mod canary;
mod judge;
mod plan;
mod split;
mod stages;
mod trial;

pub use blue_green::{BlueGreenPolicy, BlueGreenPolicyBuilder};
pub use canary::{CanaryPolicy, CanaryPolicyBuilder};
pub use judge::Evidence;
pub use stages::{Decision, HoldReason, RolloutState, RolloutStatus};

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
            ) -> $crate::verdict::Route {
                self.0.route(call, cx)
            }

            fn observe(&self, signal: &$crate::signal::Signal, cx: &mut $crate::guard::Cx<'_>) {
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

            /// Goes on to the next stage, or through with it after the last, without waiting for evidence. Takes effect
            /// at the pipeline's next call or tick; nothing happens when no rollout is on.
            pub fn promote(&self) {
                self.0.promote();
            }

            /// Takes the candidate out of service. Takes effect at the pipeline's next call or tick; nothing happens
            /// when no rollout is on.
            pub fn abort(&self) {
                self.0.abort();
            }
        }
    };
}
use guard_by_rollout;
