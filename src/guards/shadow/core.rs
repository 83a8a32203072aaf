//! The state of a shadow run: which documents it has begun, and how they ended.

use std::collections::{BTreeMap, BTreeSet};

use super::acknowledged::Acknowledgement;
use super::baseline::Baseline;
use super::corrections::Corrections;
use super::counts::{Bucket, ShadowCounts};
use super::divergences::Divergences;
use super::ignore::IgnoreRules;
use super::in_flight::{InFlight, Overdue, RunId, Stop};
use super::settings::Settings;
use super::verdict::{Blindness, Evaluated, ShadowVerdict, blindness};
use crate::call::{Comparison, Difference, Feedback, ShadowEnd, ShadowResult, Ticket, TicketId};
use crate::error::Error;
use crate::event::{EventKind, PipelineEvent, Severity, ShadowEvent};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::order::Order;
use crate::stats::{BoundedMap, Place};
use crate::time::Timestamp;

/// The number of document types that are counted separately.
pub(super) const TYPES: usize = 1_000;
/// The number of production versions whose reviews are told apart.
const PAIRS: usize = 100;
/// The number of tickets outside the rate that are known again.
const KNOWN: u64 = 10_000;

/// What becomes of a document that a shadow run was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "only a selected document may run"]
#[non_exhaustive]
pub enum Selection {
    /// The candidate itself serves it: there is nothing to compare.
    NotComparable,
    /// It is not in the share.
    NotSampled,
    /// The run is over, or has this document already; it is not counted again.
    Over,
    /// Call the candidate, and report how it ended.
    Run,
    /// Too many candidate calls are in flight.
    Shed,
    /// The run has spent what it may spend.
    Withheld,
}

#[derive(Debug)]
pub(super) struct Core {
    /// Every ticket that has ended, up to a limit; whether it diverged, if it is in the rate.
    pub(super) seen: BTreeMap<TicketId, Option<bool>>,
    pub(super) in_flight: InFlight,
    /// Of the latest document that was compared.
    pub(super) production: Option<VersionId>,
    pub(super) total: ShadowCounts,
    pub(super) types: BoundedMap<DocumentType, ShadowCounts>,
    /// The first type above the limit, until an event has named it.
    pub(super) untold_type: Option<DocumentType>,
    pub(super) divergences: Divergences,
    pub(super) baseline: Baseline,
    /// If people's corrections judge the candidate.
    pub(super) corrections: Option<Corrections>,
    /// Differences that reviewers have accepted.
    pub(super) ignore: IgnoreRules,
    pub(super) surplus: u64,
    pub(super) calls: u64,
    pub(super) tokens: u64,
    pub(super) evaluated: Option<Evaluated>,
    /// Production's versions for which the review was requested.
    pub(super) reviews: BTreeSet<VersionId>,
    pub(super) acknowledged: Vec<Acknowledgement>,
    pub(super) is_blindness_told: bool,
    pub(super) finished: bool,
}

impl Core {
    pub(super) fn new(corrections: Option<Corrections>, ignore: IgnoreRules) -> Self {
        Self {
            seen: BTreeMap::new(),
            in_flight: InFlight::default(),
            production: None,
            total: ShadowCounts::default(),
            types: BoundedMap::new(TYPES),
            untold_type: None,
            divergences: Divergences::default(),
            baseline: Baseline::default(),
            corrections,
            ignore,
            surplus: 0,
            calls: 0,
            tokens: 0,
            evaluated: None,
            reviews: BTreeSet::new(),
            acknowledged: Vec::new(),
            is_blindness_told: false,
            finished: false,
        }
    }

    pub(super) fn verdict(&self, settings: &Settings) -> ShadowVerdict {
        if !self.reviews.is_empty() {
            return ShadowVerdict::ReviewRequired;
        }
        if let Some(why) = self.blindness(settings) {
            return ShadowVerdict::Blind(why);
        }
        match self.evaluated {
            Some(evaluated) => evaluated.verdict(settings),
            None => ShadowVerdict::Collecting {
                compared: self.total.compared(),
                needed: settings.min(),
            },
        }
    }

