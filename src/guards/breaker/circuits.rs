//! The documents that are judged together, all of them or those of one type: which versions are fit to serve them.

use std::time::Duration;

use crate::call::{Destination, Outcome, Role, Ticket, Version};
use crate::event::{BreakerEvent, BreakerMode, EventKind, ProbeFailure, Severity};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::Timestamp;

use super::circuit::{Circuit, VersionCounts};
use super::generation::Generation;
use super::incident::Incidents;
use super::recovery::{HalfOpen, Recovery};
use super::rule::{Breach, Rule, Step};

/// Past so many versions, those that are not live and have nothing against them are forgotten.
const VERSIONS: usize = 8;
/// Past so many, the one that was seen first is, whatever is known of it.
const MOST_VERSIONS: usize = 1_000;

/// What all scopes of a breaker share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mode: BreakerMode,
    /// Calls from before it count for no version.
    pub(super) generation: Generation,
    pub(super) incidents: Incidents,
    pub(super) latest: Timestamp,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) outcome: &'a Outcome,
    /// What it says of its version, if anything.
    pub(super) step: Option<Step>,
    /// How long the API asked to wait.
    pub(super) wait: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Circuits {
    /// Versions are few, and a list of them is small.
    by_version: Vec<(VersionId, Circuit)>,
    /// Whether a version may be out of service.
    pub(super) is_troubled: bool,
}

impl Circuits {
    pub(super) fn new() -> Self {
        Self {
            by_version: Vec::new(),
            is_troubled: false,
        }
    }

    pub(super) fn circuit(&self, version: &VersionId) -> Option<&Circuit> {
        let mut core = self.by_version.iter();
        core.find(|(known, _)| known == version)
            .map(|(_, circuit)| circuit)
    }

    fn circuit_mut(&mut self, version: &VersionId) -> Option<&mut Circuit> {
        let mut core = self.by_version.iter_mut();
        core.find(|(known, _)| known == version)
            .map(|(_, circuit)| circuit)
    }

    pub(super) fn counts(
        &mut self,
        version: &VersionId,
        rule: &Rule,
        latest: Timestamp,
    ) -> VersionCounts {
        let circuit = self.circuit_mut(version);
        circuit.map_or_else(VersionCounts::default, |circuit| {
            circuit.counts(rule, latest)
        })
    }

    /// The line of a version, made if there is none yet.
    fn entry(
        &mut self,
        version: &VersionId,
        rule: &Rule,
        shared: &Shared,
        cx: &Cx<'_>,
    ) -> Option<&mut Circuit> {
        if self.circuit(version).is_none() {
            if self.by_version.len() >= VERSIONS {
                self.by_version.retain(|(known, circuit)| {
                    !circuit.is_in_service() || cx.line_up().role_of(known).is_some()
                });
            }
            if self.by_version.len() >= MOST_VERSIONS {
                self.by_version.remove(0);
            }
            self.by_version.reserve_exact(1);
            let circuit = Circuit::new(rule, shared.generation);
            self.by_version.push((version.clone(), circuit));
        }
        self.circuit_mut(version)
    }

    /// A call was admitted.
    pub(super) fn opened(&mut self, ticket: &Ticket, rule: &Rule, shared: &Shared, cx: &Cx<'_>) {
        self.give_back(ticket, Some(ticket.version()));
        if rule.slow.is_some() {
            let circuit = self.entry(ticket.version(), rule, shared, cx);
            if let Some(circuit) = circuit {
                circuit.opened(ticket);
            }
        }
    }

    /// Whether a version may serve one more call: it takes the call's place if it is only tried.
    pub(super) fn serves(&mut self, version: &VersionId, rule: &Rule, cx: &Cx<'_>) -> bool {
        let Some(circuit) = self.circuit_mut(version) else {
            return true;
        };
        match (circuit.half_open_mut(), &rule.recovery) {
            (Some(half_open), Recovery::Probe(probing)) => {
                half_open.reserve(cx.ticket(), probing, cx.now())
            }
            _ => circuit.is_in_service(),
        }
    }

