//! Recorded history, read and put in order.

use std::fmt;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

#[cfg(feature = "csv")]
use super::columns::{CsvColumns, CsvRows};
use super::json_line;
use super::record::{KnownNames, Record, RecordedCall, RecordedCorrection, RecordedRow};
use super::timetable::Timetable;
use crate::drill::virtual_time::LONGEST;
use crate::error::Error;
use crate::time::{Timestamp, minutes};

/// A row that comes later than this after a row of a later time is late.
const LATE_AFTER: Duration = minutes(10);
/// The number of rejected rows that are kept with what is wrong with them.
const KEPT_REJECTED: usize = 1_000;

/// Recorded history: calls with their ends, and corrections of their answers, for a
/// [`Replay`](super::Replay) or as the [traffic](crate::drill::Traffic::recorded) of a drill.
///
/// It is read from JSON Lines ([`from_json_lines`](Self::from_json_lines)), or from CSV with a
/// mapping of its columns (`from_csv`, feature `csv`). Rows may be in any order: they are sorted by
/// time, and those at one time by document. A row that cannot be used is skipped and reported with
/// its line ([`rejected`](Self::rejected)). [docs/replay.md](crate::documentation::replay) has the
/// format.
///
/// ```
/// use fusebox::drill::Recording;
///
/// let lines = r#"{"at":"2026-01-05T08:00:00Z","document":"inv-1","document_type":"invoice","document_tokens":5800,"version":"v7","latency_ms":20000,"confidences":{"total":0.95}}
/// {"at":"2026-01-05T08:00:06Z","document":"inv-2","document_type":"invoice","latency_ms":900,"failure":"server_error"}
/// {"at":"2026-01-05T08:00:12Z","document":"inv-3","documnet_type":"invoice"}
/// {"at":"2026-01-06T10:30:00Z","document":"inv-1","corrected":["total"]}
/// "#;
/// let recording = Recording::from_json_lines(lines.as_bytes())?;
/// assert_eq!(recording.counts().calls, 2);
/// assert_eq!(recording.counts().corrections, 1);
/// assert_eq!(recording.rejected()[0].line, 3);
/// assert!(recording.rejected()[0].why.starts_with("unknown field `documnet_type`, expected one of"));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Recording {
    timetable: Arc<Timetable>,
    counts: RecordingCounts,
    rejected: Vec<RejectedRow>,
}

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

impl Recording {
    /// Reads a line for each call or correction.
    ///
    /// An error only when the lines cannot be read at all; a line that is not as it should be is
    /// rejected. Blank lines are skipped.
    pub fn from_json_lines(mut lines: impl BufRead) -> Result<Self, Error> {
        let mut draft = Draft::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = lines.read_until(b'\n', &mut line);
            if read.map_err(unreadable)? == 0 {
                break;
            }
            if !line.trim_ascii().is_empty() {
                draft.add(number, json_line::row(&line));
            }
        }
        Ok(draft.in_order())
    }

    /// Reads the rows of a CSV file with a header, by a mapping of its columns.
    ///
    /// An error when the rows cannot be read at all, or when the header does not have a mapped
    /// column, or has it twice; a row that is not as it should be is rejected.
    #[cfg(feature = "csv")]
    #[cfg_attr(docsrs, doc(cfg(feature = "csv")))]
    pub fn from_csv(csv: impl std::io::Read, columns: &CsvColumns) -> Result<Self, Error> {
        let mut draft = Draft::default();
        let mut rows = CsvRows::new(csv, columns)?;
        while let Some((line, row)) = rows.next().map_err(unreadable)? {
            draft.add(line, row);
        }
        Ok(draft.in_order())
    }

    /// What it consists of.
    pub fn counts(&self) -> RecordingCounts {
        self.counts
    }

    /// The rows that were skipped, by line; the first 1,000 of them.
    pub fn rejected(&self) -> &[RejectedRow] {
        &self.rejected
    }

    /// When its first row is, and its last row or the last end of a call; `None` if it is empty.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.timetable.span()
    }

    pub(crate) fn timetable(&self) -> &Arc<Timetable> {
        &self.timetable
    }

    /// An error if it has no call, or if it is so long that a time in it must be wrong.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some((begins, ends)) = self.timetable.span().filter(|_| self.counts.calls > 0) {
            if ends.since(begins) <= LONGEST {
                return Ok(());
            }
            let span = format!("{begins} to {ends}");
            let allowed = "at most ten years from the first row to the end of the last";
            return Err(Error::invalid("span of a recording", span, allowed));
        }
        let allowed = match self.rejected.first() {
            None => "at least one call".to_owned(),
            Some(row) => format!(
                "at least one call; {} rows were rejected, the first is {row}",
                self.counts.rejected
            ),
        };
        Err(Error::invalid("recording", "no call", allowed))
    }
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// A recording that is being read.
#[derive(Debug, Default)]
struct Draft {
    calls: Vec<RecordedCall>,
    corrections: Vec<RecordedCorrection>,
    names: KnownNames,
    latest: Timestamp,
    counts: RecordingCounts,
    rejected: Vec<RejectedRow>,
}

impl Draft {
    fn add(&mut self, line: u64, row: Result<RecordedRow, String>) {
        let names = &mut self.names;
        let checked = row.and_then(|row| row.check(names).map_err(|error| error.to_string()));
        match checked {
            Ok(record) => self.keep(record),
            Err(why) => {
                self.counts.rejected += 1;
                if self.rejected.len() < KEPT_REJECTED {
                    self.rejected.push(RejectedRow { line, why });
                }
            }
        }
    }

    fn keep(&mut self, record: Record) {
        let at = match &record {
            Record::Call(call) => call.at,
            Record::Correction(correction) => correction.at,
        };
        self.counts.out_of_order += u64::from(at < self.latest);
        self.counts.late += u64::from(self.latest.since(at) > LATE_AFTER);
        self.latest = self.latest.max(at);
        match record {
            Record::Call(call) => {
                self.counts.calls += 1;
                self.calls.push(call);
            }
            Record::Correction(correction) => {
                self.counts.corrections += correction.fields.len() as u64;
                self.corrections.push(correction);
            }
        }
    }

    fn in_order(self) -> Recording {
        Recording {
            timetable: Arc::new(Timetable::new(self.calls, self.corrections)),
            counts: self.counts,
            rejected: self.rejected,
        }
    }
}

fn unreadable(error: impl fmt::Display) -> Error {
    Error::invalid("recording", error, "rows that can be read")
}
