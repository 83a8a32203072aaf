//! The sink of a drill: what was told, when, and whether a page was among it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::delivered::Delivered;
use crate::event::{Event, Severity};
use crate::pipeline::clock::{Clock, MockClock};
use crate::sink::Sink;
use crate::time::Timestamp;

/// Keeps the events of a drill, with the time by the drill's clock; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    time: MockClock,
    /// Whether a page counts only when a pager has accepted it.
    has_pager: bool,
    recorded: Arc<Recorded>,
    /// Whether the process has ended whose events it takes: then it takes no more.
    is_ended: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Recorded {
    events: Mutex<Vec<(Timestamp, Event)>>,
    is_down: AtomicBool,
    /// The pages that came while what is told was lost.
    pages_lost: Mutex<Vec<(Timestamp, Event)>>,
    delivered: Mutex<Vec<(Timestamp, Delivered)>>,
    is_broken: AtomicBool,
    is_paged: AtomicBool,
    second_panics: AtomicBool,
}

/// A sink beside the recorder, which panics if it must.
#[derive(Debug)]
pub(super) struct SecondSink(Arc<Recorded>);

impl Recorder {
    pub(super) fn new(time: MockClock, has_pager: bool) -> Self {
        Self {
            time,
            has_pager,
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

    /// A pager has accepted something.
    pub(super) fn deliver(&self, delivered: Delivered) {
        if delivered.is_page() {
            self.page();
        }
        let at = self.time.now();
        self.recorded.delivered.lock().push((at, delivered));
    }

    /// A page came.
    fn page(&self) {
        if self.recorded.is_broken.load(Ordering::Relaxed) {
            self.recorded.is_paged.store(true, Ordering::Relaxed);
        }
    }

    /// The pages that came while what is told was lost.
    pub(super) fn take_lost(&self) -> Vec<(Timestamp, Event)> {
        std::mem::take(&mut self.recorded.pages_lost.lock())
    }

    /// What pagers have accepted; `None` if pages are not delivered to one.
    pub(super) fn take_delivered(&self) -> Option<Vec<(Timestamp, Delivered)>> {
        let take = || std::mem::take(&mut *self.recorded.delivered.lock());
        self.has_pager.then(take)
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
            ..
        } = &*self.recorded;
        if self.is_ended.load(Ordering::Relaxed) {
            return;
        }
        let is_page = event.severity == Severity::Page;
        let told = (self.time.now(), event.clone());
        if is_down.load(Ordering::Relaxed) {
            if is_page {
                pages_lost.lock().push(told);
            }
            return;
        }
        if is_page && !self.has_pager {
            self.page();
        }
        events.lock().push(told);
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
