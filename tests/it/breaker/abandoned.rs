//! Abandoned calls: a rate and a page of their own, and no part in any other rule.

use std::time::Duration;

use fusebox::breaker::{BreakerState, ErrorRateBreakerBuilder};
use fusebox::event::BreakerEvent;
use fusebox::{ErrorRateBreaker, EventKind, Ratio};

use super::{bench, rate};
use crate::support::{Bench, minutes, refused, seconds, v7};

const HOUR: Duration = minutes(60);

fn abandon(bench: &Bench, n: usize) {
    (0..n).for_each(|_| drop(bench.permit("invoice")));
}

/// How many pages about abandoned calls there are, of how many calls each.
fn pages(bench: &Bench) -> Vec<(u64, u64)> {
    let pages = bench.pages().into_iter();
    let pages = pages.filter_map(|kind| match kind {
        EventKind::Breaker(BreakerEvent::AbandonedRateExceeded {
            abandoned, calls, ..
        }) => Some((abandoned, calls)),
        _ => None,
    });
    pages.collect()
}

/// Browser tabs are closed: 3 to 6 % of the calls, up and down each half hour, for a day.
#[test]
fn a_day_around_the_threshold_is_at_most_three_pages() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    let mut told = 0;
    for minute in 0..24 * 60 {
        let share = if minute / 30 % 2 == 0 { 6 } else { 3 };
        bench.answer(100 - share);
        abandon(&bench, share);
        bench.tick_after(minutes(1));
        told += pages(&bench).len();
    }
    assert!((1..=3).contains(&told), "{told}");
    assert_eq!(bench.serving(), "v7");
}

/// Five failures among many calls are no rate; the window is empty ten hours later.
#[test]
fn a_permit_dropped_after_idle_hours_trips_nothing() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.answer(1_000);
    bench.fail(5);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    bench.tick_after(HOUR * 10);
    abandon(&bench, 1);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(bench.pages(), []);
}

/// 4 of the last 20 calls failed, and the window is too full for that rule; then it is empty.
#[test]
fn it_does_not_bring_up_the_last_calls_either() {
    let (bench, breaker) = bench(rate().last_calls(20));
    bench.answer(200);
    bench.fail(4);
    bench.tick_after(HOUR);
    abandon(&bench, 1);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

#[test]
fn it_does_not_end_an_alarm() {
    use fusebox::LineUp;
    let breaker = std::sync::Arc::new(ErrorRateBreaker::default());
    let line_up = LineUp::new(crate::support::version("v7"));
    let bench = Bench::with(line_up, |builder| {
        builder.guard(std::sync::Arc::clone(&breaker))
    });
    bench.fail(5);
    bench.tick_after(HOUR);
    abandon(&bench, 1);
    assert_eq!(breaker.state(v7()), BreakerState::Alarmed);
    bench.answer(1);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

/// At the tick, the rule on slow calls empties the window before the rate is looked at.
#[test]
fn the_rate_of_a_type_ends_where_slow_calls_are_watched() {
    let builder = ErrorRateBreaker::builder().by_document_type(true);
    let (bench, _) = bench(builder.slow_calls(seconds(30), Ratio::percent(50)));
    bench.answer(90);
    abandon(&bench, 10);
    assert_eq!(pages(&bench).len(), 1);
    (0..3).for_each(|_| bench.tick_after(HOUR));
    assert_eq!(bench.pipeline.incidents(), []);
    abandon(&bench, 1);
    bench.pipeline.tick();
    assert_eq!(pages(&bench), [], "one call is too few");
}

#[test]
fn the_rate_can_be_switched_off_or_have_its_own_threshold() {
    let half = || ErrorRateBreaker::builder().abandoned_threshold(Ratio::percent(50));
    for (breaker, expected) in [
        (
            ErrorRateBreaker::builder().abandoned_threshold(None),
            vec![],
        ),
        (half(), vec![(101, 201)]),
        (half().threshold(Ratio::percent(1)), vec![(101, 201)]),
    ] {
        let (bench, breaker) = bench(breaker);
        bench.answer(100);
        abandon(&bench, 101);
        bench.tick_after(minutes(1));
        assert_eq!(pages(&bench), expected);
        assert_eq!(breaker.counts(v7()).abandoned, 101);
    }
    for threshold in [Ratio::ZERO, Ratio::ONE] {
        let message = |field: &str| {
            format!("{field}: got `{threshold}`, expected more than 0 % and less than 100 %")
        };
        let builder = ErrorRateBreaker::builder;
        refused(
            builder().abandoned_threshold(threshold).build(),
            &message("abandoned call threshold"),
        );
        refused(
            builder().throttled_threshold(threshold).build(),
            &message("throttled call threshold"),
        );
    }
}

/// 5 of 100 are not more than 5 %, whether abandoned calls count as failed or not.
#[test]
fn an_abandoned_call_is_one_call() {
    let settings: [fn() -> ErrorRateBreakerBuilder; 2] = [
        || rate().abandoned_counts(false),
        || rate().abandoned_counts(true),
    ];
    for settings in settings {
        let (bench, _) = bench(settings());
        abandon(&bench, 1);
        bench.answer(94);
        abandon(&bench, 4);
        bench.answer(1);
        assert_eq!(pages(&bench), []);
        bench.clock.advance(seconds(1));
        abandon(&bench, 1);
        assert_eq!(pages(&bench), [(6, 101)]);
    }
}
