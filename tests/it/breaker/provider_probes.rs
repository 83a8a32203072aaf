//! The provider was blamed, and probes show who is at fault: the version comes back by itself, or a
//! person is told that it does not.

use std::sync::Arc;

use fusebox::breaker::BreakerState;
use fusebox::event::BreakerEvent;
use fusebox::{ErrorRateBreaker, EventKind, FailureKind, Report, Severity};

use super::bench;
use crate::operator::rearm;
use crate::support::{Bench, minutes, v6, v7};

fn fail(bench: &Bench, kind: FailureKind, n: usize) {
    for _ in 0..n {
        bench.permit("invoice").fail(kind);
    }
}

/// Twelve hours in which v7 fails every probe like this, while v6 serves well.
fn probes_that_fail(kind: FailureKind) -> (Bench, Arc<ErrorRateBreaker>, usize) {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::Overloaded, 5);
    let mut failed = 5;
    for _ in 0..12 * 60 {
        bench.tick_after(minutes(1));
        let permit = bench.permit("invoice");
        if permit.ticket().version() == "v7" {
            permit.fail(kind);
            failed += 1;
        } else {
            let _ = permit.answer(Report::new());
        }
    }
    (bench, breaker, failed)
}

/// It was overloaded, and is broken as well: no probe serves its answers for hours.
#[test]
fn a_probe_that_fails_by_the_version_itself_latches_it() {
    let (bench, breaker, failed) = probes_that_fail(FailureKind::MalformedOutput);
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(failed, 6, "one probe");
    let events = bench.events();
    let told = events
        .iter()
        .find(|event| event.kind.name() == "probes_failed");
    assert_eq!(
        told.unwrap().kind.to_string(),
        "circuit of v7 opened again: a probe failed with malformed_output; v7 is at fault itself: \
         rearm it when it is mended"
    );
    assert_eq!(
        told.unwrap().severity,
        Severity::Page,
        "press nothing, it said"
    );
    let [open] = &bench.pipeline.incidents()[..] else {
        panic!("one incident");
    };
    assert!(open.summary.contains("v7 is at fault itself"), "{open:?}");
    assert!(open.undo.contains("rearm"), "{open:?}");
}

/// Timeouts may be the provider's, but not for hours in which v6 answers.
#[test]
fn a_provider_that_fails_for_one_version_alone_is_not_believed_for_ever() {
    let (_, breaker, failed) = probes_that_fail(FailureKind::Timeout);
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(failed, 10, "after waits of 1, 2, 4, 5 and 5 minutes");
    let (_, breaker, _) = probes_that_fail(FailureKind::Overloaded);
    assert_ne!(breaker.state(v7()), BreakerState::Latched, "it says so");
}

/// v7 is well again; v6, which failed by itself meanwhile, waits for a person without a page.
#[test]
fn no_version_left_is_over_when_production_is_well() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::Overloaded, 5);
    fail(&bench, FailureKind::MalformedOutput, 5);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
    bench.tick_after(minutes(1));
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    for _ in 0..20 {
        bench.answer(1);
        bench.tick_after(minutes(1));
    }
    assert_eq!(bench.pipeline.incidents(), []);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
    let told = bench.events();
    let warned = told
        .iter()
        .filter(|event| event.kind.name() == "fallback_out_of_service");
    assert_eq!(warned.count(), 1);
}

/// v7 broke by itself; v6 was overloaded, is probed, and is broken as well.
#[test]
fn a_page_says_that_the_last_version_does_not_come_back() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::MalformedOutput, 5);
    fail(&bench, FailureKind::Overloaded, 5);
    bench.tick_after(minutes(1));
    bench.pages();
    fail(&bench, FailureKind::MalformedOutput, 1);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
    let pages = bench.pages();
    let [EventKind::Breaker(BreakerEvent::ProbesFailed { next_at: None, .. })] = &pages[..] else {
        panic!("{pages:?}");
    };
    assert_eq!(bench.pipeline.incidents().len(), 1);
}

/// Nothing stood behind v7 when it was overloaded; then it is broken as well.
#[test]
fn a_page_says_that_production_without_a_fallback_does_not_come_back() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::MalformedOutput, 5);
    fail(&bench, FailureKind::MalformedOutput, 5);
    rearm(&breaker, v7());
    fail(&bench, FailureKind::Overloaded, 5);
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.tick_after(minutes(1));
    bench.pages();
    fail(&bench, FailureKind::MalformedOutput, 1);
    let pages = bench.pages();
    let [EventKind::Breaker(BreakerEvent::ProbesFailed { next_at: None, .. })] = &pages[..] else {
        panic!("{pages:?}");
    };
    let open = bench.pipeline.incidents();
    let told = open
        .iter()
        .find(|open| open.summary.contains("at fault itself"));
    assert!(
        told.is_some_and(|told| told.undo.contains("rearm")),
        "{open:?}"
    );
    bench.tick_after(minutes(1));
    assert_eq!(
        bench.pipeline.incidents().len(),
        open.len(),
        "until somebody mends it"
    );
}

/// A person puts v7 back while the provider is down for v6 too, and it answers.
#[test]
fn production_proves_that_the_version_behind_it_is_well() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::Overloaded, 5);
    fail(&bench, FailureKind::Overloaded, 5);
    rearm(&breaker, v7());
    let before = bench.permit("invoice");
    bench.answer(10);
    assert_eq!(
        breaker.state(v6()),
        BreakerState::Open,
        "not before its wait"
    );
    bench.tick_after(minutes(1));
    let _ = before.answer(Report::new());
    bench.answer(2);
    assert_eq!(breaker.state(v6()), BreakerState::HalfOpen);
    bench.events();
    bench.answer(1);
    assert_eq!(breaker.state(v6()), BreakerState::Closed);
    let told = bench.events();
    let told: Vec<String> = told.iter().map(|event| event.kind.to_string()).collect();
    assert!(
        told.iter()
            .any(|told| told.contains("v6") && told.contains("v7")),
        "{told:?}"
    );
}

/// v6 broke by itself: answers of v7 say nothing of it.
#[test]
fn production_proves_nothing_for_a_version_that_broke_by_itself() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    fail(&bench, FailureKind::MalformedOutput, 10);
    rearm(&breaker, v7());
    bench.tick_after(minutes(1));
    bench.answer(20);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
}
