//! One request on its way to the thread, and its answer on the way back.

use std::fmt;

use futures_channel::oneshot;

use super::fault::{FileFault, JobError};
use super::tables::Tables;
use crate::error::Error;
use crate::name::PipelineName;

/// A request of any kind.
pub(super) trait Job: fmt::Debug + Send {
    /// Whether it writes.
    fn writes(&self) -> bool;

    fn pipeline(&self) -> &PipelineName;

    /// Does the work within a transaction. It may run again if the transaction was not committed.
    fn run(&mut self, tables: &Tables<'_>) -> Result<(), JobError>;

    /// The request cannot be done, though others of its transaction can.
    fn fail(&mut self, error: Error);

    /// The transaction was committed, or nothing of it was written.
    fn answer(self: Box<Self>, transaction: Result<(), Error>);
}

/// A request whose answer is a `T`.
pub(super) struct Task<T, F> {
    pipeline: PipelineName,
    writes: bool,
    work: F,
    done: Option<Result<T, Error>>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Task<T, F>
where
    T: Send + 'static,
    F: Fn(&Tables<'_>) -> Result<T, JobError> + Send + 'static,
{
    #[allow(
        clippy::new_ret_no_self,
        reason = "a task is known by what it does, and comes with the place of its answer"
    )]
    pub(super) fn new(
        pipeline: &PipelineName,
        writes: bool,
        work: F,
    ) -> (Box<dyn Job>, oneshot::Receiver<Result<T, Error>>) {
        let (answer, receiver) = oneshot::channel();
        let task = Self {
            pipeline: pipeline.clone(),
            writes,
            work,
            done: None,
            answer,
        };
        (Box::new(task), receiver)
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Tables<'_>) -> Result<T, JobError> + Send,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    fn run(&mut self, tables: &Tables<'_>) -> Result<(), JobError> {
        self.done = Some(Ok((self.work)(tables)?));
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        self.done = Some(Err(error));
    }

    fn answer(self: Box<Self>, transaction: Result<(), Error>) {
        let result = match (transaction, self.done) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), done) => done,
        };
        // Nobody may wait for it any more.
        if let Some(result) = result {
            let _ = self.answer.send(result);
        }
    }
}

impl<T, F> fmt::Debug for Task<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("pipeline", &self.pipeline)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

/// Tells all of a transaction how it ended.
pub(super) fn answer_all(jobs: Vec<Box<dyn Job>>, store: &str, end: Result<(), &FileFault>) {
    for job in jobs {
        job.answer(end.map_err(|fault| fault.error(store)));
    }
}
