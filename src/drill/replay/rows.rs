//! The rows of a recording as they are written, one after the other.

use std::fmt;
use std::io::{BufRead, Read};

use super::json_line;
use super::record::RecordedRow;
use crate::error::Error;

/// A longer line is none of a recording: it is not held as a whole.
const LONGEST_LINE: u64 = 1_024 * 1_024;

/// Where rows come from.
pub(super) trait Rows: fmt::Debug {
    /// The next row; `None` after the last. An error when no more can be read.
    fn next_row(&mut self) -> Result<Option<WrittenRow<'_>>, Error>;
}

/// A row as it is written.
pub(super) struct WrittenRow<'r> {
    /// Its line, from 1.
    pub(super) line: u64,
    /// Or what is wrong with it.
    pub(super) row: Result<RecordedRow<'r>, String>,
}

/// Rows of which each is a line of JSON. Blank lines are none.
pub(super) struct JsonRows<R> {
    lines: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) fn new(lines: R) -> Self {
        Self {
            lines,
            line: Vec::new(),
            number: 0,
        }
    }
}

impl<R: BufRead> Rows for JsonRows<R> {
    fn next_row(&mut self) -> Result<Option<WrittenRow<'_>>, Error> {
        let is_cut = loop {
            self.line.clear();
            let mut lines = (&mut self.lines).take(LONGEST_LINE);
            let read = lines.read_until(b'\n', &mut self.line);
            if read.map_err(unreadable)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() as u64 == LONGEST_LINE && !self.line.ends_with(b"\n") {
                self.lines.skip_until(b'\n').map_err(unreadable)?;
                break true;
            }
            if !self.line.trim_ascii().is_empty() {
                break false;
            }
        };
        Ok(Some(WrittenRow {
            line: self.number,
            row: if is_cut {
                Err("got more than 1 MiB, expected a line of JSON".to_owned())
            } else {
                json_line::row(&self.line)
            },
        }))
    }
}

impl<R> fmt::Debug for JsonRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonRows")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

pub(super) fn unreadable(error: impl fmt::Display) -> Error {
    Error::invalid("recording", error, "rows that can be read")
}