    /// Whether a version serves the call that is being looked at, in service or on trial.
    pub(super) fn is_served_by(&self, version: &VersionId, cx: &Cx<'_>) -> bool {
        let circuit = self.circuit(version);
        circuit.is_none_or(|circuit| circuit.is_in_service() || circuit.tries(cx.ticket()))
    }

    fn is_out(&self, version: &VersionId) -> bool {
        let circuit = self.circuit(version);
        circuit.is_some_and(|circuit| !circuit.is_in_service())
    }

    /// A call ended. `whole` has all documents, where this has those of one type.
    pub(super) fn settled(
        &mut self,
        end: End<'_>,
        whole: Option<&Self>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) {
        let ticket = end.ticket;
        if rule.slow.is_some() {
            if let Some(circuit) = self.circuit_mut(ticket.version()) {
                circuit.ended(ticket);
            }
        }
        if let Some(wait) = end.wait {
            let at = shared.latest + wait;
            let circuit = self.entry(ticket.version(), rule, shared, cx);
            if let Some(circuit) = circuit {
                circuit.wait_until(at);
            }
        }
        if matches!(end.outcome, Outcome::Diverted(_)) {
            self.give_back(ticket, None);
        }
        let was_probe = self.is_troubled && self.record_probe(end, rule, shared, cx);
        if let Some(step) = end.step.filter(|_| !was_probe) {
            self.record(ticket, step, whole, rule, shared, cx);
        }
    }

    /// Gives back the places that a call took while versions were tried, but for the one that serves it.
    fn give_back(&mut self, ticket: &Ticket, serving: Option<&VersionId>) {
        if !self.is_troubled {
            return;
        }
        for (version, circuit) in &mut self.by_version {
            let half_open = circuit.half_open_mut().filter(|_| serving != Some(version));
            half_open.map(|half_open| half_open.leave(ticket.id()));
        }
    }

    pub(super) fn report_urgent(
        &mut self,
        ticket: &Ticket,
        failure: FailureKind,
        rule: &Rule,
        shared: &Shared,
        cx: &Cx<'_>,
    ) {
        let circuit = self.entry(ticket.version(), rule, shared, cx);
        let quiet = rule.span.length();
        if circuit.is_some_and(|circuit| circuit.is_news(failure, shared.latest, quiet)) {
            let version = ticket.version().clone();
            cx.emit(
                Severity::Page,
                EventKind::Breaker(BreakerEvent::UrgentFailure { version, failure }),
            );
        }
    }

    fn record(
        &mut self,
        ticket: &Ticket,
        step: Step,
        whole: Option<&Self>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) {
        let version = ticket.version();
        let Some(part) = cx.line_up().role_of(version) else {
            return;
        };
        let (now, mode) = (shared.latest, shared.mode);
        let is_enforced = mode == BreakerMode::Enforce;
        let whole_circuit = whole.and_then(|whole| whole.circuit(version));
        let Some(circuit) = self.entry(version, rule, shared, cx) else {
            return;
        };
        let is_out =
            |circuit: &Circuit| circuit.is_late(ticket) || is_enforced && !circuit.is_in_service();
        if is_out(circuit) || whole_circuit.is_some_and(is_out) {
            circuit.count_late();
            return;
        }
        let took = now.since(ticket.admitted_at());
        let is_slow = rule.slow.is_some_and(|slow| took > slow.after);
        circuit.record(ticket.id(), step, is_slow, now);
        let begins = circuit.abandonment_begins(rule, now);
        let is_known = whole_circuit.is_some_and(Circuit::is_abandoned);
        if begins && mode != BreakerMode::Disabled && !is_known {
            let counts = circuit.counts(rule, now);
            let kind = EventKind::Breaker(BreakerEvent::AbandonedRateExceeded {
                version: version.clone(),
                abandoned: counts.abandoned,
                calls: counts.calls + counts.abandoned,
                threshold: rule.threshold,
            });
            cx.emit(Severity::Page, kind);
        }
        let breach = circuit.breach(rule, now);
        match mode {
            BreakerMode::Enforce => {}
            BreakerMode::ObserveOnly => {
                if let (true, Some(breach)) = (circuit.would_trip_first(breach.is_some()), breach) {
                    let version = version.clone();
                    let kind = EventKind::Breaker(BreakerEvent::WouldTrip {
                        version,
                        reason: breach.reason,
                        errors: breach.part,
                        calls: breach.whole,
                        threshold: breach.threshold,
                    });
                    cx.emit(Severity::Warning, kind);
                }
                return;
            }
            BreakerMode::Disabled | BreakerMode::ForcedFallback => return,
        }
        match breach {
            Some(breach) => self.trip(version, part, breach, whole, rule, shared, cx),
            None if circuit.recover() => shared.incidents.is_well(version, now, cx),
            None => {}
        }
    }

