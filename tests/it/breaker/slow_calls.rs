//! P3 for calls that take too long, or never end.

use std::sync::Arc;

use fusebox::breaker::{BreakerMode, BreakerState, ErrorRateBreakerBuilder, Probing, TripReason};
use fusebox::event::BreakerEvent;
use fusebox::{ErrorRateBreaker, EventKind, FailureKind, Permit, Ratio, Report};

use crate::operator::switch;
use crate::support::{Bench, minutes, seconds, v7};

/// More than half of the calls longer than 30 s, of ten and more.
fn builder() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder()
        .min_calls(10)
        .slow_calls(seconds(30), Ratio::percent(50))
}

fn bench() -> (Bench, Arc<ErrorRateBreaker>) {
    super::bench(builder())
}

fn open(bench: &Bench, n: usize) -> Vec<Permit> {
    (0..n).map(|_| bench.permit("invoice")).collect()
}

fn answer(permits: Vec<Permit>) {
    for permit in permits {
        let _ = permit.answer(Report::new());
    }
}

#[test]
fn calls_longer_than_they_should_be_take_a_version_out() {
    let (bench, breaker) = bench();
    answer(open(&bench, 10));
    for n in 0..10 {
        let call = open(&bench, 1);
        bench.clock.advance(seconds(31));
        answer(call);
        assert_eq!(
            bench.serving(),
            "v7",
            "{} of {} are not more than half",
            n + 1,
            n + 11
        );
    }
    assert_eq!(breaker.counts(v7()).slow, 10);
    let call = open(&bench, 1);
    bench.clock.advance(seconds(31));
    answer(call);
    assert_eq!(bench.serving(), "v6");
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
                reason: TripReason::SlowCalls,
                errors: 11,
                calls: 21,
                ..
            })]
        ),
        "{pages:?}"
    );
    let text = pages[0].to_string();
    assert!(
        text.starts_with("circuit of v7 opened: 11 of 21 calls took too long (threshold 50 %"),
        "{text}"
    );
}

#[test]
fn exactly_as_long_as_they_may_take_is_not_slow() {
    let (bench, breaker) = bench();
    let calls = open(&bench, 20);
    bench.clock.advance(seconds(30));
    answer(calls);
    assert_eq!(
        (breaker.counts(v7()).slow, bench.serving().as_str()),
        (0, "v7")
    );
}

/// No call ends, so no outcome is ever seen.
#[test]
fn calls_that_hang_are_seen_at_the_next_tick() {
    let (bench, breaker) = bench();
    let hanging = open(&bench, 10);
    bench.tick_after(seconds(30));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    bench.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(bench.pages().len(), 1);
    bench.tick_after(minutes(60));
    answer(hanging);
    assert_eq!(bench.pages(), [], "what ends after the trip is late");
    assert_eq!(breaker.counts(v7()).late, 10);
}

#[test]
fn a_few_that_hang_are_enough_where_calls_are_few() {
    let (bench, breaker) = bench();
    let four = open(&bench, 4);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    let fifth = open(&bench, 1);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    drop((four, fifth));
}

/// Every way in which a call can end takes it out of those that are open.
#[test]
fn a_call_that_has_ended_does_not_hang() {
    let (bench, breaker) = bench();
    for _ in 0..5 {
        let mut permits = open(&bench, 5).into_iter();
        let mut next = || permits.next().unwrap();
        let _ = next().answer(Report::new());
        next().release();
        next().fail(FailureKind::Throttled);
        next().fail(FailureKind::QuotaExhausted);
        drop(next());
        bench.tick_after(minutes(2));
    }
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

#[test]
fn without_the_rule_nothing_is_slow() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    let calls = open(&bench, 200);
    bench.tick_after(minutes(10));
    answer(calls);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn only_watching_takes_nothing_out() {
    let (bench, _breaker) = super::bench(builder().mode(BreakerMode::ObserveOnly));
    let calls = open(&bench, 20);
    bench.tick_after(minutes(1));
    answer(calls);
    assert_eq!(bench.serving(), "v7");
    let events = bench.events();
    let would = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Breaker(BreakerEvent::WouldTrip {
                reason: TripReason::SlowCalls,
                ..
            })
        )
    };
    assert_eq!(
        events.iter().filter(|event| would(&event.kind)).count(),
        1,
        "{events:?}"
    );
}

#[test]
fn what_hung_before_a_version_came_back_is_forgotten() {
    let probing = Probing::after(minutes(1)).with_probes(1);
    let (bench, breaker) = super::bench(builder().recovery(probing));
    let hanging = open(&bench, 10);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.clock.advance(minutes(1));
    bench.answer(1);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    drop(hanging);
}

#[test]
fn what_hung_before_the_fallback_was_forced_is_forgotten() {
    let (bench, breaker) = bench();
    let hanging = open(&bench, 10);
    switch(&breaker, BreakerMode::ForcedFallback);
    bench.tick_after(minutes(1));
    switch(&breaker, BreakerMode::Enforce);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    // The end of what is forgotten takes nobody else's place.
    let new = open(&bench, 5);
    drop(hanging);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    drop(new);
}

#[test]
fn calls_that_are_open_are_calls() {
    let (bench, breaker) = bench();
    bench.answer(5);
    let hanging = open(&bench, 5);
    bench.tick_after(minutes(1));
    assert_eq!(
        breaker.state(v7()),
        BreakerState::Closed,
        "5 of 10 are not more than half"
    );
    drop(hanging);
}

#[test]
fn what_cannot_be_is_refused() {
    for (after, threshold, message) in [
        (
            seconds(0),
            50,
            "slow call time: got `0s`, expected at least 1 ms",
        ),
        (
            seconds(1),
            0,
            "slow call threshold: got `0 %`, expected more than 0 % and less than 100 %",
        ),
        (
            seconds(1),
            100,
            "slow call threshold: got `100 %`, expected more than 0 % and less than 100 %",
        ),
    ] {
        let error = ErrorRateBreaker::builder()
            .slow_calls(after, Ratio::percent(threshold))
            .build()
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
