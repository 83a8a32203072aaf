//! A document may need several calls; it is one document.

use fusebox::event::LedgerEvent;
use fusebox::{EventKind, FailureKind, Report};

use super::{ledger, ticks};
use crate::support::{Bench, answered, call};

fn fails(bench: &Bench, document: &str) {
    let permit = bench.pipeline.admit(&call(document, "invoice")).permit();
    permit.unwrap().fail(FailureKind::ServerError);
}

fn waiting(bench: &Bench) -> Option<u64> {
    let pages = bench.pages().into_iter();
    let mut waiting = pages.filter_map(|page| match page {
        EventKind::Ledger(LedgerEvent::NothingComesOut { arrived, .. }) => Some(arrived),
        _ => None,
    });
    waiting.next()
}

#[test]
fn three_attempts_at_one_document_are_not_three_documents_that_wait() {
    let bench = Bench::with_guard(ledger());
    for _ in 0..3 {
        fails(&bench, "inv-1");
    }
    fails(&bench, "inv-2");
    ticks(&bench, 16);
    assert_eq!(waiting(&bench), None);
    fails(&bench, "inv-3");
    bench.pipeline.tick();
    assert_eq!(waiting(&bench), Some(3));
}

#[test]
fn documents_that_are_tried_again_later_wait_again() {
    let bench = Bench::with_guard(ledger());
    for n in 0..3 {
        fails(&bench, &format!("inv-{n}"));
    }
    bench.answer(1);
    for n in 0..3 {
        fails(&bench, &format!("inv-{n}"));
    }
    ticks(&bench, 15);
    assert_eq!(waiting(&bench), Some(3));
}

/// The mean gap is that between documents: ten calls for each do not make a type frequent.
#[test]
fn several_calls_do_not_make_a_type_frequent() {
    let bench = Bench::with_guard(ledger());
    for n in 0..19 {
        for _ in 0..10 {
            let permit = bench.pipeline.admit(&call(&format!("inv-{n}"), "invoice"));
            answered(permit.permit().unwrap(), Report::new());
        }
        ticks(&bench, 1);
    }
    ticks(&bench, 31);
    let events = bench.events();
    assert!(events.is_empty(), "19 documents: {events:?}");
}
