//! The circuits of all versions in one scope: all documents, or those of one type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, Outcome, Role, Ticket, Version};
use crate::event::{BreakerEvent, BreakerMode, EventKind, ProbeFailure, Severity};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::{Timestamp, hours};

use super::circuit::Circuit;
use super::counts::VersionCounts;
use super::generation::Generation;
use super::outage;
use super::recovery::{HalfOpen, Recovery};
use super::rule::{Breach, CountsAs, Rule};

/// Above this number, circuits that are in service and whose version is not live are dropped.
const VERSIONS: usize = 8;
/// Hard limit: above it, the oldest circuit is dropped, in service or not.
const MOST_VERSIONS: usize = 1_000;
/// The longest `retry-after` that is believed. A probe that comes too early costs a few calls, and
/// its answer says again how long to wait; a mistaken date would hold a version for years.
const LONGEST_RETRY_AFTER: Duration = hours(1);

/// What the circuits of all scopes share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mode: BreakerMode,
    /// Calls admitted before it are late for every version.
    pub(super) generation: Generation,
    pub(super) latest: Timestamp,
}

/// What circuits are evaluated with: the rule, the shared state, and the context of the call or
/// tick.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    rule: &'a Rule,
    shared: &'a mut Shared,
    /// The circuits of all documents, when those of one type are evaluated.
    all_documents: Option<&'a Circuits>,
    cx: &'a Cx<'a>,
}

impl<'a> Evaluation<'a> {
    /// The evaluation of all documents.
    pub(super) fn new(rule: &'a Rule, shared: &'a mut Shared, cx: &'a Cx<'a>) -> Self {
        Self {
            rule,
            shared,
            all_documents: None,
            cx,
        }
    }

    /// The evaluation of one type, whose events `cx` limits to the type.
    pub(super) fn of_type<'b>(
        &'b mut self,
        all_documents: &'b Circuits,
        cx: &'b Cx<'b>,
    ) -> Evaluation<'b> {
        Evaluation {
            rule: self.rule,
            shared: self.shared,
            all_documents: Some(all_documents),
            cx,
        }
    }

    fn is_out_for_all(&self, version: &VersionId) -> bool {
        let all_documents = self.all_documents;
        all_documents.is_some_and(|all| all.is_out(version))
    }
}

/// A call that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) outcome: &'a Outcome,
    /// What the call counts as for its version; `None` when it does not count.
    pub(super) counts_as: Option<CountsAs>,
    /// How long the API asked to wait.
    pub(super) wait: Option<Duration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Circuits {
    /// A list: it is small, and versions are few.
    by_version: Vec<(VersionId, Circuit)>,
    /// Whether a version may be out of service.
    #[serde(skip)]
    pub(super) has_outage: bool,
}

impl Circuits {
    pub(super) fn new() -> Self {
        Self {
            by_version: Vec::new(),
            has_outage: false,
        }
    }

    pub(super) fn circuit(&self, version: &str) -> Option<&Circuit> {
        let mut circuits = self.by_version.iter();
        circuits
            .find(|(known, _)| known == version)
            .map(|(_, circuit)| circuit)
    }

    fn circuit_mut(&mut self, version: &str) -> Option<&mut Circuit> {
        let mut circuits = self.by_version.iter_mut();
        circuits
            .find(|(known, _)| known == version)
            .map(|(_, circuit)| circuit)
    }

    pub(super) fn counts(
        &mut self,
        version: &str,
        rule: &Rule,
        latest: Timestamp,
    ) -> VersionCounts {
        let circuit = self.circuit_mut(version);
        circuit.map_or_else(VersionCounts::default, |circuit| {
            circuit.counts(rule, latest)
        })
    }

    /// The circuit of a version, created if there is none.
    fn entry(&mut self, version: &VersionId, evaluation: &Evaluation<'_>) -> Option<&mut Circuit> {
        if self.circuit(version.as_str()).is_none() {
            if self.by_version.len() >= VERSIONS {
                self.by_version.retain(|(known, circuit)| {
                    !circuit.is_in_service() || evaluation.cx.line_up().role_of(known).is_some()
                });
            }
            if self.by_version.len() >= MOST_VERSIONS {
                self.by_version.remove(0);
            }
            self.by_version.reserve_exact(1);
            let circuit = Circuit::new(evaluation.rule, evaluation.shared.generation);
            self.by_version.push((version.clone(), circuit));
        }
        self.circuit_mut(version.as_str())
    }

    pub(super) fn opened(&mut self, ticket: &Ticket, evaluation: &Evaluation<'_>) {
        self.release_probes(ticket, Some(ticket.version()));
        if evaluation.rule.slow.is_some() {
            if let Some(circuit) = self.entry(ticket.version(), evaluation) {
                circuit.opened(ticket);
            }
        }
    }

