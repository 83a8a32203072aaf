//! A store that stops answering, forgets, or drops what it has no room for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fusebox::store::{Batch, Cut, Instance};
use fusebox::{Error, StoreFault};

use super::*;

/// The store in memory, with a switch.
#[derive(Debug, Default)]
pub(super) struct OddStore {
    pub(super) memory: Arc<MemoryStore>,
    pub(super) hangs: AtomicBool,
    /// How long each write takes, by tokio's clock.
    pub(super) takes: Duration,
    /// Nothing that was written is read again.
    pub(super) forgets: bool,
    /// All that was ever written is read at each turn.
    pub(super) repeats: bool,
    pub(super) cut: Mutex<Option<Cut>>,
    /// What happens before the next load, and what after it.
    pub(super) before_load: Interruption,
    pub(super) after_load: Interruption,
    /// What was written is there, and the answer is an error.
    pub(super) loses_answers: AtomicBool,
    /// How often it was written to.
    pub(super) turns: AtomicU64,
}

/// Something that others do in a moment, once.
#[derive(Default)]
pub(super) struct Interruption(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Interruption {
    pub(super) fn set(&self, interrupts: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(interrupts));
    }

    fn happen(&self) {
        let interrupts = self.0.lock().unwrap().take();
        if let Some(interrupts) = interrupts {
            interrupts();
        }
    }
}

impl std::fmt::Debug for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interruption").finish_non_exhaustive()
    }
}

impl OddStore {
    /// One that keeps what it is given in this store.
    pub(super) fn over(memory: &Arc<MemoryStore>) -> Self {
        Self {
            memory: Arc::clone(memory),
            ..Self::default()
        }
    }

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
        self.before_load.happen();
        let loaded = self.memory.load(pipeline).await;
        self.after_load.happen();
        loaded
    }

    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        self.unless_it_hangs().await;
        self.turns.fetch_add(1, Ordering::Relaxed);
        if self.repeats {
            batch.position = Position::START;
        }
        let answer = self.memory.turn(pipeline, instance, batch).await?;
        if self.loses_answers.load(Ordering::Relaxed) {
            return Err(Error::store(
                "odd",
                StoreFault::Unavailable,
                "the answer was lost",
            ));
        }
        Ok(answer)
    }

    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error> {
        self.memory.latest(pipeline, kind, about).await
    }

    async fn facts_between(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, Error> {
        self.memory
            .facts_between(pipeline, kind, after, until)
            .await
    }

    fn take_cut(&self) -> Option<Cut> {
        self.cut.lock().unwrap().take()
    }
}
