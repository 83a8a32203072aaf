//! The failures of a version that a page names, and that tell whose fault they are: those in its
//! window, and those in a row.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::call::TicketId;
use crate::failure::FailureKind;

/// The failed calls that a window shows, and those since the last answer, by kind. It takes memory for
/// what failed: at most an entry for each kind in each bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Failures {
    /// The oldest first.
    entries: VecDeque<Entry>,
    row: BTreeMap<FailureKind, u64>,
    first_in_row: Option<TicketId>,
    last: Option<TicketId>,
}

/// The failures of one kind in one bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    bucket: u64,
    kind: FailureKind,
    count: u64,
    first: TicketId,
}

/// What failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed {
    pub(super) kinds: BTreeMap<FailureKind, u64>,
    pub(super) first: Option<TicketId>,
    pub(super) last: Option<TicketId>,
}

impl Failures {
    /// Adds a failed call to the newest of the buckets that the window shows.
    pub(super) fn add(&mut self, call: TicketId, kind: FailureKind, shown: &RangeInclusive<u64>) {
        self.forget(shown);
        self.last = Some(call);
        self.first_in_row.get_or_insert(call);
        count(&mut self.row, kind, 1);
        let bucket = *shown.end();
        let mut newest = self.entries.iter_mut().rev();
        let known = newest
            .by_ref()
            .take_while(|entry| entry.bucket == bucket)
            .find(|entry| entry.kind == kind);
        if let Some(entry) = known {
            entry.count = entry.count.saturating_add(1);
        } else {
            self.entries.push_back(Entry {
                bucket,
                kind,
                count: 1,
                first: call,
            });
        }
    }

    /// A call was answered.
    pub(super) fn end_row(&mut self) {
        self.row.clear();
        self.first_in_row = None;
    }

    /// What failed since the last answer.
    pub(super) fn in_a_row(&self) -> Failed {
        Failed {
            kinds: self.row.clone(),
            first: self.first_in_row,
            last: self.last.filter(|_| self.first_in_row.is_some()),
        }
    }

    /// What failed in the window.
    pub(super) fn in_window(&mut self, shown: &RangeInclusive<u64>) -> Failed {
        self.forget(shown);
        let mut kinds = BTreeMap::new();
        for entry in &self.entries {
            count(&mut kinds, entry.kind, entry.count);
        }
        let first = self.entries.front().map(|entry| entry.first);
        Failed {
            kinds,
            last: self.last.filter(|_| first.is_some()),
            first,
        }
    }

    /// Drops what the window no longer shows.
    fn forget(&mut self, shown: &RangeInclusive<u64>) {
        let is_old = |entry: &Entry| entry.bucket < *shown.start();
        while self.entries.front().is_some_and(is_old) {
            self.entries.pop_front();
        }
    }
}

fn count(kinds: &mut BTreeMap<FailureKind, u64>, kind: FailureKind, more: u64) {
    let count = kinds.entry(kind).or_default();
    *count = count.saturating_add(more);
}
