//! A store that stops answering, forgets, or drops what it has no room for.

use std::sync::atomic::{AtomicBool, Ordering};

use fusebox::Error;
use fusebox::pager::OutboxRow;
use fusebox::store::{Batch, Cut, Instance};

use super::*;

/// The store in memory, with a switch.
#[derive(Debug, Default)]
pub(super) struct OddStore {
    pub(super) memory: MemoryStore,
    pub(super) hangs: AtomicBool,
    /// How long each write takes, by tokio's clock.
    pub(super) takes: Duration,
    /// Nothing that was written is read again.
    pub(super) forgets: bool,
    /// All that was ever written is read at each turn.
    pub(super) repeats: bool,
    pub(super) cut: Mutex<Option<Cut>>,
}

impl OddStore {
    async fn unless_it_hangs(&self) {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if !self.takes.is_zero() {
            let _ = tokio::time::timeout(self.takes, std::future::pending::<()>()).await;
        }
    }
}

#[async_trait]
impl Store for OddStore {
    async fn load(&self, pipeline: &PipelineName) -> Result<Stored, Error> {
        if self.forgets {
            return Ok(Stored::default());
        }
        self.memory.load(pipeline).await
    }

    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        self.unless_it_hangs().await;
        if self.repeats {
            batch.position = Position::START;
        }
        self.memory.turn(pipeline, instance, batch).await
    }

    async fn append(
        &self,
        pipeline: &PipelineName,
        facts: Vec<Fact>,
        rows: Vec<OutboxRow>,
    ) -> Result<(Vec<bool>, Position), Error> {
        self.unless_it_hangs().await;
        self.memory.append(pipeline, facts, rows).await
    }

    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error> {
        self.memory.latest(pipeline, kind, about).await
    }

    async fn facts_after(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        position: Position,
    ) -> Result<Vec<Fact>, Error> {
        self.memory.facts_after(pipeline, kind, position).await
    }

    fn take_cut(&self) -> Option<Cut> {
        self.cut.lock().unwrap().take()
    }
}
