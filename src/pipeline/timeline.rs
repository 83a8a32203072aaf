//! The pipeline's time: the clock's, but it never goes back and never stands still.

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::clock::Clock;
use crate::time::{LatestTime, Timestamp};

/// Time that goes on from the latest that was given out, wherever the clock is.
///
/// When the clock is behind, because it jumped back or because a snapshot is from ahead of it, time
/// runs ahead of the clock from then on, by as much as it was behind.
#[derive(Debug)]
pub(super) struct Timeline {
    clock: Box<dyn Clock>,
    /// By how many milliseconds time runs ahead of the clock; never less than before.
    ahead: AtomicU64,
    /// The latest time that was given out.
    latest: LatestTime,
    /// Held while `ahead` changes, so that no jump of the clock counts twice.
    changes: Mutex<()>,
}

impl Timeline {
    pub(super) fn new(clock: Box<dyn Clock>) -> Self {
        Self {
            clock,
            ahead: AtomicU64::new(0),
            latest: LatestTime::default(),
            changes: Mutex::new(()),
        }
    }

    /// The current time; never before one that was given out.
    pub(super) fn now(&self) -> Timestamp {
        // Before the clock is read: what another thread reads meanwhile is no jump of the clock.
        let latest = self.latest.get();
        let now = self.read();
        match now.cmp(&latest) {
            Order::Less => self.run_on(),
            Order::Equal => now,
            Order::Greater => self.latest.raise(now),
        }
    }

    /// The latest time that was given out, for those who must not see an earlier one.
    pub(super) fn latest(&self) -> &LatestTime {
        &self.latest
    }

    /// Goes on from `at`, if that is ahead.
    pub(super) fn go_on_from(&self, at: Timestamp) {
        let _changes = self.changes.lock();
        self.catch_up_with(at);
        self.latest.raise(at);
    }

    /// The clock went back: goes on from the latest time.
    #[cold]
    fn run_on(&self) -> Timestamp {
        let _changes = self.changes.lock();
        let now = self.catch_up_with(self.latest.get());
        self.latest.raise(now)
    }

    fn catch_up_with(&self, at: Timestamp) -> Timestamp {
        let now = self.read();
        let behind = at.as_millis().saturating_sub(now.as_millis());
        self.ahead.fetch_add(behind, Ordering::AcqRel);
        now.max(at)
    }

    fn read(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Acquire);
        let now = self.clock.now().as_millis();
        Timestamp::from_millis(now.saturating_add(ahead))
    }
}
