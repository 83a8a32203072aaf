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
mod policy;
mod split;
mod status;
mod trial;

pub use crate::event::findings::{
    Decision, Evidence, Findings, HoldReason, Maturity, Measure, Tally,
};
pub use crate::event::rollout::{NotCounted, RolloutCommand};

pub use blue_green::{BlueGreenPolicy, BlueGreenPolicyBuilder};
pub use canary::{CanaryPolicy, CanaryPolicyBuilder};
pub use coverage::Cadence;
pub use feasibility::{Feasibility, Forecast, StageForecast, TypeForecast};
pub use plan::{Denominator, WorseType};
pub use policy::{RolloutPolicy, RolloutPolicyBuilder};
pub use status::{RolloutState, RolloutStatus, TypeStatus, TypeVerdict};
