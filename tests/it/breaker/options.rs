//! P3, where somebody wants it otherwise than by default.

use std::sync::Arc;
use std::time::Duration;

use fusebox::breaker::{ErrorRateBreakerBuilder, FailureHandling, Probing};
use fusebox::event::BreakerEvent;
use fusebox::{DocumentType, ErrorRateBreaker, EventKind, FailureKind, Guard, Ratio, RouteLedger};

use super::{bench, rate};
use crate::operator::rearm;
use crate::support::{Bench, line_up, minutes, refused, v7};

/// Which version serves after so many answers and failures.
fn serving(breaker: ErrorRateBreakerBuilder, answers: usize, failures: usize) -> String {
    let bench = Bench::with_guard(breaker.build().unwrap());
    bench.answer(answers);
    bench.fail(failures);
    bench.serving()
}

#[test]
fn the_threshold_can_be_too_much_already() {
    assert_eq!(serving(rate(), 95, 5), "v7");
    assert_eq!(serving(rate().threshold_included(true), 95, 5), "v6");
    assert_eq!(serving(rate().threshold_included(true), 96, 4), "v7");
    let tiny = rate()
        .threshold_included(true)
        .threshold(Ratio::basis_points(1));
    assert_eq!(serving(tiny, 200, 0), "v7", "nothing is never too much");
}

/// The least failures with a one-sided 95 % Wilson lower bound above 5 %, by scipy 1.17.1
/// (`binomtest(k, n, alternative="greater").proportion_ci(0.95, "wilson").low`): 3 of 20, 5 of 40,
/// 9 of 100, 16 of 200, 34 of 500.
#[test]
fn the_rate_can_be_required_to_be_beyond_doubt() {
    for (calls, failures) in [(20, 3), (40, 5), (100, 9), (200, 16), (500, 34)] {
        let sure = || rate().beyond_doubt(true).min_calls(calls as u64);
        assert_eq!(
            serving(sure(), calls - failures, failures),
            "v6",
            "{failures} of {calls}"
        );
        assert_eq!(
            serving(sure(), calls - failures + 1, failures - 1),
            "v7",
            "{} of {calls}",
            failures - 1
        );
    }
}

#[test]
fn what_a_kind_of_failure_counts_for_can_be_said() {
    let breaker = ErrorRateBreaker::builder()
        .handle_failure(FailureKind::Throttled, FailureHandling::Counts)
        .handle_failure(FailureKind::Refusal, FailureHandling::Ignored)
        .handle_failure(FailureKind::ContentFiltered, FailureHandling::Pages);
    let bench = Bench::with_guard(breaker.build().unwrap());
    for _ in 0..20 {
        bench.permit("invoice").fail(FailureKind::Refusal);
        bench.permit("invoice").fail(FailureKind::ContentFiltered);
    }
    assert_eq!(bench.serving(), "v7");
    let pages = bench.pages();
    let filtered = FailureKind::ContentFiltered;
    assert!(
        matches!(&pages[..], [EventKind::Breaker(BreakerEvent::UrgentFailure { failure, .. })] if *failure == filtered),
        "{pages:?}"
    );
    for _ in 0..5 {
        bench.permit("invoice").fail(FailureKind::Throttled);
    }
    assert_eq!(bench.serving(), "v6");
}

/// Three statements in a hundred documents are 3 %: only a breaker of their own sees that they all
/// fail.
#[test]
fn a_type_that_fails_alone_trips_alone() {
    let statements = Arc::new(rate().min_calls(10).build().unwrap());
    let own = Arc::clone(&statements).only_for(DocumentType::new("statement").unwrap());
    let bench = Bench::with(line_up(), |builder| {
        builder
            .guard(rate().build().unwrap())
            .guard(own.named("statements"))
    });
    for _ in 0..10 {
        bench.answer(32);
        bench.permit("statement").fail(FailureKind::MalformedOutput);
    }
    let serving = |document_type: &str| {
        let permit = bench.permit(document_type);
        let version = permit.ticket().version().to_string();
        permit.release();
        version
    };
    assert_eq!(
        (serving("invoice").as_str(), serving("statement").as_str()),
        ("v7", "v6")
    );
    let open = bench.pipeline.incidents();
    assert_eq!(open[0].key.as_str(), "statements/failing/v7/1");
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
                errors: 10,
                calls: 10,
                ..
            })]
        ),
        "{pages:?}"
    );
    rearm(&statements, v7());
    bench.pipeline.tick();
    assert_eq!(serving("statement"), "v7");
}

#[test]
fn abandoned_calls_can_count_as_failed() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder().abandoned_counts(true));
    for _ in 0..5 {
        drop(bench.permit("invoice"));
    }
    assert_eq!(bench.serving(), "v6");
    let counts = breaker.counts(v7());
    assert_eq!((counts.calls, counts.errors, counts.abandoned), (5, 5, 5));
}

#[test]
fn an_abandoned_probe_has_failed_where_abandoned_calls_count() {
    let breaker = ErrorRateBreaker::builder()
        .abandoned_counts(true)
        .recovery(Probing::after(minutes(1)));
    let bench = Bench::with_guard(breaker.build().unwrap());
    bench.fail(5);
    bench.clock.advance(minutes(1));
    drop(bench.permit("invoice"));
    assert_eq!(bench.serving(), "v6");
}

#[test]
fn a_breaker_says_which_number_is_wrong() {
    for threshold in [Ratio::ZERO, Ratio::ONE, Ratio::percent(150)] {
        let message = format!(
            "error rate threshold: got `{threshold}`, expected more than 0 % and less than 100 %"
        );
        refused(
            ErrorRateBreaker::builder().threshold(threshold).build(),
            &message,
        );
    }
    refused(
        ErrorRateBreaker::builder().window(Duration::ZERO).build(),
        "error rate window: got `0s`, expected longer than zero",
    );
    refused(
        ErrorRateBreaker::builder().buckets(7).build(),
        "error rate window: got `15m`, expected a multiple of the number of buckets (7), in whole milliseconds",
    );
    refused(
        ErrorRateBreaker::builder().min_calls(0).build(),
        "error rate min_calls: got `0`, expected at least 1",
    );
    refused(
        RouteLedger::builder().max_open(Duration::ZERO).build(),
        "ledger max_open: got `0s`, expected longer than zero",
    );
}
