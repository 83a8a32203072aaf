//! P3: too many failures, and the previous version serves; then somebody is paged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fusebox::breaker::BreakerState;
use fusebox::clock::Clock;
use fusebox::event::{BreakerEvent, PipelineEvent};
use fusebox::{
    Admission, ErrorRateBreaker, EventKind, FailureKind, LineUp, Ratio, Reason, Report, Role,
};
use proptest::prelude::*;

use super::{bench, rate};
use crate::operator::rearm;
use crate::support::{Bench, line_up, minutes, rate_only, seconds, v7, version};

fn breaker() -> Arc<ErrorRateBreaker> {
    Arc::new(ErrorRateBreaker::default())
}

#[test]
fn five_of_a_hundred_do_not_trip_and_six_do() {
    let bench = Bench::with_guard(rate_only());
    bench.answer(95);
    bench.fail(5);
    assert_eq!(bench.serving(), "v7");
    assert_eq!(bench.pages(), []);

    let bench = Bench::with_guard(rate_only());
    bench.answer(94);
    bench.fail(6);
    assert_eq!(bench.serving(), "v6");
    let pages = bench.pages();
    let EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
        errors: 6,
        calls: 100,
        kinds,
        fallback,
        ..
    }) = &pages[0]
    else {
        panic!("{pages:?}");
    };
    assert_eq!(kinds[&FailureKind::ServerError], 6);
    assert_eq!(fallback.as_ref().unwrap(), &"v6");
    assert_eq!(pages.len(), 1, "one page");
}

#[test]
fn ninety_nine_calls_are_too_few() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(99);
    assert_eq!(bench.serving(), "v7");
    bench.answer(1);
    assert_eq!(
        bench.serving(),
        "v6",
        "looked at on every outcome, a success too"
    );
}

#[test]
fn five_failures_in_a_row_are_enough_in_quiet_hours() {
    let bench = Bench::with_guard(breaker());
    bench.fail(4);
    bench.answer(1);
    bench.fail(4);
    assert_eq!(bench.serving(), "v7");
    bench.fail(1);
    assert_eq!(bench.serving(), "v6");
}

#[test]
fn failures_in_a_row_do_not_count_when_there_is_a_rate() {
    let bench = Bench::with_guard(breaker());
    bench.answer(200);
    bench.fail(5);
    assert_eq!(bench.serving(), "v7", "5 of 205 are 2.4 %");
}

#[test]
fn the_window_is_fifteen_minutes_in_steps_of_fifteen_seconds() {
    for (pause, expected) in [(seconds(14 * 60 + 59), "v6"), (minutes(15), "v7")] {
        let bench = Bench::with_guard(rate_only());
        bench.fail(6);
        bench.clock.advance(pause);
        bench.answer(94);
        assert_eq!(bench.serving(), expected, "{pause:?}");
    }
}

/// Fifteen seconds of traffic: failures come last, so that no moment shows more of them than the
/// rate says.
fn bucket(bench: &Bench, calls: usize, failures: usize) {
    bench.answer(calls - failures);
    bench.fail(failures);
    bench.clock.advance(seconds(15));
}

#[test]
fn exactly_five_percent_never_trips() {
    let bench = Bench::with_guard(rate_only());
    for _ in 0..4 * 60 * 8 {
        bucket(&bench, 20, 1);
    }
    assert_eq!(bench.pages(), []);
}

/// A window full of successes shows more than 5 % when 15 min * 5 / 6 = 12.5 min have passed: in
/// the next bucket.
#[test]
fn six_percent_are_seen_when_arithmetic_says_so() {
    let bench = Bench::with_guard(rate_only());
    for _ in 0..60 {
        bucket(&bench, 50, 0);
    }
    let mut buckets = 0;
    while bench.pages().is_empty() {
        bucket(&bench, 50, 3);
        buckets += 1;
    }
    assert_eq!(buckets, 51, "12 min 45 s");
}

#[test]
fn it_stays_latched_until_it_is_armed_again() {
    let (bench, breaker) = bench(rate());
    bench.fail(100);
    bench.tick_after(minutes(60 * 24 * 7));
    assert_eq!(bench.serving(), "v6");
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    rearm(&breaker, v7());
    assert_eq!(bench.serving(), "v7");
    assert_eq!(breaker.counts(v7()).calls, 0, "with an empty window");
    assert!(
        bench
            .events()
            .iter()
            .any(|event| matches!(event.kind, EventKind::Breaker(BreakerEvent::Rearmed { .. })))
    );
}

