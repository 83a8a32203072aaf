//! The guards: state machines without I/O, one file or folder each.

pub mod breaker;
pub mod confidence_drift;
pub mod ledger;
pub mod rollout;
pub mod shadow;
pub(crate) mod ticket_book;
pub mod token_budget;
