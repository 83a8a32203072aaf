//! A restart loses nothing: states go on, calls that were open are reported, time does not go back.

use std::sync::Arc;

use fusebox::clock::MockClock;
use fusebox::event::LedgerEvent;
use fusebox::pipeline::Snapshot;
use fusebox::sink::MemorySink;
use fusebox::{Call, ErrorKind, EventKind, Pipeline, RouteLedger, Timestamp};
use serde_json::json;

use crate::support::{Bench, EVENING, line_up, minutes, rate_only};

#[test]
fn calls_that_were_open_are_reported_as_lost() {
    let bench = Bench::with_guard(RouteLedger::default());
    bench.answer(1);
    let open = [bench.permit("invoice"), bench.permit("invoice")];
    let ledger = Arc::new(RouteLedger::default());
    let next = bench.restarted(Arc::clone(&ledger));
    let ends = ledger.report().of("invoice");
    assert_eq!(
        (ends.accepted, ends.lost, ledger.report().open()),
        (1, 2, 0)
    );
    let events = next.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(
                event.kind,
                EventKind::Ledger(LedgerEvent::LostInRestart { .. })
            ))
            .count(),
        2
    );
    drop(open);
}

#[test]
fn time_goes_on_from_the_snapshot_even_if_the_clock_is_behind() {
    let bench = Bench::with_guard(RouteLedger::default());
    bench.clock.advance(minutes(60));
    let snapshot = bench.pipeline.snapshot().unwrap();
    let pipeline = Pipeline::builder(line_up())
        .guard(RouteLedger::default())
        .clock(MockClock::at(Timestamp::EPOCH))
        .build()
        .unwrap();
    pipeline.restore(&snapshot).unwrap();
    let admission = pipeline.admit(&Call::new("a", "invoice").unwrap());
    assert_eq!(admission.ticket().admitted_at(), EVENING + minutes(60));
}

#[test]
fn tickets_of_two_processes_differ() {
    let build = || {
        Pipeline::builder(line_up())
            .guard(RouteLedger::default())
            .build()
            .unwrap()
    };
    let ticket = |pipeline: &Pipeline| {
        pipeline
            .admit(&Call::new("a", "invoice").unwrap())
            .ticket()
            .id()
    };
    assert_ne!(ticket(&build()), ticket(&build()));
}

#[test]
fn a_state_that_cannot_be_read_is_an_error_that_names_the_guard() {
    let bench = Bench::with_guard(rate_only());
    bench.fail(100);
    let mut stored = serde_json::to_value(bench.pipeline.snapshot().unwrap()).unwrap();
    stored["guards"]["error-rate"]["format"] = json!(7);
    let snapshot: Snapshot = serde_json::from_value(stored).unwrap();
    let next = Bench::with(line_up(), |builder| {
        builder.guard(rate_only()).sink(MemorySink::new())
    });
    let error = next.pipeline.restore(&snapshot).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(
        error
            .to_string()
            .starts_with("state of `error-rate`: unknown format 7"),
        "{error}"
    );
    assert_eq!(next.serving(), "v7", "the guard is as it was");
}

#[test]
fn the_state_of_a_guard_that_is_gone_is_left_alone() {
    let bench = Bench::with_guard(rate_only());
    let next = Bench::with_guard(RouteLedger::default());
    next.pipeline
        .restore(&bench.pipeline.snapshot().unwrap())
        .unwrap();
    assert_eq!(
        bench
            .pipeline
            .snapshot()
            .unwrap()
            .guards()
            .collect::<Vec<_>>(),
        ["error-rate"]
    );
}
