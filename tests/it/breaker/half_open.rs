//! Every state has an exit: probes, waits and settings that change meanwhile.

use std::time::Duration;

use fusebox::breaker::{BreakerMode, BreakerState, ErrorRateBreakerBuilder, ProbeFailure, Probing};
use fusebox::clock::Clock;
use fusebox::event::BreakerEvent;
use fusebox::{ErrorRateBreaker, EventKind, FailureKind, Permit, Report};

use super::bench;
use crate::operator::{rearm, reconfigure, switch};
use crate::support::{Bench, minutes, seconds, stored, v7};

fn probing(probes: u32) -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder().recovery(Probing::after(minutes(1)).with_probes(probes))
}

fn names(bench: &Bench) -> Vec<&'static str> {
    let events = bench.events().into_iter();
    events.map(|event| event.kind.name()).collect()
}

/// Three of five probes have passed.
fn three_of_five() -> (Bench, std::sync::Arc<ErrorRateBreaker>) {
    let (bench, breaker) = bench(probing(5));
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
    bench.events();
    (bench, breaker)
}

#[test]
fn fewer_probes_may_be_enough_already() {
    let (bench, breaker) = three_of_five();
    reconfigure(&breaker, probing(3)).unwrap();
    assert_eq!(bench.serving(), "v7");
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(names(&bench), ["breaker_reconfigured", "recovered"]);
}

#[test]
fn fewer_probes_may_be_enough_after_a_restart() {
    let (before, _) = three_of_five();
    let (bench, breaker) = bench(probing(3));
    bench.clock.set(before.clock.now());
    bench.pipeline.restore(&stored(&before.pipeline)).unwrap();
    bench.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn what_is_never_probed_again_is_latched() {
    for wait in [seconds(0), minutes(1)] {
        let (bench, breaker) = bench(probing(3));
        bench.fail(5);
        bench.tick_after(wait);
        reconfigure(&breaker, ErrorRateBreaker::builder()).unwrap();
        assert_eq!(breaker.state(v7()), BreakerState::Latched);
        assert_eq!(bench.serving(), "v6");
        rearm(&breaker, v7());
        assert_eq!(bench.serving(), "v7");
    }
    let (before, _) = bench(probing(3));
    before.fail(5);
    let (next, breaker) = bench(ErrorRateBreaker::builder());
    next.pipeline.restore(&stored(&before.pipeline)).unwrap();
    assert_eq!(breaker.state(v7()), BreakerState::Latched, "over a restart");
}

#[test]
fn a_probe_that_ended_in_another_mode_has_ended() {
    for mode in [
        BreakerMode::ObserveOnly,
        BreakerMode::Disabled,
        BreakerMode::ForcedFallback,
    ] {
        let (bench, breaker) = bench(probing(1));
        bench.fail(5);
        bench.clock.advance(minutes(1));
        let probe = bench.permit("invoice");
        assert_eq!(probe.ticket().version(), "v7");
        switch(&breaker, mode);
        bench.pipeline.tick();
        let _ = probe.answer(Report::new());
        switch(&breaker, BreakerMode::Enforce);
        bench.pipeline.tick();
        bench.events();
        bench.tick_after(minutes(10));
        assert_eq!(names(&bench), [""; 0], "{mode}");
        bench.answer(1);
        assert_eq!(breaker.state(v7()), BreakerState::Closed, "{mode}");
    }
}

fn fail_with_wait(permit: Permit, wait: Duration) {
    permit.fail_with(FailureKind::Overloaded, Report::new().retry_after(wait));
}

/// The answer to a call that was open when the circuit opened says when to come back.
#[test]
fn a_later_wait_moves_the_next_probe() {
    let (bench, breaker) = bench(probing(1));
    let late = bench.permit("invoice");
    bench.fail(5);
    fail_with_wait(late, minutes(10));
    bench.tick_after(seconds(599));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
}

/// A shorter wait than the one that is on moves nothing.
#[test]
fn a_shorter_wait_moves_nothing() {
    let (bench, breaker) = bench(probing(1));
    let late = bench.permit("invoice");
    bench.fail(5);
    fail_with_wait(late, seconds(5));
    bench.tick_after(seconds(59));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
}

#[test]
fn a_wait_of_ten_years_is_an_hour() {
    const HOUR: Duration = minutes(60);
    let (bench, breaker) = bench(probing(1));
    bench.fail(4);
    fail_with_wait(bench.permit("invoice"), HOUR * 24 * 3_650);
    assert_eq!(breaker.retry_at(v7()), Some(bench.clock.now() + HOUR));
    bench.tick_after(seconds(59 * 60 + 59));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
}

#[test]
fn a_lease_still_expires() {
    let (bench, breaker) = bench(probing(1));
    bench.fail(5);
    bench.clock.advance(minutes(1));
    let held = bench.permit("invoice");
    bench.events();
    bench.tick_after(minutes(10));
    let pages = bench.events();
    let is_expired = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Breaker(BreakerEvent::ProbesFailed {
                reason: ProbeFailure::LeaseExpired,
                ..
            })
        )
    };
    assert!(pages.iter().any(|event| is_expired(&event.kind)));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    drop(held);
}
