//! Destinations for events: sinks, and sinks that forward to other sinks.

mod background;
mod channel;
mod json_lines;
mod memory;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::event::{Event, Severity};

pub use background::{Background, background};
pub use channel::{ChannelSink, Disconnected, EventReceiver, channel};
pub use json_lines::JsonLines;
pub use memory::MemorySink;

/// A destination for events.
///
/// The pipeline gives it one event at a time and in order. A call that leaves events gives at most
/// as many to the sinks before it returns; while another call does so, it leaves its events and
/// returns at once. What is left goes to the sinks with later events, at the latest with the next
/// [`tick`](crate::Pipeline::tick) or when the last clone of the pipeline is dropped. So a slow
/// sink delays the calls that leave events, each by its own, but no other call and no decision; put
/// it in the [`background`], and it delays none.
///
/// A sink may call back into the pipeline; the events of such calls are left like those of other
/// calls. The pipeline catches and counts a panic.
///
/// [`from_fn`] makes a sink of a closure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sink",
    label = "implement `fusebox::sink::Sink`, or wrap a closure in `fusebox::sink::from_fn`"
)]
pub trait Sink: fmt::Debug + Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);

    /// Passes on what it holds back, such as the lines in a buffer. Does nothing by default.
    ///
    /// The pipeline calls it after events, when it ticks and when its last clone is dropped.
    fn flush(&self) {}

    /// Whether a page that it takes reaches the operator on call. False by default: of a file or a
    /// queue nobody knows who reads it. Mark a sink that does with [`pager`].
    fn reaches_operator(&self) -> bool {
        false
    }
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn emit(&self, event: &Event) {
        (**self).emit(event);
    }

    fn flush(&self) {
        (**self).flush();
    }

    fn reaches_operator(&self) -> bool {
        (**self).reaches_operator()
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn emit(&self, event: &Event) {
        (**self).emit(event);
    }

    fn flush(&self) {
        (**self).flush();
    }

    fn reaches_operator(&self) -> bool {
        (**self).reaches_operator()
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

impl Fanout {
    fn each(&self, work: impl Fn(&dyn Sink)) {
        let mut panicked = None;
        for sink in &self.0 {
            let result = catch_unwind(AssertUnwindSafe(|| work(sink)));
            panicked = panicked.or(result.err());
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl Sink for Fanout {
    fn emit(&self, event: &Event) {
        self.each(|sink| sink.emit(event));
    }

    fn flush(&self) {
        self.each(|sink| sink.flush());
    }

    fn reaches_operator(&self) -> bool {
        self.0.iter().any(Sink::reaches_operator)
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

    fn flush(&self) {
        self.sink.flush();
    }

    fn reaches_operator(&self) -> bool {
        self.sink.reaches_operator()
    }
}

/// A sink of which you say that its pages reach the operator on call.
///
/// A [`Readiness`](crate::drill::Readiness) asks for one. fusebox cannot see where a closure or a
/// channel leads, so that is yours to say, and to try: let a drill of yours page somebody.
///
/// ```
/// use fusebox::{Severity, sink::{self, Filter, Sink}};
///
/// let to_pager = sink::from_fn(|event| println!("{event}")); // post it to the pager's API instead
/// let pager = Filter::at_least(Severity::Page, sink::pager(to_pager));
/// assert!(pager.reaches_operator());
/// ```
pub fn pager<S: Sink>(sink: S) -> Pager<S> {
    Pager(sink)
}

/// A sink whose pages reach the operator on call; made by [`pager`].
#[derive(Debug)]
pub struct Pager<S>(S);

impl<S: Sink> Sink for Pager<S> {
    fn emit(&self, event: &Event) {
        self.0.emit(event);
    }

    fn flush(&self) {
        self.0.flush();
    }

    fn reaches_operator(&self) -> bool {
        true
    }
}
