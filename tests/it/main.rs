//! Behaviour through the public API: a folder per promise, with what its tests share in its
//! `mod.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod breaker;
mod chance;
mod drift;
mod drill;
mod events;
mod failure;
mod incident;
mod keeper;
mod laws;
mod layering;
mod ledger;
mod operator;
mod pager;
mod pipeline;
mod public_api;
mod rollout;
mod shadow;
mod shadow_compare;
#[cfg(feature = "report")]
mod shadow_review;
#[cfg(feature = "sqlite")]
mod store;
mod support;
mod tokens;
#[cfg(feature = "tiktoken")]
mod traces;
