//! A sink on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::Error;
use crate::event::Event;
use crate::sink::{ChannelSink, EventReceiver, Sink, channel};

/// How long a drop waits, by default: well within the 30 seconds that Kubernetes gives a process
/// to end.
const WAIT_ON_DROP: Duration = Duration::from_secs(5);

/// Starts a thread with this name, which gives events to `sink` in order. However long the sink
/// takes, no call waits for it.
///
/// At most `capacity` events wait for the thread; when there are more, lower severities are dropped
/// first and pages last, as in a [`channel`]. When nothing waits, the thread flushes the sink. It
/// catches and counts panics of the sink.
///
/// Dropping the `Background` (the pipeline does, with its last clone) waits until the sink has all
/// events, but not longer than [`wait_on_drop`](Background::wait_on_drop).
///
/// An error when `capacity` is 0, when the name has a NUL character, or when the system cannot
/// start a thread.
///
/// ```
/// use std::fs::File;
/// use std::io::BufWriter;
///
/// use fusebox::sink::{self, JsonLines};
/// use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Version};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("fusebox-{}.jsonl", std::process::id()));
/// let file = JsonLines::new(BufWriter::new(File::create(&path)?));
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(ErrorRateBreaker::default())
///     .sink(sink::background("events", 10_000, file)?)
///     .build()?;
/// drop(pipeline); // the deployment of v7 is in the file now
/// # assert_eq!(std::fs::read_to_string(&path)?.lines().count(), 1);
/// # std::fs::remove_file(path)?;
/// # Ok(())
/// # }
/// ```
pub fn background(
    name: &str,
    capacity: usize,
    sink: impl Sink + 'static,
) -> Result<Background, Error> {
    if capacity == 0 {
        let field = format!("capacity of sink {name}");
        return Err(Error::invalid(field, capacity, "at least 1"));
    }
    if name.contains('\0') {
        let allowed = "a name without the NUL character";
        return Err(Error::invalid("name of a sink", name, allowed));
    }
    let reaches_operator = sink.reaches_operator();
    let (sender, events) = channel(capacity);
    let (running, ended) = mpsc::channel::<()>();
    let panics = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&panics);
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            deliver(&events, &sink, &counted);
            drop((sink, running));
        })
        .map_err(|error| {
            let field = format!("thread of sink {name}");
            Error::invalid(field, error, "a thread that the system can start")
        })?;
    Ok(Background {
        sender: Some(sender),
        thread: thread.thread().id(),
        ended: Mutex::new(ended),
        panics,
        reaches_operator,
        wait_on_drop: WAIT_ON_DROP,
    })
}

fn deliver(events: &EventReceiver, sink: &dyn Sink, panics: &AtomicU64) {
    let caught = |work: &dyn Fn()| {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            panics.fetch_add(1, Ordering::Relaxed);
        }
    };
    while let Some(event) = events.recv() {
        caught(&|| sink.emit(&event));
        while let Some(event) = events.try_recv() {
            caught(&|| sink.emit(&event));
        }
        caught(&|| sink.flush());
    }
}

/// A sink on a thread of its own; made by [`background`]. Give the pipeline an `Arc` of it to read
/// its counts.
#[derive(Debug)]
pub struct Background {
    /// `None` once it is dropped.
    sender: Option<ChannelSink>,
    thread: ThreadId,
    /// Disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
    panics: Arc<AtomicU64>,
    reaches_operator: bool,
    wait_on_drop: Duration,
}

impl Background {
    /// How long a drop waits for the events that are left (5 seconds by default).
    ///
    /// After that the thread goes on without being waited for, until all are delivered or the
    /// process ends.
    pub fn wait_on_drop(mut self, at_most: Duration) -> Self {
        self.wait_on_drop = at_most;
        self
    }

    /// How many events were dropped because too many were waiting.
    pub fn dropped(&self) -> u64 {
        self.sender.as_ref().map_or(0, ChannelSink::dropped)
    }

    /// How often the sink has panicked.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

impl Sink for Background {
    fn emit(&self, event: &Event) {
        if let Some(sender) = &self.sender {
            sender.emit(event);
        }
    }

    fn reaches_operator(&self) -> bool {
        self.reaches_operator
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.sender = None;
        // The sink itself may have held the last clone of the pipeline: its thread cannot wait for
        // its own end.
        if thread::current().id() != self.thread {
            let _ = self.ended.get_mut().recv_timeout(self.wait_on_drop);
        }
    }
}
