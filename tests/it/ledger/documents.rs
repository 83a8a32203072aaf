//! A document may need several calls; it is one document.

use std::sync::Arc;

use fusebox::call::Pin;
use fusebox::event::LedgerEvent;
use fusebox::{Admission, EventKind, FailureKind, Feedback, LineUp, Report, RouteLedger};

use super::{ledger, ticks};
use crate::support::{Bench, answered, call, minutes, version};

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

/// Two calls are answered by one version. Before the third another is deployed, so a reviewer gets
/// the document.
#[test]
fn three_calls_with_one_version_are_one_document_with_a_known_end() {
    let ledger = RouteLedger::builder().review_within(minutes(60));
    let ledger = Arc::new(ledger.build().unwrap());
    let bench = Bench::with_guard(Arc::clone(&ledger));
    let admit = |call| bench.pipeline.admit(&call).permit().unwrap();
    let first = answered(admit(call("inv-1", "invoice")), Report::new());
    let second = admit(call("inv-1", "invoice").pinned_to(&first));
    let second = answered(second, Report::new());
    assert_eq!(second.version(), first.version());
    bench.pipeline.deploy(LineUp::new(version("v8"))).unwrap();
    let third = call("inv-1", "invoice").pinned_to(Pin::from(&first).or_review());
    let third = bench.pipeline.admit(&third);
    assert!(matches!(third, Admission::Diverted(_)));

    let report = ledger.report();
    let ends = report.of("invoice");
    assert_eq!((ends.accepted, ends.diverted, ends.total()), (2, 1, 3));
    assert_eq!((report.open(), report.awaiting_review()), (0, 1));
    bench.pipeline.observe(&first, Feedback::PickedUp);
    assert_eq!(ledger.report().awaiting_review(), 0);
}
