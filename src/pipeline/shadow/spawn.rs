//! The seam to a runtime.

use std::future::Future;
use std::pin::Pin;

/// A task that runs beside the caller.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a task beside the caller, on a runtime of your choice.
///
/// A closure will do: `|task| { smol::spawn(task).detach(); }`. With feature `tokio` there is
/// `fusebox::tokio::TokioSpawner`. A task that is dropped before it ends counts as cancelled; a
/// task never panics.
pub trait Spawn: Send + Sync {
    /// Starts the task and returns at once.
    fn spawn(&self, task: Task);
}

impl<F: Fn(Task) + Send + Sync> Spawn for F {
    fn spawn(&self, task: Task) {
        self(task);
    }
}
