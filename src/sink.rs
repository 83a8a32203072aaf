//! Destinations for events: sinks, and sinks that forward to other sinks.

mod channel;
mod json_lines;
mod memory;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::event::{Event, Severity};

pub use channel::{ChannelSink, Disconnected, EventReceiver, channel};
pub use json_lines::JsonLines;
pub use memory::MemorySink;

/// A destination for events.
///
/// The pipeline gives it one event at a time, in order, with no lock of fusebox held; a sink may
/// call back into the pipeline. It must not block: a sink that blocks delays the call that delivers
/// to it, and every later event, but no other call and no decision. The pipeline catches and counts
/// a panic. For slow destinations, put a [`channel`] in front.
///
/// [`from_fn`] makes a sink of a closure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sink",
    label = "implement `fusebox::sink::Sink`, or wrap a closure in `fusebox::sink::from_fn`"
)]
pub trait Sink: fmt::Debug + Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn emit(&self, event: &Event) {
        (**self).emit(event);
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn emit(&self, event: &Event) {
        (**self).emit(event);
    }
}

/// A sink that calls a closure.
///
/// ```
/// use fusebox::sink;
///
/// let to_stderr = sink::from_fn(|event| eprintln!("{event}"));
/// ```
pub fn from_fn<F: Fn(&Event) + Send + Sync>(function: F) -> FromFn<F> {
    FromFn(function)
}

/// A closure as a sink; made by [`from_fn`].
pub struct FromFn<F>(F);

impl<F: Fn(&Event) + Send + Sync> Sink for FromFn<F> {
    fn emit(&self, event: &Event) {
        (self.0)(event);
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

/// Gives every event to several sinks, in the order in which they were added. A sink that panics
/// keeps no event from the others.
#[derive(Debug, Default)]
pub struct Fanout(Vec<Box<dyn Sink>>);

impl Fanout {
    /// Without sinks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sink.
    pub fn and(mut self, sink: impl Sink + 'static) -> Self {
        self.0.push(Box::new(sink));
        self
    }
}

impl Sink for Fanout {
    fn emit(&self, event: &Event) {
        let mut panicked = None;
        for sink in &self.0 {
            let result = catch_unwind(AssertUnwindSafe(|| sink.emit(event)));
            panicked = panicked.or(result.err());
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

/// Forwards only events of at least one severity.
///
/// ```
/// use fusebox::{Severity, sink::{self, Filter}};
///
/// let pager = Filter::at_least(Severity::Page, sink::from_fn(|event| eprintln!("page: {event}")));
/// ```
#[derive(Debug)]
pub struct Filter<S> {
    least: Severity,
    sink: S,
}

impl<S: Sink> Filter<S> {
    /// Forwards events of severity `least` and above to `sink`.
    pub fn at_least(least: Severity, sink: S) -> Self {
        Self { least, sink }
    }
}

impl<S: Sink> Sink for Filter<S> {
    fn emit(&self, event: &Event) {
        if event.severity >= self.least {
            self.sink.emit(event);
        }
    }
}
