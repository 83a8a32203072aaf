//! A store in one file, with SQLite.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::batch::{Batch, Instance, Position, Stored};
use super::cut::Cut;
use super::seam::Store;
use crate::error::{Error, StoreFault};
use crate::guard::Fact;
use crate::name::PipelineName;

mod builder;
mod fault;
mod file;
mod job;
mod retention;
mod rows;
mod settings;
mod tables;
mod writer;

pub use builder::SqliteStoreBuilder;

use fault::JobError;
use file::StoreFile;
use job::{Job, Task};
use settings::FileSettings;
use tables::Tables;
use writer::Writer;

/// The most requests that wait for the thread.
const WAITING: usize = 1_024;
/// Longer than another process may hold the file, and well within the 30 seconds that Kubernetes
/// gives a process to end.
const WAIT_ON_DROP: Duration = Duration::from_secs(10);

/// A store in one file, which survives the process and, where the disk keeps what it has confirmed,
/// the machine. Any tool that reads SQLite reads it (feature `sqlite`; needs a C compiler to build).
///
/// It starts one thread, which has the file's name. Requests that wait at the same time are written
/// with one transaction, so that many cost one fsync. Several processes of one host may share the
/// file, but not over a network file system.
///
/// A person reads the views of the file: `v_incidents` (what is wrong now, and which route was
/// told), `v_undelivered`, `v_rollout`, `v_last_commands` (who did what, and why) and
/// `v_open_documents`:
///
/// ```text
/// sqlite3 -readonly -box invoices.db 'SELECT * FROM v_incidents'
/// ```
///
/// # Bounds
///
/// Facts are kept for 40 days, rows of the outbox for 30 days after they ended, the last 200 slots of
/// a name, and the registers of the two processes that wrote last and of those that wrote within 40
/// days. The file grows
/// to 256 MB; then the oldest facts go. [`take_cut`](Store::take_cut) says what went.
///
/// # Faults
///
/// A request fails with a [`StoreFault`], and the next one tries again. A file that is damaged is
/// renamed, and a new one is begun: one request fails as [`Replaced`](StoreFault::Replaced), and
/// says the new name; so does one that finds the file removed. A file that another version of
/// fusebox or another program wrote is refused and left as it is.
///
/// # Dropping
///
/// Dropping the store waits until all that was requested is written, but not longer than 10 seconds;
/// after that the thread goes on until it is done or the process ends.
///
/// ```
/// use fusebox::store::{SqliteStore, Store, conformance};
///
/// # async fn test(path: std::path::PathBuf) -> Result<(), fusebox::Error> {
/// let store = SqliteStore::open(&path)?;
/// conformance(&store, "invoices", "contracts").await?;
/// # Ok(()) }
/// # let folder = std::env::temp_dir().join(format!("fusebox-sqlite-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let test = test(folder.join("store.db"));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test).unwrap();
/// # std::fs::remove_dir_all(folder).unwrap();
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    name: String,
    /// `None` once it is dropped.
    jobs: Option<SyncSender<Box<dyn Job>>>,
    /// Disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
    cut: Arc<Mutex<Cut>>,
}

impl SqliteStore {
    /// Starts the thread.
    fn start(settings: FileSettings) -> Result<Self, Error> {
        let file = StoreFile::new(&settings)?;
        let name = file.name().to_owned();
        let cut = Arc::new(Mutex::new(Cut::default()));
        let mut writer = Writer::new(file, settings, Arc::clone(&cut));
        let (jobs, waiting) = mpsc::sync_channel(WAITING);
        let (opened, answer) = mpsc::sync_channel(1);
        let (running, ended) = mpsc::channel::<()>();
        thread::Builder::new()
            .name(name.replace('\0', ""))
            .spawn(move || {
                let is_open = writer.open();
                if opened.send(is_open).is_ok() {
                    writer.serve(&waiting);
                }
                drop((writer, running));
            })
            .map_err(|error| Error::store(&name, StoreFault::Unavailable, error))?;
        let unanswered = |_| Error::store(&name, StoreFault::Unavailable, "its thread panicked");
        answer.recv().map_err(unanswered)??;
        Ok(Self {
            name,
            jobs: Some(jobs),
            ended: Mutex::new(ended),
            cut,
        })
    }

    /// Has the thread do some work, and waits for it.
    async fn ask<T: Send + 'static>(
        &self,
        pipeline: &PipelineName,
        writes: bool,
        work: impl Fn(&Tables<'_>) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, Error> {
        let unavailable = |reason: &str| Error::store(&self.name, StoreFault::Unavailable, reason);
        let (task, answer) = Task::new(pipeline, writes, work);
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send(task));
        match sent {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => {
                let reason = "1024 requests wait for it; look whether its disk answers";
                return Err(unavailable(reason));
            }
            Some(Err(TrySendError::Disconnected(_))) | None => {
                return Err(unavailable("its thread has ended; open it again"));
            }
        }
        let panicked = "its thread panicked while it served this; see the log for the panic";
        answer.await.unwrap_or_else(|_| Err(unavailable(panicked)))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, pipeline: &PipelineName) -> Result<Stored, Error> {
        let load = |tables: &Tables<'_>| tables.load();
        self.ask(pipeline, false, load).await
    }

    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        batch: Batch,
    ) -> Result<Batch, Error> {
        let work = move |tables: &Tables<'_>| tables.turn(instance, &batch);
        self.ask(pipeline, true, work).await
    }

    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error> {
        let (kind, about) = (kind.to_owned(), about.to_owned());
        let work = move |tables: &Tables<'_>| tables.latest(&kind, &about);
        self.ask(pipeline, false, work).await
    }

    async fn facts_between(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, Error> {
        let kind = kind.to_owned();
        let work = move |tables: &Tables<'_>| tables.facts_between(&kind, after, until);
        self.ask(pipeline, false, work).await
    }

    fn take_cut(&self) -> Option<Cut> {
        let cut = std::mem::take(&mut *self.cut.lock());
        (cut != Cut::default()).then_some(cut)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.ended.get_mut().recv_timeout(WAIT_ON_DROP);
    }
}
