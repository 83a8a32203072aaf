//! The sink of a drill: what was told, when, and whether a page was among it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::event::{Event, Severity};
use crate::pipeline::clock::{Clock, MockClock};
use crate::sink::Sink;
use crate::time::Timestamp;

/// Keeps the events of a drill, with the time by the drill's clock; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    time: MockClock,
    recorded: Arc<Recorded>,
    /// Whether the process has ended whose events it takes: then it takes no more.
    is_ended: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Recorded {
    events: Mutex<Vec<(Timestamp, Event)>>,
    is_down: AtomicBool,
    pages_lost: AtomicU64,
    is_broken: AtomicBool,
    is_paged: AtomicBool,
    second_panics: AtomicBool,
}

/// A sink beside the recorder, which panics if it must.
#[derive(Debug)]
pub(super) struct SecondSink(Arc<Recorded>);

impl Recorder {
    pub(super) fn new(time: MockClock) -> Self {
        Self {
            time,
            recorded: Arc::default(),
            is_ended: Arc::default(),
        }
    }

    /// The process ends: what it leaves behind is not told.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Relaxed);
    }

    /// The same record, for another process.
    pub(super) fn of_next_process(&self) -> Self {
        Self {
            is_ended: Arc::default(),
            ..self.clone()
        }
    }

    pub(super) fn second(&self) -> SecondSink {
        SecondSink(Arc::clone(&self.recorded))
    }

    /// Whether the second sink panics.
    pub(super) fn set_second_panics(&self, panics: bool) {
        self.recorded.second_panics.store(panics, Ordering::Relaxed);
    }

    /// From now on pages are those of a fault.
    pub(super) fn fault_began(&self) {
        self.recorded.is_broken.store(true, Ordering::Relaxed);
    }

    /// Whether a page came since the first fault.
    pub(super) fn is_paged(&self) -> bool {
        self.recorded.is_paged.load(Ordering::Relaxed)
    }

    /// Whether what is told is lost.
    pub(super) fn set_down(&self, is_down: bool) {
        self.recorded.is_down.store(is_down, Ordering::Relaxed);
    }

    /// How many pages came while what is told was lost.
    pub(super) fn pages_lost(&self) -> u64 {
        self.recorded.pages_lost.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> Vec<(Timestamp, Event)> {
        std::mem::take(&mut self.recorded.events.lock())
    }
}

impl Sink for Recorder {
    fn emit(&self, event: &Event) {
        let Recorded {
            events,
            is_down,
            pages_lost,
            is_broken,
            is_paged,
            ..
        } = &*self.recorded;
        if self.is_ended.load(Ordering::Relaxed) {
            return;
        }
        let is_page = event.severity == Severity::Page;
        if is_down.load(Ordering::Relaxed) {
            pages_lost.fetch_add(u64::from(is_page), Ordering::Relaxed);
            return;
        }
        if is_page && is_broken.load(Ordering::Relaxed) {
            is_paged.store(true, Ordering::Relaxed);
        }
        events.lock().push((self.time.now(), event.clone()));
    }
}

impl Sink for SecondSink {
    fn emit(&self, _event: &Event) {
        if self.0.second_panics.load(Ordering::Relaxed) {
            // Without the hook, which would print each of them.
            resume_unwind(Box::new("a sink of the drill panics"));
        }
    }
}
