//! A bounded queue between the pipeline and a slow destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::event::Event;
use crate::sink::Sink;

/// A queue of at most `capacity` events. The sink never waits: it drops and counts an event that
/// finds the queue full.
///
/// ```
/// use fusebox::sink;
///
/// let (sink, events) = sink::channel(1_000);
/// # drop(sink);
/// std::thread::spawn(move || {
///     while let Some(event) = events.recv() {
///         eprintln!("{event}"); // or post it somewhere, as slowly as that takes
///     }
/// });
/// ```
pub fn channel(capacity: usize) -> (ChannelSink, EventReceiver) {
    let (sender, receiver) = sync_channel(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = ChannelSink {
        sender,
        dropped: Arc::clone(&dropped),
    };
    (sink, EventReceiver { receiver, dropped })
}

/// The end of a [`channel`] that the pipeline writes to. Clones write to the same queue.
#[derive(Clone, Debug)]
pub struct ChannelSink {
    sender: SyncSender<Event>,
    dropped: Arc<AtomicU64>,
}

impl ChannelSink {
    /// How many events were dropped because the queue was full or its receiver was gone.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Sink for ChannelSink {
    fn emit(&self, event: &Event) {
        if self.sender.try_send(event.clone()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The end of a [`channel`] that a thread of yours reads from.
#[derive(Debug)]
pub struct EventReceiver {
    receiver: Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl EventReceiver {
    /// Waits for the next event; `None` when every sink is gone and the queue is empty.
    pub fn recv(&self) -> Option<Event> {
        self.receiver.recv().ok()
    }

    /// The next event, if one is waiting.
    pub fn try_recv(&self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// Waits for at most `timeout`; `Ok(None)` when no event came, an error when every sink is gone
    /// and the queue is empty.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Event>, Disconnected> {
        match self.receiver.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Disconnected),
        }
    }

    /// How many events were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Every sink of a channel is gone: no more events will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every sink of this channel is gone")]
#[non_exhaustive]
pub struct Disconnected;
