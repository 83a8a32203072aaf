//! Where the state of a pipeline survives its process: the [`Store`] trait, and stores.
//!
//! Everything that is kept is one of three kinds, and each can be written again, in any order,
//! without counting twice:
//!
//! - a [`Register`] is a value that one process owns: it replaces it as a whole, and the latest
//!   counts;
//! - a [`Fact`] happened: it is known by an id, and the first with an id counts;
//! - a [`Slot`] is a decision with a number: the first writer of a number wins, and all others learn
//!   what was decided.
//!
//! Beside them is the outbox: one row for each thing that people are to be told
//! ([`OutboxRow`](crate::pager::OutboxRow)), written together with the state that causes it.

mod batch;
mod conformance;
mod cut;
mod memory;
mod seam;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use crate::guard::Fact;
pub use crate::json::Json;
pub use batch::{Batch, Instance, Position, Register, Slot, Stored};
pub use conformance::conformance;
pub use cut::Cut;
pub use memory::MemoryStore;
pub use seam::Store;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStore, SqliteStoreBuilder};
