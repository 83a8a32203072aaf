//! The guards: state machines without I/O, one file or folder each.

mod breaker;
mod confidence_drift;
mod ledger;
mod rollout;
mod shadow;
mod token_budget;

pub use breaker::{
    BreakerState, ErrorRateBreaker, ErrorRateBreakerBuilder, Health, Probing, Recovery, Treatment,
    VersionCounts,
};
pub use confidence_drift::{
    ConfidenceDriftMonitor, ConfidenceDriftMonitorBuilder, ConfidenceMeans, DriftState,
};
pub use ledger::{Ends, LedgerReport, RouteLedger, RouteLedgerBuilder};
pub use rollout::{
    BlueGreenPolicy, BlueGreenPolicyBuilder, Cadence, CanaryPolicy, CanaryPolicyBuilder,
    Denominator, Feasibility, Forecast, RolloutState, RolloutStatus, StageForecast, Times,
    TypeForecast, TypeStatus, TypeVerdict, WorseType,
};
pub use shadow::{
    Divergence, ShadowComparator, ShadowComparatorBuilder, ShadowCounts, ShadowReport,
    ShadowVerdict, Shadowed,
};
pub use token_budget::{
    AtLeast, CoverageReport, Headroom, TokenBudget, TokenBudgetBuilder, WhatIf,
};
