//! Putting a pipeline together, and refusing what cannot work.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::RwLock;

use super::clock::{Clock, MockClock, SystemClock};
use super::{Inner, Member, OWN_NAME, Pipeline, check_line_up};
use crate::call::LineUp;
use crate::error::Error;
use crate::event::Outbox;
use crate::guard::Guard;
use crate::sink::Sink;

impl Pipeline {
    /// A pipeline for these versions, still without guards.
    pub fn builder(line_up: LineUp) -> Builder {
        Builder::new(line_up)
    }
}

/// Puts a [`Pipeline`] together; made by [`Pipeline::builder`].
#[must_use = "nothing is guarded before `build`"]
pub struct Builder {
    line_up: LineUp,
    guards: Vec<Box<dyn Guard>>,
    clock: Option<Box<dyn Clock>>,
    sinks: Vec<Box<dyn Sink>>,
    instance: Option<u64>,
}

impl Builder {
    pub(super) fn new(line_up: LineUp) -> Self {
        Self {
            line_up,
            guards: Vec::new(),
            clock: None,
            sinks: Vec::new(),
            instance: None,
        }
    }

    /// Adds a guard. The order of guards does not matter. Put an `Arc` in to keep a handle of your own.
    pub fn guard(mut self, guard: impl Guard + 'static) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// Adds a sink: every event goes to every sink.
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// The clock, if not the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// The number that makes this pipeline's tickets differ from those of any other process (random by default).
    pub fn instance(mut self, instance: u64) -> Self {
        self.instance = Some(instance);
        self
    }

    /// The same pipeline on a mock clock, with nobody to wake up but `sink`.
    pub(crate) fn rehearse(mut self, clock: MockClock, sink: impl Sink + 'static) -> Self {
        self.sinks.clear();
        self.clock(clock).sink(sink).instance(0)
    }

    /// The pipeline.
    ///
    /// An error when there is no guard, when two guards have one name, when a version plays two parts, or when a guard
    /// refuses the line-up.
    pub fn build(self) -> Result<Pipeline, Error> {
        if self.guards.is_empty() {
            return Err(Error::invalid(
                "guards",
                "none",
                "add at least one with `.guard(..)`",
            ));
        }
        let mut names = BTreeSet::new();
        for guard in &self.guards {
            let name = guard.name();
            if name.is_empty() || name == OWN_NAME {
                return Err(Error::invalid(
                    "guard name",
                    name,
                    "a name of its own; see `.named(..)`",
                ));
            }
            if !names.insert(name) && name != crate::guard::ABSENT {
                return Err(Error::invalid(
                    "guard name",
                    name,
                    "a name that no other guard of the pipeline has; see `.named(..)`",
                ));
            }
        }
        check_line_up(&self.line_up, self.guards.iter().map(|guard| &**guard))?;
        let members = self.guards.into_iter().map(|guard| Member {
            guard,
            panicked: AtomicBool::new(false),
        });
        let clock = self.clock.unwrap_or_else(|| Box::new(SystemClock::new()));
        let instance = self
            .instance
            .unwrap_or_else(|| RandomState::new().hash_one(clock.now()));
        let line_up = Arc::new(self.line_up);
        let pipeline = Pipeline(Arc::new(Inner {
            guards: members.collect(),
            line_up: RwLock::new(Arc::clone(&line_up)),
            clock,
            sinks: self.sinks,
            outbox: Outbox::new(),
            delivering: AtomicBool::new(false),
            sink_panics: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            instance,
            sequence: AtomicU64::new(1),
        }));
        pipeline.0.announce(&line_up);
        pipeline.0.deliver();
        Ok(pipeline)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("line_up", &self.line_up)
            .field("guards", &self.guards)
            .field("sinks", &self.sinks)
            .finish_non_exhaustive()
    }
}
