//! What a guard may use while it works.

use std::cell::RefCell;

use crate::call::{LineUp, TicketId};
use crate::event::{Event, EventKind, Outbox, Severity};
use crate::name::DocumentType;
use crate::time::Timestamp;
use crate::tokens::Measurement;

/// What a guard may use: the time, the versions that are live, and a place to leave events.
#[derive(Debug)]
pub struct Cx<'a> {
    now: Timestamp,
    line_up: &'a LineUp,
    outbox: &'a Outbox,
    guard: &'a str,
    ticket: TicketId,
    dry_run: bool,
    only_for: Option<&'a DocumentType>,
    stage: Option<u8>,
    /// Where to leave what was measured.
    measurement: Option<&'a RefCell<Option<Measurement>>>,
}

impl<'a> Cx<'a> {
    /// What a guard called `guard` may use at `now`. The pipeline makes these; a test of one guard makes its own.
    pub fn new(now: Timestamp, line_up: &'a LineUp, outbox: &'a Outbox, guard: &'a str) -> Self {
        Self::for_ticket(TicketId::new(0, 0), now, line_up, outbox, guard)
    }

    /// The same with the ticket of the call that is being looked at, or else the next that will be given.
    pub(crate) fn for_ticket(
        ticket: TicketId,
        now: Timestamp,
        line_up: &'a LineUp,
        outbox: &'a Outbox,
        guard: &'a str,
    ) -> Self {
        Self {
            now,
            line_up,
            outbox,
            guard,
            ticket,
            dry_run: false,
            only_for: None,
            stage: None,
            measurement: None,
        }
    }

    /// The ticket of the call that is being looked at, or else the next that will be given.
    pub(crate) fn ticket(&self) -> TicketId {
        self.ticket
    }

    /// The name of the guard.
    pub(crate) fn guard(&self) -> &str {
        self.guard
    }

    /// The time of this decision. It never goes back.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The versions that are live.
    pub fn line_up(&self) -> &'a LineUp {
        self.line_up
    }

    /// Tells an operator. Events are delivered in order, when no lock is held.
    pub fn emit(&self, severity: Severity, kind: EventKind) {
        let mut event = Event::new(self.now, self.guard, severity, kind);
        event.only_for = self.only_for.cloned();
        self.outbox.push(if self.dry_run {
            event.into_dry_run()
        } else {
            event
        });
    }

    /// Marks the call with the stage of the rollout that is on; of several the highest stays.
    pub fn mark_stage(&mut self, stage: u8) {
        self.stage = self.stage.max(Some(stage));
    }

    pub(crate) fn stage(&self) -> Option<u8> {
        self.stage
    }

    /// Puts on the ticket what was measured; of several the latest stays.
    pub(crate) fn mark_measurement(&mut self, measurement: Measurement) {
        if let Some(place) = self.measurement {
            place.replace(Some(measurement));
        }
    }

    /// The same with a place for what is measured.
    pub(crate) fn with_place(mut self, place: &'a RefCell<Option<Measurement>>) -> Self {
        self.measurement = Some(place);
        self
    }

    /// The same for what a guard says of one type of document.
    pub(crate) fn only_for<'b>(&'b self, document_type: &'b DocumentType) -> Cx<'b> {
        Cx {
            only_for: Some(document_type),
            ..*self
        }
    }

    /// The type of document that the guard speaks of, if it is not all.
    pub(crate) fn scope(&self) -> Option<&'a DocumentType> {
        self.only_for
    }

    /// The same for a guard that only watches.
    pub(crate) fn watching(&self) -> Self {
        Self {
            dry_run: true,
            ..*self
        }
    }
}
