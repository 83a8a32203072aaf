//! The store in memory.

use fusebox::store::{MemoryStore, conformance};

use super::wait;

#[test]
fn the_store_in_memory_does_what_every_store_must() {
    wait(conformance(&MemoryStore::new(), "invoices", "contracts")).unwrap();
}
