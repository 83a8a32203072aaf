//! `"guard": "breaker"`: the error-rate breaker, with `current` in production and `previous` as its
//! previous version.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fusebox::breaker::{BreakerMode, BreakerState, ProbeFailure, Probing, Recovery, TripReason};
use fusebox::clock::MockClock;
use fusebox::event::BreakerEvent;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, ErrorRateBreaker, EventKind, FailureKind, LineUp, Permit, Pipeline, Ratio, Report, Role,
    Timestamp, Version, VersionId,
};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

const CURRENT: &str = "current";
/// Time 0 of a trace.
const BEGIN: Timestamp = Timestamp::EPOCH;
/// Who gives a trace's commands, and why.
const WHO: &str = "trace";
const WHY: &str = "a step of the trace";

pub(super) struct Breaker {
    pipeline: Pipeline,
    guard: Arc<ErrorRateBreaker>,
    current: VersionId,
    clock: MockClock,
    sink: MemorySink,
    open: HashMap<String, Permit>,
    transitions: Vec<String>,
    route: Option<Role>,
}

impl Breaker {
    pub(super) fn new(config: &Fields<'_>) -> Result<Self, Problem> {
        config.only(&[
            "window_ms",
            "buckets",
            "min_calls",
            "threshold",
            "recovery",
            "wait_ms",
            "max_wait_ms",
            "probes",
            "probe_lease_ms",
            "consecutive_failures",
        ])?;
        let recovery = recovery(config)?;
        let threshold = config.get("threshold")?.as_array().map(Vec::as_slice);
        let Some([part, whole]) = threshold else {
            return Err("threshold: expected [part, whole]".to_owned());
        };
        let number = |value: &Value| {
            value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or("threshold: expected whole numbers")
        };
        let threshold = Ratio::new(number(part)?, number(whole)?).map_err(text)?;
        let breaker = ErrorRateBreaker::builder()
            .threshold(threshold)
            .window(Duration::from_millis(config.number("window_ms")?))
            .buckets(config.small("buckets")?)
            .min_calls(config.number("min_calls")?)
            .consecutive_failures(config.optional("consecutive_failures", Fields::small)?)
            .recovery(recovery)
            .provider_recovery(recovery)
            .build()
            .map_err(text)?;
        let breaker = Arc::new(breaker);
        let (clock, sink) = (MockClock::at(BEGIN), MemorySink::new());
        let version = |id| Version::new(id, "any-model").map_err(text);
        let line_up = LineUp::new(version(CURRENT)?).with_previous(version("previous")?);
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&breaker))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .map_err(text)?;
        Ok(Self {
            pipeline,
            guard: breaker,
            current: VersionId::new(CURRENT).map_err(text)?,
            clock,
            sink,
            open: HashMap::new(),
            transitions: Vec::new(),
            route: None,
        })
    }

    fn acquire(&mut self, at: u64) -> Result<Permit, Problem> {
        self.clock.set(BEGIN + Duration::from_millis(at));
        let call = Call::new("document", "trace").map_err(text)?;
        let permit = self
            .pipeline
            .admit(&call)
            .permit()
            .ok_or("no version serves: the document was diverted")?;
        self.route = Some(permit.ticket().role());
        Ok(permit)
    }

    fn calls(&mut self, fields: &Fields<'_>) -> Result<(), Problem> {
        let (from, outcome) = (fields.number("t")?, fields.text("outcome")?);
        let every = fields.optional("every", Fields::number)?.unwrap_or(0);
        for n in 0..fields.optional("n", Fields::number)?.unwrap_or(1) {
            let permit = self.acquire(from + n * every)?;
            finish(permit, outcome, &["ok", "err", "ignore"])?;
        }
        Ok(())
    }

    fn take_transitions(&mut self) {
        for event in self.sink.take() {
            let transition = match event.kind {
                EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
                    version, reason, ..
                }) if version == self.current => match reason {
                    TripReason::ConsecutiveFailures => "closed->open:consecutive",
                    _ => "closed->open:error_rate",
                },
                EventKind::Breaker(BreakerEvent::WouldTrip { reason, .. }) => match reason {
                    TripReason::ConsecutiveFailures => "would_trip:consecutive",
                    _ => "would_trip:error_rate",
                },
                EventKind::Breaker(BreakerEvent::ProbesStarted { .. }) => {
                    "open->half_open:wait_elapsed"
                }
                EventKind::Breaker(BreakerEvent::Recovered { .. }) => "half_open->closed:probes_ok",
                EventKind::Breaker(BreakerEvent::ProbesFailed { reason, .. }) => match reason {
                    ProbeFailure::LeaseExpired => "half_open->open:probe_lease_expired",
                    _ => "half_open->open:probe_failed",
                },
                EventKind::Breaker(BreakerEvent::Rearmed { version, .. })
                    if version == self.current =>
                {
                    "rearmed"
                }
                EventKind::Breaker(BreakerEvent::BreakerReset { .. }) => "reset",
                EventKind::Breaker(BreakerEvent::BreakerSwitched { mode, .. }) => match mode {
                    BreakerMode::ForcedFallback => "forced_open",
                    BreakerMode::Disabled => "disabled",
                    _ => "metrics_only",
                },
                _ => continue,
            };
            self.transitions.push(transition.to_owned());
        }
    }
}

