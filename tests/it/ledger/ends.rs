//! Every call ends somewhere known, and one that does not is found by its age.

use std::sync::Arc;

use fusebox::event::{LedgerEvent, PipelineEvent};
use fusebox::{EventKind, Report, Severity, TokenBudget};

use super::{ledger, ticks};
use crate::support::{Bench, answered, line_up, minutes, seconds};

#[test]
fn every_end_is_counted_under_its_name() {
    let ledger = ledger();
    let bench = Bench::with(line_up(), |builder| {
        builder
            .guard(Arc::clone(&ledger))
            .guard(TokenBudget::builder().build().unwrap())
    });
    bench.answer(1);
    bench.fail(2);
    for _ in 0..3 {
        drop(bench.permit("invoice"));
    }
    for _ in 0..4 {
        bench.permit("invoice").release();
    }
    for n in 0..5 {
        drop(
            bench
                .pipeline
                .admit(&fusebox::Call::new(format!("unmeasured-{n}"), "invoice").unwrap()),
        );
    }
    let _ = bench
        .permit("credit_note")
        .answer(Report::new().finish_reason("length"));
    let report = ledger.report();
    let ends = report.of("invoice");
    assert_eq!(
        (
            ends.accepted,
            ends.failed,
            ends.abandoned,
            ends.released,
            ends.diverted
        ),
        (1, 2, 3, 4, 5)
    );
    assert_eq!(ends.total(), 15);
    assert_eq!(report.of("credit_note").failed, 1);
    assert_eq!((report.total().total(), report.open()), (16, 0));
}

#[test]
fn a_call_open_for_more_than_ten_minutes_is_a_page() {
    let ledger = ledger();
    let bench = Bench::with_guard(Arc::clone(&ledger));
    let permit = bench.permit("invoice");
    bench.tick_after(minutes(10));
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    assert!(
        matches!(&bench.pages()[..], [EventKind::Ledger(LedgerEvent::Overdue { document, .. })] if *document == "invoice-1")
    );
    bench.tick_after(minutes(10));
    assert_eq!(bench.pages(), [], "once");
    assert_eq!(ledger.open()[0].1, "invoice-1");
    answered(permit, Report::new());
    assert_eq!(ledger.report().open(), 0);
}

#[test]
fn many_overdue_calls_are_one_page() {
    let bench = Bench::with_guard(ledger());
    let open: Vec<_> = (0..50).map(|_| bench.permit("invoice")).collect();
    ticks(&bench, 11);
    let events = bench.events();
    assert_eq!(events.len(), 50);
    assert_eq!(
        events
            .iter()
            .filter(|event| event.severity == Severity::Page)
            .count(),
        1
    );
    drop(open);
}

#[test]
fn a_leaked_permit_is_found_by_its_age() {
    let bench = Bench::with_guard(ledger());
    std::mem::forget(bench.permit("invoice"));
    bench.tick_after(minutes(11));
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn any_number_of_types_stays_small_and_nothing_is_uncounted() {
    let ledger = ledger();
    let bench = Bench::with_guard(Arc::clone(&ledger));
    for n in 0..10_050 {
        let _ = bench.permit(&format!("type-{n}")).answer(Report::new());
    }
    let report = ledger.report();
    assert_eq!(report.types().count(), 10_000);
    assert_eq!(report.other().unwrap().accepted, 50);
    assert_eq!(report.total().accepted, 10_050);
    let exhausted = |event: &&fusebox::Event| {
        matches!(
            event.kind,
            EventKind::Pipeline(PipelineEvent::KeysExhausted { limit: 10_000, .. })
        )
    };
    assert_eq!(bench.events().iter().filter(exhausted).count(), 1);
}
