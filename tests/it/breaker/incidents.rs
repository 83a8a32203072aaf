//! P3: one outage is one page.

use std::sync::Arc;

use fusebox::breaker::Probing;
use fusebox::event::{BreakerEvent, IncidentEvent};
use fusebox::{Destination, ErrorRateBreaker, EventKind, FailureKind, LineUp, Severity};

use super::recovering;
use crate::operator::{rearm, reset};
use crate::support::{Bench, minutes, seconds, v7, version};

/// One probe after a minute, and no longer waits.
fn flapping() -> Arc<ErrorRateBreaker> {
    let probing = Probing::after(minutes(1))
        .with_longest_wait(minutes(1))
        .with_probes(1);
    recovering(probing)
}

/// How urgent each outage was told, and its key.
fn told(bench: &Bench) -> Vec<(Severity, String)> {
    let events = bench.events().into_iter();
    let told = events.filter_map(|event| match event.kind {
        EventKind::Breaker(
            BreakerEvent::ErrorRateExceeded { .. } | BreakerEvent::Exhausted { .. },
        ) => Some((event.severity, event.incident?.key.to_string())),
        _ => None,
    });
    told.collect()
}

fn resolved(bench: &Bench) -> Vec<(String, u64)> {
    let events = bench.events().into_iter();
    let resolved = events.filter_map(|event| match event.kind {
        EventKind::Incident(IncidentEvent::IncidentResolved { times, .. }) => {
            Some((event.incident?.key.to_string(), times))
        }
        _ => None,
    });
    resolved.collect()
}

/// The key of the n-th outage of v7.
fn key(n: u64) -> String {
    format!("error-rate/failing/v7/{n}")
}

#[test]
fn a_version_that_goes_and_comes_back_is_one_page() {
    let bench = Bench::with_guard(flapping());
    for _ in 0..5 {
        bench.fail(5);
        bench.clock.advance(minutes(1));
        bench.answer(1);
    }
    let told = told(&bench);
    let severities: Vec<_> = told.iter().map(|(severity, _)| *severity).collect();
    assert_eq!(
        severities,
        [
            Severity::Page,
            Severity::Warning,
            Severity::Warning,
            Severity::Warning,
            Severity::Warning
        ]
    );
    assert!(
        told.iter().all(|(_, incident)| *incident == key(1)),
        "{told:?}"
    );
}

#[test]
fn an_incident_is_over_when_the_version_was_well_for_fifteen_minutes() {
    let bench = Bench::with_guard(flapping());
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.answer(1);
    bench.events();
    bench.tick_after(seconds(14 * 60 + 59));
    assert_eq!(resolved(&bench), []);
    bench.tick_after(seconds(1));
    assert_eq!(resolved(&bench), [(key(1), 1)]);
    bench.fail(5);
    assert_eq!(told(&bench), [(Severity::Page, key(2))]);
}

/// Nobody ticks: the next failure says that the last incident is over.
#[test]
fn an_incident_is_over_without_a_tick_too() {
    let bench = Bench::with_guard(flapping());
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.answer(1);
    bench.events();
    bench.clock.advance(minutes(15));
    bench.fail(5);
    assert_eq!(told(&bench), [(Severity::Page, key(2))]);
}

#[test]
fn how_long_it_is_held_open_can_be_changed() {
    let breaker = ErrorRateBreaker::builder()
        .hold_open(minutes(60))
        .recovery(Probing::after(minutes(1)));
    let bench = Bench::with_guard(breaker.build().unwrap());
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.answer(3);
    bench.tick_after(minutes(59));
    bench.fail(5);
    let severities: Vec<_> = told(&bench)
        .into_iter()
        .map(|(severity, _)| severity)
        .collect();
    assert_eq!(severities, [Severity::Page, Severity::Warning]);
}

#[test]
fn what_a_person_armed_again_is_a_new_incident() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let bench = Bench::with_guard(Arc::clone(&breaker));
    bench.fail(5);
    assert_eq!(told(&bench), [(Severity::Page, key(1))]);
    rearm(&breaker, v7());
    bench.tick_after(seconds(1));
    assert_eq!(resolved(&bench), [(key(1), 1)]);
    bench.fail(5);
    assert_eq!(told(&bench), [(Severity::Page, key(2))]);
    reset(&breaker);
    bench.tick_after(seconds(1));
    assert_eq!(resolved(&bench), [(key(2), 1)]);
}

