//! Puts a pipeline together, and refuses what cannot work.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::Pipeline;
use super::clock::{Clock, MockClock, SystemClock};
use super::delivery::{Delivery, has_pager};
use super::losses::Losses;
use super::member::{Member, name_of};
use super::step::{OWN_NAME, Shared};
use super::ticks::Ticks;
use super::timeline::Timeline;
use super::versions::KnownVersions;
use crate::call::LineUp;
use crate::error::Error;
use crate::guard::{Guard, Incidents, Mount, Mounted, SettingsHash, Symptom};
use crate::sink::Sink;

impl Pipeline {
    /// Starts a pipeline for these versions, without guards.
    pub fn builder(line_up: LineUp) -> Builder {
        Builder::new(line_up)
    }
}

/// Puts a [`Pipeline`] together; made by [`Pipeline::builder`].
#[derive(Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct Builder {
    line_up: LineUp,
    guards: Vec<Mounted<Box<dyn Guard>>>,
    /// Whether a guard was added, even an absent one.
    is_guarded: bool,
    clock: Option<Box<dyn Clock>>,
    sinks: Vec<Box<dyn Sink>>,
    instance: Option<u64>,
}

impl Builder {
    pub(super) fn new(line_up: LineUp) -> Self {
        Self {
            line_up,
            guards: Vec::new(),
            is_guarded: false,
            clock: None,
            sinks: Vec::new(),
            instance: None,
        }
    }

    /// Adds a guard, or a mounted guard ([`only_for`](Guard::only_for), [`named`](Guard::named),
    /// [`dry_run`](Guard::dry_run)); `None` adds nothing. The order of guards does not matter. Pass
    /// an `Arc` to keep a handle of your own.
    pub fn guard(mut self, guard: impl Mount) -> Self {
        self.guards.extend(guard.mount());
        self.is_guarded = true;
        self
    }

    /// Adds a sink. Every event goes to every sink.
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Sets the clock (the system's by default).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Sets the number that tells this pipeline's tickets from those of other processes (random by
    /// default). No other process may have it or have had it: after a restart it is another one.
    pub fn instance(mut self, instance: u64) -> Self {
        self.instance = Some(instance);
        self
    }

    /// The same pipeline on a mock clock, with `sink` as its only sink.
    pub(crate) fn rehearse(mut self, clock: MockClock, sink: impl Sink + 'static) -> Self {
        self.sinks.clear();
        self.clock(clock).sink(sink).instance(0)
    }

    /// The same pipeline for other versions.
    pub(crate) fn with_line_up(mut self, line_up: LineUp) -> Self {
        self.line_up = line_up;
        self
    }

    /// The names of its guards.
    pub(crate) fn guard_names(&self) -> Vec<&str> {
        self.guards.iter().map(name_of).collect()
    }

    /// Its guards, as they are mounted.
    pub(crate) fn mounted(&self) -> &[Mounted<Box<dyn Guard>>] {
        &self.guards
    }

    /// Whether a page reaches the operator by one of its sinks.
    pub(crate) fn has_pager(&self) -> bool {
        has_pager(&self.sinks)
    }

    /// A hash of its guards and their settings.
    pub fn settings_hash(&self) -> SettingsHash {
        SettingsHash::of(&self.guards)
    }

    /// The shortest of the times after which a guard that pages exceeds its threshold
    /// ([`Guard::time_to_exceed`]).
    pub(crate) fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
        let paging = self.guards.iter().filter(|mounted| !mounted.dry_run);
        paging
            .filter_map(|mounted| mounted.guard.time_to_exceed(symptom))
            .min()
    }

    /// The same pipeline with those of its guards whose names are chosen.
    pub(crate) fn with_guards(mut self, is_chosen: impl Fn(&str) -> bool) -> Self {
        self.guards.retain(|mounted| is_chosen(name_of(mounted)));
        self
    }

    /// Builds the pipeline.
    ///
    /// An error when no guard was added, when two guards have one name, when a guard has no name or
    /// the name `pipeline`, when another pipeline holds a guard ([`Guard::attached`]), when a
    /// version has two roles, or when a guard refuses the line-up.
    pub fn build(self) -> Result<Pipeline, Error> {
        if !self.is_guarded {
            return Err(Error::invalid(
                "guards",
                "none",
                "at least one guard; add it with `.guard(..)`",
            ));
        }
        let mut guards: Vec<_> = self.guards.into_iter().map(Member::new).collect();
        let mut names = BTreeSet::new();
        for member in &guards {
            let name = &*member.name;
            if name.is_empty() || name == OWN_NAME {
                let allowed = "a name that is not empty and not `pipeline`; see `.named(..)`";
                return Err(Error::invalid("guard name", name, allowed));
            }
            if !names.insert(name) {
                let allowed = "a name that no other guard of the pipeline has; see `.named(..)`";
                return Err(Error::invalid("guard name", name, allowed));
            }
        }
        for member in &mut guards {
            member.attach()?;
        }
        let clock = self.clock.unwrap_or_else(|| Box::new(SystemClock::new()));
        let instance = self
            .instance
            .unwrap_or_else(|| RandomState::new().hash_one(clock.now()));
        let time = Timeline::new(clock);
        let pipeline = Pipeline(Arc::new(Shared {
            guards,
            incidents: Incidents::new(),
            line_up: RwLock::new(Arc::new(self.line_up)),
            versions: Mutex::new(KnownVersions::default()),
            ticks: Ticks::since(time.now()),
            time,
            losses: Losses::default(),
            delivery: Delivery::new(self.sinks),
            instance,
            sequence: AtomicU64::new(1),
            open_calls: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
        }));
        pipeline.0.step(|step| {
            step.check(step.line_up)?;
            step.shared.versions.lock().learn(step.line_up)?;
            step.announce(step.line_up);
            Ok::<(), Error>(())
        })?;
        Ok(pipeline)
    }
}
