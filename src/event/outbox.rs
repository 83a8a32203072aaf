//! A bounded queue that keeps the order in which guards emit events, until the pipeline delivers
//! them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use parking_lot::Mutex;

use crate::event::{Event, InIncident, IncidentChange, Severity};

/// The most events that can wait, far more than a process emits while a sink is slow.
const CAPACITY: usize = 65_536;

/// After so many events one step of a pipeline can leave only pages and the ends of incidents. A
/// guard that evaluates each part of an answer may have an event for each.
const STEP_LIMIT: usize = 1_000;

/// Events that guards have emitted and the pipeline has not delivered yet.
///
/// A guard emits while it holds its own lock, so the order of events is the order of its
/// transitions. The pipeline delivers events after every lock is released. In a test of one guard,
/// [`drain`](Self::drain) takes them out.
///
/// At most 65,536 events wait. When it is full, a new event takes the place of the oldest event of
/// the lowest severity below its own; without one, the new event is lost. The end of an incident
/// ranks as a page.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// How many steps have left events and have not ended.
    open_steps: AtomicUsize,
    capacity: usize,
    /// `None` outside a pipeline, where nothing ends a step.
    step_limit: Option<usize>,
}

#[derive(Debug, Default)]
struct Queue {
    infos: VecDeque<Numbered>,
    warnings: VecDeque<Numbered>,
    pages: VecDeque<Numbered>,
    next: u64,
    lost: u64,
    /// How many events each step that has not ended has left. A step runs on one thread.
    steps: HashMap<ThreadId, usize>,
}

/// An event with its place in the order of all events.
#[derive(Debug)]
struct Numbered {
    number: u64,
    event: Event,
}

impl Outbox {
    /// An empty outbox.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// An empty outbox, for at most `capacity` events.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            queue: Mutex::default(),
            open_steps: AtomicUsize::new(0),
            capacity,
            step_limit: None,
        }
    }

    /// An empty outbox for steps that call [`end_step`](Self::end_step). After 1,000 events a step
    /// can leave only pages and the ends of incidents.
    pub(crate) fn of_pipeline() -> Self {
        Self {
            step_limit: Some(STEP_LIMIT),
            ..Self::new()
        }
    }

    /// Adds an event after the others.
    pub fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        let Some(limit) = self.step_limit else {
            queue.push(event, self.capacity);
            return;
        };
        let left = queue.steps.entry(thread::current().id()).or_default();
        if *left >= limit && rank(&event) < Severity::Page {
            queue.lost += 1;
            return;
        }
        *left += 1;
        queue.push(event, self.capacity);
        self.open_steps.store(queue.steps.len(), Ordering::Relaxed);
    }

    /// Ends this thread's step: how many events it left, those included that were lost since in a
    /// full outbox.
    pub(crate) fn end_step(&self) -> usize {
        // A thread sees what it stored itself, so a step that left events sees at least one.
        if self.open_steps.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut queue = self.queue.lock();
        let left = queue.steps.remove(&thread::current().id());
        self.open_steps.store(queue.steps.len(), Ordering::Relaxed);
        left.unwrap_or(0)
    }

    /// Takes the oldest event out.
    pub fn pop(&self) -> Option<Event> {
        self.queue.lock().pop()
    }

    /// Takes all events out, oldest first.
    pub fn drain(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// How many events were lost.
    pub fn lost(&self) -> u64 {
        self.queue.lock().lost
    }
}

/// How soon an event is lost where too many wait: by its severity, but the end of an incident as
/// late as its page.
fn rank(event: &Event) -> Severity {
    let is_end = |incident: &InIncident| incident.change == IncidentChange::Ended;
    if event.incident.as_ref().is_some_and(is_end) {
        return Severity::Page;
    }
    event.severity
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Queue {
    fn push(&mut self, event: Event, capacity: usize) {
        if self.len() >= capacity {
            self.lost += 1;
            let below = rank(&event);
            let lowest = self
                .queues()
                .into_iter()
                .find(|(_, queue)| !queue.is_empty());
            let Some((_, lowest)) = lowest.filter(|(severity, _)| *severity < below) else {
                return;
            };
            lowest.pop_front();
        }
        let number = self.next;
        self.next += 1;
        let queue = match rank(&event) {
            Severity::Info => &mut self.infos,
            Severity::Warning => &mut self.warnings,
            Severity::Page => &mut self.pages,
        };
        queue.push_back(Numbered { number, event });
    }

    fn pop(&mut self) -> Option<Event> {
        let number = |queue: &VecDeque<Numbered>| queue.front().map(|first| first.number);
        let queues = self.queues().into_iter().map(|(_, queue)| queue);
        let waiting = queues.filter(|queue| !queue.is_empty());
        let oldest = waiting.min_by_key(|queue| number(queue))?;
        oldest.pop_front().map(|first| first.event)
    }

    /// From the lowest severity up.
    fn queues(&mut self) -> [(Severity, &mut VecDeque<Numbered>); 3] {
        [
            (Severity::Info, &mut self.infos),
            (Severity::Warning, &mut self.warnings),
            (Severity::Page, &mut self.pages),
        ]
    }

    fn len(&self) -> usize {
        self.infos.len() + self.warnings.len() + self.pages.len()
    }
}
