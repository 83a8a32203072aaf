//! The settings of a store in a file, checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::clock::Clock;

/// What the parts of a store are told.
#[derive(Debug)]
pub(super) struct FileSettings {
    pub(super) path: PathBuf,
    pub(super) facts: Duration,
    pub(super) ended_rows: Duration,
    pub(super) slots: u32,
    pub(super) max_bytes: u64,
    pub(super) busy: Duration,
    pub(super) clock: Arc<dyn Clock>,
}
