//! What the operator orders holds at once, and over a restart.

use std::sync::Arc;

use fusebox::breaker::{BreakerMode, BreakerState};
use fusebox::{ErrorRateBreaker, Event};

use super::bench;
use crate::support::{Bench, minutes, seconds, stored, v7};

fn names(bench: &Bench) -> Vec<&'static str> {
    let of_breaker = |event: &Event| event.guard == "error-rate";
    let events = bench.events().into_iter().filter(of_breaker);
    events.map(|event| event.kind.name()).collect()
}

/// A process that starts with what this one has stored before anything else happened.
fn restarted(bench: &Bench) -> (Bench, Arc<ErrorRateBreaker>) {
    let (next, breaker) = self::bench(ErrorRateBreaker::builder());
    next.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    (next, breaker)
}

#[test]
fn a_version_that_was_armed_again_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    breaker.rearm(v7());
    assert_eq!(breaker.state(v7()), BreakerState::Closed, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    next.pipeline.tick();
    assert_eq!(names(&next), ["incident_resolved", "rearmed"]);
    assert_eq!(next.serving(), "v7");
    next.tick_after(seconds(1));
    assert_eq!(names(&next), [""; 0], "told once");
}

#[test]
fn a_switched_mode_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.answer(1);
    breaker.switch(BreakerMode::ForcedFallback);
    assert_eq!(breaker.mode(), BreakerMode::ForcedFallback, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.mode(), BreakerMode::ForcedFallback);
    assert_eq!(next.serving(), "v6");
    assert_eq!(names(&next), ["breaker_switched"]);
    breaker.switch(BreakerMode::ForcedFallback);
    next.pipeline.tick();
    assert_eq!(names(&next), [""; 0], "it is in this mode");
}

#[test]
fn a_reset_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    breaker.switch(BreakerMode::ObserveOnly);
    bench.tick_after(seconds(1));
    breaker.reset();
    assert_eq!(breaker.mode(), BreakerMode::Enforce, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(next.serving(), "v7");
    assert_eq!(names(&next), ["incident_resolved", "breaker_reset"]);
    assert_eq!(next.pipeline.incidents(), []);
}

/// Calls that were open when the command was given are late, and those after it are not.
#[test]
fn a_command_divides_the_calls() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let before = bench.permit("invoice");
    bench.fail(5);
    breaker.rearm(v7());
    let after = bench.permit("invoice");
    assert_eq!(after.ticket().version(), "v7");
    for permit in [before, after] {
        permit.fail(fusebox::FailureKind::ServerError);
    }
    let counts = breaker.counts(v7());
    assert_eq!((counts.calls, counts.late), (1, 1));
    bench.tick_after(minutes(1));
}

#[test]
fn what_is_not_known_cannot_be_armed_again() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    breaker.rearm("v9");
    bench.pipeline.tick();
    assert_eq!(names(&bench), [""; 0]);
}
