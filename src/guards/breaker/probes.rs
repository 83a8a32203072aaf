//! Probes of versions that are out of service: when they begin, and what their ends lead to.

use crate::call::{Role, Ticket, Version};
use crate::event::{BreakerEvent, BreakerMode, EventKind, ProbeFailure, Severity};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;

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

    /// Records the end of a probe; whether the call was one. In another mode than to enforce, a
    /// probe ends like any other call.
    pub(super) fn record_probe(&mut self, end: End<'_>, evaluation: &mut Evaluation<'_>) -> bool {
        let (rule, cx) = (evaluation.rule, evaluation.cx);
        let (call, version) = (end.ticket.id(), end.ticket.version());
        let half_open = self.half_open_mut(version);
        let was_probe = half_open.is_some_and(|half_open| half_open.release(call));
        if !was_probe || evaluation.shared.mode != BreakerMode::Enforce {
            return false;
        }
        let failed = |failure| (ProbeFailure::CallFailed, failure);
        match end.counts_as {
            Some(CountsAs::Answered) if self.passes(version, rule) => {
                self.recover(version, None, rule, evaluation.shared, cx);
            }
            Some(CountsAs::Failed(kind)) => {
                self.fail_probes(version, failed(Some(kind)), rule, evaluation.shared, cx);
            }
            Some(CountsAs::AbandonedAsFailure) => {
                self.fail_probes(version, failed(None), rule, evaluation.shared, cx);
            }
            _ => {}
        }
        true
    }

    /// Production answered a call. If the version behind it is half-open because of the provider,
    /// this counts as one of its probes, as no call reaches it.
    pub(super) fn prove_fallback(&mut self, ticket: &Ticket, evaluation: &mut Evaluation<'_>) {
        let (rule, cx) = (evaluation.rule, evaluation.cx);
        let stable = cx.line_up().stable().id();
        let Some(behind) = cx.line_up().previous().map(Version::id) else {
            return;
        };
        let is_proof = ticket.version() == stable
            && !self.is_out(stable)
            && evaluation.shared.mode == BreakerMode::Enforce
            && self.is_out_by_provider(behind)
            && !self
                .circuit(behind.as_str())
                .is_some_and(|circuit| circuit.is_late(ticket));
        if is_proof && self.passes(behind, rule) {
            self.recover(behind, Some(stable), rule, evaluation.shared, cx);
        }
    }

    fn half_open_mut(&mut self, version: &VersionId) -> Option<&mut HalfOpen> {
        self.circuit_mut(version.as_str())?.half_open_mut()
    }

    /// Counts a successful probe of a half-open version; whether all have succeeded.
    fn passes(&mut self, version: &VersionId, rule: &Rule) -> bool {
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return false;
        };
        let probing = circuit.probing(rule);
        let half_open = circuit.half_open_mut().zip(probing);
        half_open.is_some_and(|(half_open, probing)| half_open.pass(probing))
    }

    /// Starts probes that are due, and fails those whose lease has expired.
    pub(super) fn advance_probes(&mut self, rule: &Rule, shared: &mut Shared, cx: &Cx<'_>) {
        if !self.has_outage {
            return;
        }
        let now = shared.latest;
        let generation = Generation::beginning(cx, now);
        let (mut passed, mut expired) = (Vec::new(), Vec::new());
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
            match circuit.half_open_mut() {
                Some(probes) if probes.has_passed(probing) => passed.push(version.clone()),
                Some(probes) if probes.has_expired(probing, now) => expired.push(version.clone()),
                _ => {}
            }
        }
        for version in passed {
            self.recover(&version, None, rule, shared, cx);
        }
        for version in expired {
            let expired = (ProbeFailure::LeaseExpired, None);
            self.fail_probes(&version, expired, rule, shared, cx);
        }
    }

    /// Opens the circuit of a half-open version again, and reports it; a page where a version that
    /// was to come back by itself no longer does, and no other comes back instead.
    fn fail_probes(
        &mut self,
        version: &VersionId,
        (reason, failure): (ProbeFailure, Option<FailureKind>),
        rule: &Rule,
        shared: &Shared,
        cx: &Cx<'_>,
    ) {
        let now = shared.latest;
        let generation = Generation::beginning(cx, now);
        let is_another_well = self.has_live_version_in_service(cx);
        let is_production_back = self.comes_back(cx.line_up().stable().id(), rule);
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return;
        };
        let next_at = circuit.probe_failed(failure, is_another_well, rule, now, generation);
        let failed = EventKind::Breaker(BreakerEvent::ProbesFailed {
            version: version.clone(),
            reason,
            failure,
            next_at,
        });
        let is_behind = cx.line_up().role_of(version) == Some(Role::Previous);
        let is_told = match circuit.outage() {
            Some(BreakerEvent::ErrorRateExceeded { .. }) => true,
            Some(BreakerEvent::Exhausted { .. }) => !(is_behind && is_production_back),
            _ => false,
        };
        if is_told && next_at.is_none() {
            cx.page(
                &outage::at_fault(version, circuit.outage(), rule, cx),
                failed,
            );
        } else {
            cx.emit(Severity::Warning, failed);
        }
    }

    /// Whether a version is in service, or will be without a person if its calls succeed.
    fn comes_back(&self, version: &VersionId, rule: &Rule) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_none_or(|circuit| circuit.is_in_service() || circuit.probing(rule).is_some())
    }

    /// Closes the circuit of a version whose probes have all succeeded, or for which `proven_by`
    /// proved that the provider is well. If production is well again after a fault of the provider,
    /// so is the version behind it, which has no calls of its own to prove it.
    fn recover(
        &mut self,
        version: &VersionId,
        proven_by: Option<&VersionId>,
        rule: &Rule,
        shared: &mut Shared,
        cx: &Cx<'_>,
    ) {
        let now = shared.latest;
        let is_production = version == cx.line_up().stable().id();
        let behind = cx.line_up().previous().map(Version::id);
        let behind = behind.filter(|_| is_production && self.is_out_by_provider(version));
        let behind = behind.filter(|behind| self.is_out_by_provider(behind));
        let behind = behind.map(|behind| (behind, Some(version)));
        for (recovered, proven_by) in [Some((version, proven_by)), behind].into_iter().flatten() {
            let generation = Generation::beginning(cx, now);
            if let Some(circuit) = self.circuit_mut(recovered.as_str()) {
                circuit.close(rule, generation);
            }
            shared.has_changed(cx);
            outage::end(recovered, rule, cx);
            let kind = EventKind::Breaker(BreakerEvent::Recovered {
                version: recovered.clone(),
                proven_by: proven_by.cloned(),
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
