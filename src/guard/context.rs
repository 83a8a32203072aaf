//! What a guard can use during a step.

use std::cell::{Cell, RefCell};

use crate::call::{LineUp, TicketId};
use crate::event::{Event, EventKind, Outbox, Severity};
use crate::name::DocumentType;
use crate::time::Timestamp;
use crate::tokens::Measurement;

/// The context of a guard's step: the time, the live versions, and an outbox for events.
///
/// The pipeline builds one for each step of a guard. A test of a guard builds its own; see
/// [the module](crate::guard).
#[derive(Debug)]
pub struct Cx<'a> {
    now: Timestamp,
    line_up: &'a LineUp,
    outbox: &'a Outbox,
    guard: &'a str,
    ticket: TicketId,
    dry_run: bool,
    only_for: Option<&'a DocumentType>,
    scope: Option<&'a DocumentType>,
    marks: Option<&'a Marks>,
}

/// What guards write on the ticket of a call.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) stage: Cell<Option<u8>>,
    pub(crate) measurement: RefCell<Option<Measurement>>,
}

impl<'a> Cx<'a> {
    /// The context of the guard named `guard` at `now`.
    pub fn new(now: Timestamp, line_up: &'a LineUp, outbox: &'a Outbox, guard: &'a str) -> Self {
        Self {
            now,
            line_up,
            outbox,
            guard,
            ticket: TicketId::new(0, 0),
            dry_run: false,
            only_for: None,
            scope: None,
            marks: None,
        }
    }

    /// The same for the call with this ticket id.
    pub fn for_ticket(mut self, ticket: TicketId) -> Self {
        self.ticket = ticket;
        self
    }

    /// The call with this ticket id, and a place for marks.
    pub(crate) fn begin_call(&mut self, ticket: TicketId, marks: &'a Marks) {
        (self.ticket, self.marks) = (ticket, Some(marks));
    }

    /// From here on for another guard, with the settings under which it is mounted.
    #[inline]
    pub(crate) fn enter(
        &mut self,
        guard: &'a str,
        only_for: Option<&'a DocumentType>,
        dry_run: bool,
    ) {
        (self.guard, self.only_for, self.dry_run) = (guard, only_for, dry_run);
    }

    /// The same for one document type: the guard's events name the type.
    pub fn only_for<'b>(&'b self, document_type: &'b DocumentType) -> Cx<'b> {
        Cx {
            scope: Some(document_type),
            ..*self
        }
    }

    /// The time of this step. It never goes back.
    pub fn now(&self) -> Timestamp {
        self.now
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
    pub fn emit(&self, severity: Severity, kind: EventKind) {
        let mut event = Event::new(self.now, self.guard, severity, kind);
        event.only_for = self.scope.or(self.only_for).cloned();
        self.outbox.push(if self.dry_run {
            event.into_dry_run()
        } else {
            event
        });
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
            marks.measurement.replace(Some(measurement));
        }
    }

    /// The place for marks; a guard in a dry run has none.
    fn marks(&self) -> Option<&'a Marks> {
        self.marks.filter(|_| !self.dry_run)
    }
}
