//! A breaker's whole state, and the order of work at each call.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Call, Destination, Outcome, Role, Ticket, Version};
use crate::error::Error;
use crate::event::{BreakerEvent, BreakerMode, EventKind, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::{Cx, Route, Share, Symptom, Verdict};
use crate::name::{DocumentType, VersionId};
use crate::order::{Order, check_revision};
use crate::revision::Revision;
use crate::stats::{BoundedMap, DEFAULT_KEYS, Place, Tracked};
use crate::time::Timestamp;

use super::circuit::{BreakerState, Circuit};
use super::circuits::Circuits;
use super::commands::Command;
use super::counts::VersionCounts;
use super::evaluation::{End, Evaluation, Shared};
use super::generation::Generation;
use super::rule::{Effect, Rule};
use super::status::BreakerStatus;

pub(super) const NAME: &str = "error-rate";

#[derive(Debug)]
pub(super) struct Core {
    pub(super) rule: Rule,
    shared: Shared,
    all_documents: Circuits,
    /// The circuits of each type, with `by_document_type`.
    types: BoundedMap<DocumentType, Tracked<Circuits>>,
    /// Whether types were forgotten since [`take_changed`](Self::take_changed).
    has_forgotten: bool,
    /// The types in which a version may be out of service.
    types_with_outage: BTreeSet<DocumentType>,
    /// Commands that hold, and whose events are emitted at the next step.
    pending: Vec<Command>,
    /// The version, and the fallback that was reported to be out of service.
    reported_fallback: Option<(VersionId, VersionId)>,
    /// Whether routing must consult the breaker: false while every version is in service and no
    /// command is pending.
    pub(super) needs_attention: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    format: Format<1>,
    mode: BreakerMode,
    #[serde(default)]
    revision: Revision,
    circuits: Circuits,
    #[serde(default)]
    types: Vec<(DocumentType, Arc<Circuits>)>,
    #[serde(default)]
    pending: Vec<Command>,
    #[serde(default)]
    reported_fallback: Option<(VersionId, VersionId)>,
}

impl Stored {
    /// A register for each type, and for the rest.
    pub(super) fn share(mut self, cx: &Cx<'_>) -> Result<Share, Error> {
        let mut share = Share::default();
        let types = std::mem::take(&mut self.types);
        share.add_types(types.iter().map(|(name, circuits)| (name, circuits)), cx)?;
        share.register(&[], &self, cx)?;
        Ok(share)
    }

    /// What was shared.
    pub(super) fn taken(shared: &Share, cx: &Cx<'_>) -> Result<Self, Error> {
        let mut stored: Self = shared.rest(cx)?;
        stored.types.extend(shared.types(cx)?);
        Ok(stored)
    }
}

impl Core {
    pub(super) fn new(rule: Rule, mode: BreakerMode) -> Self {
        Self {
            rule,
            shared: Shared {
                mode,
                generation: Generation::default(),
                latest: Timestamp::EPOCH,
                revision: Revision::default(),
                has_blamed_provider: false,
            },
            all_documents: Circuits::new(),
            types: BoundedMap::new(DEFAULT_KEYS),
            has_forgotten: false,
            types_with_outage: BTreeSet::new(),
            pending: Vec::new(),
            reported_fallback: None,
            needs_attention: mode == BreakerMode::ForcedFallback,
        }
    }

    /// A switched or reconfigured breaker is not the one that was drilled.
    pub(super) fn settings(&self) -> String {
        format!("{}: {}", self.shared.mode, self.rule)
    }

    pub(super) fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
        match *symptom {
            Symptom::Failures { kind, share } => self.rule.time_to_exceed(kind, share),
            _ => None,
        }
    }

    pub(super) fn mode(&self) -> BreakerMode {
        self.shared.mode
    }

    /// The circuit of a version, for all documents or for those of one type.
    pub(super) fn circuit(&self, version: &str, document_type: Option<&str>) -> Option<&Circuit> {
        match document_type {
            None => self.all_documents.circuit(version),
            Some(document_type) => self.types.get(document_type)?.circuit(version),
        }
    }

    pub(super) fn counts(&mut self, version: &str, document_type: Option<&str>) -> VersionCounts {
        let circuits = match document_type {
            None => Some(&mut self.all_documents),
            Some(document_type) => self.types.get_mut(document_type).map(Tracked::read),
        };
        circuits.map_or_else(VersionCounts::default, |circuits| {
            circuits.counts(version, &self.rule, self.shared.latest)
        })
    }

    pub(super) fn retry_at(&self, version: &str) -> Option<Timestamp> {
        self.all_documents
            .circuit(version)?
            .retry_at(self.shared.latest)
    }

    pub(super) fn status(&self) -> BreakerStatus {
        let states = |circuits: &Circuits| -> BTreeMap<_, _> {
            let circuits = circuits.by_version.iter();
            circuits
                .map(|(version, circuit)| (version.clone(), circuit.state()))
                .collect()
        };
        let with_outage = self.types_with_outage.iter();
        let types = with_outage.filter_map(|name| {
            let mut out = states(self.types.get(name)?);
            out.retain(|_, state| *state != BreakerState::Closed);
            Some((name.clone(), out))
        });
        BreakerStatus {
            revision: self.shared.revision,
            mode: self.shared.mode,
            versions: states(&self.all_documents),
            types: types.filter(|(_, out)| !out.is_empty()).collect(),
        }
    }

    /// Does what the operator orders, unless it was meant for another revision. Which calls are late
    /// by it shows at the next step, before any call is recorded.
    pub(super) fn command(
        &mut self,
        mut command: Command,
        meant_for: Revision,
    ) -> Result<(), Error> {
        let name = command.name();
        let (revision, before) = (self.shared.revision, self.status());
        check_revision(format_args!("{NAME} {name}"), meant_for, revision, &before)?;
        let rule = &self.rule;
        match &command {
            Command::Rearm(version, _) => {
                let mut is_known = self.all_documents.rearm(version, rule);
                for (_, circuits) in self.types.iter_mut() {
                    is_known |= circuits.change().rearm(version, rule);
                }
                if !is_known {
                    let allowed = "a version that has had calls";
                    return Err(Error::invalid("version", version, allowed));
                }
            }
            Command::Reset(_) => {
                self.shared.mode = BreakerMode::Enforce;
                self.all_documents.reset(rule);
                for (_, circuits) in self.types.iter_mut() {
                    circuits.change().reset(rule);
                }
            }
            Command::Switch(mode, _) => self.shared.mode = *mode,
            Command::DropTypes(_) | Command::Reconfigure(_) => {}
        }
        let after = self.status();
        // Other settings change no state, and say themselves what they change.
        let order = command.order_mut().filter(|order| order.before.is_empty());
        if let Some(order) = order {
            order.changed(before, after);
        }
        self.shared.revision.advance(self.shared.latest);
        self.await_step(command);
        Ok(())
    }

    /// Goes on with other settings.
    pub(super) fn reconfigure(
        &mut self,
        rule: Rule,
        mut order: Order,
        meant_for: Revision,
    ) -> Result<(), Error> {
        order.changed(format_args!("{:?}", self.rule), format_args!("{rule:?}"));
        self.command(Command::Reconfigure(order), meant_for)?;
        self.adopt(rule);
        Ok(())
    }

    /// Keeps what is still to be told at the next step.
    fn await_step(&mut self, command: Command) {
        self.pending.push(command);
        let types = &self.types;
        self.types_with_outage
            .retain(|name| types.get(name).is_some_and(|own| own.has_outage));
        self.update_attention();
    }

    /// The same for types that are no longer evaluated.
    fn drop_types(&mut self, circuits: Vec<(DocumentType, VersionId)>) {
        if !circuits.is_empty() {
            self.await_step(Command::DropTypes(circuits));
        }
    }

    fn update_attention(&mut self) {
        self.needs_attention = self.all_documents.has_outage
            || !self.types_with_outage.is_empty()
            || self.shared.mode == BreakerMode::ForcedFallback
            || !self.pending.is_empty();
    }

    fn adopt(&mut self, rule: Rule) {
        if !rule.by_type {
            let types = self.types.iter();
            let dropped = types.flat_map(|(name, own)| versions_of(name, own.versions()));
            let dropped = dropped.collect();
            self.types.refill([], None);
            self.has_forgotten = true;
            self.types_with_outage.clear();
            self.drop_types(dropped);
        }
        self.all_documents.adopt(&rule);
        for (_, circuits) in self.types.iter_mut() {
            circuits.change().adopt(&rule);
        }
        self.rule = rule;
    }

    pub(super) fn opened(&mut self, ticket: &Ticket, cx: &Cx<'_>) {
        let evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        self.all_documents.opened(ticket, &evaluation);
        let document_type = ticket.document_type();
        let is_out = |types: &BoundedMap<DocumentType, Tracked<Circuits>>| {
            types.get(document_type).is_some_and(|own| own.has_outage)
        };
        if self.rule.by_type && self.rule.slow.is_some() || is_out(&self.types) {
            if let Some(circuits) = of_type(&mut self.types, document_type, cx) {
                circuits.opened(ticket, &evaluation);
            }
        }
    }

    pub(super) fn settled(
        &mut self,
        ticket: &Ticket,
        outcome: &Outcome,
        wait: Option<Duration>,
        cx: &Cx<'_>,
    ) {
        if self.needs_attention {
            self.catch_up(ticket.document_type(), cx);
        } else {
            self.advance_time(cx.now());
        }
        let mut evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        let Effect { counts_as, urgent } = self.rule.effect_of(outcome);
        if let Some(kind) = urgent {
            Circuits::report_urgent(ticket, kind, &evaluation);
        }
        let end = End {
            ticket,
            outcome,
            counts_as,
            wait,
        };
        self.all_documents.settled(end, &mut evaluation);
        self.needs_attention |= self.all_documents.has_outage;
        self.share_blame(cx);
        if !self.rule.by_type {
            return;
        }
        let mut evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        let document_type = ticket.document_type();
        if let Some(circuits) = of_type(&mut self.types, document_type, cx) {
            let cx = cx.only_for(document_type);
            let had_outage = circuits.has_outage;
            circuits.settled(
                end,
                &mut evaluation.of_type(&self.all_documents.by_version, &cx),
            );
            if circuits.has_outage && !had_outage {
                self.types_with_outage.insert(document_type.clone());
                self.needs_attention = true;
            }
        }
    }

    /// The provider is at fault for all documents: also for the types that failed alike.
    fn share_blame(&mut self, cx: &Cx<'_>) {
        if !std::mem::take(&mut self.shared.has_blamed_provider) {
            return;
        }
        for name in &self.types_with_outage {
            if let Some(circuits) = self.types.get_mut(name).map(Tracked::change) {
                circuits.blame_provider(None, &self.rule, self.shared.latest, cx);
            }
        }
    }

    fn advance_time(&mut self, now: Timestamp) {
        self.shared.latest = self.shared.latest.max(now);
    }

    /// The vote on which version may serve a call.
    pub(super) fn route(&mut self, call: &Call<'_>, cx: &Cx<'_>) -> Route {
        self.catch_up(call.document_type(), cx);
        match self.shared.mode {
            BreakerMode::Enforce => {}
            BreakerMode::ForcedFallback => return Route::Previous,
            BreakerMode::Disabled | BreakerMode::ObserveOnly => return Route::Abstain,
        }
        if !self.serves(Role::Stable, call, cx) {
            let is_served = self.serves(Role::Previous, call, cx);
            return if is_served || self.rule.when_exhausted.is_some() {
                Route::Previous
            } else {
                Route::HumanReview
            };
        }
        if self.serves(Role::Candidate, call, cx) {
            Route::Abstain
        } else {
            Route::Stable
        }
    }

    fn serves(&mut self, role: Role, call: &Call<'_>, cx: &Cx<'_>) -> bool {
        let Some(version) = cx.line_up().get(role).map(Version::id) else {
            return true;
        };
        let rule = &self.rule;
        let own = call.document_type();
        let own = self.types.get_mut(own).filter(|own| own.has_outage);
        own.is_none_or(|own| own.change().serves(version, rule, cx))
            && self.all_documents.serves(version, rule, cx)
    }

    /// Diverts a call for which no version is left to `when_exhausted`, if that is set.
    pub(super) fn check(&self, call: &Call<'_>, cx: &Cx<'_>) -> Verdict {
        let Some(destination) = &self.rule.when_exhausted else {
            return Verdict::Proceed;
        };
        let own = self.types.get(call.document_type());
        let is_served = |role| {
            let version = cx.line_up().get(role).map(Version::id);
            version.is_some_and(|version| {
                self.all_documents.is_served_by(version, cx)
                    && own.is_none_or(|own| own.is_served_by(version, cx))
            })
        };
        if self.shared.mode != BreakerMode::Enforce
            || [Role::Stable, Role::Previous].into_iter().any(is_served)
        {
            return Verdict::Proceed;
        }
        Verdict::divert(destination.clone(), crate::call::Reason::NoVersionLeft)
    }

    /// Trips versions whose calls hang.
    pub(super) fn check_hanging_calls(&mut self, cx: &Cx<'_>) {
        if self.rule.slow.is_none() || self.shared.mode != BreakerMode::Enforce {
            return;
        }
        let mut evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        self.all_documents.check_hanging_calls(&mut evaluation);
        self.share_blame(cx);
        let mut evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        for (document_type, circuits) in self.types.iter_mut() {
            let cx = cx.only_for(document_type);
            circuits
                .read()
                .check_hanging_calls(&mut evaluation.of_type(&self.all_documents.by_version, &cx));
            if circuits.has_outage {
                circuits.change();
                self.types_with_outage.insert(document_type.clone());
            }
        }
        self.needs_attention |= self.all_documents.has_outage || !self.types_with_outage.is_empty();
    }

    /// Says what goes on; at each tick.
    pub(super) fn report_outages(&mut self, cx: &Cx<'_>) {
        let mut evaluation = Evaluation::new(&self.rule, &mut self.shared, cx);
        self.all_documents.report_outages(&evaluation);
        for (document_type, circuits) in self.types.iter_mut() {
            if circuits.is_quiet() {
                continue;
            }
            let circuits = circuits.change();
            let cx = cx.only_for(document_type);
            circuits.report_outages(&evaluation.of_type(&self.all_documents.by_version, &cx));
        }
    }

    /// Brings the circuits that concern a call up to date: those of all documents, and those of
    /// its type.
    fn catch_up(&mut self, document_type: &DocumentType, cx: &Cx<'_>) {
        self.catch_up_all_documents(cx);
        let is_enforced = self.shared.mode == BreakerMode::Enforce;
        let own = self.types.get_mut(document_type);
        if let Some(circuits) = own.filter(|own| own.has_outage && is_enforced) {
            let circuits = circuits.change();
            let cx = cx.only_for(document_type);
            catch_up(circuits, &self.rule, &mut self.shared, &cx);
            if !circuits.has_outage {
                self.types_with_outage.remove(document_type);
            }
        }
        self.update_attention();
    }

    /// Brings all circuits up to date; at each tick.
    pub(super) fn catch_up_all(&mut self, cx: &Cx<'_>) {
        self.catch_up_all_documents(cx);
        if self.shared.mode == BreakerMode::Enforce {
            let (types, rule, shared) = (&mut self.types, &self.rule, &mut self.shared);
            self.types_with_outage.retain(|name| {
                types.get_mut(name).is_some_and(|circuits| {
                    let circuits = circuits.change();
                    catch_up(circuits, rule, shared, &cx.only_for(name));
                    circuits.has_outage
                })
            });
        }
        self.update_attention();
    }

    fn catch_up_all_documents(&mut self, cx: &Cx<'_>) {
        self.advance_time(cx.now());
        for command in std::mem::take(&mut self.pending) {
            self.complete(command, cx);
        }
        if self.shared.mode == BreakerMode::Enforce {
            catch_up(&mut self.all_documents, &self.rule, &mut self.shared, cx);
            self.report_fallback(cx);
        }
    }

    /// Begins the generation of a command, and reports it.
    fn complete(&mut self, command: Command, cx: &Cx<'_>) {
        let version = match &command {
            Command::Rearm(version, _) => Some(Some(version)),
            Command::Reset(_) | Command::Switch(BreakerMode::ForcedFallback, _) => Some(None),
            Command::DropTypes(_) | Command::Reconfigure(_) | Command::Switch(..) => None,
        };
        if let Some(version) = version {
            let generation = Generation::beginning(cx, self.shared.latest);
            if version.is_none() {
                self.shared.generation = generation;
            }
            self.all_documents.begin_generation(version, generation);
            for (_, circuits) in self.types.iter_mut() {
                circuits.change().begin_generation(version, generation);
            }
        }
        command.tell(&self.rule, cx);
    }

    /// Reports, once, that production has no fallback in service while it serves.
    fn report_fallback(&mut self, cx: &Cx<'_>) {
        let stable = cx.line_up().stable().id();
        let Some(fallback) = cx.line_up().previous().map(Version::id) else {
            return;
        };
        if !self.all_documents.is_out(fallback) {
            self.reported_fallback = None;
            return;
        }
        let mut reported = self.reported_fallback.iter();
        let is_reported = reported.any(|pair| (&pair.0, &pair.1) == (stable, fallback));
        if is_reported || self.all_documents.is_out(stable) {
            return;
        }
        self.reported_fallback = Some((stable.clone(), fallback.clone()));
        let destination = self.rule.when_exhausted.clone();
        let event = BreakerEvent::FallbackOutOfService {
            version: stable.clone(),
            fallback: fallback.clone(),
            destination: destination.unwrap_or(Destination::HumanReview),
        };
        cx.emit(Severity::Warning, EventKind::Breaker(event));
    }

    pub(super) fn stored(&self) -> Stored {
        self.stored_of(|_| true)
    }

    /// What is stored of the types that have changed since this was last asked, and of no others; and
    /// whether it is all, because all was asked for or types were forgotten.
    pub(super) fn take_changed(&mut self, all: bool) -> (Stored, bool) {
        let all = std::mem::take(&mut self.has_forgotten) || all;
        let changed: HashSet<_> = self.types.take_changed().cloned().collect();
        (self.stored_of(|name| all || changed.contains(name)), all)
    }

    fn stored_of(&self, is_wanted: impl Fn(&DocumentType) -> bool) -> Stored {
        Stored {
            format: Format,
            mode: self.shared.mode,
            revision: self.shared.revision,
            circuits: self.all_documents.clone(),
            types: self.types.shared(is_wanted),
            pending: self.pending.clone(),
            reported_fallback: self.reported_fallback.clone(),
        }
    }

    pub(super) fn restore(&mut self, stored: Stored) {
        let rule = &self.rule;
        self.all_documents = stored.circuits.restored(rule);
        self.shared.revision = stored.revision;
        let (types, dropped) = if rule.by_type {
            (stored.types, Vec::new())
        } else {
            (Vec::new(), stored.types)
        };
        let types = types.into_iter();
        let types = types.map(|(document_type, circuits)| {
            let circuits = Arc::unwrap_or_clone(circuits).restored(rule);
            (document_type, Tracked::new(circuits))
        });
        self.types.refill(types, None);
        self.has_forgotten = true;
        let with_outage = self
            .types
            .iter()
            .filter(|(_, circuits)| circuits.has_outage);
        self.types_with_outage = with_outage
            .map(|(document_type, _)| document_type.clone())
            .collect();
        self.shared.mode = stored.mode;
        self.pending = stored.pending;
        self.reported_fallback = stored.reported_fallback;
        let dropped = dropped.iter();
        let dropped = dropped.flat_map(|(name, circuits)| versions_of(name, circuits.versions()));
        self.drop_types(dropped.collect());
        self.needs_attention = true;
    }
}

/// Starts and ends the probes of a scope that are due, and puts back what must serve alone.
fn catch_up(circuits: &mut Circuits, rule: &Rule, shared: &mut Shared, cx: &Cx<'_>) {
    circuits.advance_probes(rule, shared, cx);
    circuits.serve_alone(rule, shared, cx);
    circuits.update_outage();
}

fn versions_of<'a>(
    document_type: &'a DocumentType,
    versions: impl Iterator<Item = &'a VersionId> + 'a,
) -> impl Iterator<Item = (DocumentType, VersionId)> + 'a {
    versions.map(|version| (document_type.clone(), version.clone()))
}

/// The circuits of a type. A type above the limit has none: its documents are evaluated only with
/// all others.
fn of_type<'a>(
    types: &'a mut BoundedMap<DocumentType, Tracked<Circuits>>,
    document_type: &DocumentType,
    cx: &Cx<'_>,
) -> Option<&'a mut Circuits> {
    let limit = types.limit();
    let (circuits, place) = types.entry(document_type, || Tracked::new(Circuits::new()));
    if place == Place::FirstOverflow {
        let first = document_type.to_string();
        cx.emit(
            Severity::Warning,
            EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
        );
    }
    (place == Place::Own).then(|| circuits.change())
}
