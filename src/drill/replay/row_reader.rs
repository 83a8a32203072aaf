//! Reads the rows of a recording: checks each, counts them, and keeps what was wrong.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::record::{KnownNames, Record};
use super::rows::Rows;
use crate::error::Error;
use crate::name::shortened;
use crate::time::{Timestamp, minutes};

/// A row that comes later than this after a row of a later time is late.
const LATE_AFTER: Duration = minutes(10);
/// The number of rejected rows that are kept with what is wrong with them.
const KEPT_REJECTED: usize = 1_000;
/// What is wrong with a row may repeat much of it; so many bytes of it are kept.
const LONGEST_WHY: usize = 1_000;

/// What a recording consists of, and how it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordingCounts {
    /// Its calls.
    pub calls: u64,
    /// Its corrections; one of two fields counts twice.
    pub corrections: u64,
    /// The rows that are below a row of a later time. They are put in their place, so that no result
    /// depends on them; a log that is written as calls end has many.
    pub out_of_order: u64,
    /// Those that are below a row of more than 10 minutes later.
    pub late: u64,
    /// The rows that were skipped.
    pub rejected: u64,
}

/// A row that was skipped. Printed as one line of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RejectedRow {
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong with it, and what is allowed.
    pub why: String,
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Rows that are being read.
#[derive(Debug)]
pub(super) struct RowReader<'r> {
    rows: Box<dyn Rows + 'r>,
    names: KnownNames,
    /// The latest time of a row.
    pub(super) latest: Timestamp,
    /// The longest time that a row which is not late was behind an earlier one.
    pub(super) most_behind: Duration,
    pub(super) counts: RecordingCounts,
    pub(super) rejected: Vec<RejectedRow>,
    /// Of what was read of a file.
    hash: Arc<AtomicU64>,
}

/// A row that was read.
pub(super) struct ReadRow {
    pub(super) record: Record,
    pub(super) is_late: bool,
}

impl<'r> RowReader<'r> {
    pub(super) fn of(rows: impl Rows + 'r) -> Self {
        Self {
            rows: Box::new(rows),
            names: KnownNames::default(),
            latest: Timestamp::default(),
            most_behind: Duration::ZERO,
            counts: RecordingCounts::default(),
            rejected: Vec::new(),
            hash: Arc::default(),
        }
    }

    /// The same, of a file whose bytes have this hash so far.
    pub(super) fn with_hash(mut self, hash: Arc<AtomicU64>) -> Self {
        self.hash = hash;
        self
    }

    /// The hash of what was read of a file.
    pub(super) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// The next row that can be used; `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<ReadRow>, Error> {
        while let Some(written) = self.rows.next_row()? {
            let names = &mut self.names;
            let row = written.row;
            match row.and_then(|row| row.check(names).map_err(|error| error.to_string())) {
                Ok(record) => return Ok(Some(self.count(record))),
                Err(why) => {
                    self.counts.rejected += 1;
                    if self.rejected.len() < KEPT_REJECTED {
                        let line = written.line;
                        let why = shortened(&why, LONGEST_WHY, LONGEST_WHY).into_owned();
                        self.rejected.push(RejectedRow { line, why });
                    }
                }
            }
        }
        Ok(None)
    }

    fn count(&mut self, record: Record) -> ReadRow {
        let at = record.at();
        let behind = self.latest.since(at);
        let is_late = behind > LATE_AFTER;
        self.counts.out_of_order += u64::from(at < self.latest);
        self.counts.late += u64::from(is_late);
        if !is_late {
            self.most_behind = self.most_behind.max(behind);
        }
        self.latest = self.latest.max(at);
        match &record {
            Record::Call(_) => self.counts.calls += 1,
            Record::Correction(correction) => {
                self.counts.corrections += correction.fields.len() as u64;
            }
        }
        ReadRow { record, is_late }
    }
}
