//! What a guard can use during a step.

use std::cell::{Cell, RefCell};

use super::incidents::{End, Incidents, Told};
use super::trouble::Trouble;
use crate::call::{LineUp, TicketId};
use crate::error::Error;
use crate::event::{Event, EventKind, InIncident, Outbox, Severity};
use crate::name::{DocumentType, VersionId};
use crate::time::{LatestTime, Timestamp};
use crate::tokens::Measurement;

/// The context of a guard's step: the time, the live versions, and an outbox for events.
///
/// The pipeline builds one for each step of a guard. A test of a guard builds its own; see
/// [the module](crate::guard).
#[derive(Debug)]
pub struct Cx<'a> {
    now: Timestamp,
    /// That of the pipeline; without it, time stands still at `now`.
    latest: Option<&'a LatestTime>,
    line_up: &'a LineUp,
    outbox: &'a Outbox,
    guard: &'a str,
    ticket: TicketId,
    dry_run: bool,
    only_for: Option<&'a DocumentType>,
    scope: Option<&'a DocumentType>,
    marks: Option<&'a Marks>,
    incidents: Option<&'a Incidents>,
}

/// What guards write on the ticket of a call.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) stage: Cell<Option<u8>>,
    pub(crate) measurement: RefCell<Option<Measurement>>,
    pub(crate) thresholds: Cell<Option<u64>>,
}

impl<'a> Cx<'a> {
    /// The context of the guard named `guard` at `now`.
    pub fn new(now: Timestamp, line_up: &'a LineUp, outbox: &'a Outbox, guard: &'a str) -> Self {
        Self {
            now,
            latest: None,
            line_up,
            outbox,
            guard,
            ticket: TicketId::new(0, 0),
            dry_run: false,
            only_for: None,
            scope: None,
            marks: None,
            incidents: None,
        }
    }

    /// The same on the time of a pipeline.
    pub(crate) fn with_latest(mut self, latest: &'a LatestTime) -> Self {
        self.latest = Some(latest);
        self
    }

    /// The same for the call with this ticket id.
    pub fn for_ticket(mut self, ticket: TicketId) -> Self {
        self.ticket = ticket;
        self
    }

    /// The same with the open incidents of the guard; without them, each page opens one.
    pub fn with_incidents(mut self, incidents: &'a Incidents) -> Self {
        self.incidents = Some(incidents);
        self
    }

    /// The call with this ticket id, and a place for marks.
    pub(crate) fn begin_call(&mut self, ticket: TicketId, marks: &'a Marks) {
        self.ticket = ticket;
        self.mark_on(marks);
    }

    /// The same with a place for marks.
    pub(crate) fn mark_on(&mut self, marks: &'a Marks) {
        self.marks = Some(marks);
    }

    /// From here on for another guard, with the settings under which it is mounted.
    #[inline]
    pub(crate) fn enter(
        &mut self,
        guard: &'a str,
        only_for: Option<&'a DocumentType>,
        dry_run: bool,
        incidents: &'a Incidents,
    ) {
        (self.guard, self.only_for, self.dry_run) = (guard, only_for, dry_run);
        self.incidents = Some(incidents);
    }

    /// The same for one document type: the guard's events name the type.
    pub fn only_for<'b>(&'b self, document_type: &'b DocumentType) -> Cx<'b> {
        Cx {
            scope: Some(document_type),
            ..*self
        }
    }

    /// The time: the latest with which a step of the pipeline has begun.
    ///
    /// It never goes back: a call of `now` gives no earlier time than one that happened before, in
    /// the same step or in another, on any thread. So a guard that calls it while it holds its lock
    /// needs no memory of the latest time, although its steps do not get the lock in the order in
    /// which they began. What is called before the lock is taken can be behind what another step
    /// saw.
    ///
    /// Within a step it can go on, when another step begins meanwhile. Keep it in a variable where
    /// two readings must agree.
    #[inline]
    pub fn now(&self) -> Timestamp {
        self.latest.map_or(self.now, LatestTime::get)
    }

