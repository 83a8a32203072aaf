//! P7: every document ends somewhere known; one that does not, or a type that stops arriving,
//! raises an alert.

use std::sync::Arc;
use std::time::Duration;

use fusebox::{DocumentType, RouteLedger};

use crate::support::{Bench, minutes};

mod documents;
mod ends;
mod overdue;
mod pauses;
mod review_queue;
mod silence;
mod types;
mod write_off;

fn ledger() -> Arc<RouteLedger> {
    Arc::new(RouteLedger::default())
}

/// A ledger that expects a document of this type in each such period.
fn declared(document_type: &str, every: Duration) -> RouteLedger {
    let document_type = DocumentType::new(document_type).unwrap();
    let builder = RouteLedger::builder().expect(document_type, every);
    builder.build().unwrap()
}

/// A tick in each of so many minutes.
fn ticks(bench: &Bench, n: u64) {
    for _ in 0..n {
        bench.tick_after(minutes(1));
    }
}
