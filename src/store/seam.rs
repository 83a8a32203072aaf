//! The trait that all stores implement.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::batch::{Batch, Instance, Position, Stored};
use super::cut::Cut;
use crate::error::Error;
use crate::guard::Fact;
use crate::name::PipelineName;

/// Keeps what pipelines must not forget. One store may serve several pipelines, told apart by their
/// names, and several processes of one pipeline.
///
/// A store of your own must pass [`conformance`](super::conformance). Errors are of the kind
/// [`ErrorKind::Store`](crate::ErrorKind::Store); after one, what was to be written is written
/// again, so every write must be one that can be repeated.
///
/// A future of a store may be dropped at any time: then its write is done as a whole or not at all.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Everything that a process needs when it starts.
    async fn load(&self, pipeline: &PipelineName) -> Result<Stored, Error>;

    /// One exchange: writes a batch as a whole, and returns what other processes have written since
    /// the position of the batch, and how the slots that it proposes were decided. What was written
    /// survives the process when this returns, and the machine where the store can.
    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        batch: Batch,
    ) -> Result<Batch, Error>;

    /// The fact of a kind that was written last of those that are [about](Fact::about) something.
    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error>;

    /// The facts of a kind that were written after the first position and not after the second, in
    /// the order in which they were written, whoever wrote them.
    async fn facts_between(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, Error>;

    /// What the store has dropped by itself since this was last asked: what expired, and facts that
    /// had to go before their time. A store that keeps everything, or does not know, says nothing.
    fn take_cut(&self) -> Option<Cut> {
        None
    }
}

/// One store for several pipelines, each with a keeper of its own.
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn load(&self, pipeline: &PipelineName) -> Result<Stored, Error> {
        (**self).load(pipeline).await
    }

    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        batch: Batch,
    ) -> Result<Batch, Error> {
        (**self).turn(pipeline, instance, batch).await
    }

    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error> {
        (**self).latest(pipeline, kind, about).await
    }

    async fn facts_between(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, Error> {
        (**self).facts_between(pipeline, kind, after, until).await
    }

    fn take_cut(&self) -> Option<Cut> {
        (**self).take_cut()
    }
}