#[test]
fn calls_from_before_a_trip_or_an_arming_are_late() {
    let (bench, breaker) = bench(rate());
    let open: Vec<_> = (0..200).map(|_| bench.permit("invoice")).collect();
    bench.fail(100);
    bench.clock.advance(seconds(1));
    let mut open = open.into_iter();
    for permit in open.by_ref().take(100) {
        permit.fail(FailureKind::Timeout);
    }
    assert_eq!(breaker.counts(v7()).late, 100);
    rearm(&breaker, v7());
    bench.pipeline.tick();
    for permit in open {
        permit.fail(FailureKind::Timeout);
    }
    assert_eq!(bench.serving(), "v7");
    assert_eq!(
        (breaker.counts(v7()).calls, breaker.counts(v7()).late),
        (0, 100)
    );
}

#[test]
fn if_the_previous_version_fails_too_documents_go_to_people() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(100);
    assert_eq!(bench.serving(), "v6");
    bench.fail(100);
    let Admission::Diverted(diversion) = bench.admit("invoice") else {
        panic!("a version still serves");
    };
    assert!(diversion.reasons().contains(&Reason::NoVersionLeft));
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [
                EventKind::Breaker(BreakerEvent::ErrorRateExceeded { .. }),
                EventKind::Breaker(BreakerEvent::Exhausted { .. })
            ]
        ),
        "{pages:?}"
    );
}

#[test]
fn without_a_previous_version_it_pages_and_serves_on() {
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(rate_only())
    });
    bench.fail(300);
    assert_eq!(bench.serving(), "v7");
    assert!(matches!(
        &bench.pages()[..],
        [EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            fallback: None,
            ..
        })]
    ));
    bench.clock.advance(minutes(16));
    bench.answer(100);
    bench.fail(50);
    assert_eq!(bench.pages(), [], "the same incident");
    bench.clock.advance(minutes(16));
    bench.answer(100);
    bench.clock.advance(minutes(15));
    bench.answer(100);
    bench.fail(50);
    assert_eq!(
        bench.pages().len(),
        1,
        "a new incident after it was well for 15 minutes"
    );
}

#[test]
fn a_failing_candidate_gives_way_to_production() {
    #[derive(Debug)]
    struct Everything;
    impl fusebox::Guard for Everything {
        fn name(&self) -> &'static str {
            "everything-to-the-candidate"
        }
        fn route(
            &self,
            _: &fusebox::Call<'_>,
            _: &fusebox::guard::Cx<'_>,
        ) -> fusebox::guard::Route {
            fusebox::guard::Route::Candidate
        }
    }
    let line_up = line_up().with_candidate(version("v8"));
    let bench = Bench::with(line_up, |builder| {
        builder.guard(rate_only()).guard(Everything)
    });
    assert_eq!(bench.serving(), "v8");
    bench.fail(100);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn credentials_page_at_once_and_do_not_count() {
    let (bench, breaker) = bench(rate());
    for kind in [
        FailureKind::Auth,
        FailureKind::Auth,
        FailureKind::QuotaExhausted,
        FailureKind::NotFound,
    ] {
        bench.permit("invoice").fail(kind);
    }
    assert_eq!(bench.pages().len(), 3, "one for each kind");
    assert_eq!(breaker.counts(v7()).calls, 0);
}

#[test]
fn credentials_page_again_when_they_were_well_for_a_quarter_of_an_hour() {
    let (bench, _) = bench(rate());
    bench.permit("invoice").fail(FailureKind::Auth);
    bench.clock.advance(minutes(14));
    bench.permit("invoice").fail(FailureKind::Auth);
    assert_eq!(bench.pages().len(), 1);
    bench.clock.advance(minutes(15));
    bench.permit("invoice").fail(FailureKind::Auth);
    assert_eq!(
        bench.pages().len(),
        1,
        "and again after a quarter of an hour"
    );
}

#[test]
fn throttling_released_and_diverted_calls_do_not_count() {
    let (bench, breaker) = bench(rate());
    for _ in 0..200 {
        bench.permit("invoice").fail(FailureKind::Throttled);
        bench.permit("invoice").release();
    }
    assert_eq!(breaker.counts(v7()).calls, 0);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn failures_inside_an_http_200_count() {
    let (bench, breaker) = bench(rate());
    for reason in [
        "length",
        "refusal",
        "content_filter",
        "model_context_window_exceeded",
        "stop",
    ] {
        let _ = bench
            .permit("invoice")
            .answer(Report::new().finish_reason(reason));
    }
    let counts = breaker.counts(v7());
    assert_eq!((counts.calls, counts.errors), (5, 4));
}

#[test]
fn abandoned_calls_have_a_rate_and_a_page_of_their_own() {
    let bench = Bench::with_guard(rate_only());
    bench.answer(95);
    for _ in 0..5 {
        drop(bench.permit("invoice"));
    }
    assert_eq!(bench.pages(), []);
    drop(bench.permit("invoice"));
    assert!(matches!(
        &bench.pages()[..],
        [EventKind::Breaker(BreakerEvent::AbandonedRateExceeded {
            abandoned: 6,
            calls: 101,
            ..
        })]
    ));
    drop(bench.permit("invoice"));
    assert_eq!(bench.pages(), [], "once");
    assert_eq!(
        bench.serving(),
        "v7",
        "abandoned calls are neither good nor bad"
    );
}

#[test]
fn the_ticket_says_that_the_fallback_serves() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(100);
    let permit = bench.permit("invoice");
    assert_eq!(permit.ticket().role(), Role::Previous);
    permit.release();
}

