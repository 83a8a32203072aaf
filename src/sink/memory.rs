//! Events in memory, for tests and drills.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::event::{Event, Severity};
use crate::sink::Sink;

/// Keeps the newest 100,000 events in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<VecDeque<Event>>>);

impl MemorySink {
    const CAPACITY: usize = 100_000;

    /// Without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// The events, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().iter().cloned().collect()
    }

    /// The pages among them, oldest first.
    pub fn pages(&self) -> Vec<Event> {
        let events = self.0.lock();
        events
            .iter()
            .filter(|event| event.severity == Severity::Page)
            .cloned()
            .collect()
    }

    /// Takes the events out, oldest first.
    pub fn take(&self) -> Vec<Event> {
        self.0.lock().drain(..).collect()
    }
}

impl Sink for MemorySink {
    fn emit(&self, event: &Event) {
        let mut events = self.0.lock();
        if events.len() == Self::CAPACITY {
            events.pop_front();
        }
        events.push_back(event.clone());
    }
}
