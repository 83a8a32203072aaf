//! The circuits of all versions in one scope: all documents, or those of one type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Outcome, Role, Ticket};
use crate::event::{BreakerEvent, BreakerMode, EventKind, Severity};
use crate::failure::FailureKind;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::{Timestamp, hours};

use super::by_version::ByVersion;
use super::circuit::Circuit;
use super::counts::VersionCounts;
use super::evaluation::{End, Evaluation};
use super::generation::Generation;
use super::outage;
use super::rule::{CountsAs, Rule};

/// The longest `retry-after` that is believed. A probe that comes too early costs a few calls, and
/// its answer says again how long to wait; a mistaken date would hold a version for years.
const LONGEST_RETRY_AFTER: Duration = hours(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Circuits {
    pub(super) by_version: ByVersion,
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

    pub(super) fn circuit_mut(&mut self, version: &str) -> Option<&mut Circuit> {
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
        if self.has_outage && !was_probe && matches!(end.counts_as, Some(CountsAs::Answered)) {
            self.prove_fallback(ticket, evaluation);
        }
        if let Some(counts_as) = end.counts_as.filter(|_| !was_probe) {
            self.record(ticket, counts_as, evaluation);
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
