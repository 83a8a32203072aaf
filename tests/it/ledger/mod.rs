//! P7: every document ends somewhere known; one that does not, or a type that stops arriving,
//! raises an alert.

use std::sync::Arc;

use fusebox::RouteLedger;

mod ends;
mod silence;

fn ledger() -> Arc<RouteLedger> {
    Arc::new(RouteLedger::default())
}
