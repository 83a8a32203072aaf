//! What a guard may use while it works.

use std::cell::{Cell, RefCell};

use crate::call::{LineUp, TicketId};
use crate::event::{Event, EventKind, Outbox, Severity};
use crate::name::DocumentType;
use crate::time::Timestamp;
use crate::tokens::Measurement;

/// What a guard may use: the time, the versions that are live, and a place to leave events.
///
/// The pipeline makes one for each step of a guard. A test of one guard makes its own; see [the module](crate::guard).
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

/// What guards mark a call with: it ends up on the ticket.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) stage: Cell<Option<u8>>,
    pub(crate) measurement: RefCell<Option<Measurement>>,
}

impl<'a> Cx<'a> {
    /// What a guard called `guard` may use at `now`.
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

    /// The same for a call: the ticket that it has, or will have.
    pub fn for_ticket(mut self, ticket: TicketId) -> Self {
        self.ticket = ticket;
        self
    }

    /// The same with a place for marks. A guard that only watches has none.
    pub(crate) fn with_marks(mut self, marks: &'a Marks) -> Self {
        self.marks = (!self.dry_run).then_some(marks);
        self
    }

    /// The same for a guard as a pipeline holds it.
    pub(crate) fn mounted(mut self, only_for: Option<&'a DocumentType>, dry_run: bool) -> Self {
        (self.only_for, self.dry_run) = (only_for, dry_run);
        self
    }

    /// The same for what a guard says of one type of document: its events name the type.
    pub fn only_for<'b>(&'b self, document_type: &'b DocumentType) -> Cx<'b> {
        Cx {
            scope: Some(document_type),
            ..*self
        }
    }

    /// The time of this decision. It never goes back.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The versions that are live.
    pub fn line_up(&self) -> &'a LineUp {
        self.line_up
    }

    /// The name under which the pipeline holds the guard.
    pub fn guard(&self) -> &'a str {
        self.guard
    }

    /// The ticket of the call at hand, or else the next that the pipeline gives: a later call never has a smaller one.
    pub fn ticket(&self) -> TicketId {
        self.ticket
    }

    /// The type of document that the guard speaks of, where [`only_for`](Self::only_for) narrowed it down.
    pub fn scope(&self) -> Option<&'a DocumentType> {
        self.scope
    }

    /// Leaves an event. Events are delivered in order, when no lock is held.
    pub fn emit(&self, severity: Severity, kind: EventKind) {
        let mut event = Event::new(self.now, self.guard, severity, kind);
        event.only_for = self.scope.or(self.only_for).cloned();
        self.outbox.push(if self.dry_run {
            event.into_dry_run()
        } else {
            event
        });
    }

    /// Marks the call with the stage of the rollout that is on. If several guards mark it, the highest stage stays. It does
    /// nothing outside [`Guard::route`](crate::Guard::route) and [`Guard::check`](crate::Guard::check), or in a dry run.
    pub fn mark_stage(&self, stage: u8) {
        if let Some(marks) = self.marks {
            marks.stage.set(marks.stage.get().max(Some(stage)));
        }
    }

    /// Puts on the ticket what was measured. If several guards measure, the measurement of the strictest verdict stays. It
    /// does nothing outside [`Guard::check`](crate::Guard::check), or in a dry run.
    pub fn mark_measurement(&self, measurement: Measurement) {
        if let Some(marks) = self.marks {
            marks.measurement.replace(Some(measurement));
        }
    }
}
