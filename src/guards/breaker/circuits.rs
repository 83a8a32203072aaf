//! The circuits of all versions in one scope: all documents, or those of one type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, Outcome, Role, Ticket, Version};
use crate::event::{BreakerEvent, BreakerMode, EventKind, ProbeFailure, Severity};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::{Timestamp, hours};

use super::by_version::ByVersion;
use super::circuit::{BreakerState, Circuit};
use super::counts::VersionCounts;
use super::evaluation::{End, Evaluation, Shared};
use super::fault::Fault;
use super::generation::Generation;
use super::outage;
use super::recovery::HalfOpen;
use super::rule::{Breach, CountsAs, Rule};

/// The longest `retry-after` that is believed. A probe that comes too early costs a few calls, and
/// its answer says again how long to wait; a mistaken date would hold a version for years.
const LONGEST_RETRY_AFTER: Duration = hours(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Circuits {
    by_version: ByVersion,
    /// Whether a version may be out of service.
    #[serde(skip)]
    pub(super) has_outage: bool,
}

impl Circuits {
    pub(super) fn new() -> Self {
        Self {
            by_version: ByVersion::default(),
            has_outage: false,
        }
    }

    pub(super) fn circuit(&self, version: &str) -> Option<&Circuit> {
        self.by_version.get(version)
    }

    fn circuit_mut(&mut self, version: &str) -> Option<&mut Circuit> {
        self.by_version.get_mut(version)
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
        let line_up = evaluation.cx.line_up();
        let is_live = |known: &VersionId| line_up.role_of(known).is_some();
        let new = || Circuit::new(evaluation.rule, evaluation.shared.generation);
        self.by_version.entry(version, is_live, new)
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
        let probing = circuit.probing(rule);
        match (circuit.half_open_mut(), probing) {
            (Some(half_open), Some(probing)) => half_open.reserve(cx.ticket(), probing, cx.now()),
            _ => circuit.is_in_service(),
        }
    }

    /// Whether a version may serve the call at hand, in service or as a probe.
    pub(super) fn is_served_by(&self, version: &VersionId, cx: &Cx<'_>) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_none_or(|circuit| circuit.is_in_service() || circuit.has_probe(cx.ticket()))
    }

    pub(super) fn is_out(&self, version: &VersionId) -> bool {
        self.by_version.is_out(version)
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
        for (version, circuit) in self.by_version.iter_mut() {
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
        let all_circuit = all_documents.and_then(|all| all.get(version.as_str()));
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
        let is_last = role == Role::Previous || !is_alone && fallback.is_none();
        let fault = self.fault_of(version, &breach, is_last, now, cx);
        let failed_alike = self.blame_provider(fault, version, evaluation);
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return;
        };
        if is_last {
            let probes_at = circuit.take_out(fault, rule, now, generation);
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
                cause: fault.cause(),
                failed_alike,
                probes_at,
            };
            circuit.tripped_with(event.clone());
            self.has_outage = true;
            evaluation.shared.has_changed(cx);
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
        let probes_at = if is_alone {
            circuit.alarm();
            None
        } else {
            circuit.take_out(fault, rule, now, generation)
        };
        let event = BreakerEvent::ErrorRateExceeded {
            version: version.clone(),
            reason: breach.reason,
            errors: breach.part,
            calls: breach.whole,
            threshold: breach.threshold,
            kinds: circuit.kinds(),
            first_failed,
            last_failed,
            fallback,
            cause: fault.cause(),
            failed_alike,
            probes_at,
        };
        circuit.tripped_with(event.clone());
        if !is_alone {
            self.has_outage = true;
            evaluation.shared.has_changed(cx);
        }
        cx.page(
            &outage::failing(version, rule, cx),
            EventKind::Breaker(event),
        );
    }

    /// Whose fault it is that a version breaks a rule: the provider's too if no version is left, as
    /// several prompts rarely break at once.
    fn fault_of(
        &mut self,
        version: &VersionId,
        breach: &Breach,
        is_last: bool,
        now: Timestamp,
        cx: &Cx<'_>,
    ) -> Fault {
        let mut others = self.others_that_share_a_fault(version, now, cx);
        let is_shared = is_last || others.next().is_some();
        drop(others);
        let circuit = self.circuit_mut(version.as_str());
        let fault = circuit.map_or(Fault::Version, |circuit| circuit.fault_of(breach, now));
        match fault {
            Fault::MaybeProvider { since } if is_shared => Fault::Provider { since },
            fault => fault,
        }
    }

    /// Other live versions that are out of service as if the provider failed.
    fn others_that_share_a_fault<'a>(
        &'a mut self,
        version: &'a VersionId,
        now: Timestamp,
        cx: &'a Cx<'_>,
    ) -> impl Iterator<Item = (&'a VersionId, &'a mut Circuit)> {
        let circuits = self.by_version.iter_mut();
        let is_live = |other: &VersionId| cx.line_up().role_of(other).is_some();
        circuits
            .filter(move |(other, circuit)| {
                other != version && is_live(other) && circuit.may_share_fault(now)
            })
            .map(|(other, circuit)| (&*other, circuit))
    }

    /// When the provider is at fault, it is also for the versions that failed alike shortly before;
    /// these versions.
    fn blame_provider(
        &mut self,
        fault: Fault,
        version: &VersionId,
        evaluation: &Evaluation<'_>,
    ) -> Vec<VersionId> {
        let (rule, now) = (evaluation.rule, evaluation.shared.latest);
        if !fault.is_provider() {
            return Vec::new();
        }
        let generation = Generation::beginning(evaluation.cx, now);
        self.others_that_share_a_fault(version, now, evaluation.cx)
            .map(|(other, circuit)| {
                circuit.blame_provider(rule, now, generation);
                other.clone()
            })
            .collect()
    }

    /// Records the end of a probe; whether the call was one.
    fn record_probe(&mut self, end: End<'_>, evaluation: &mut Evaluation<'_>) -> bool {
        let (rule, cx) = (evaluation.rule, evaluation.cx);
        let (ticket, now) = (end.ticket, evaluation.shared.latest);
        let is_another_well = self.has_live_version_in_service(cx);
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(ticket.version().as_str()) else {
            return false;
        };
        let is_enforced = evaluation.shared.mode == BreakerMode::Enforce;
        let Some(probing) = circuit.probing(rule) else {
            return false;
        };
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
                self.recover(&version, rule, evaluation.shared, cx);
            }
            Some(counts_as @ (CountsAs::Failed(_) | CountsAs::AbandonedAsFailure)) => {
                let failure = match counts_as {
                    CountsAs::Failed(failure) => Some(failure),
                    _ => None,
                };
                let kind = EventKind::Breaker(BreakerEvent::ProbesFailed {
                    version,
                    reason: ProbeFailure::CallFailed,
                    failure,
                    next_at: circuit.probe_failed(failure, is_another_well, rule, now, generation),
                });
                report_probes(circuit, kind, ticket.version(), rule, cx);
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
        let stable = cx.line_up().stable().id();
        let is_production_well = !self.is_out(stable) && !evaluation.is_out_for_all(stable);
        for (version, circuit) in self.by_version.iter_mut() {
            let Some(role) = cx.line_up().role_of(version) else {
                continue;
            };
            let all_documents = evaluation.all_documents;
            let all_circuit = all_documents.and_then(|all| all.get(version.as_str()));
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
                let is_exhausted = matches!(event, BreakerEvent::Exhausted { .. });
                if is_exhausted && role == Role::Previous && is_production_well {
                    cx.well(&trouble);
                } else {
                    cx.still(&trouble, || EventKind::Breaker(event.clone()));
                }
            }
        }
    }

    /// Puts production back into service if no version stands behind it any more.
    pub(super) fn serve_alone(&mut self, rule: &Rule, shared: &mut Shared, cx: &Cx<'_>) {
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
        shared.has_changed(cx);
        cx.page(&outage::alone(version, rule, cx), EventKind::Breaker(event));
    }

    /// Starts probes that are due, and fails those whose lease has expired.
    pub(super) fn advance_probes(&mut self, rule: &Rule, shared: &mut Shared, cx: &Cx<'_>) {
        if !self.has_outage {
            return;
        }
        let now = shared.latest;
        let generation = Generation::beginning(cx, now);
        let is_another_well = self.has_live_version_in_service(cx);
        let mut recovered = Vec::new();
        for (version, circuit) in self.by_version.iter_mut() {
            let Some(probing) = circuit.probing(rule) else {
                continue;
            };
            if circuit.half_open(now, generation) {
                let probes = probing.probes;
                let kind = EventKind::Breaker(BreakerEvent::ProbesStarted {
                    version: version.clone(),
                    probes,
                });
                cx.emit(Severity::Info, kind);
            }
            if circuit
                .half_open_mut()
                .is_some_and(|half_open| half_open.has_passed(probing))
            {
                recovered.push(version.clone());
                continue;
            }
            let expired = |half_open: &mut HalfOpen| half_open.has_expired(probing, now);
            if circuit.half_open_mut().is_some_and(expired) {
                let kind = EventKind::Breaker(BreakerEvent::ProbesFailed {
                    version: version.clone(),
                    reason: ProbeFailure::LeaseExpired,
                    failure: None,
                    next_at: circuit.probe_failed(None, is_another_well, rule, now, generation),
                });
                report_probes(circuit, kind, version, rule, cx);
            }
        }
        for version in recovered {
            self.recover(&version, rule, shared, cx);
        }
    }

    /// Closes the circuit of a version whose probes have all succeeded. If production is well again
    /// after a fault of the provider, so is the version behind it, which has no calls of its own to
    /// prove it.
    fn recover(&mut self, version: &VersionId, rule: &Rule, shared: &mut Shared, cx: &Cx<'_>) {
        let now = shared.latest;
        let is_production = version == cx.line_up().stable().id();
        let behind = cx.line_up().previous().map(Version::id);
        let behind = behind.filter(|_| is_production && self.is_out_by_provider(version));
        let behind = behind.filter(|behind| self.is_out_by_provider(behind));
        for recovered in [Some(version), behind].into_iter().flatten() {
            let generation = Generation::beginning(cx, now);
            if let Some(circuit) = self.circuit_mut(recovered.as_str()) {
                circuit.close(rule, generation);
            }
            shared.has_changed(cx);
            outage::end(recovered, rule, cx);
            let kind = EventKind::Breaker(BreakerEvent::Recovered {
                version: recovered.clone(),
                proven_by: (recovered != version).then(|| version.clone()),
            });
            cx.emit(Severity::Info, kind);
        }
    }

    /// Whether a live version is in service, while another one is out.
    fn has_live_version_in_service(&self, cx: &Cx<'_>) -> bool {
        let roles = [Role::Stable, Role::Previous].into_iter();
        let mut live = roles.filter_map(|role| cx.line_up().get(role));
        live.any(|version| !self.is_out(version.id()))
    }

    /// All documents fail by the provider's fault: so does what failed alike in this scope.
    pub(super) fn share_blame(&mut self, rule: &Rule, now: Timestamp, cx: &Cx<'_>) {
        let generation = Generation::beginning(cx, now);
        for (_, circuit) in self.by_version.iter_mut() {
            if circuit.may_share_fault(now) {
                circuit.blame_provider(rule, now, generation);
            }
        }
    }

    pub(super) fn is_out_by_provider(&self, version: &VersionId) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_some_and(Circuit::is_out_by_provider)
    }

    /// Checks whether a version is out of service.
    pub(super) fn update_outage(&mut self) -> bool {
        let mut circuits = self.by_version.iter();
        self.has_outage = circuits.any(|(_, circuit)| !circuit.is_in_service());
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
        for (_, circuit) in self.by_version.iter_mut() {
            *circuit = Circuit::new(rule, Generation::default());
        }
        self.update_outage();
    }

    /// Starts a generation of one version, or of all: calls that are open now are late.
    pub(super) fn begin_generation(&mut self, of: Option<&VersionId>, generation: Generation) {
        for (version, circuit) in self.by_version.iter_mut() {
            if of.is_none_or(|of| of == version) {
                circuit.begin_generation(generation);
            }
        }
    }

    pub(super) fn by_version(&self) -> &ByVersion {
        &self.by_version
    }

    /// The versions of which an incident may be open.
    pub(super) fn versions(&self) -> impl Iterator<Item = &VersionId> {
        self.by_version.versions()
    }

    /// Applies another rule; windows of another shape start empty.
    pub(super) fn adopt(&mut self, rule: &Rule) {
        for (_, circuit) in self.by_version.iter_mut() {
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

/// Reports that probes failed; a page where a version that was to come back by itself no longer does.
fn report_probes(
    circuit: &Circuit,
    failed: EventKind,
    version: &VersionId,
    rule: &Rule,
    cx: &Cx<'_>,
) {
    let is_failing = matches!(
        circuit.outage(),
        Some(BreakerEvent::ErrorRateExceeded { .. })
    );
    if circuit.state() == BreakerState::Latched && is_failing {
        cx.page(&outage::at_fault(version, rule, cx), failed);
    } else {
        cx.emit(Severity::Warning, failed);
    }
}
