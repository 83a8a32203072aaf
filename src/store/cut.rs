//! What a store has dropped by itself.

use crate::time::Timestamp;

/// What a store has dropped by itself, since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// How many facts went before their time, because the store has reached the most that it may
    /// hold.
    pub early: u64,
    /// When the youngest of these facts happened.
    pub until: Option<Timestamp>,
    /// How many facts, rows, slots and registers went in their time.
    pub expired: u64,
}
