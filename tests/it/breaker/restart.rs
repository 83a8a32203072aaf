//! A restart keeps what is out of service and what was counted.

use std::sync::Arc;

use fusebox::ErrorRateBreaker;
use fusebox::breaker::BreakerState;

use crate::support::{Bench, minutes, rate_only, v7};

#[test]
fn a_latched_breaker_stays_latched() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(100);
    let next = bench.restarted(rate_only());
    assert_eq!(next.serving(), "v6");
    assert_eq!(next.pages(), [], "and pages nobody again");
}

#[test]
fn a_half_full_window_goes_on() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(6);
    bench.answer(93);
    let next = bench.restarted(rate_only());
    assert_eq!(next.serving(), "v7");
    next.answer(1);
    assert_eq!(next.serving(), "v6");
}

#[test]
fn a_breaker_with_another_window_keeps_its_state_and_starts_to_count_anew() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(100);
    let other = Arc::new(
        ErrorRateBreaker::builder()
            .window(minutes(5))
            .build()
            .unwrap(),
    );
    let next = bench.restarted(Arc::clone(&other));
    assert_eq!(other.state(v7()), BreakerState::Latched);
    assert_eq!(other.counts(v7()).calls, 0);
    assert_eq!(next.serving(), "v6");
}
