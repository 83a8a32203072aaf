//! Throttling that wastes a large share of the calls is an incident of its own.

use fusebox::breaker::{BreakerMode, FailureHandling};
use fusebox::{ErrorRateBreaker, Event, EventKind, FailureKind, Ratio, Severity};

use super::bench;
use crate::support::{Bench, minutes, seconds};

fn throttle(bench: &Bench, n: usize) {
    for _ in 0..n {
        bench.permit("invoice").fail(FailureKind::Throttled);
    }
}

fn is_of_throttling(event: &Event) -> bool {
    event.kind.name() == "throttled_rate_exceeded"
}

fn pages(bench: &Bench) -> Vec<EventKind> {
    let events = bench.events().into_iter();
    let paged = events.filter(|event| event.severity == Severity::Page && is_of_throttling(event));
    paged.map(|event| event.kind).collect()
}

/// Half of all calls, two thirds, all but one of a hundred: for seven hours.
#[test]
fn hours_of_throttling_are_one_page_and_no_fallback() {
    for throttled in [50, 66, 99] {
        let bench = Bench::with_guard(ErrorRateBreaker::default());
        let mut pages = 0;
        for _ in 0..7 * 12 {
            throttle(&bench, throttled);
            bench.answer(100 - throttled);
            bench.tick_after(minutes(5));
            pages += self::pages(&bench).len();
        }
        assert_eq!(pages, 1, "{throttled} of 100");
        assert_eq!(bench.serving(), "v7", "another prompt does not help");
        let open = bench.pipeline.incidents();
        assert_eq!(open[0].key.as_str(), "error-rate/throttled/-/1");
    }
}

#[test]
fn twenty_of_a_hundred_are_no_incident_and_twenty_one_are() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.answer(80);
    throttle(&bench, 20);
    assert_eq!(pages(&bench), []);
    throttle(&bench, 1);
    let pages = pages(&bench);
    assert_eq!(
        pages[0].to_string(),
        "21 of 101 calls to v7 were throttled (threshold 20 %): send fewer calls, or raise the \
         rate limit"
    );
    assert_eq!(pages.len(), 1);
}

#[test]
fn ninety_nine_calls_are_too_few() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    throttle(&bench, 99);
    assert_eq!(pages(&bench), []);
    throttle(&bench, 1);
    assert_eq!(pages(&bench).len(), 1);
}

/// Above 10 % it is still the same; at 10 % it is over.
#[test]
fn it_ends_when_no_more_than_half_the_threshold_is_throttled() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.answer(70);
    throttle(&bench, 30);
    bench.clock.advance(seconds(90));
    let well = |bench: &Bench| bench.pipeline.incidents()[0].well_since.is_some();
    bench.answer(199);
    bench.pipeline.tick();
    assert!(!well(&bench), "30 of 299");
    bench.answer(1);
    bench.pipeline.tick();
    assert!(well(&bench), "30 of 300");
    bench.tick_after(minutes(15));
    assert_eq!(bench.pipeline.incidents(), []);
}

/// What is answered is not hidden, and what is throttled is not counted as answered or failed.
#[test]
fn throttled_calls_leave_the_error_rate_alone() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    throttle(&bench, 300);
    bench.fail(4);
    let counts = breaker.counts("v7");
    assert_eq!((counts.calls, counts.errors, counts.late), (4, 4, 0));
    throttle(&bench, 1);
    bench.fail(1);
    assert_eq!(bench.serving(), "v6", "five failures in a row");
}

#[test]
fn it_can_be_switched_off_or_have_its_own_threshold() {
    let builder = ErrorRateBreaker::builder;
    for (breaker, expected) in [
        (builder().throttled_threshold(None), 0),
        (builder().throttled_threshold(Ratio::percent(99)), 0),
        (builder().throttled_threshold(Ratio::percent(98)), 1),
        (builder().mode(BreakerMode::Disabled), 0),
        (builder().mode(BreakerMode::ObserveOnly), 1),
        (
            builder().handle_failure(FailureKind::Throttled, FailureHandling::Pages),
            0,
        ),
    ] {
        let (bench, _) = bench(breaker);
        bench.answer(2);
        throttle(&bench, 198);
        bench.tick_after(minutes(1));
        assert_eq!(pages(&bench).len(), expected);
    }
}

#[test]
fn types_share_the_limit_of_their_account() {
    let bench = Bench::with_guard(
        ErrorRateBreaker::builder()
            .by_document_type(true)
            .build()
            .unwrap(),
    );
    throttle(&bench, 200);
    bench.tick_after(minutes(1));
    let events = bench.events();
    let about: Vec<_> = events
        .iter()
        .filter(|event| is_of_throttling(event))
        .map(|event| event.only_for.clone())
        .collect();
    assert_eq!(about, [None]);
}
