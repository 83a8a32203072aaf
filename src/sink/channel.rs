//! A bounded queue between the pipeline and a slow destination.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::event::{Event, Outbox};
use crate::sink::Sink;

/// A queue of at most `capacity` events. The sink never waits. When the queue is full, a new event
/// takes the place of the oldest event of the lowest severity below its own; without one, the new
/// event is dropped. Either is counted.
///
/// [`background`](super::background) makes the thread as well.
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
    let channel = Arc::new(Channel {
        events: Outbox::with_capacity(capacity),
        ends: Mutex::default(),
        changed: Condvar::new(),
    });
    let sink = ChannelSink(Arc::new(Sender(Arc::clone(&channel))));
    (sink, EventReceiver(channel))
}

#[derive(Debug)]
struct Channel {
    events: Outbox,
    /// Held while an event is added or taken, so that no receiver sleeps past one.
    ends: Mutex<Ends>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Ends {
    senders_gone: bool,
    receiver_gone: bool,
    /// How many events found no receiver, or were waiting when it went.
    unreceived: u64,
}

impl Channel {
    fn dropped(&self) -> u64 {
        let ends = self.ends.lock();
        self.events.lost() + ends.unreceived
    }
}

/// The end of a [`channel`] that the pipeline writes to. Clones write to the same queue.
#[derive(Clone, Debug)]
pub struct ChannelSink(Arc<Sender>);

/// What all clones of a sink share; the last one drops it.
#[derive(Debug)]
struct Sender(Arc<Channel>);

impl ChannelSink {
    /// How many events were dropped because the queue was full or its receiver was gone.
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped()
    }
}

impl Sink for ChannelSink {
    fn emit(&self, event: &Event) {
        let (channel, event) = (&self.0.0, event.clone());
        let mut ends = channel.ends.lock();
        if ends.receiver_gone {
            ends.unreceived += 1;
            return;
        }
        channel.events.push(event);
        drop(ends);
        channel.changed.notify_one();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.ends.lock().senders_gone = true;
        self.0.changed.notify_all();
    }
}

/// The end of a [`channel`] that a thread of yours reads from.
#[derive(Debug)]
pub struct EventReceiver(Arc<Channel>);

impl EventReceiver {
    /// Waits for the next event; `None` when every sink is gone and the queue is empty.
    pub fn recv(&self) -> Option<Event> {
        let mut ends = self.0.ends.lock();
        self.0
            .changed
            .wait_while(&mut ends, |ends| self.is_idle(ends));
        self.0.events.pop()
    }

    /// The next event, if one is waiting.
    pub fn try_recv(&self) -> Option<Event> {
        self.0.events.pop()
    }

    /// Waits for at most `timeout`; `Ok(None)` when no event came, an error when every sink is gone
    /// and the queue is empty.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Event>, Disconnected> {
        let mut ends = self.0.ends.lock();
        let changed = &self.0.changed;
        changed.wait_while_for(&mut ends, |ends| self.is_idle(ends), timeout);
        match self.0.events.pop() {
            None if ends.senders_gone => Err(Disconnected),
            event => Ok(event),
        }
    }

    /// How many events were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    fn is_idle(&self, ends: &Ends) -> bool {
        !ends.senders_gone && self.0.events.is_empty()
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut ends = self.0.ends.lock();
        ends.receiver_gone = true;
        ends.unreceived += self.0.events.drain().len() as u64;
    }
}

/// Every sink of a channel is gone: no more events will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every sink of this channel is gone")]
#[non_exhaustive]
pub struct Disconnected;
