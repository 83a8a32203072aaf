//! The thread: it takes all requests that wait, and does them with one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::fault::{FileFault, JobError};
use super::file::StoreFile;
use super::job::{Job, answer_all};
use super::retention::Retention;
use super::settings::FileSettings;
use super::tables::Tables;
use crate::error::{Error, StoreFault};
use crate::pipeline::clock::Clock;
use crate::store::cut::Cut;
use crate::time::Timestamp;

/// The most requests of one transaction.
const TOGETHER: usize = 256;

/// What the thread of a store works with.
#[derive(Debug)]
pub(super) struct Writer {
    file: StoreFile,
    retention: Retention,
    clock: Arc<dyn Clock>,
    cut: Arc<Mutex<Cut>>,
    /// A file was renamed and nobody was told: the next write is.
    untold: Option<FileFault>,
}

impl Writer {
    pub(super) fn new(file: StoreFile, settings: FileSettings, cut: Arc<Mutex<Cut>>) -> Self {
        Self {
            retention: Retention::new(&settings, file.max_pages()),
            file,
            clock: settings.clock,
            cut,
            untold: None,
        }
    }

    /// Opens the file; an error if that would fail again and again.
    pub(super) fn open(&mut self) -> Result<(), Error> {
        let Err(fault) = self.file.connect().map(|_| ()) else {
            return Ok(());
        };
        match fault.fault {
            StoreFault::Busy | StoreFault::Full => Ok(()),
            StoreFault::Replaced => {
                self.untold = Some(fault);
                Ok(())
            }
            _ => Err(fault.error(self.file.name())),
        }
    }

    /// Serves requests until there are no handles and no requests left.
    pub(super) fn serve(&mut self, waiting: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = waiting.recv() {
            let mut jobs = vec![first];
            jobs.extend(waiting.try_iter().take(TOGETHER - 1));
            // Requests that are not answered say so when they are dropped.
            let served = catch_unwind(AssertUnwindSafe(|| self.serve_all(jobs)));
            if served.is_err() {
                self.file.close();
            }
        }
    }

    fn serve_all(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let now = self.clock.now();
        // A process that only reads starts with the new file, as it would without any.
        let writes = jobs.iter().any(|job| job.writes());
        let mut end = match self.untold.take_if(|_| writes) {
            Some(fault) => Err(fault),
            None => self.transact(&mut jobs, now),
        };
        if is_full(&end) && self.upkeep(now, true) {
            end = self.transact(&mut jobs, now);
        }
        // One that finds no room must not spoil the others.
        if is_full(&end) && jobs.len() > 1 {
            for job in jobs {
                let mut alone = vec![job];
                let end = self.transact(&mut alone, now);
                answer_all(alone, self.file.name(), end.as_ref().copied());
            }
        } else {
            answer_all(jobs, self.file.name(), end.as_ref().copied());
        }
        if end.is_ok() || is_full(&end) {
            self.upkeep(now, false);
        }
    }

    /// Does all with one transaction.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>], now: Timestamp) -> Result<(), FileFault> {
        let store = self.file.name().to_owned();
        let connection = self.file.connect()?;
        let done = together(connection, jobs, &store, now);
        if done.is_err() && !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        done.map_err(|error| self.file.fault(&error))
    }

    /// Drops what must go; whether anything did. What fails here is tried again after the next
    /// request.
    fn upkeep(&mut self, now: Timestamp, was_full: bool) -> bool {
        let dropped = self.file.connect().map(|connection| {
            let room = self.retention.make_room(connection, now, was_full);
            room.and_then(|room| Ok((room, self.retention.expire(connection, now)?)))
        });
        let fault = match dropped {
            Ok(Ok((room, expired))) => {
                let mut cut = self.cut.lock();
                cut.early += room.early;
                cut.until = cut.until.max(room.until);
                cut.expired += room.expired + expired.expired;
                return room.early + room.expired + expired.expired > 0;
            }
            Ok(Err(error)) => self.file.fault(&error),
            Err(fault) => fault,
        };
        // The file was renamed, and nobody was told.
        if fault.fault == StoreFault::Replaced {
            self.untold = Some(fault);
        }
        false
    }
}

fn is_full(end: &Result<(), FileFault>) -> bool {
    matches!(end, Err(fault) if fault.fault == StoreFault::Full)
}

fn together(
    connection: &Connection,
    jobs: &mut [Box<dyn Job>],
    store: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let writes = jobs.iter().any(|job| job.writes());
    connection.execute_batch(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    // What one request has written is taken back alone; to be able to, SQLite copies what it changes.
    let (begin, take_back, end) = if jobs.len() == 1 {
        ("", "ROLLBACK; BEGIN", "")
    } else {
        (
            "SAVEPOINT request",
            "ROLLBACK TO request",
            "RELEASE request",
        )
    };
    for job in jobs {
        connection.execute_batch(begin)?;
        let pipeline = job.pipeline().clone();
        let tables = Tables {
            connection,
            store,
            pipeline: &pipeline,
            now,
        };
        match job.run(&tables) {
            Ok(()) => {}
            Err(JobError::Refused(error)) => {
                connection.execute_batch(take_back)?;
                job.fail(error);
            }
            Err(JobError::Sqlite(error)) => return Err(error),
        }
        connection.execute_batch(end)?;
    }
    connection.execute_batch("COMMIT")
}
