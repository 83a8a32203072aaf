//! Delivers events to sinks: in order, one caller at a time, and no caller more than its own share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::event::Outbox;
use crate::sink::Sink;

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) outbox: Outbox,
    /// Only ever tried by calls, so none waits for it: neither one whose sink is busy with the event of
    /// another, nor a sink that calls back into the pipeline.
    sinks: Mutex<Sinks>,
    sink_panics: AtomicU64,
    /// How many sinks panicked at the last event that they got.
    broken_sinks: AtomicUsize,
    has_pager: AtomicBool,
}

#[derive(Debug)]
struct Sinks {
    all: Vec<Output>,
    /// Whether events were delivered since the last flush.
    is_dirty: bool,
}

#[derive(Debug)]
struct Output {
    sink: Box<dyn Sink>,
    is_broken: bool,
}

/// Whether a page reaches the operator by one of these sinks.
pub(super) fn has_pager(sinks: &[Box<dyn Sink>]) -> bool {
    sinks.iter().any(Sink::reaches_operator)
}

impl Delivery {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self {
            has_pager: AtomicBool::new(has_pager(&sinks)),
            outbox: Outbox::of_pipeline(),
            sinks: Mutex::new(Sinks {
                all: sinks.into_iter().map(Output::new).collect(),
                is_dirty: false,
            }),
            sink_panics: AtomicU64::new(0),
            broken_sinks: AtomicUsize::new(0),
        }
    }

    /// Adds a sink, for the events from now on.
    pub(super) fn add(&self, sink: Box<dyn Sink>) {
        self.has_pager
            .fetch_or(sink.reaches_operator(), Ordering::Relaxed);
        self.sinks.lock().all.push(Output::new(sink));
    }

    /// Whether a page reaches the operator by one of the sinks.
    pub(super) fn has_pager(&self) -> bool {
        self.has_pager.load(Ordering::Relaxed)
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
            for output in &mut sinks.all {
                if output.panics(|sink| sink.flush()) {
                    output.is_broken = true;
                    self.sink_panics.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.count_broken(sinks);
        }
    }

    fn deliver(&self, sinks: &mut Sinks, at_most: usize) {
        for _ in 0..at_most {
            let Some(event) = self.outbox.pop() else {
                return;
            };
            sinks.is_dirty = true;
            for output in &mut sinks.all {
                output.is_broken = output.panics(|sink| sink.emit(&event));
                if output.is_broken {
                    self.sink_panics.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.count_broken(sinks);
        }
    }

    fn count_broken(&self, sinks: &Sinks) {
        let broken = sinks.all.iter().filter(|output| output.is_broken).count();
        self.broken_sinks.store(broken, Ordering::Relaxed);
    }

    /// Whether a sink panicked at the last event that it got.
    pub(super) fn has_broken_sink(&self) -> bool {
        self.broken_sinks.load(Ordering::Relaxed) > 0
    }

    pub(super) fn sink_panics(&self) -> u64 {
        self.sink_panics.load(Ordering::Relaxed)
    }
}

impl Output {
    fn new(sink: Box<dyn Sink>) -> Self {
        Self {
            sink,
            is_broken: false,
        }
    }

    fn panics(&self, work: impl Fn(&dyn Sink)) -> bool {
        catch_unwind(AssertUnwindSafe(|| work(self.sink.as_ref()))).is_err()
    }
}

/// With the last clone of the pipeline: nothing that waits is lost.
impl Drop for Delivery {
    fn drop(&mut self) {
        self.catch_up();
    }
}
