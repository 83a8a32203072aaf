//! What a version's broken rule leads to: whose fault it is, who serves instead, and who is told.

use crate::call::{Destination, Role, Version};
use crate::event::{BreakerEvent, EventKind};
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::Timestamp;

use super::circuit::Circuit;
use super::circuits::Circuits;
use super::evaluation::{Evaluation, Shared};
use super::failures::Failed;
use super::fault::Fault;
use super::generation::Generation;
use super::outage;
use super::rule::{Breach, Rule};

impl Circuits {
    /// Acts on a broken rule: takes the version out of service if another can take over, and
    /// reports.
    pub(super) fn trip(
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
        let is_last = role == Role::Previous || !is_alone && fallback.is_none();
        let fault = self.fault_of(version, &breach, is_last, now, cx);
        let failed_alike = if fault.is_provider() {
            evaluation.shared.has_blamed_provider |= cx.scope().is_none();
            self.blame_provider(Some(version), rule, now, cx)
        } else {
            Vec::new()
        };
        let generation = Generation::beginning(cx, now);
        let Some(circuit) = self.circuit_mut(version.as_str()) else {
            return;
        };
        let serves_on = is_alone && !is_last;
        if serves_on && circuit.is_alarmed() {
            return;
        }
        let probes_at = if serves_on {
            circuit.alarm();
            None
        } else {
            circuit.take_out(fault, rule, now, generation)
        };
        let Failed { kinds, first, last } = circuit.failed(&breach, now);
        let (event, trouble) = if is_last {
            let destination = rule.when_exhausted.clone();
            let event = BreakerEvent::Exhausted {
                version: version.clone(),
                reason: breach.reason,
                errors: breach.part,
                calls: breach.whole,
                threshold: breach.threshold,
                kinds,
                first_failed: first,
                last_failed: last,
                destination: destination.unwrap_or(Destination::HumanReview),
                cause: fault.cause(),
                failed_alike,
                probes_at,
            };
            (event, outage::exhausted(version, role, rule, cx))
        } else {
            let event = BreakerEvent::ErrorRateExceeded {
                version: version.clone(),
                reason: breach.reason,
                errors: breach.part,
                calls: breach.whole,
                threshold: breach.threshold,
                kinds,
                first_failed: first,
                last_failed: last,
                fallback,
                cause: fault.cause(),
                failed_alike,
                probes_at,
            };
            (event, outage::failing(version, rule, cx))
        };
        circuit.tripped_with(event.clone());
        if !serves_on {
            self.has_outage = true;
            evaluation.shared.has_changed(cx);
        }
        cx.page(&trouble, EventKind::Breaker(event));
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
        let mut others = self.others_that_share_a_fault(Some(version), now, cx);
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
        version: Option<&'a VersionId>,
        now: Timestamp,
        cx: &'a Cx<'_>,
    ) -> impl Iterator<Item = (&'a VersionId, &'a mut Circuit)> {
        let circuits = self.by_version.iter_mut();
        let is_live = |other: &VersionId| cx.line_up().role_of(other).is_some();
        circuits
            .filter(move |(other, circuit)| {
                version.is_none_or(|version| *version != *other)
                    && is_live(other)
                    && circuit.may_share_fault(now)
            })
            .map(|(other, circuit)| (&*other, circuit))
    }

    /// The provider is at fault: also for the other live versions that failed alike shortly before,
    /// but for `version`; these versions.
    pub(super) fn blame_provider(
        &mut self,
        version: Option<&VersionId>,
        rule: &Rule,
        now: Timestamp,
        cx: &Cx<'_>,
    ) -> Vec<VersionId> {
        let generation = Generation::beginning(cx, now);
        self.others_that_share_a_fault(version, now, cx)
            .map(|(other, circuit)| {
                circuit.blame_provider(rule, now, generation);
                other.clone()
            })
            .collect()
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

    pub(super) fn is_out_by_provider(&self, version: &VersionId) -> bool {
        let circuit = self.circuit(version.as_str());
        circuit.is_some_and(Circuit::is_out_by_provider)
    }
}
