//! Delivers events to sinks: in order, one caller at a time, and no caller more than its own share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::event::Outbox;
use crate::sink::Sink;

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) outbox: Outbox,
    /// Only ever tried, so no caller waits for it: neither one whose sink is busy with the event of
    /// another, nor a sink that calls back into the pipeline.
    sinks: Mutex<Sinks>,
    sink_panics: AtomicU64,
}

#[derive(Debug)]
struct Sinks {
    all: Vec<Box<dyn Sink>>,
    /// Whether events were delivered since the last flush.
    is_dirty: bool,
}

impl Delivery {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self {
            outbox: Outbox::of_pipeline(),
            sinks: Mutex::new(Sinks {
                all: sinks,
                is_dirty: false,
            }),
            sink_panics: AtomicU64::new(0),
        }
    }

    /// Ends a step: delivers as many of the oldest events as the step left, unless another caller
    /// is delivering. What stays is for the steps that leave events later, and for the next tick.
    pub(super) fn end_step(&self) {
        let left = self.outbox.end_step();
        if left > 0 {
            if let Some(mut sinks) = self.sinks.try_lock() {
                self.deliver(&mut sinks, left);
            }
        }
    }

    /// Delivers the events that wait now, and flushes the sinks, unless another caller is
    /// delivering.
    pub(super) fn catch_up(&self) {
        if let Some(mut sinks) = self.sinks.try_lock() {
            self.deliver_waiting(&mut sinks);
        }
    }

    fn deliver_waiting(&self, sinks: &mut Sinks) {
        self.deliver(sinks, self.outbox.len());
        if sinks.is_dirty {
            sinks.is_dirty = false;
            self.each(sinks, |sink| sink.flush());
        }
    }

    fn deliver(&self, sinks: &mut Sinks, at_most: usize) {
        for _ in 0..at_most {
            let Some(event) = self.outbox.pop() else {
                return;
            };
            sinks.is_dirty = true;
            self.each(sinks, |sink| sink.emit(&event));
        }
    }

    fn each(&self, sinks: &Sinks, work: impl Fn(&dyn Sink)) {
        for sink in &sinks.all {
            if catch_unwind(AssertUnwindSafe(|| work(sink.as_ref()))).is_err() {
                self.sink_panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn sink_panics(&self) -> u64 {
        self.sink_panics.load(Ordering::Relaxed)
    }
}

/// With the last clone of the pipeline: nothing that waits is lost.
impl Drop for Delivery {
    fn drop(&mut self) {
        self.catch_up();
    }
}
