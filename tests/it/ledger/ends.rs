//! P7: every document ends somewhere known; one that does not, or a type that stops arriving, raises an alert.

use std::sync::Arc;

use fusebox::event::{LedgerEvent, PipelineEvent};
use fusebox::{DocumentType, EventKind, FailureKind, Report, RouteLedger, Severity, TokenBudget};

use crate::support::{Bench, answered, line_up, minutes, seconds};

fn ledger() -> Arc<RouteLedger> {
    Arc::new(RouteLedger::default())
}

fn invoice() -> DocumentType {
    DocumentType::new("invoice").unwrap()
}

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
    bench.tick_after(minutes(11));
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
fn documents_that_arrive_and_never_come_out_are_the_empty_approval_queue() {
    let bench = Bench::with_guard(ledger());
    bench.answer(10);
    for _ in 0..3 {
        bench.clock.advance(minutes(1));
        bench
            .permit("invoice")
            .fail(FailureKind::ContextLengthExceeded);
    }
    bench.tick_after(seconds(12 * 60 + 59));
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Ledger(LedgerEvent::NothingComesOut {
                arrived: 3,
                ..
            })]
        ),
        "{pages:?}"
    );
    bench.fail(5);
    bench.tick_after(minutes(5));
    assert_eq!(bench.pages(), [], "once");
    bench.answer(1);
    bench.fail(3);
    bench.tick_after(minutes(16));
    assert_eq!(bench.pages().len(), 1, "again after something came out");
}

#[test]
fn two_failures_are_not_an_empty_queue() {
    let bench = Bench::with_guard(ledger());
    bench.fail(2);
    bench.tick_after(minutes(60));
    assert_eq!(bench.pages(), []);
}

#[test]
fn a_declared_type_that_stays_away_is_a_page() {
    let ledger = RouteLedger::builder()
        .expect(invoice(), minutes(20))
        .build()
        .unwrap();
    let bench = Bench::with_guard(ledger);
    bench.pipeline.tick();
    bench.tick_after(minutes(20));
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    assert!(
        matches!(
            &bench.pages()[..],
            [EventKind::Ledger(LedgerEvent::Silent { .. })]
        ),
        "it never came at all"
    );
    bench.answer(1);
    bench.tick_after(minutes(20));
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    assert_eq!(bench.pages().len(), 1);
    bench.tick_after(minutes(60));
    assert_eq!(bench.pages(), [], "once until it comes again");
}

#[test]
fn a_type_that_came_often_and_stops_is_a_warning() {
    for (documents, warned) in [(19, false), (20, true)] {
        let bench = Bench::with_guard(ledger());
        for _ in 0..documents {
            bench.answer(1);
            bench.clock.advance(minutes(1));
        }
        bench.tick_after(minutes(30));
        let silent = |event: &fusebox::Event| {
            matches!(event.kind, EventKind::Ledger(LedgerEvent::Silent { .. }))
                && event.severity == Severity::Warning
        };
        assert_eq!(
            bench.events().iter().any(silent),
            warned,
            "{documents} documents"
        );
    }
}

#[test]
fn a_type_that_comes_seldom_may_stay_away_for_ten_of_its_gaps() {
    let bench = Bench::with_guard(ledger());
    for _ in 0..20 {
        bench.answer(1);
        bench.clock.advance(minutes(60));
    }
    bench.tick_after(minutes(9 * 60));
    assert_eq!(bench.events(), []);
    bench.tick_after(seconds(1));
    assert_eq!(bench.events().len(), 1);
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
