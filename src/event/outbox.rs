//! A bounded queue that keeps the order in which guards emit events, until the pipeline delivers
//! them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::event::Event;

/// The most events that can wait, far more than a process emits while a sink is slow. Later ones
/// are counted as lost.
const CAPACITY: usize = 65_536;

/// Events that guards have emitted and the pipeline has not delivered yet.
///
/// A guard emits while it holds its own lock, so the order of events is the order of its
/// transitions. The pipeline delivers events after every lock is released. In a test of one guard,
/// [`drain`](Self::drain) takes them out.
#[derive(Debug, Default)]
pub struct Outbox {
    events: Mutex<VecDeque<Event>>,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Outbox {
    /// An empty outbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event after the others.
    pub fn push(&self, event: Event) {
        let mut events = self.events.lock();
        if events.len() < CAPACITY {
            events.push_back(event);
            self.waiting.store(events.len(), Ordering::SeqCst);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest event out.
    pub fn pop(&self) -> Option<Event> {
        let mut events = self.events.lock();
        let event = events.pop_front();
        self.waiting.store(events.len(), Ordering::SeqCst);
        event
    }

    /// Takes all events out, oldest first.
    pub fn drain(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// How many events were lost because the outbox was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