    /// A version that serves breaks the rule: it goes out of service if there is one to fall back to, and somebody is told.
    #[allow(
        clippy::too_many_arguments,
        reason = "what breaks the rule, and all that decides on it"
    )]
    fn trip(
        &mut self,
        version: &VersionId,
        part: Role,
        breach: Breach,
        whole: Option<&Self>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) {
        let now = shared.latest;
        let is_out = |version: &VersionId| {
            self.is_out(version) || whole.is_some_and(|whole| whole.is_out(version))
        };
        if part == Role::Previous && !is_out(cx.line_up().stable().id()) {
            return;
        }
        let behind = cx.line_up().fallback_of(part).map(Version::id);
        let fallback = behind.filter(|fallback| !is_out(fallback)).cloned();
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(version) else {
            return;
        };
        if part == Role::Previous || behind.is_some() && fallback.is_none() {
            let stable = Some(cx.line_up().stable().id());
            let incidents = &mut shared.incidents;
            let (incident, severity) = incidents.breaks(version, stable, rule.hold_open, now, cx);
            circuit.take_out(&rule.recovery, now, generation);
            let (first_failed, last_failed) = circuit.failed().unzip();
            let destination = rule.when_exhausted.clone();
            let kind = EventKind::Breaker(BreakerEvent::Exhausted {
                version: version.clone(),
                incident,
                reason: breach.reason,
                errors: breach.part,
                calls: breach.whole,
                threshold: breach.threshold,
                kinds: circuit.kinds(),
                first_failed,
                last_failed,
                destination: destination.unwrap_or(Destination::HumanReview),
            });
            self.is_troubled = true;
            cx.emit(severity, kind);
            return;
        }
        if fallback.is_none() && circuit.is_alarmed() {
            return;
        }
        let incidents = &mut shared.incidents;
        let (incident, severity) = incidents.breaks(version, None, rule.hold_open, now, cx);
        let (first_failed, last_failed) = circuit.failed().unzip();
        let kind = EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            version: version.clone(),
            incident,
            reason: breach.reason,
            errors: breach.part,
            calls: breach.whole,
            threshold: breach.threshold,
            kinds: circuit.kinds(),
            first_failed,
            last_failed,
            fallback: fallback.clone(),
        });
        if fallback.is_some() {
            circuit.take_out(&rule.recovery, now, generation);
            self.is_troubled = true;
        } else {
            circuit.alarm();
        }
        cx.emit(severity, kind);
    }

    /// What the end of a call says of a trial; whether the call belonged to one.
    fn record_probe(
        &mut self,
        end: End<'_>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) -> bool {
        let (ticket, now) = (end.ticket, shared.latest);
        let Recovery::Probe(probing) = &rule.recovery else {
            return false;
        };
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(ticket.version()) else {
            return false;
        };
        let is_enforced = shared.mode == BreakerMode::Enforce;
        let Some(half_open) = circuit.half_open_mut().filter(|_| is_enforced) else {
            return false;
        };
        if !half_open.leave(ticket.id()) {
            return false;
        }
        let version = ticket.version().clone();
        match end.step {
            Some(Step::Answered) if half_open.pass(probing) => {
                circuit.close(rule, generation);
                shared.incidents.is_well(&version, now, cx);
                cx.emit(
                    Severity::Info,
                    EventKind::Breaker(BreakerEvent::Recovered { version }),
                );
            }
            Some(Step::Failed(_) | Step::AbandonedAsFailure) => {
                let kind = EventKind::Breaker(BreakerEvent::ProbesFailed {
                    version,
                    reason: ProbeFailure::CallFailed,
                    next_at: circuit.open(probing, now, generation),
                });
                cx.emit(Severity::Warning, kind);
            }
            _ => {}
        }
        true
    }

    /// Looks for calls that hang: where none ends, nothing else would be seen.
    pub(super) fn look_for_hanging(
        &mut self,
        whole: Option<&Self>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) {
        for part in [Role::Candidate, Role::Stable, Role::Previous] {
            let Some(version) = cx.line_up().get(part).map(Version::id) else {
                continue;
            };
            if whole.is_some_and(|whole| whole.is_out(version)) {
                continue;
            }
            let circuit = self.circuit_mut(version);
            let circuit = circuit.filter(|circuit| circuit.is_in_service());
            if let Some(breach) =
                circuit.and_then(|circuit| circuit.slow_breach(rule, shared.latest))
            {
                self.trip(version, part, breach, whole, rule, shared, cx);
            }
        }
    }

    /// Trials begin, and trials whose calls hang end.
    pub(super) fn let_time_pass(&mut self, rule: &Rule, shared: &Shared, cx: &Cx<'_>) {
        let (Recovery::Probe(probing), true) = (&rule.recovery, self.is_troubled) else {
            return;
        };
        let now = shared.latest;
        let generation = Generation::beginning(cx, now);
        for (version, circuit) in &mut self.by_version {
            let version = || version.clone();
            if circuit.half_open(now, generation) {
                let probes = probing.probes;
                let kind = EventKind::Breaker(BreakerEvent::ProbesStarted {
                    version: version(),
                    probes,
                });
                cx.emit(Severity::Info, kind);
            }
            let expired = |half_open: &mut HalfOpen| half_open.has_expired(probing, now);
            if circuit.half_open_mut().is_some_and(expired) {
                let kind = EventKind::Breaker(BreakerEvent::ProbesFailed {
                    version: version(),
                    reason: ProbeFailure::LeaseExpired,
                    next_at: circuit.open(probing, now, generation),
                });
                cx.emit(Severity::Warning, kind);
            }
        }
    }

    /// Looks again whether a version is out of service.
    pub(super) fn look_for_trouble(&mut self) -> bool {
        self.is_troubled = self
            .by_version
            .iter()
            .any(|(_, circuit)| !circuit.is_in_service());
        self.is_troubled
    }

    /// Puts a version back into service, with an empty window; whether it was known.
    pub(super) fn rearm(
        &mut self,
        version: &VersionId,
        rule: &Rule,
        generation: Generation,
    ) -> bool {
        let circuit = self.circuit_mut(version);
        circuit
            .map(|circuit| *circuit = Circuit::new(rule, generation))
            .is_some()
    }

    /// The same for all.
    pub(super) fn reset(&mut self, rule: &Rule, generation: Generation) {
        for (_, circuit) in &mut self.by_version {
            *circuit = Circuit::new(rule, generation);
        }
    }

    /// Calls that are open now belong to an earlier generation from here on.
    pub(super) fn cut_off(&mut self, generation: Generation) {
        for (_, circuit) in &mut self.by_version {
            circuit.cut_off(generation);
        }
    }

    /// Goes on under another rule; windows of another shape are emptied.
    pub(super) fn adopt(&mut self, rule: &Rule) {
        for (_, circuit) in &mut self.by_version {
            circuit.adopt(rule);
        }
    }

    pub(super) fn stored(&self) -> Vec<(VersionId, Circuit)> {
        self.by_version.clone()
    }

    pub(super) fn restored(core: Vec<(VersionId, Circuit)>, rule: &Rule) -> Self {
        let mut circuits = Self::new();
        circuits.by_version = core;
        circuits.adopt(rule);
        circuits.look_for_trouble();
        circuits
    }
}
