//! P3: when too many calls fail, the previous version serves, then somebody is paged.

use std::sync::Arc;

use fusebox::ErrorRateBreaker;
use fusebox::breaker::{ErrorRateBreakerBuilder, Probing};

use crate::support::Bench;

mod abandoned;
mod commands;
mod error_rate;
mod half_open;
mod in_a_row;
mod incidents;
mod no_fallback;
mod open_calls;
mod options;
mod provider_fault;
mod provider_probes;
mod recovery;
mod restart;
mod settings;
mod slow_calls;
mod throttling;
mod types;
mod types_switched;

/// The rate alone.
fn rate() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder().consecutive_failures(None)
}

fn recovering(probing: Probing) -> Arc<ErrorRateBreaker> {
    Arc::new(
        ErrorRateBreaker::builder()
            .recovery(probing)
            .build()
            .unwrap(),
    )
}

fn bench(settings: ErrorRateBreakerBuilder) -> (Bench, Arc<ErrorRateBreaker>) {
    Bench::and_guard(settings.build().unwrap())
}