    /// The live versions.
    pub fn line_up(&self) -> &'a LineUp {
        self.line_up
    }

    /// The name under which the pipeline holds the guard.
    pub fn guard(&self) -> &'a str {
        self.guard
    }

    /// In `route` and `check` the id of the ticket that the call gets; elsewhere the pipeline's
    /// next id. No later call has a smaller one.
    pub fn ticket(&self) -> TicketId {
        self.ticket
    }

    /// The document type of the guard's events, where [`only_for`](Self::only_for) set one.
    pub fn scope(&self) -> Option<&'a DocumentType> {
        self.scope
    }

    /// Leaves an event. The pipeline delivers events in order, when no lock is held.
    ///
    /// A page opens an incident, which ends when no such event was left for 15 minutes; use
    /// [`page`](Self::page) to say what is wrong and what ends it.
    pub fn emit(&self, severity: Severity, kind: EventKind) {
        if severity == Severity::Page {
            let scope = self.event_scope().map(DocumentType::to_string);
            let about = match &kind {
                EventKind::Custom { name, .. } => Some(name.clone()),
                _ => scope,
            };
            let trouble = Trouble::new(kind.name()).seen();
            let trouble = about
                .as_deref()
                .map_or(trouble, |about| trouble.about(about));
            return self.page(&trouble, kind);
        }
        self.leave(severity, kind, None);
    }

    /// Something wrong happened: leaves an event, which is a page if it opens an incident or makes
    /// one grow, and else a warning.
    pub fn page(&self, trouble: &Trouble<'_>, kind: EventKind) {
        let Some(incidents) = self.incidents else {
            return self.tell(Told::unkept(trouble, self.guard), kind);
        };
        incidents.with(|register| {
            self.leave_ends(register.end_due(self.now(), self.line_up));
            let told = register.happened(trouble, &kind, self.guard, self.now());
            self.tell(told, kind);
        });
    }

    /// Something wrong goes on. To be said at each tick: what is not said is well. Leaves an event
    /// only if no incident has it yet, so that a page which was lost comes again, or if its incident
    /// has grown.
    pub fn still(&self, trouble: &Trouble<'_>, kind: impl FnOnce() -> EventKind) {
        let Some(incidents) = self.incidents else {
            return self.page(trouble, kind());
        };
        incidents.with(|register| {
            self.leave_ends(register.end_due(self.now(), self.line_up));
            if let Some((told, kind)) = register.goes_on(trouble, kind, self.guard, self.now()) {
                self.tell(told, kind);
            }
        });
    }

    /// Something is well again, as of now. The same follows from a tick without
    /// [`still`](Self::still), only later.
    pub fn well(&self, trouble: &Trouble<'_>) {
        if let Some(incidents) = self.incidents {
            incidents.with(|register| register.well(trouble, self.now()));
        }
    }

    /// A person has put something right: if nothing else is wrong in its incident, it ends now.
    pub fn put_right(&self, trouble: &Trouble<'_>) {
        if let Some(incidents) = self.incidents {
            incidents.with(|register| self.leave_ends(register.put_right(trouble)));
        }
    }

    /// A person has put right all that was wrong, with one version or with all: its incidents end
    /// now.
    pub fn put_all_right(&self, version: Option<&VersionId>) {
        if let Some(incidents) = self.incidents {
            incidents.with(|register| self.leave_ends(register.put_all_right(version)));
        }
    }

    /// The guard has had its tick: ends what is over.
    pub(crate) fn end_incidents(&self) {
        if let Some(incidents) = self.incidents {
            incidents.with(|register| {
                register.ticked(self.now());
                self.leave_ends(register.end_due(self.now(), self.line_up));
            });
        }
    }

    /// A person closes an incident of the guard; `None` if it is not open here.
    pub(crate) fn acknowledge(
        &self,
        key: &str,
        who: &str,
        note: &str,
    ) -> Option<Result<(), Error>> {
        self.incidents?.with(|register| {
            let end = register.acknowledge(key, who, note)?;
            Some(end.map(|end| self.leave_ends(vec![end])))
        })
    }

    fn leave_ends(&self, ends: Vec<End>) {
        for End { incident, event } in ends {
            self.leave(Severity::Info, EventKind::Incident(event), Some(incident));
        }
    }

    fn tell(&self, told: Told, kind: EventKind) {
        self.leave(told.severity, kind, Some(told.incident));
    }

    fn leave(&self, severity: Severity, kind: EventKind, incident: Option<InIncident>) {
        let mut event = Event::new(self.now(), self.guard, severity, kind);
        event.only_for = self.event_scope().cloned();
        event.incident = incident;
        self.outbox.push(if self.dry_run {
            event.into_dry_run()
        } else {
            event
        });
    }

    fn event_scope(&self) -> Option<&'a DocumentType> {
        self.scope.or(self.only_for)
    }

    /// Writes the current stage of a rollout on the ticket. If several guards do, the highest stage
    /// stays. Does nothing outside [`Guard::route`](crate::Guard::route) and
    /// [`Guard::check`](crate::Guard::check), or in a dry run.
    pub fn mark_stage(&self, stage: u8) {
        if let Some(marks) = self.marks() {
            marks.stage.set(marks.stage.get().max(Some(stage)));
        }
    }

    /// Writes a measurement on the ticket. If several guards do, the measurement for the model that
    /// is called stays. Does nothing outside [`Guard::check`](crate::Guard::check), or in a dry
    /// run.
    pub fn mark_measurement(&self, measurement: Measurement) {
        if let Some(marks) = self.marks() {
            *marks.measurement.borrow_mut() = Some(measurement);
        }
    }

    /// Writes the generation of acceptance thresholds on the ticket of an answer that is reviewed
    /// with them. If several guards do, the highest stays. Does nothing outside
    /// [`Guard::review`](crate::Guard::review), or in a dry run.
    pub fn mark_thresholds(&self, generation: u64) {
        if let Some(marks) = self.marks() {
            let before = marks.thresholds.get();
            marks.thresholds.set(before.max(Some(generation)));
        }
    }

    /// Whether the guard is in a dry run: what it decides is not done.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The place for marks; a guard in a dry run has none.
    fn marks(&self) -> Option<&'a Marks> {
        self.marks.filter(|_| !self.dry_run)
    }
}
