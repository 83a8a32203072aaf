//! Delivers events to sinks: in order, with no lock held, one caller at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::event::Outbox;
use crate::sink::Sink;

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) outbox: Outbox,
    sinks: Vec<Box<dyn Sink>>,
    is_taken: AtomicBool,
    sink_panics: AtomicU64,
}

impl Delivery {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self {
            outbox: Outbox::new(),
            sinks,
            is_taken: AtomicBool::new(false),
            sink_panics: AtomicU64::new(0),
        }
    }

    /// Delivers waiting events to the sinks, one at a time and in order. If another call is
    /// delivering already, that call delivers ours too; so a sink may call back into the pipeline,
    /// and a sink that blocks delays no other call.
    pub(super) fn deliver(&self) {
        while !self.outbox.is_empty() {
            let Some(_turn) = Turn::take(&self.is_taken) else {
                return;
            };
            while let Some(event) = self.outbox.pop() {
                for sink in &self.sinks {
                    if catch_unwind(AssertUnwindSafe(|| sink.emit(&event))).is_err() {
                        self.sink_panics.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    pub(super) fn sink_panics(&self) -> u64 {
        self.sink_panics.load(Ordering::Relaxed)
    }
}

/// The right to deliver events; one caller has it at a time.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(taken: &'a AtomicBool) -> Option<Self> {
        (!taken.swap(true, Ordering::SeqCst)).then(|| Self(taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
