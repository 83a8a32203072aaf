//! The calls and corrections of a recording in their order, in memory.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use super::record::{Record, RecordedCall, RecordedCorrection};
use super::row_reader::{ReadRow, RowReader};
use crate::error::Error;

/// The calls and corrections of a recording, each by time and then by document.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    pub(crate) calls: Vec<RecordedCall>,
    corrections: Vec<RecordedCorrection>,
}

impl Timetable {
    /// Reads all rows and puts them in order; `tell` learns of each.
    pub(super) fn read(
        reader: &mut RowReader<'_>,
        mut tell: impl FnMut(&Record),
    ) -> Result<Self, Error> {
        let (mut calls, mut corrections) = (Vec::new(), Vec::new());
        while let Some(ReadRow { record, .. }) = reader.next_row()? {
            tell(&record);
            match record {
                Record::Call(call) => calls.push(*call),
                Record::Correction(correction) => corrections.push(correction),
            }
        }
        calls.sort_by(|a, b| (a.at, &a.document).cmp(&(b.at, &b.document)));
        corrections.sort_by(|a, b| (a.at, &a.document).cmp(&(b.at, &b.document)));
        Ok(Self { calls, corrections })
    }

    /// Its rows in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Record<&RecordedCall, &RecordedCorrection>> {
        let mut calls = self.calls.iter().peekable();
        let mut corrections = self.corrections.iter().peekable();
        std::iter::from_fn(move || {
            let order = match (calls.peek(), corrections.peek()) {
                (Some(call), Some(correction)) => call.at.cmp(&correction.at),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            match order {
                Ordering::Less | Ordering::Equal => calls.next().map(Record::Call),
                Ordering::Greater => corrections.next().map(Record::Correction),
            }
        })
    }

    /// The corrections of each call that had ended, by the number of the call: how long after its
    /// end each came.
    pub(crate) fn by_call(&self) -> Vec<(usize, Duration, &RecordedCorrection)> {
        let mut latest = HashMap::new();
        let mut by_call = Vec::new();
        let mut begun = 0;
        for row in self.rows() {
            match row {
                Record::Call(call) => {
                    latest.insert(&call.document, (begun, call));
                    begun += 1;
                }
                Record::Correction(correction) => {
                    let Some((number, call)) = latest.get(&correction.document) else {
                        continue;
                    };
                    if let Some(ended) = call.ends().filter(|ended| correction.at >= *ended) {
                        by_call.push((*number, correction.at.since(ended), correction));
                    }
                }
            }
        }
        by_call.sort_by_key(|(number, after, _)| (*number, *after));
        by_call
    }
}
