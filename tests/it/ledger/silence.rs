//! Documents that arrive and never come out, and types that stop arriving.

use fusebox::event::LedgerEvent;
use fusebox::{DocumentType, EventKind, FailureKind, RouteLedger, Severity};

use super::{ledger, ticks};
use crate::support::{Bench, minutes, seconds};

fn invoice() -> DocumentType {
    DocumentType::new("invoice").unwrap()
}

fn open(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|incident| incident.key.to_string()).collect()
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
    ticks(&bench, 12);
    bench.tick_after(seconds(59));
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
    bench.pipeline.tick();
    bench.fail(3);
    ticks(&bench, 16);
    assert_eq!(bench.pages().len(), 1, "again after something came out");
}

#[test]
fn two_failures_are_not_an_empty_queue() {
    let bench = Bench::with_guard(ledger());
    bench.fail(2);
    ticks(&bench, 60);
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
    ticks(&bench, 20);
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    assert_eq!(open(&bench), ["ledger/silent/-/1"]);
    assert!(
        matches!(
            &bench.pages()[..],
            [EventKind::Ledger(LedgerEvent::Silent { .. })]
        ),
        "it never came at all"
    );
    bench.answer(1);
    bench.pipeline.tick();
    ticks(&bench, 20);
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    assert_eq!(bench.pages().len(), 1);
    ticks(&bench, 60);
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
        ticks(&bench, 30);
        let silent = |event: &fusebox::Event| {
            matches!(event.kind, EventKind::Ledger(LedgerEvent::Silent { .. }))
                && event.severity == Severity::Warning
        };
        assert_eq!(
            bench.events().iter().any(silent),
            warned,
            "{documents} documents"
        );
        let quiet: &[_] = if warned { &["ledger/quiet/-/1"] } else { &[] };
        assert_eq!(open(&bench), quiet);
    }
}

#[test]
fn a_type_that_comes_seldom_may_stay_away_for_ten_of_its_gaps() {
    let bench = Bench::with_guard(ledger());
    for _ in 0..20 {
        bench.answer(1);
        ticks(&bench, 60);
    }
    ticks(&bench, 9 * 60);
    assert_eq!(bench.events(), []);
    bench.tick_after(seconds(1));
    assert_eq!(bench.events().len(), 1);
}