#[test]
fn a_dry_run_reports_and_never_acts() {
    use fusebox::Guard;
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(rate().build().unwrap().dry_run())
    });
    bench.fail(100);
    assert_eq!(bench.serving(), "v7");
    let events = bench.events();
    assert!(
        events
            .iter()
            .all(|event| event.dry_run && event.severity < fusebox::Severity::Page)
    );
    assert!(events.iter().any(|event| matches!(
        event.kind,
        EventKind::Breaker(BreakerEvent::ErrorRateExceeded { .. })
    )));
    assert!(events.iter().any(|event| matches!(
        event.kind,
        EventKind::Pipeline(PipelineEvent::WouldAct { .. })
    )));
}

proptest! {
    /// Against the rule in one sentence: more than `num/den` of at least `min` calls, looked at
    /// after each.
    #[test]
    fn it_trips_when_the_rule_says_so(
        outcomes in prop::collection::vec(any::<bool>(), 1..120),
        min in 1_u64..40,
        percent in 1_u32..99,
    ) {
        let breaker = ErrorRateBreaker::builder()
            .min_calls(min)
            .threshold(Ratio::percent(percent))
            .consecutive_failures(None)
            .build()
            .unwrap();
        let bench = Bench::with_guard(breaker);
        let (mut calls, mut errors, mut tripped) = (0_u64, 0_u64, false);
        for ok in outcomes {
            prop_assert_eq!(bench.serving(), if tripped { "v6" } else { "v7" });
            if tripped {
                break;
            }
            if ok { bench.answer(1) } else { bench.fail(1) }
            calls += 1;
            errors += u64::from(!ok);
            tripped = calls >= min && errors * 100 > calls * u64::from(percent);
        }
    }
}

/// A breaker that remembers every call with its time.
#[derive(Default)]
struct Exact {
    calls: VecDeque<(u64, bool)>,
}

impl Exact {
    const WINDOW: u64 = 60_000;
    const BUCKET: u64 = 10_000;

    /// Calls and failures for which `is_visible` holds at their time.
    fn count(&self, is_visible: impl Fn(u64) -> bool) -> (u64, u64) {
        let visible = || self.calls.iter().filter(|(at, _)| is_visible(*at));
        let failed = visible().filter(|(_, failed)| *failed).count();
        (visible().count() as u64, failed as u64)
    }
}

proptest! {
    /// Rules R1 to R3 in their words; and against a window without buckets, only the oldest bucket
    /// differs.
    #[test]
    fn it_is_an_exact_window_but_for_the_oldest_bucket(
        calls in prop::collection::vec((0_u64..9_000, prop::bool::weighted(0.15)), 1..250),
    ) {
        let breaker = ErrorRateBreaker::builder()
            .consecutive_failures(None)
            .window(Duration::from_millis(Exact::WINDOW))
            .buckets(6)
            .min_calls(10)
            .threshold(Ratio::percent(20));
        let (bench, breaker) = bench(breaker);
        let mut exact = Exact::default();
        for (pause, failed) in calls {
            bench.clock.advance(Duration::from_millis(pause));
            if failed { bench.fail(1) } else { bench.answer(1) }
            let now = bench.clock.now().as_millis();
            exact.calls.push_back((now, failed));
            let seen = |at: u64| now / Exact::BUCKET - at / Exact::BUCKET < Exact::WINDOW / Exact::BUCKET;
            let (total, errors) = exact.count(seen);
            let counts = breaker.counts(v7());
            prop_assert_eq!((counts.calls, counts.errors), (total, errors));
            let least = exact.count(|at| now - at <= Exact::WINDOW - Exact::BUCKET);
            let most = exact.count(|at| now - at < Exact::WINDOW);
            prop_assert!(least.0 <= total && total <= most.0);
            prop_assert!(least.1 <= errors && errors <= most.1);
            let is_out = breaker.state(v7()) == BreakerState::Latched;
            prop_assert_eq!(is_out, total >= 10 && errors * 100 > 20 * total);
            if is_out {
                break;
            }
        }
    }
}
