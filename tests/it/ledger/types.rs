//! Declared types have a place of their own, however many others there are.

use fusebox::event::LedgerEvent;
use fusebox::{EventKind, Report};

use super::{declared, ticks};
use crate::support::{Bench, answered, minutes, seconds, stored};

#[test]
fn a_declared_type_is_watched_beyond_ten_thousand_others() {
    let bench = Bench::with_guard(declared("statement", minutes(20)));
    for n in 0..10_000 {
        answered(bench.permit(&format!("type-{n}")), Report::new());
    }
    ticks(&bench, 20);
    assert_eq!(bench.pages(), []);
    bench.tick_after(seconds(1));
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Ledger(LedgerEvent::Silent { document_type, last_seen: None, .. })]
                if *document_type == "statement"
        ),
        "{pages:?}"
    );
    let next = Bench::with_guard(declared("statement", minutes(20)));
    next.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    answered(next.permit("statement"), Report::new());
    next.pipeline.tick();
    assert_eq!(next.pages(), []);
}

#[test]
fn a_type_that_was_declared_later_keeps_its_counts() {
    let bench = Bench::with_guard(super::ledger());
    bench.answer(3);
    let ledger = std::sync::Arc::new(declared("invoice", minutes(20)));
    let next = bench.restarted(std::sync::Arc::clone(&ledger));
    next.answer(1);
    assert_eq!(ledger.report().of("invoice").accepted, 4);
    assert_eq!(ledger.report().total().accepted, 4);
}
