//! Failures in a row: until an answer comes, or the last of them has left the window.

use fusebox::breaker::TripReason;
use fusebox::event::BreakerEvent;
use fusebox::{ErrorRateBreaker, EventKind};

use super::bench;
use crate::support::{Bench, minutes};

#[test]
fn failures_of_the_evening_are_not_in_a_row_with_one_of_the_morning() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(4);
    bench.tick_after(minutes(10 * 60));
    bench.fail(1);
    assert_eq!(bench.serving(), "v7");
    assert_eq!(bench.pages(), []);
    bench.fail(4);
    assert_eq!(bench.serving(), "v6", "five of the morning");
}

#[test]
fn failures_hidden_in_a_full_window_do_not_count_once_they_are_old() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.answer(1_000);
    bench.fail(5);
    bench.tick_after(minutes(16));
    bench.fail(1);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn a_row_ends_when_its_last_failure_has_left_the_window() {
    for (pause, expected) in [(minutes(14), "v6"), (minutes(15), "v7")] {
        let (bench, _) = bench(ErrorRateBreaker::builder());
        bench.fail(1);
        bench.clock.advance(pause);
        bench.fail(4);
        assert_eq!(bench.serving(), expected, "{pause:?}");
    }
}

/// A quiet version, or a type with six documents an hour: the window never has five of them.
#[test]
fn a_slow_row_is_a_row() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    for n in 0..5 {
        assert_eq!(bench.serving(), "v7", "{n}");
        bench.fail(1);
        bench.clock.advance(minutes(10));
    }
    assert_eq!(bench.serving(), "v6");
    let pages = bench.pages();
    assert_eq!(
        pages[0].to_string(),
        "circuit of v7 opened: consecutive failures, 5 of 5 calls failed (threshold 5 %, \
         5 server_error); v6 serves now"
    );
}

#[test]
fn an_older_failure_before_an_answer_is_in_no_row() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(3);
    bench.answer(1);
    bench.fail(4);
    assert_eq!(bench.serving(), "v7");
    bench.fail(1);
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
                reason: TripReason::ConsecutiveFailures,
                errors: 8,
                calls: 9,
                ..
            })]
        ),
        "{pages:?}"
    );
}
