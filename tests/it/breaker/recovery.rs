//! P3, when it comes back by itself, and when a person says what the breaker does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use fusebox::breaker::{BreakerMode, BreakerState, Health, Probing};
use fusebox::event::BreakerEvent;
use fusebox::{
    Admission, ErrorRateBreaker, EventKind, FailureKind, LineUp, Pipeline, Report, Role, Severity,
    TokenBudget, VersionId,
};

use super::{bench, rate, recovering};
use crate::operator::switch;
use crate::support::{Bench, call, line_up, minutes, seconds, v6, v7, version};

/// Three probes after a minute.
fn probing() -> Arc<ErrorRateBreaker> {
    recovering(Probing::after(minutes(1)).with_lease(minutes(5)))
}

/// Failures in a row, so that few calls are needed.
fn out(bench: &Bench) {
    bench.fail(5);
    assert_eq!(bench.serving(), "v6");
}

#[test]
fn threads_that_come_together_are_given_exactly_as_many_probes_as_there_are() {
    const THREADS: usize = 8;
    for _ in 0..50 {
        let bench = Bench::with_guard(probing());
        out(&bench);
        bench.clock.advance(minutes(1));
        let (probes, barrier) = (AtomicU32::new(0), Barrier::new(THREADS));
        let hold = |pipeline: &Pipeline, n: usize| {
            barrier.wait();
            // All with one document id: places are told apart by their tickets.
            let document = if n % 2 == 0 { "same" } else { "other" };
            let permit = pipeline.admit(&call(document, "invoice")).permit().unwrap();
            if permit.ticket().role() == Role::Stable {
                probes.fetch_add(1, Ordering::SeqCst);
            }
            permit
        };
        let permits: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|n| {
                    let (hold, pipeline) = (&hold, &bench.pipeline);
                    scope.spawn(move || hold(pipeline, n))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(probes.load(Ordering::SeqCst), 3);
        drop(permits);
    }
}

#[test]
fn a_probe_that_another_guard_diverts_gives_its_place_back() {
    let breaker = probing();
    let budget = TokenBudget::builder().build().unwrap();
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(Arc::clone(&breaker)).guard(budget)
    });
    out(&bench);
    bench.clock.advance(minutes(1));
    let too_large = call("huge", "invoice").with_document_tokens(1_000_000);
    for _ in 0..10 {
        assert!(matches!(
            bench.pipeline.admit(&too_large),
            Admission::Diverted(_)
        ));
    }
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

#[test]
fn throttled_probes_say_nothing() {
    let breaker = probing();
    let bench = Bench::with_guard(Arc::clone(&breaker));
    out(&bench);
    bench.clock.advance(minutes(1));
    for _ in 0..10 {
        bench.permit("invoice").fail(FailureKind::Throttled);
    }
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

#[test]
fn an_answer_that_a_person_must_see_is_an_answer() {
    let breaker = probing();
    let bench = Bench::with(line_up(), |builder| {
        let drift = fusebox::ConfidenceDriftMonitor::default();
        builder.guard(Arc::clone(&breaker)).guard(drift)
    });
    out(&bench);
    bench.clock.advance(minutes(1));
    for _ in 0..3 {
        let _ = bench
            .permit("invoice")
            .answer(Report::new().confidence("total", 0.1));
    }
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

/// Documents go to people only while neither version is tried; both come back by themselves.
#[test]
fn both_versions_out_come_back_together() {
    let breaker = probing();
    let bench = Bench::with_guard(Arc::clone(&breaker));
    out(&bench);
    bench.clock.advance(seconds(30));
    bench.fail(5);
    assert!(matches!(bench.admit("invoice"), Admission::Diverted(_)));
    let exhausted =
        |event: &EventKind| matches!(event, EventKind::Breaker(BreakerEvent::Exhausted { .. }));
    assert_eq!(
        bench
            .pages()
            .iter()
            .filter(|event| exhausted(event))
            .count(),
        1
    );
    bench.clock.advance(seconds(30));
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(
        breaker.state(v6()),
        BreakerState::Closed,
        "the provider is well"
    );
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn only_the_trip_pages() {
    let bench = Bench::with_guard(probing());
    out(&bench);
    bench.clock.advance(minutes(1));
    bench.fail(1);
    bench.clock.advance(minutes(2));
    bench.answer(3);
    let events = bench.events();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.severity, event.kind.to_string()))
        .collect();
    let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "circuit of v7 opened: consecutive failures, 5 of 5 calls failed (threshold 5 %, \
             5 server_error); v6 serves now; probes at 2026-03-13T21:01:00.000Z",
            "circuit of v7 half-open: 3 calls probe v7",
            "circuit of v7 opened again: a probe failed with server_error; next probes at 2026-03-13T21:03:00.000Z",
            "circuit of v7 half-open: 3 calls probe v7",
            "circuit of v7 closed: all probes succeeded, v7 serves again",
        ]
    );
    let pages = told
        .iter()
        .filter(|(severity, _)| *severity == Severity::Page);
    assert_eq!(pages.count(), 1);
}

