//! Behaviour through the public API: a module per promise, and one for each law.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod bad_input;
mod blue_green;
mod breaker_options;
mod breaker_settings;
mod breaker_types;
mod canary;
mod cancellation;
mod classify;
mod confidence_drift;
mod drill;
mod error_rate;
mod feasibility;
mod incidents;
mod laws;
mod layering;
mod ledger;
mod probing;
mod public_api;
mod restart;
mod rollout_commands;
mod rollout_restart;
mod rollout_simulation;
mod rollout_truth;
mod rollout_types;
mod shadow;
mod sinks;
mod slow_calls;
mod support;
mod token_counts;
mod token_usage;
mod tokens;
#[cfg(feature = "tiktoken")]
mod traces;
