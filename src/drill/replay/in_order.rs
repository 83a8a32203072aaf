//! Rows that are read from a file, put in their order: only those that may still have one before
//! them are held.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::iter::Peekable;
use std::slice;
use std::time::Duration;

use super::record::Record;
use super::row_reader::{ReadRow, RowReader};
use crate::error::Error;
use crate::time::Timestamp;

/// Takes rows as they come and gives them by time, calls before corrections, and by document.
pub(super) struct InOrder<'r> {
    reader: RowReader<'r>,
    /// A row that is not late comes at most so long behind an earlier one.
    most_behind: Duration,
    /// The late rows, in their order.
    late: Peekable<slice::Iter<'r, Record>>,
    /// The time and number of each row that waits.
    waiting: BinaryHeap<Reverse<(Timestamp, u64)>>,
    /// The rows from the first that waits, in the order in which they were read; those that have
    /// gone are `None`.
    rows: VecDeque<Option<Record>>,
    /// How many rows came before these.
    gone: u64,
    /// The rows of one time, in their order.
    ready: VecDeque<Record>,
    /// The time of these.
    now: Timestamp,
    is_read: bool,
}

impl<'r> InOrder<'r> {
    pub(super) fn new(reader: RowReader<'r>, most_behind: Duration, late: &'r [Record]) -> Self {
        Self {
            reader,
            most_behind,
            late: late.iter().peekable(),
            waiting: BinaryHeap::new(),
            rows: VecDeque::new(),
            gone: 0,
            ready: VecDeque::new(),
            now: Timestamp::default(),
            is_read: false,
        }
    }

    /// The rows as they were read, to the end.
    pub(super) fn into_reader(self) -> RowReader<'r> {
        self.reader
    }

    /// The next row; `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<Record>, Error> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            match self.next_time() {
                Some(at) => self.make_ready(at)?,
                None if self.is_read => return Ok(None),
                None => self.read()?,
            }
        }
    }

    fn read(&mut self) -> Result<(), Error> {
        match self.reader.next_row()? {
            None => self.is_read = true,
            // It is among the late rows.
            Some(ReadRow { is_late: true, .. }) => {}
            Some(ReadRow { record, .. }) => {
                let number = self.gone + self.rows.len() as u64;
                self.waiting.push(Reverse((record.at(), number)));
                self.rows.push_back(Some(record));
            }
        }
        Ok(())
    }

    /// The earliest time of which all rows are there.
    fn next_time(&mut self) -> Option<Timestamp> {
        let waiting = self.waiting.peek().map(|Reverse((at, _))| *at);
        let late = self.late.peek().map(|row| row.at());
        let earliest = waiting.into_iter().chain(late).min()?;
        let is_whole = self.reader.latest.since(earliest) > self.most_behind;
        (self.is_read || is_whole).then_some(earliest)
    }

    fn make_ready(&mut self, at: Timestamp) -> Result<(), Error> {
        if at < self.now {
            return Err(changed());
        }
        self.now = at;
        while let Some(Reverse((_, number))) =
            (self.waiting.peek().copied()).filter(|Reverse((of, _))| *of == at)
        {
            self.waiting.pop();
            let place = usize::try_from(number - self.gone).unwrap_or(usize::MAX);
            let row = self.rows.get_mut(place).and_then(Option::take);
            self.ready.extend(row);
        }
        while matches!(self.rows.front(), Some(None)) {
            self.rows.pop_front();
            self.gone += 1;
        }
        while let Some(row) = self.late.next_if(|row| row.at() == at) {
            self.ready.push_back(row.clone());
        }
        if self.ready.len() > 1 {
            let ready = self.ready.make_contiguous();
            ready.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        Ok(())
    }
}

/// The error for a file that is not what it was when it was first read.
pub(super) fn changed() -> Error {
    Error::invalid(
        "recording",
        "other rows than before",
        "a file that does not change while it is replayed",
    )
}
