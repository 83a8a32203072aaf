//! The pipeline's time: the clock's, but it never goes back and never stands still.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::clock::Clock;
use crate::time::Timestamp;

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
    latest: AtomicU64,
    /// Held while `ahead` changes, so that no jump of the clock counts twice.
    changes: Mutex<()>,
}

impl Timeline {
    pub(super) fn new(clock: Box<dyn Clock>) -> Self {
        Self {
            clock,
            ahead: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            changes: Mutex::new(()),
        }
    }

    /// The current time; never before one that was given out.
    pub(super) fn now(&self) -> Timestamp {
        // Before the clock is read: what another thread reads meanwhile is no jump of the clock.
        let latest = self.latest.load(Ordering::Acquire);
        let now = self.read();
        let now = match now.cmp(&latest) {
            std::cmp::Ordering::Less => self.run_on(),
            std::cmp::Ordering::Equal => now,
            std::cmp::Ordering::Greater => self.latest.fetch_max(now, Ordering::AcqRel).max(now),
        };
        Timestamp::from_millis(now)
    }

    /// Goes on from `at`, if that is ahead.
    pub(super) fn go_on_from(&self, at: Timestamp) {
        let _changes = self.changes.lock();
        self.catch_up_with(at.as_millis());
        self.latest.fetch_max(at.as_millis(), Ordering::AcqRel);
    }

    /// The clock went back: goes on from the latest time.
    #[cold]
    fn run_on(&self) -> u64 {
        let _changes = self.changes.lock();
        let latest = self.latest.load(Ordering::Acquire);
        self.catch_up_with(latest)
    }

    fn catch_up_with(&self, at: u64) -> u64 {
        let now = self.read();
        self.ahead
            .fetch_add(at.saturating_sub(now), Ordering::AcqRel);
        now.max(at)
    }

    fn read(&self) -> u64 {
        let ahead = self.ahead.load(Ordering::Acquire);
        self.clock.now().as_millis().saturating_add(ahead)
    }
}