#[test]
fn a_candidate_that_is_tried_takes_no_place_from_production() {
    let breaker = probing();
    // This one looks at nothing before the end of a stage, so that the breaker is first.
    let canary = fusebox::CanaryPolicy::with_plain_ratio();
    let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
    let bench = Bench::with(line_up, |builder| {
        builder.guard(Arc::clone(&breaker)).guard(canary)
    });
    let mut failed = 0;
    while failed < 5 {
        let permit = bench.permit("invoice");
        if permit.ticket().role() == Role::Candidate {
            permit.fail(FailureKind::MalformedOutput);
            failed += 1;
        } else {
            let _ = permit.answer(Report::new());
        }
    }
    let v8 = VersionId::new("v8").unwrap();
    assert_eq!(breaker.state(&v8), BreakerState::Open);
    bench.clock.advance(minutes(1));
    let mut probes = 0;
    for _ in 0..1_000 {
        let permit = bench.permit("invoice");
        if permit.ticket().role() == Role::Candidate {
            probes += 1;
        }
        let _ = permit.answer(Report::new());
        if probes == 3 {
            break;
        }
    }
    assert_eq!((probes, breaker.state(&v8)), (3, BreakerState::Closed));
}

#[test]
fn a_trial_goes_on_after_a_restart_without_the_calls_that_are_gone() {
    let bench = Bench::with_guard(probing());
    out(&bench);
    bench.clock.advance(minutes(1));
    bench.answer(1);
    let held = [bench.permit("invoice"), bench.permit("invoice")];
    assert_eq!(bench.serving(), "v6", "all places are taken");
    let snapshot = bench.pipeline.snapshot().unwrap();
    let breaker = probing();
    let next = Bench::with_guard(Arc::clone(&breaker));
    next.clock.advance(minutes(1));
    next.pipeline.restore(&snapshot).unwrap();
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
    next.answer(2);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    drop(held);
}

#[test]
fn a_wait_goes_on_over_a_restart() {
    let bench = Bench::with_guard(probing());
    out(&bench);
    let snapshot = bench.pipeline.snapshot().unwrap();
    let breaker = probing();
    let next = Bench::with_guard(Arc::clone(&breaker));
    next.pipeline.restore(&snapshot).unwrap();
    next.tick_after(seconds(59));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    next.tick_after(seconds(1));
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
}

#[test]
fn a_breaker_can_only_watch_from_the_start_and_then_act() {
    let breaker = ErrorRateBreaker::builder()
        .mode(BreakerMode::ObserveOnly)
        .build()
        .unwrap();
    let breaker = Arc::new(breaker);
    let bench = Bench::with_guard(Arc::clone(&breaker));
    bench.fail(20);
    assert_eq!(bench.serving(), "v7");
    let events = bench.events();
    let would = events.iter().filter(|event| {
        matches!(
            event.kind,
            EventKind::Breaker(BreakerEvent::WouldTrip { .. })
        )
    });
    assert_eq!(would.count(), 1, "{events:?}");
    switch(&breaker, BreakerMode::Enforce);
    bench.fail(1);
    assert_eq!(bench.serving(), "v6");
    assert_eq!(breaker.mode(), BreakerMode::Enforce);
}

#[test]
fn a_forced_fallback_without_a_version_behind_sends_documents_to_people() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(Arc::clone(&breaker))
    });
    switch(&breaker, BreakerMode::ForcedFallback);
    assert!(matches!(bench.admit("invoice"), Admission::Diverted(_)));
    switch(&breaker, BreakerMode::Enforce);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn what_a_person_ordered_survives_a_restart() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let bench = Bench::with_guard(Arc::clone(&breaker));
    switch(&breaker, BreakerMode::ForcedFallback);
    bench.tick_after(seconds(1));
    let next = Bench::with_guard(ErrorRateBreaker::default());
    next.pipeline
        .restore(&bench.pipeline.snapshot().unwrap())
        .unwrap();
    assert_eq!(next.serving(), "v6");
}

#[test]
fn coming_back_does_not_repeat_what_was_told() {
    let bench = Bench::with_guard(probing());
    bench.permit("invoice").fail(FailureKind::QuotaExhausted);
    out(&bench);
    bench.clock.advance(minutes(1));
    bench.answer(3);
    bench.pages();
    bench.permit("invoice").fail(FailureKind::QuotaExhausted);
    assert_eq!(bench.pages(), [], "at most once in 15 minutes");
}

#[test]
fn too_few_calls_are_said_to_be_too_few() {
    let (bench, breaker) = bench(rate());
    assert_eq!(breaker.counts(v7()).health, Health::InsufficientData);
    bench.fail(5);
    bench.answer(94);
    assert_eq!(breaker.counts(v7()).health, Health::InsufficientData);
    bench.answer(1);
    assert_eq!(breaker.counts(v7()).health, Health::Healthy);
    bench.fail(1);
    assert_eq!(breaker.counts(v7()).health, Health::Failing);
}

#[test]
fn what_cannot_be_is_refused() {
    let minute = Probing::after(minutes(1));
    for (probing, message) in [
        (
            Probing::after(seconds(0)),
            "probing wait: got `0s`, expected at least 1 ms",
        ),
        (
            minute.with_lease(seconds(0)),
            "probing lease: got `0s`, expected at least 1 ms",
        ),
        (
            minute.with_probes(0),
            "probing probes: got `0`, expected at least 1",
        ),
        (
            minute.with_longest_wait(seconds(59)),
            "probing longest wait: got `59s`, expected at least the first wait (1m)",
        ),
    ] {
        let error = ErrorRateBreaker::builder()
            .recovery(probing)
            .build()
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
