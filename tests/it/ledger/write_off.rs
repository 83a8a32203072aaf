//! A person writes off a call that cannot end.

use std::mem;

use fusebox::call::TicketId;
use fusebox::event::LedgerEvent;
use fusebox::{EventKind, Report, RouteLedger, Severity};

use super::ticks;
use crate::support::{Bench, answered, minutes, refused};

/// A pipeline with one leaked permit, and its ticket.
fn leaked() -> (Bench, std::sync::Arc<RouteLedger>, TicketId) {
    let (bench, ledger) = Bench::and_guard(RouteLedger::default());
    let permit = bench.permit("invoice");
    let ticket = permit.ticket().id();
    mem::forget(permit);
    (bench, ledger, ticket)
}

#[test]
fn it_acts_at_once_and_is_told_at_the_next_step() {
    let (bench, ledger, ticket) = leaked();
    ticks(&bench, 11);
    assert_eq!(bench.pages().len(), 1);
    ledger.write_off(ticket, "ada", "a leaked permit").unwrap();
    assert_eq!(ledger.open(), []);
    let report = ledger.report();
    let ends = report.of("invoice");
    assert_eq!(
        (report.open(), ends.written_off, ends.total()),
        (0, 1, 1),
        "an end of its own"
    );
    bench.pipeline.tick();
    let events = bench.events();
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.severity, Severity::Info);
    assert_eq!(
        event.kind.to_string(),
        "ada wrote off invoice-1, open for 11m: a leaked permit"
    );
    ticks(&bench, 60);
    assert!(bench.pipeline.incidents().is_empty(), "nothing is overdue");
}

#[test]
fn what_cannot_be_written_off_says_why() {
    let (_bench, ledger, ticket) = leaked();
    let other = TicketId::new(255, 7);
    refused(
        ledger.write_off(other, "ada", "gone"),
        "ticket: got `00000000000000ff-7`, expected the ticket of an open call; see \
         `RouteLedger::open`",
    );
    refused(
        ledger.write_off(ticket, " ", "gone"),
        "who: got ` `, expected at least one character",
    );
    refused(
        ledger.write_off(ticket, "ada", ""),
        "why: got ``, expected at least one character",
    );
    assert_eq!(ledger.report().open(), 1);
    ledger.write_off(ticket, "ada", "gone").unwrap();
    assert!(ledger.write_off(ticket, "ada", "gone").is_err(), "once");
}

#[test]
fn it_is_kept_over_a_restart_with_its_event() {
    let (bench, ledger, ticket) = leaked();
    ledger.write_off(ticket, "ada", "a leaked permit").unwrap();
    let ledger = std::sync::Arc::new(RouteLedger::default());
    let next = bench.restarted(std::sync::Arc::clone(&ledger));
    let ends = ledger.report().of("invoice");
    assert_eq!((ends.written_off, ends.lost), (1, 0));
    next.pipeline.tick();
    let told = next.events().into_iter().filter(|event| {
        matches!(
            event.kind,
            EventKind::Ledger(LedgerEvent::WrittenOff { .. })
        )
    });
    assert_eq!(told.count(), 1);
}

#[test]
fn a_call_that_ends_after_all_counts_once() {
    let (bench, ledger) = Bench::and_guard(RouteLedger::default());
    let permit = bench.permit("invoice");
    bench.tick_after(minutes(11));
    ledger
        .write_off(permit.ticket().id(), "ada", "hangs")
        .unwrap();
    answered(permit, Report::new());
    let report = ledger.report();
    let ends = report.of("invoice");
    assert_eq!((ends.accepted, ends.written_off, ends.total()), (1, 0, 1));
    assert_eq!(report.open(), 0);
}