    /// Whether a version may serve the call at hand; if it is half-open, the call becomes a probe.
    pub(super) fn serves(&mut self, version: &VersionId, rule: &Rule, cx: &Cx<'_>) -> bool {
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return true;
        };
        match (circuit.half_open_mut(), &rule.recovery) {
            (Some(half_open), Recovery::Probe(probing)) => {
                half_open.reserve(cx.ticket(), probing, cx.now())
            }
            _ => circuit.is_in_service(),
        }
    }

    /// Whether a version may serve the call at hand, in service or as a probe.
    pub(super) fn is_served_by(&self, version: &VersionId, cx: &Cx<'_>) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_none_or(|circuit| circuit.is_in_service() || circuit.has_probe(cx.ticket()))
    }

    pub(super) fn is_out(&self, version: &VersionId) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_some_and(|circuit| !circuit.is_in_service())
    }

    pub(super) fn settled(&mut self, end: End<'_>, evaluation: &mut Evaluation<'_>) {
        let ticket = end.ticket;
        if evaluation.rule.slow.is_some() {
            if let Some(circuit) = self.circuit_mut(ticket.version().as_str()) {
                circuit.ended(ticket);
            }
        }
        if let Some(wait) = end.wait {
            let at = evaluation.shared.latest + wait.min(LONGEST_RETRY_AFTER);
            if let Some(circuit) = self.entry(ticket.version(), evaluation) {
                circuit.wait_until(at);
            }
        }
        if matches!(end.outcome, Outcome::Diverted(_)) {
            self.release_probes(ticket, None);
        }
        let was_probe = self.has_outage && self.record_probe(end, evaluation);
        if let Some(counts_as) = end.counts_as.filter(|_| !was_probe) {
            self.record(ticket, counts_as, evaluation);
        }
    }

    /// Frees the probe slots that a call reserved, except that of the version that serves it.
    fn release_probes(&mut self, ticket: &Ticket, serving: Option<&VersionId>) {
        if !self.has_outage {
            return;
        }
        for (version, circuit) in &mut self.by_version {
            let half_open = circuit.half_open_mut().filter(|_| serving != Some(version));
            half_open.map(|half_open| half_open.release(ticket.id()));
        }
    }

    /// Reports a failure that no version can cure.
    pub(super) fn report_urgent(
        ticket: &Ticket,
        failure: FailureKind,
        evaluation: &Evaluation<'_>,
    ) {
        if evaluation.shared.mode == BreakerMode::Disabled {
            return;
        }
        let version = ticket.version();
        evaluation.cx.still(&outage::urgent(version, failure), || {
            EventKind::Breaker(BreakerEvent::UrgentFailure {
                version: version.clone(),
                failure,
            })
        });
    }

    fn record(&mut self, ticket: &Ticket, counts_as: CountsAs, evaluation: &mut Evaluation<'_>) {
        let (rule, cx) = (evaluation.rule, evaluation.cx);
        let version = ticket.version();
        let Some(role) = cx.line_up().role_of(version) else {
            return;
        };
        let (now, mode) = (evaluation.shared.latest, evaluation.shared.mode);
        let is_enforced = mode == BreakerMode::Enforce;
        let all_documents = evaluation.all_documents;
        let is_throttled = matches!(counts_as, CountsAs::Throttled);
        if is_throttled && all_documents.is_some() {
            return;
        }
        let all_circuit = all_documents.and_then(|all| all.circuit(version.as_str()));
        let Some(circuit) = self.entry(version, evaluation) else {
            return;
        };
        let is_out =
            |circuit: &Circuit| circuit.is_late(ticket) || is_enforced && !circuit.is_in_service();
        if is_out(circuit) || all_circuit.is_some_and(is_out) {
            if !is_throttled {
                circuit.count_late();
            }
            return;
        }
        let took = now.since(ticket.admitted_at());
        let is_slow = rule.slow.is_some_and(|slow| took > slow.after);
        circuit.record(ticket.id(), counts_as, is_slow, now);
        if circuit.update_lost_calls(rule, now) && mode != BreakerMode::Disabled {
            let counts = circuit.counts(rule, now);
            circuit.report_lost_calls(version, all_circuit, &counts, rule, cx);
        }
        if counts_as.is_lost() {
            return;
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
            Some(breach) => self.trip(version, role, breach, evaluation),
            None if circuit.end_alarm() => {
                outage::end(version, rule, cx);
            }
            None => {}
        }
    }

    /// Acts on a broken rule: takes the version out of service if another can take over, and
    /// reports.
    fn trip(
        &mut self,
        version: &VersionId,
        role: Role,
        breach: Breach,
        evaluation: &mut Evaluation<'_>,
    ) {
        let (rule, cx, now) = (evaluation.rule, evaluation.cx, evaluation.shared.latest);
        let is_out =
            |version: &VersionId| self.is_out(version) || evaluation.is_out_for_all(version);
        if role == Role::Previous && !is_out(cx.line_up().stable().id()) {
            return;
        }
        // Behind a candidate stands production, or whoever serves instead of it.
        let previous = cx.line_up().previous();
        let behind = [
            cx.line_up().fallback_of(role),
            previous.filter(|_| role == Role::Candidate),
        ];
        let mut declared = behind.into_iter().flatten().map(Version::id).peekable();
        let is_alone = declared.peek().is_none();
        let fallback = declared.find(|fallback| !is_out(fallback)).cloned();
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return;
        };
        if role == Role::Previous || !is_alone && fallback.is_none() {
            circuit.take_out(&rule.recovery, now, generation);
            let (first_failed, last_failed) = circuit.failed().unzip();
            let destination = rule.when_exhausted.clone();
            let event = BreakerEvent::Exhausted {
                version: version.clone(),
                reason: breach.reason,
                errors: breach.part,
                calls: breach.whole,
                threshold: breach.threshold,
                kinds: circuit.kinds(),
                first_failed,
                last_failed,
                destination: destination.unwrap_or(Destination::HumanReview),
            };
            circuit.tripped_with(event.clone());
            self.has_outage = true;
            cx.page(
                &outage::exhausted(version, role, rule, cx),
                EventKind::Breaker(event),
            );
            return;
        }
        if fallback.is_none() && circuit.is_alarmed() {
            return;
        }
        let (first_failed, last_failed) = circuit.failed().unzip();
        let event = BreakerEvent::ErrorRateExceeded {
            version: version.clone(),
            reason: breach.reason,
            errors: breach.part,
            calls: breach.whole,
            threshold: breach.threshold,
            kinds: circuit.kinds(),
            first_failed,
            last_failed,
            fallback: fallback.clone(),
        };
        circuit.tripped_with(event.clone());
        if fallback.is_some() {
            circuit.take_out(&rule.recovery, now, generation);
            self.has_outage = true;
        } else {
            circuit.alarm();
        }
        cx.page(
            &outage::failing(version, rule, cx),
            EventKind::Breaker(event),
        );
    }

    /// Records the end of a probe; whether the call was one.
    fn record_probe(&mut self, end: End<'_>, evaluation: &mut Evaluation<'_>) -> bool {
        let (rule, cx) = (evaluation.rule, evaluation.cx);
        let (ticket, now) = (end.ticket, evaluation.shared.latest);
        let Recovery::Probe(probing) = &rule.recovery else {
            return false;
        };
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(ticket.version().as_str()) else {
            return false;
        };
        let is_enforced = evaluation.shared.mode == BreakerMode::Enforce;
        let Some(half_open) = circuit.half_open_mut() else {
            return false;
        };
        // In another mode a probe ends like any other call.
        if !half_open.release(ticket.id()) || !is_enforced {
            return false;
        }
        let version = ticket.version().clone();
        match end.counts_as {
            Some(CountsAs::Answered) if half_open.pass(probing) => {
                recover(circuit, version, rule, generation, cx);
            }
            Some(CountsAs::Failed(_) | CountsAs::AbandonedAsFailure) => {
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

    /// Trips versions whose calls hang: when no call ends, nothing else evaluates them.
    pub(super) fn check_hanging_calls(&mut self, evaluation: &mut Evaluation<'_>) {
        let (rule, cx, now) = (evaluation.rule, evaluation.cx, evaluation.shared.latest);
        for role in [Role::Candidate, Role::Stable, Role::Previous] {
            let Some(version) = cx.line_up().get(role).map(Version::id) else {
                continue;
            };
            if evaluation.is_out_for_all(version) {
                continue;
            }
            let circuit = self.circuit_mut(version.as_str());
            let circuit = circuit.filter(|circuit| circuit.is_in_service());
            if let Some(breach) = circuit.and_then(|circuit| circuit.slow_breach(rule, now)) {
                self.trip(version, role, breach, evaluation);
            }
        }
    }

    /// Whether [`report_outages`](Self::report_outages) has nothing to update or to say.
    pub(super) fn is_quiet(&self) -> bool {
        let mut circuits = self.by_version.iter();
        circuits.all(|(_, circuit)| circuit.is_quiet())
    }

    /// Says what goes on: versions that are out of service or alarmed, and abandoned calls.
    pub(super) fn report_outages(&mut self, evaluation: &Evaluation<'_>) {
        let (rule, cx, now) = (evaluation.rule, evaluation.cx, evaluation.shared.latest);
        let is_enforced = matches!(
            evaluation.shared.mode,
            BreakerMode::Enforce | BreakerMode::ForcedFallback
        );
        for (version, circuit) in &mut self.by_version {
            let Some(role) = cx.line_up().role_of(version) else {
                continue;
            };
            let all_documents = evaluation.all_documents;
            let all_circuit = all_documents.and_then(|all| all.circuit(version.as_str()));
            circuit.update_lost_calls(rule, now);
            let counts = circuit.counts(rule, now);
            if evaluation.shared.mode != BreakerMode::Disabled {
                circuit.report_lost_calls(version, all_circuit, &counts, rule, cx);
            }
            // An alarm says that a version serves although it fails; another one serves now.
            if role != Role::Stable && circuit.is_alarmed() {
                let is_over = counts.calls == 0 || circuit.breach(rule, now).is_none();
                is_over.then(|| circuit.end_alarm());
            }
            if let Some(event) = circuit.outage().filter(|_| is_enforced) {
                let trouble = match event {
                    BreakerEvent::Exhausted { .. } => outage::exhausted(version, role, rule, cx),
                    BreakerEvent::FallbackMissing { .. } => outage::alone(version, rule, cx),
                    _ => outage::failing(version, rule, cx),
                };
                cx.still(&trouble, || EventKind::Breaker(event.clone()));
            }
        }
    }

    /// Puts production back into service if no version stands behind it any more.
    pub(super) fn serve_alone(&mut self, rule: &Rule, shared: &Shared, cx: &Cx<'_>) {
        if !self.has_outage || cx.line_up().previous().is_some() {
            return;
        }
        let version = cx.line_up().stable().id();
        let circuit = self.circuit_mut(version.as_str());
        let Some(circuit) = circuit.filter(|circuit| !circuit.is_in_service()) else {
            return;
        };
        let event = BreakerEvent::FallbackMissing {
            version: version.clone(),
        };
        circuit.serve_alone(event.clone(), Generation::beginning(cx, shared.latest));
        cx.page(&outage::alone(version, rule, cx), EventKind::Breaker(event));
    }

    /// Starts probes that are due, and fails those whose lease has expired.
    pub(super) fn advance_probes(&mut self, rule: &Rule, shared: &Shared, cx: &Cx<'_>) {
        let (Recovery::Probe(probing), true) = (&rule.recovery, self.has_outage) else {
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
            if circuit
                .half_open_mut()
                .is_some_and(|half_open| half_open.has_passed(probing))
            {
                recover(circuit, version(), rule, generation, cx);
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

    /// Checks whether a version is out of service.
    pub(super) fn update_outage(&mut self) -> bool {
        self.has_outage = self
            .by_version
            .iter()
            .any(|(_, circuit)| !circuit.is_in_service());
        self.has_outage
    }

    /// Puts a version back into service, with an empty window; whether it has a circuit.
    pub(super) fn rearm(&mut self, version: &VersionId, rule: &Rule) -> bool {
        let circuit = self.circuit_mut(version.as_str());
        let is_known = circuit
            .map(|circuit| *circuit = Circuit::new(rule, Generation::default()))
            .is_some();
        self.update_outage();
        is_known
    }

    /// Puts all versions back into service, with empty windows.
    pub(super) fn reset(&mut self, rule: &Rule) {
        for (_, circuit) in &mut self.by_version {
            *circuit = Circuit::new(rule, Generation::default());
        }
        self.update_outage();
    }

    /// Starts a generation of one version, or of all: calls that are open now are late.
    pub(super) fn begin_generation(&mut self, of: Option<&VersionId>, generation: Generation) {
        for (version, circuit) in &mut self.by_version {
            if of.is_none_or(|of| of == version) {
                circuit.begin_generation(generation);
            }
        }
    }

    /// The versions of which an incident may be open.
    pub(super) fn versions(&self) -> impl Iterator<Item = &VersionId> {
        self.by_version.iter().map(|(version, _)| version)
    }

    /// Applies another rule; windows of another shape start empty.
    pub(super) fn adopt(&mut self, rule: &Rule) {
        for (_, circuit) in &mut self.by_version {
            circuit.adopt(rule);
        }
    }

    /// Applies the rule to circuits that were stored.
    pub(super) fn restored(mut self, rule: &Rule) -> Self {
        self.adopt(rule);
        self.update_outage();
        self
    }
}

/// Closes the circuit of a version whose probes have all succeeded.
fn recover(
    circuit: &mut Circuit,
    version: VersionId,
    rule: &Rule,
    generation: Generation,
    cx: &Cx<'_>,
) {
    circuit.close(rule, generation);
    outage::end(&version, rule, cx);
    let kind = EventKind::Breaker(BreakerEvent::Recovered { version });
    cx.emit(Severity::Info, kind);
}