#[test]
fn that_falling_back_did_not_help_is_a_page_of_the_same_incident() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.fail(5);
    assert_eq!(
        told(&bench),
        [(Severity::Page, key(1)), (Severity::Page, key(1))]
    );
}

#[test]
fn a_page_names_the_first_and_the_last_call_that_failed() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.answer(2);
    let mut failed = Vec::new();
    for _ in 0..5 {
        failed.push(
            bench
                .permit("invoice")
                .fail(FailureKind::MalformedOutput)
                .id(),
        );
    }
    let [
        EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            first_failed,
            last_failed,
            ..
        }),
    ] = &bench.pages()[..]
    else {
        panic!("no page");
    };
    assert_eq!(*first_failed, failed.first().copied());
    assert_eq!(*last_failed, failed.last().copied());

    let first = bench.permit("invoice").fail(FailureKind::ServerError).id();
    bench.fail(3);
    let last = bench.permit("invoice").fail(FailureKind::Timeout).id();
    let pages = bench.pages();
    let [
        EventKind::Breaker(BreakerEvent::Exhausted {
            first_failed,
            last_failed,
            kinds,
            destination: Destination::HumanReview,
            ..
        }),
    ] = pages.as_slice()
    else {
        panic!("{pages:?}");
    };
    assert_eq!((*first_failed, *last_failed), (Some(first), Some(last)));
    assert_eq!(kinds[&FailureKind::ServerError], 4);
    assert_eq!(kinds[&FailureKind::Timeout], 1);
}

/// An hour at 1 % of timeouts, and then a version that breaks: the page is about what its rate is.
#[test]
fn a_page_names_what_failed_in_the_window() {
    let bench = Bench::with_guard(super::rate().build().unwrap());
    let mut minute = Vec::new();
    for _ in 0..60 {
        bench.answer(99);
        minute.push(bench.permit("invoice").fail(FailureKind::Timeout).id());
        bench.clock.advance(minutes(1));
    }
    // Visible are 60 buckets of 15 s: minutes 46 to 59, with 14 of 1,400 calls. 73 of 1,459 are more
    // than 5 %, 72 of 1,458 are not.
    for _ in 0..59 {
        assert_eq!(bench.pages(), []);
        bench.permit("invoice").fail(FailureKind::MalformedOutput);
    }
    let pages = bench.pages();
    let [
        EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            errors: 73,
            calls: 1_459,
            kinds,
            first_failed,
            ..
        }),
    ] = &pages[..]
    else {
        panic!("{pages:?}");
    };
    let expected = [
        (FailureKind::MalformedOutput, 59),
        (FailureKind::Timeout, 14),
    ];
    assert_eq!(kinds, &expected.into());
    assert_eq!(*first_failed, minute.get(46).copied());
}

#[test]
fn an_incident_goes_on_over_a_restart() {
    let bench = Bench::with_guard(flapping());
    bench.fail(5);
    let next = Bench::with_guard(flapping());
    next.pipeline
        .restore(&bench.pipeline.snapshot().unwrap())
        .unwrap();
    next.clock.advance(minutes(1));
    next.answer(1);
    next.fail(5);
    assert_eq!(told(&next), [(Severity::Warning, key(1))]);
}

#[test]
fn an_incident_ends_with_its_version() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    bench.events();
    bench
        .pipeline
        .deploy(LineUp::new(version("v8")).with_previous(version("v6")))
        .unwrap();
    bench.tick_after(seconds(1));
    assert_eq!(resolved(&bench), [(key(1), 1)]);
}

#[test]
fn an_incident_is_not_over_while_the_version_is_out() {
    let probing = Probing::after(minutes(1))
        .with_longest_wait(minutes(60))
        .with_probes(1);
    let bench = Bench::with_guard(recovering(probing));
    bench.fail(5);
    bench.clock.advance(minutes(1));
    bench.answer(1);
    bench.fail(5);
    bench.clock.advance(minutes(1));
    for _ in 0..5 {
        bench.fail(1);
        bench.tick_after(minutes(16));
    }
    assert_eq!(resolved(&bench), []);
}

#[test]
fn failures_that_have_left_the_window_are_not_named() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(1);
    bench.clock.advance(minutes(16));
    bench.answer(1);
    let first = bench.permit("invoice").fail(FailureKind::ServerError).id();
    bench.fail(4);
    let pages = bench.pages();
    let [
        EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            first_failed,
            kinds,
            ..
        }),
    ] = &pages[..]
    else {
        panic!("{pages:?}");
    };
    assert_eq!(
        (*first_failed, kinds[&FailureKind::ServerError]),
        (Some(first), 5)
    );
}
