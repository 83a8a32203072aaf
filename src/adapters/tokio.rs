//! Tasks on tokio.

use tokio::runtime::{Handle, TryCurrentError};

use crate::pipeline::{Spawn, Task};

/// Runs the tasks of a [`ShadowRunner`](crate::ShadowRunner) on a tokio runtime.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fusebox::tokio::TokioSpawner;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let spawner = TokioSpawner::on(runtime.handle());
/// # let _entered = runtime.enter();
/// let of_this_runtime = TokioSpawner::current()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokioSpawner(Handle);

impl TokioSpawner {
    /// On the runtime that runs this code; an error outside of one.
    pub fn current() -> Result<Self, TryCurrentError> {
        Handle::try_current().map(Self)
    }

    /// On this runtime.
    pub fn on(runtime: &Handle) -> Self {
        Self(runtime.clone())
    }
}

impl Spawn for TokioSpawner {
    fn spawn(&self, task: Task) {
        drop(self.0.spawn(task));
    }
}
