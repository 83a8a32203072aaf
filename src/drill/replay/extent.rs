//! How far a recording goes: what a run must know before its first row.

use std::collections::HashMap;

use super::record::Record;
use crate::name::DocumentId;
use crate::time::Timestamp;

/// From when to when a recording goes, and in how many rows.
#[derive(Debug, Default)]
pub(super) struct Extent {
    /// From its first row to its last row or the last end of a call.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Those of its calls and of its corrections.
    pub(super) rows: u64,
    /// Which documents are corrected, and in how many rows.
    pub(super) corrected: HashMap<DocumentId, u32>,
}

impl Extent {
    pub(super) fn add(&mut self, record: &Record) {
        let begins = record.at();
        let mut ends = begins;
        self.rows += 1;
        match record {
            Record::Call(call) => ends = call.ends().unwrap_or(begins),
            Record::Correction(correction) => {
                let document = correction.document.clone();
                let rows = self.corrected.entry(document).or_default();
                *rows = rows.saturating_add(1);
            }
        }
        let (first, last) = self.span.unwrap_or((begins, ends));
        self.span = Some((first.min(begins), last.max(ends)));
    }
}
