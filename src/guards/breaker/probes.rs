//! Probes of versions that are out of service: when they begin, and what their ends lead to.

use crate::call::{Role, Ticket, Version};
use crate::event::{BreakerEvent, BreakerMode, EventKind, ProbeFailure, Severity};
use crate::guard::Cx;
use crate::name::VersionId;

use super::circuit::{BreakerState, Circuit};
use super::circuits::Circuits;
use super::evaluation::{End, Evaluation, Shared};
use super::generation::Generation;
use super::outage;
use super::recovery::HalfOpen;
use super::rule::{CountsAs, Rule};

impl Circuits {
    /// Frees the probe slots that a call reserved, except that of the version that serves it.
    pub(super) fn release_probes(&mut self, ticket: &Ticket, serving: Option<&VersionId>) {
        if !self.has_outage {
            return;
        }
        for (version, circuit) in self.by_version.iter_mut() {
            let half_open = circuit.half_open_mut().filter(|_| serving != Some(version));
            half_open.map(|half_open| half_open.release(ticket.id()));
        }
    }

    /// Records the end of a probe; whether the call was one.
    pub(super) fn record_probe(&mut self, end: End<'_>, evaluation: &mut Evaluation<'_>) -> bool {
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
