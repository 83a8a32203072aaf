//! The settings of a store in a file, and their defaults.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::SqliteStore;
use super::settings::FileSettings;
use crate::error::Error;
use crate::pipeline::clock::{Clock, SystemClock};
use crate::time::hours;

const FACTS: Duration = hours(40 * 24);
const ENDED_ROWS: Duration = hours(30 * 24);
const SLOTS: u32 = 200;
const MAX_BYTES: u64 = 256 << 20;
const BUSY: Duration = Duration::from_secs(5);
/// Room for the tables themselves, and some content.
const LEAST_BYTES: u64 = 1 << 20;
/// Longer than anything waits for a store.
const LONGEST_BUSY: Duration = Duration::from_secs(60);

impl SqliteStore {
    /// Opens the file, and makes it if there is none; its folder must exist. Starts the thread.
    ///
    /// It waits for the disk. An error when the file was written by another version of fusebox or
    /// another program, or cannot be opened or written. A file that is busy or a disk that is full is
    /// an error of the next request instead, and a file that is damaged one of the next write: a
    /// service starts without its store.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path).open()
    }

    /// Configures a store, starting from the defaults.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.as_ref())
    }
}

/// Configures a [`SqliteStore`].
#[derive(Debug)]
#[must_use = "no file is opened until `open` is called"]
pub struct SqliteStoreBuilder(FileSettings);

impl SqliteStoreBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self(FileSettings {
            path: path.to_owned(),
            facts: FACTS,
            ended_rows: ENDED_ROWS,
            slots: SLOTS,
            max_bytes: MAX_BYTES,
            busy: BUSY,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// How long a fact is kept, and a register that its process no longer writes (40 days by
    /// default). It must be longer than the longest time after which a reviewer corrects an answer.
    pub fn keep_facts(mut self, duration: Duration) -> Self {
        self.0.facts = duration;
        self
    }

    /// How long a row of the outbox is kept after it was delivered, dropped or given up (30 days by
    /// default).
    pub fn keep_ended_rows(mut self, duration: Duration) -> Self {
        self.0.ended_rows = duration;
        self
    }

    /// How many of the latest slots of a name are kept (200 by default).
    pub fn keep_slots(mut self, number: u32) -> Self {
        self.0.slots = number;
        self
    }

    /// The most bytes that the file may have (256 MB by default, at least 1 MB). When it is nearly
    /// full, the oldest facts go. What is written last may be in a second file for a while, which
    /// has some megabytes.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.0.max_bytes = bytes;
        self
    }

    /// How long a request waits for another process that writes to the file (5 seconds by default,
    /// at most 60).
    pub fn busy_timeout(mut self, duration: Duration) -> Self {
        self.0.busy = duration;
        self
    }

    /// Where the time comes from by which things expire: the system's clock by default.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Opens the file, as [`SqliteStore::open`] does; also an error when a setting is not allowed.
    pub fn open(self) -> Result<SqliteStore, Error> {
        let FileSettings {
            facts,
            ended_rows,
            slots,
            max_bytes,
            busy,
            ..
        } = self.0;
        let shown = humantime::format_duration;
        for (field, duration) in [("keep_facts", facts), ("keep_ended_rows", ended_rows)] {
            if duration.is_zero() {
                let field = format!("store {field}");
                return Err(Error::invalid(field, shown(duration), "longer than zero"));
            }
        }
        if slots == 0 {
            return Err(Error::invalid("store keep_slots", slots, "at least 1"));
        }
        if max_bytes < LEAST_BYTES {
            let allowed = format!("at least {LEAST_BYTES}");
            return Err(Error::invalid("store max_bytes", max_bytes, allowed));
        }
        if busy > LONGEST_BUSY {
            let allowed = format!("at most {}", shown(LONGEST_BUSY));
            return Err(Error::invalid("store busy_timeout", shown(busy), allowed));
        }
        SqliteStore::start(self.0)
    }
}
