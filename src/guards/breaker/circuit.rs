//! The circuit of one version: its recent calls, and whether it is in service.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::counts::{Health, VersionCounts};
use super::failures::{Failed, Failures};
use super::fault::{self, Fault};
use super::generation::Generation;
use super::in_flight::InFlight;
use super::last_calls::LastCalls;
use super::lost_calls::LostCalls;
use super::recovery::{HalfOpen, Probing, Recovery};
use super::rule::{Breach, CountsAs, Rule};
use crate::call::{Ticket, TicketId};
use crate::event::{BreakerEvent, TripReason};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::stats::Window;
use crate::time::Timestamp;

/// The state of a version's circuit: whether the version is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// In service although too many calls fail: there is no version to fall back to.
    Alarmed,
    /// In service.
    Closed,
    /// Probed with a few calls; the version that it falls back to serves all others.
    #[doc(alias = "half-open")]
    HalfOpen,
    /// Out of service until the operator rearms it.
    Latched,
    /// Out of service until it is probed.
    Open,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alarmed => "alarmed",
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Latched => "latched",
            Self::Open => "open",
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Circuit {
    phase: Phase,
    /// Calls admitted before it are late.
    #[serde(skip)]
    generation: Generation,
    /// Counts of calls, errors, abandoned calls, slow calls and throttled calls.
    window: Window<5>,
    #[serde(default)]
    last_calls: LastCalls,
    /// Open calls; boxed, because most circuits watch none.
    #[serde(skip)]
    in_flight: Option<Box<InFlight>>,
    failures_in_a_row: u32,
    /// Boxed, because a version that is well has none.
    #[serde(default)]
    failures: Option<Box<Failures>>,
    /// Why it is out of service, if it is.
    #[serde(default)]
    fault: Fault,
    /// The number of times it went out of service since it was last in service.
    times_out: u32,
    late: u64,
    #[serde(default)]
    lost_calls: LostCalls,
    /// Whether `WouldTrip` was reported since the version was last healthy.
    would_trip: bool,
    /// What was told when it last tripped.
    #[serde(default)]
    tripped: Option<Box<BreakerEvent>>,
    /// The time until which the API asked to wait.
    retry_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Alarmed,
    Closed,
    HalfOpen(HalfOpen),
    Latched,
    Open { until: Timestamp },
}

impl Circuit {
    pub(super) fn new(rule: &Rule, generation: Generation) -> Self {
        Self {
            phase: Phase::Closed,
            generation,
            window: Window::new(rule.span),
            last_calls: LastCalls::new(rule.last_calls),
            in_flight: None,
            failures_in_a_row: 0,
            failures: None,
            fault: Fault::Version,
            times_out: 0,
            late: 0,
            lost_calls: LostCalls::default(),
            would_trip: false,
            tripped: None,
            retry_at: None,
        }
    }

    /// Applies another rule; a window of another shape starts empty.
    pub(super) fn adopt(&mut self, rule: &Rule) {
        if self.window.span() != rule.span {
            self.window = Window::new(rule.span);
            self.failures = None;
        }
        if !self.last_calls.has_size(rule.last_calls) {
            self.last_calls = LastCalls::new(rule.last_calls);
        }
        if rule.slow.is_none() {
            self.in_flight = None;
        }
        if rule.recovery_from(self.fault) == &Recovery::Latch && !self.is_in_service() {
            self.phase = Phase::Latched;
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Alarmed => BreakerState::Alarmed,
            Phase::Closed => BreakerState::Closed,
            Phase::HalfOpen(_) => BreakerState::HalfOpen,
            Phase::Latched => BreakerState::Latched,
            Phase::Open { .. } => BreakerState::Open,
        }
    }

    /// Whether it serves all calls.
    pub(super) fn is_in_service(&self) -> bool {
        matches!(self.phase, Phase::Alarmed | Phase::Closed)
    }

    pub(super) fn half_open_mut(&mut self) -> Option<&mut HalfOpen> {
        match &mut self.phase {
            Phase::HalfOpen(half_open) => Some(half_open),
            _ => None,
        }
    }

    /// Whether a call is one of the version's probes.
    pub(super) fn has_probe(&self, call: TicketId) -> bool {
        matches!(&self.phase, Phase::HalfOpen(half_open) if half_open.contains(call))
    }