impl Guarded for Breaker {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "call" => Operation::Known(&["t", "outcome", "n", "every"]),
            "acquire" => Operation::Known(&["t", "id"]),
            "done" => Operation::Known(&["t", "id", "outcome"]),
            "tick" | "arm_new_version" | "disable" | "force_open" | "metrics_only" | "reset" => {
                Operation::Known(&["t"])
            }
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let at = fields.number("t")?;
        self.route = None;
        match op {
            "call" => self.calls(fields)?,
            "acquire" => {
                let permit = self.acquire(at)?;
                self.open.insert(fields.text("id")?.to_owned(), permit);
            }
            "done" => {
                let id = fields.text("id")?;
                let permit = self
                    .open
                    .remove(id)
                    .ok_or_else(|| format!("id: `{id}` was not acquired, or is done"))?;
                self.clock.set(BEGIN + Duration::from_millis(at));
                finish(
                    permit,
                    fields.text("outcome")?,
                    &["ok", "err", "ignore", "drop"],
                )?;
            }
            _ => {
                self.clock.set(BEGIN + Duration::from_millis(at));
                let seen = self.guard.status().revision;
                let switch = |mode| self.guard.switch(mode, seen, WHO, WHY);
                match op {
                    "arm_new_version" => self.guard.rearm(&self.current, seen, WHO, WHY),
                    "disable" => switch(BreakerMode::Disabled),
                    "force_open" => switch(BreakerMode::ForcedFallback),
                    "metrics_only" => switch(BreakerMode::ObserveOnly),
                    "reset" => self.guard.reset(seen, WHO, WHY),
                    _ => Ok(()),
                }
                .map_err(text)?;
                self.pipeline.tick();
            }
        }
        // A tick brings the window's counts up to date.
        self.pipeline.tick();
        self.take_transitions();
        let counts = self.guard.counts(&self.current);
        let state = match (self.guard.mode(), self.guard.state(&self.current)) {
            (BreakerMode::Disabled, _) => "disabled",
            (BreakerMode::ForcedFallback, _) => "forced_open",
            (BreakerMode::ObserveOnly, _) => "metrics_only",
            (_, BreakerState::HalfOpen) => "half_open",
            (_, BreakerState::Latched | BreakerState::Open) => "open",
            _ => "closed",
        };
        let mut seen = Map::new();
        seen.insert("state".to_owned(), json!(state));
        seen.insert("total".to_owned(), json!(counts.calls));
        seen.insert("errors".to_owned(), json!(counts.errors));
        seen.insert("late".to_owned(), json!(counts.late));
        seen.insert("events".to_owned(), json!(self.transitions));
        if let Some(role) = self.route {
            let route = if role == Role::Stable {
                "primary"
            } else {
                "fallback"
            };
            seen.insert("route".to_owned(), json!(route));
        }
        Ok(seen)
    }

    fn expectations(&self) -> &'static [&'static str] {
        &["state", "total", "errors", "late", "route", "events"]
    }
}

/// How a version recovers; `wait` is probing.
fn recovery(config: &Fields<'_>) -> Result<Recovery, Problem> {
    match config.optional("recovery", Fields::text)? {
        None | Some("latch") => return Ok(Recovery::Latch),
        Some("wait") => {}
        Some(other) => return Err(format!("recovery: got `{other}`, expected latch or wait")),
    }
    let millis = |key| {
        Ok::<_, Problem>(
            config
                .optional(key, Fields::number)?
                .map(Duration::from_millis),
        )
    };
    let wait = millis("wait_ms")?.ok_or("wait_ms: is missing")?;
    let mut probing = Probing::after(wait);
    if let Some(longest) = millis("max_wait_ms")? {
        probing = probing.with_longest_wait(longest);
    }
    if let Some(lease) = millis("probe_lease_ms")? {
        probing = probing.with_lease(lease);
    }
    if let Some(probes) = config.optional("probes", Fields::small)? {
        probing = probing.with_probes(probes);
    }
    Ok(probing.into())
}

/// Ends a call. A case is about production: a call that the previous version serves does not count.
fn finish(permit: Permit, outcome: &str, allowed: &[&str]) -> Result<(), Problem> {
    let is_fallback = permit.ticket().role() != Role::Stable;
    match outcome {
        _ if !allowed.contains(&outcome) => {
            return Err(format!(
                "outcome: got `{outcome}`, expected one of {}",
                allowed.join(", ")
            ));
        }
        _ if is_fallback => drop(permit.release()),
        "ok" => drop(permit.answer(Report::new())),
        "err" => drop(permit.fail(FailureKind::ServerError)),
        "ignore" => drop(permit.release()),
        _ => drop(permit),
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn text(error: fusebox::Error) -> Problem {
    error.to_string()
}
