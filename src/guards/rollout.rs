//! Canary and blue/green rollouts: a new version serves a share of the documents in stages, and
//! each stage ends under conditions.
//!
//! One controller runs the stages, `observe` counts, `decide` weighs, `serving` watches who serves the
//! documents, `clearance` has the candidate wait, `agreement` says which steps all processes take, and
//! `following` takes them; canary and blue/green are two presets.

mod agreement;
mod blue_green;
mod bursts;
mod canary;
mod clearance;
mod cohort;
mod commands;
mod controller;
mod counting;
mod counts;
mod coverage;
mod decide;
mod documents;
mod feasibility;
mod findings;
mod fit;
mod following;
mod incident;
mod observe;
mod outlook;
mod plan;
mod policy;
mod review_delays;
mod revisions;
mod serving;
mod status;
mod step;
mod stored;
mod thresholds;
mod traffic;
mod trial;

pub use crate::event::findings::{
    Decision, Evidence, Findings, Maturity, Measure, NotServing, Tally,
};
pub use crate::event::hold_reason::HoldReason;
pub use crate::event::rollout::{NotCounted, RolloutCommand};

pub use blue_green::{BlueGreenPolicy, BlueGreenPolicyBuilder};
pub use canary::{CanaryPolicy, CanaryPolicyBuilder};
pub use coverage::Cadence;
pub use feasibility::{DelaySource, Feasibility, Forecast, StageForecast, TypeForecast};
pub use fit::{Alternative, Fit, FittedPlan, Risk, Shortfall};
pub use plan::{Denominator, UnjudgedType, WorseType};
pub use policy::{RolloutPolicy, RolloutPolicyBuilder};
pub use status::{RolloutState, RolloutStatus, TypeStatus, TypeVerdict};
pub use traffic::Traffic;