    /// Whether a call was admitted before the last change of state.
    pub(super) fn is_late(&self, ticket: &Ticket) -> bool {
        self.generation.is_after(ticket)
    }

    pub(super) fn counts(&mut self, rule: &Rule, now: Timestamp) -> VersionCounts {
        let [calls, errors, abandoned, slow, throttled] = self.window.total(now);
        let health = if calls < rule.min_calls {
            Health::InsufficientData
        } else if rule.is_exceeded_by(errors, calls) {
            Health::Failing
        } else {
            Health::Healthy
        };
        VersionCounts {
            calls,
            errors,
            abandoned,
            throttled,
            slow,
            late: self.late,
            health,
        }
    }

    /// The failures that broke a rule: those in the window, or those of a row that is longer than
    /// what of it is in the window.
    pub(super) fn failed(&mut self, breach: &Breach, now: Timestamp) -> Failed {
        let [_, errors, ..] = self.window.total(now);
        let is_row = breach.reason == TripReason::ConsecutiveFailures && breach.part > errors;
        let shown = self.window.shown(now);
        match self.failures.as_deref_mut() {
            Some(failures) if is_row => failures.in_a_row(),
            Some(failures) => failures.in_window(&shown),
            None => Failed::default(),
        }
    }

    /// The API asked to wait: no probe begins before that.
    pub(super) fn wait_until(&mut self, at: Timestamp) {
        self.retry_at = self.retry_at.max(Some(at));
        if let Phase::Open { until } = &mut self.phase {
            *until = at.max(*until);
        }
    }