    fn blindness(&self, settings: &Settings) -> Option<Blindness> {
        let may_spend = settings.may_spend(self.calls, self.tokens) || self.in_flight.len() > 0;
        blindness(&self.total, may_spend, settings)
    }

    pub(super) fn is_over(&self, settings: &Settings) -> bool {
        let compared = self.total.compared();
        if compared < settings.max() {
            return false;
        }
        let corrections = self.corrections.as_ref();
        let is_undecided = corrections.is_some_and(|corrections| !corrections.is_decided());
        !is_undecided || compared >= settings.judged_documents
    }

    /// Whether the end of a run was reported already.
    fn is_known(&self, run: RunId) -> bool {
        if run.is_baseline {
            self.baseline.contains(run.ticket)
        } else {
            self.seen.contains_key(&run.ticket)
        }
    }

    /// Whether the candidate runs on a document of the share.
    pub(super) fn select(
        &mut self,
        settings: &Settings,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Selection {
        let run = RunId::candidate(ticket.id());
        let is_known = self.is_known(run) || self.in_flight.contains(run);
        if is_known || self.is_over(settings) {
            return Selection::Over;
        }
        if *ticket.version() == settings.candidate {
            self.count(ticket, Bucket::NotComparable);
            return Selection::NotComparable;
        }
        if !settings.may_spend(self.calls, self.tokens) {
            self.count(ticket, Bucket::Withheld);
            return Selection::Withheld;
        }
        if self.in_flight.len() >= settings.in_flight {
            self.count(ticket, Bucket::Shed);
            return Selection::Shed;
        }
        self.begin(settings, run, ticket, now);
        Selection::Run
    }

    /// Whether production's version runs a second time on a document on which the candidate runs.
    pub(super) fn select_baseline(
        &mut self,
        settings: &Settings,
        ticket: &Ticket,
        now: Timestamp,
    ) -> bool {
        let runs = settings.samples_baseline(ticket)
            && self.in_flight.contains(RunId::candidate(ticket.id()))
            && settings.may_spend(self.calls, self.tokens)
            && self.in_flight.len() < settings.in_flight;
        if runs {
            self.begin(settings, RunId::baseline(ticket.id()), ticket, now);
        }
        runs
    }

    fn begin(&mut self, settings: &Settings, run: RunId, ticket: &Ticket, now: Timestamp) {
        self.calls = self.calls.saturating_add(1);
        self.in_flight.begin(run, ticket, settings.until(now));
    }

    /// A run ended.
    pub(super) fn end(
        &mut self,
        settings: &Settings,
        ticket: &Ticket,
        result: &ShadowResult,
        cx: &Cx<'_>,
    ) {
        let run = RunId {
            ticket: ticket.id(),
            is_baseline: result.baseline,
        };
        if !self.is_known(run) {
            self.tokens = self.tokens.saturating_add(result.tokens);
        }
        let overdue = self.in_flight.overdue(run, cx.now());
        self.in_flight.end(run);
        let late = overdue.map(Overdue::end);
        let end = late.as_ref().unwrap_or(&result.end);
        self.end_run(settings, run, ticket, end, cx);
    }

    /// Ends the runs that are overdue; what stops their calls is for the caller, without the lock.
    pub(super) fn end_overdue(&mut self, settings: &Settings, cx: &Cx<'_>) -> Vec<Stop> {
        let mut stops = Vec::new();
        for (run, ticket, overdue, stop) in self.in_flight.take_overdue(cx.now()) {
            self.end_run(settings, run, &ticket, &overdue.end(), cx);
            stops.extend(stop);
        }
        stops
    }

    fn end_run(
        &mut self,
        settings: &Settings,
        run: RunId,
        ticket: &Ticket,
        end: &ShadowEnd,
        cx: &Cx<'_>,
    ) {
        if run.is_baseline {
            self.baseline.add(run.ticket, end);
        } else {
            self.end_candidate(settings, ticket, end, cx);
        }
    }

    fn end_candidate(
        &mut self,
        settings: &Settings,
        ticket: &Ticket,
        end: &ShadowEnd,
        cx: &Cx<'_>,
    ) {
        if self.seen.contains_key(&ticket.id()) {
            return;
        }
        if self.is_over(settings) {
            self.surplus = self.surplus.saturating_add(1);
            return;
        }
        let bucket = if *ticket.version() == settings.candidate {
            Bucket::NotComparable
        } else if self.is_accepted(ticket, end, cx.now()) {
            Bucket::Ignored
        } else {
            Bucket::of(end)
        };
        self.count(ticket, bucket);
        self.report_types(cx);
        if bucket.is_diverging() {
            self.divergences.add(ticket, end, cx.now());
        }
        self.evaluate(settings, ticket.version(), bucket, cx);
        let comparison = match end {
            ShadowEnd::Compared(comparison) if bucket.is_compared() => Some(comparison),
            _ => None,
        };
        if let (Some(corrections), Some(comparison)) = (&mut self.corrections, comparison) {
            corrections.compared(ticket, comparison, cx.now());
            self.report_corrections(settings, cx);
        }
    }

    /// Whether reviewers have accepted everything in which a document diverges.
    fn is_accepted(&self, ticket: &Ticket, end: &ShadowEnd, now: Timestamp) -> bool {
        let ShadowEnd::Compared(Comparison::Diverged(differences)) = end else {
            return false;
        };
        let mut critical = differences.iter().filter(|difference| difference.critical);
        let is_named = critical.clone().next().is_some();
        is_named
            && critical.all(|difference| {
                let Difference { field, kind, .. } = difference;
                self.ignore
                    .matches(ticket.document_type(), field, *kind, now)
            })
    }

    /// Learns what people say of production's answer.
    pub(super) fn learn(
        &mut self,
        settings: &Settings,
        ticket: &Ticket,
        feedback: &Feedback,
        cx: &Cx<'_>,
    ) {
        if let Some(corrections) = &mut self.corrections {
            corrections.observe(ticket, feedback, cx.now());
            self.report_corrections(settings, cx);
        }
    }

    /// Lets time pass for the documents that people look at.
    pub(super) fn advance(&mut self, settings: &Settings, cx: &Cx<'_>) {
        if let Some(corrections) = &mut self.corrections {
            corrections.advance(cx.now());
            self.report_corrections(settings, cx);
        }
    }

    fn report_corrections(&mut self, settings: &Settings, cx: &Cx<'_>) {
        let corrections = self.corrections.as_mut();
        let event = corrections.and_then(|corrections| corrections.event(&settings.candidate));
        if let Some(event) = event {
            let severity = match event {
                ShadowEvent::CandidateWorse { .. } => Severity::Warning,
                _ => Severity::Info,
            };
            cx.emit(severity, EventKind::Shadow(event));
        }
    }

    /// Counts a document that ended. Not every caller has a context for events: what there is to
    /// tell of its type waits for [`report_types`](Self::report_types).
    pub(super) fn count(&mut self, ticket: &Ticket, bucket: Bucket) {
        // The length of the run limits how many tickets are in the rate, but not how many are
        // outside it. Of these, ids above the limit are not kept: a repeated one counts again.
        let is_compared = bucket.is_compared();
        let known_outside = self.total.ended() - self.total.compared();
        if is_compared || known_outside < KNOWN {
            let diverges = is_compared.then(|| bucket.is_diverging());
            self.seen.insert(ticket.id(), diverges);
        }
        if is_compared && self.production.as_ref() != Some(ticket.version()) {
            self.production = Some(ticket.version().clone());
        }
        self.total.add(bucket);
        let types = &mut self.types;
        let (counts, place) = types.entry(ticket.document_type(), ShadowCounts::default);
        counts.add(bucket);
        if place == Place::FirstOverflow {
            self.untold_type = Some(ticket.document_type().clone());
        }
    }

    /// Reports that there are too many types, unless it was reported.
    pub(super) fn report_types(&mut self, cx: &Cx<'_>) {
        if let Some(first) = self.untold_type.take() {
            let (limit, first) = (self.types.limit(), first.to_string());
            let kind = PipelineEvent::KeysExhausted { limit, first };
            cx.emit(Severity::Warning, EventKind::Pipeline(kind));
        }
    }

    fn evaluate(
        &mut self,
        settings: &Settings,
        production: &VersionId,
        bucket: Bucket,
        cx: &Cx<'_>,
    ) {
        let compared = self.total.compared();
        if bucket.is_compared() && settings.checkpoints.contains(&compared) {
            self.evaluate_at_checkpoint(settings, production, cx);
        }
        if self.is_blindness_told {
            return;
        }
        if let Some(why) = self.blindness(settings) {
            self.is_blindness_told = true;
            let candidate = settings.candidate.clone();
            let why = why.to_string();
            let kind = EventKind::Shadow(ShadowEvent::ShadowBlind { candidate, why });
            cx.emit(Severity::Warning, kind);
        }
    }

    pub(super) fn evaluate_at_checkpoint(
        &mut self,
        settings: &Settings,
        production: &VersionId,
        cx: &Cx<'_>,
    ) {
        let (diverged, compared) = (self.total.diverging(), self.total.compared());
        self.evaluated = Some(Evaluated {
            diverging: diverged,
            compared,
        });
        let is_above = settings.threshold.is_exceeded_by(diverged, compared);
        let is_new = self.reviews.len() < PAIRS && !self.reviews.contains(production);
        if is_above && is_new {
            self.reviews.insert(production.clone());
            let kind = EventKind::Shadow(ShadowEvent::ReviewRequested {
                candidate: settings.candidate.clone(),
                production: production.clone(),
                diverged,
                compared,
                threshold: settings.threshold,
            });
            cx.emit(Severity::Warning, kind);
        }
        if self.is_over(settings) && !self.finished {
            self.finish(settings, cx);
        }
    }

    fn finish(&mut self, settings: &Settings, cx: &Cx<'_>) {
        self.finished = true;
        let kind = EventKind::Shadow(ShadowEvent::ShadowFinished {
            candidate: settings.candidate.clone(),
            diverged: self.total.diverging(),
            compared: self.total.compared(),
            not_comparable: self.total.begun() - self.total.compared(),
        });
        cx.emit(Severity::Info, kind);
    }

    /// Takes note of a review that was requested; an error if none is open.
    pub(super) fn acknowledge(&mut self, order: Order) -> Result<(), Error> {
        if self.is_acknowledged() {
            let allowed = "a review that was requested and not acknowledged";
            let value = format!("{} of {}", self.acknowledged.len(), self.reviews.len());
            return Err(Error::invalid("shadow review", value, allowed));
        }
        let (diverged, compared) = (self.total.diverging(), self.total.compared());
        let acknowledgement = Acknowledgement::of_order(order, diverged, compared);
        self.acknowledged.push(acknowledgement);
        Ok(())
    }

    /// Whether somebody has taken note of every review that was requested.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acknowledged.len() >= self.reviews.len()
    }

    /// Reports the acknowledgements that have not been reported.
    pub(super) fn report_acknowledgements(&mut self, settings: &Settings, cx: &Cx<'_>) {
        let now = cx.now();
        let untold = self.acknowledged.iter_mut();
        for acknowledgement in untold.filter(|acknowledgement| acknowledgement.at.is_none()) {
            acknowledgement.at = Some(now);
            let kind = EventKind::Shadow(ShadowEvent::ReviewAcknowledged {
                candidate: settings.candidate.clone(),
                who: acknowledgement.who.clone(),
                why: acknowledgement.why.clone(),
            });
            cx.emit(Severity::Info, kind);
        }
    }
}
