//! What an operator does in a drill.

use std::fmt;
use std::sync::Arc;

use crate::pipeline::Pipeline;

/// Something that an operator does with a pipeline.
#[derive(Clone)]
pub(super) struct Command(Arc<dyn Fn(&Pipeline) + Send + Sync>);

impl Command {
    pub(super) fn new(command: impl Fn(&Pipeline) + Send + Sync + 'static) -> Self {
        Self(Arc::new(command))
    }

    pub(super) fn give(&self, pipeline: &Pipeline) {
        (self.0)(pipeline);
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command(..)")
    }
}