    /// The time until which the API asked to wait, if it is still to come.
    pub(super) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.retry_at.filter(|at| *at > now)
    }

    pub(super) fn count_late(&mut self) {
        self.late += 1;
    }

    pub(super) fn record(
        &mut self,
        ticket: TicketId,
        counts_as: CountsAs,
        is_slow: bool,
        now: Timestamp,
    ) {
        let slow = u64::from(is_slow);
        match counts_as {
            CountsAs::Answered => {
                self.failures_in_a_row = 0;
                if let Some(failures) = self.failures.as_deref_mut() {
                    failures.end_row();
                }
                self.window.add(now, [1, 0, 0, slow, 0]);
                self.last_calls.add(false);
            }
            CountsAs::Failed(kind) => {
                self.forget_old_failures(now);
                let shown = self.window.shown(now);
                let failures = self.failures.get_or_insert_default();
                failures.add(ticket, kind, &shown);
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.window.add(now, [1, 1, 0, slow, 0]);
                self.last_calls.add(true);
            }
            CountsAs::Abandoned => self.window.add(now, [0, 0, 1, 0, 0]),
            CountsAs::Throttled => self.window.add(now, [0, 0, 0, 0, 1]),
            CountsAs::AbandonedAsFailure => {
                self.forget_old_failures(now);
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.window.add(now, [1, 1, 1, slow, 0]);
                self.last_calls.add(true);
            }
        }
    }

    /// Without a failure in the window, what failed before is another matter.
    fn forget_old_failures(&mut self, now: Timestamp) {
        let [_, errors, ..] = self.window.total(now);
        if errors == 0 {
            self.failures = None;
            self.failures_in_a_row = 0;
        }
    }

    /// Whose fault it is that its calls break a rule.
    pub(super) fn fault_of(&mut self, breach: &Breach, now: Timestamp) -> Fault {
        let [_, in_window, ..] = self.window.total(now);
        let errors = match breach.reason {
            TripReason::ConsecutiveFailures => breach.part,
            _ => in_window,
        };
        fault::of(breach.reason, &self.failed(breach, now).kinds, errors, now)
    }

    /// When and how it is probed while it is out of service, if it is.
    pub(super) fn probing<'r>(&self, rule: &'r Rule) -> Option<&'r Probing> {
        match rule.recovery_from(self.fault) {
            Recovery::Latch => None,
            Recovery::Probe(probing) => Some(probing),
        }
    }

    pub(super) fn is_out_by_provider(&self) -> bool {
        !self.is_in_service() && self.fault.is_provider()
    }

    /// Whether it is out of service, for a fault that is the provider's, or is if a second version
    /// fails alike now.
    pub(super) fn may_share_fault(&self, now: Timestamp) -> bool {
        !self.is_in_service() && self.fault.is_like_an_outage_now(self.window.span(), now)
    }

    /// The rule that its calls break, if any.
    pub(super) fn breach(&mut self, rule: &Rule, now: Timestamp) -> Option<Breach> {
        let [calls, errors, ..] = self.window.total(now);
        let is_sparse = calls < rule.min_calls;
        let limit = rule.consecutive_failures;
        let row = u64::from(self.failures_in_a_row);
        let (reason, part, whole) = if rule.is_exceeded_by(errors, calls) {
            (TripReason::ErrorRate, errors, calls)
        } else if is_sparse && limit.is_some_and(|limit| row >= u64::from(limit)) {
            // A slow row is longer than what of it is in the window.
            let (part, whole) = (errors.max(row), calls.max(row));
            (TripReason::ConsecutiveFailures, part, whole)
        } else {
            let last_calls = self.last_calls.full().filter(|_| is_sparse);
            match last_calls.filter(|(errors, calls)| rule.is_above_threshold(*errors, *calls)) {
                Some((errors, calls)) => (TripReason::LastCalls, errors, calls),
                None => return self.slow_breach(rule, now),
            }
        };
        Some(Breach {
            reason,
            part,
            whole,
            threshold: rule.threshold,
        })
    }

    /// The breach of the rule on slow calls, open calls included, if any.
    pub(super) fn slow_breach(&mut self, rule: &Rule, now: Timestamp) -> Option<Breach> {
        let slow = rule.slow?;
        let [calls, _, _, slow_calls, _] = self.window.total(now);
        let in_flight = self.in_flight.as_ref();
        let hanging = in_flight.map_or(0, |open| open.older_than(slow.after, now));
        let (part, whole) = (slow_calls + hanging, calls + hanging);
        let is_broken = if whole < rule.min_calls {
            let limit = rule.consecutive_failures;
            limit.is_some_and(|limit| hanging >= u64::from(limit))
        } else {
            slow.threshold.is_exceeded_by(part, whole)
        };
        is_broken.then_some(Breach {
            reason: TripReason::SlowCalls,
            part,
            whole,
            threshold: slow.threshold,
        })
    }

    pub(super) fn opened(&mut self, ticket: &Ticket) {
        if !self.is_late(ticket) {
            self.in_flight.get_or_insert_default().begin(ticket);
        }
    }

    pub(super) fn ended(&mut self, ticket: &Ticket) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.end(ticket.id());
        }
    }

    /// Whether it is in service and has lost no calls: time alone changes nothing that a tick would
    /// say of it.
    pub(super) fn is_quiet(&self) -> bool {
        let [_, _, abandoned, _, throttled] = self.window.latest_total();
        let has_lost_calls = abandoned + throttled > 0 || self.lost_calls.is_too_large();
        matches!(self.phase, Phase::Closed) && !has_lost_calls
    }

    /// Updates which rates of lost calls are too large; whether one of them has just become so.
    pub(super) fn update_lost_calls(&mut self, rule: &Rule, now: Timestamp) -> bool {
        let [_, _, abandoned, _, throttled] = self.window.total(now);
        if abandoned + throttled == 0 && !self.lost_calls.is_too_large() {
            return false;
        }
        let counts = self.counts(rule, now);
        self.lost_calls.update(&counts, rule)
    }

    /// Says which rates of lost calls are too large, where the circuit of all documents does not say
    /// it already.
    pub(super) fn report_lost_calls(
        &self,
        version: &VersionId,
        all_documents: Option<&Self>,
        counts: &VersionCounts,
        rule: &Rule,
        cx: &Cx<'_>,
    ) {
        let known = all_documents.map(|all| all.lost_calls).unwrap_or_default();
        self.lost_calls.report(version, counts, rule, known, cx);
    }

    /// Remembers what is told of a trip.
    pub(super) fn tripped_with(&mut self, event: BreakerEvent) {
        self.tripped = Some(Box::new(event));
    }

    /// What was told, while it is out of service or alarmed.
    pub(super) fn outage(&self) -> Option<&BreakerEvent> {
        let tripped = self.tripped.as_deref();
        tripped.filter(|_| !matches!(self.phase, Phase::Closed))
    }

    /// Whether to report `WouldTrip`: once, until the version is healthy again.
    pub(super) fn would_trip_first(&mut self, is_broken: bool) -> bool {
        let first = is_broken && !self.would_trip;
        self.would_trip = is_broken;
        first
    }

    /// Takes it out of service, until the operator rearms it or until it is probed; returns the time
    /// of the probes.
    pub(super) fn take_out(
        &mut self,
        fault: Fault,
        rule: &Rule,
        now: Timestamp,
        generation: Generation,
    ) -> Option<Timestamp> {
        self.fault = fault;
        match rule.recovery_from(fault) {
            Recovery::Latch => {
                self.generation = generation;
                self.phase = Phase::Latched;
                None
            }
            Recovery::Probe(probing) => Some(self.open(probing, now, generation)),
        }
    }

    /// Another version failed alike, so it is the provider's fault: a latched version is probed as
    /// well.
    pub(super) fn blame_provider(&mut self, rule: &Rule, now: Timestamp, generation: Generation) {
        self.fault = Fault::Provider { since: now };
        match (&rule.provider_recovery, &self.phase) {
            (Recovery::Probe(probing), Phase::Latched) => {
                self.open(probing, now, generation);
            }
            (Recovery::Probe(_), _) => {}
            (Recovery::Latch, _) => self.phase = Phase::Latched,
        }
        self.retell();
    }

    /// A probe failed; returns the time of the next probes, or `None` if the operator must rearm the
    /// version.
    pub(super) fn probe_failed(
        &mut self,
        failed_with: Option<FailureKind>,
        is_another_well: bool,
        rule: &Rule,
        now: Timestamp,
        generation: Generation,
    ) -> Option<Timestamp> {
        let fault = self.fault;
        let fault = fault.after_probe(failed_with, self.times_out, is_another_well, now);
        let next_at = self.take_out(fault, rule, now, generation);
        self.retell();
        next_at
    }

    /// Keeps what was told of the trip true: whose fault it is, and when the version is probed.
    fn retell(&mut self) {
        let (now, at) = match self.phase {
            Phase::Open { until } => (self.fault.cause(), Some(until)),
            _ => (self.fault.cause(), None),
        };
        if let Some(
            BreakerEvent::ErrorRateExceeded {
                cause, probes_at, ..
            }
            | BreakerEvent::Exhausted {
                cause, probes_at, ..
            },
        ) = self.tripped.as_deref_mut()
        {
            (*cause, *probes_at) = (now, at);
        }
    }

    /// Takes it out of service; returns the time at which it will be probed.
    pub(super) fn open(
        &mut self,
        probing: &Probing,
        now: Timestamp,
        generation: Generation,
    ) -> Timestamp {
        self.times_out = self.times_out.saturating_add(1);
        let until = (now + probing.wait(self.times_out)).max(self.retry_at.unwrap_or(now));
        self.generation = generation;
        self.phase = Phase::Open { until };
        until
    }

    /// Becomes half-open if the wait is over; whether it has.
    pub(super) fn half_open(&mut self, now: Timestamp, generation: Generation) -> bool {
        let is_due = matches!(self.phase, Phase::Open { until } if now >= until);
        if is_due {
            self.generation = generation;
            self.phase = Phase::HalfOpen(HalfOpen::default());
        }
        is_due
    }

    /// Puts it back into service after successful probes, with an empty window.
    pub(super) fn close(&mut self, rule: &Rule, generation: Generation) {
        let fresh = Self::new(rule, generation);
        *self = Self {
            late: self.late,
            ..fresh
        };
    }

    pub(super) fn is_alarmed(&self) -> bool {
        matches!(self.phase, Phase::Alarmed)
    }

    pub(super) fn alarm(&mut self) {
        self.phase = Phase::Alarmed;
    }

    /// Puts it back into service although it fails; calls that are open now are late.
    pub(super) fn serve_alone(&mut self, event: BreakerEvent, generation: Generation) {
        self.begin_generation(generation);
        self.tripped_with(event);
        self.alarm();
    }

    /// Ends an alarm; whether there was one.
    pub(super) fn end_alarm(&mut self) -> bool {
        let was_alarmed = self.is_alarmed();
        if was_alarmed {
            self.phase = Phase::Closed;
        }
        was_alarmed
    }

    /// Starts a generation: calls that are open now are late.
    pub(super) fn begin_generation(&mut self, generation: Generation) {
        self.generation = generation;
        self.in_flight = None;
    }
}
