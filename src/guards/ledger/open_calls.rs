//! The calls that have not ended.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::Duration;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::incident;
use crate::call::{Ticket, TicketId};
use crate::event::{EventKind, LedgerEvent, Severity};
use crate::guard::Cx;
use crate::name::{DocumentId, DocumentType};
use crate::time::Timestamp;

/// The most calls that are tracked one by one.
const LIMIT: usize = 100_000;
/// Above this limit, forget the call that was written off first.
const WRITTEN_OFF: usize = 1_000;

/// A call that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) document: DocumentId,
    pub(super) document_type: DocumentType,
    pub(super) since: Timestamp,
    reported: bool,
}

#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    /// By ids that the pipeline gives out, so no caller can make them collide.
    calls: HashMap<TicketId, Open, RandomState>,
    /// None of them began before.
    since: Timestamp,
    untracked: u64,
    /// Written off, and not ended since.
    written_off: VecDeque<TicketId>,
}

impl OpenCalls {
    pub(super) fn open(&mut self, ticket: &Ticket, now: Timestamp) {
        if self.calls.len() >= LIMIT {
            self.untracked += 1;
            return;
        }
        self.since = if self.calls.is_empty() {
            now
        } else {
            self.since.min(now)
        };
        let open = Open {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            since: now,
            reported: false,
        };
        self.calls.insert(ticket.id(), open);
    }

    /// Whether it knows of this call that it was opened and has not ended.
    pub(super) fn has(&self, ticket: TicketId) -> bool {
        self.calls.contains_key(&ticket) || self.written_off.contains(&ticket)
    }

    /// A call ended; whether it had been written off.
    pub(super) fn close(&mut self, ticket: TicketId) -> bool {
        if self.calls.remove(&ticket).is_some() {
            return false;
        }
        let written_off = self.written_off.iter().position(|known| *known == ticket);
        if let Some(at) = written_off {
            self.written_off.remove(at);
            return true;
        }
        self.untracked = self.untracked.saturating_sub(1);
        false
    }

    /// Takes a call out, which may still end later.
    pub(super) fn write_off(&mut self, ticket: TicketId) -> Option<Open> {
        let open = self.calls.remove(&ticket)?;
        if self.written_off.len() >= WRITTEN_OFF {
            self.written_off.pop_front();
        }
        self.written_off.push_back(ticket);
        Some(open)
    }

    pub(super) fn report_overdue(&mut self, max_open: Duration, cx: &Cx<'_>) {
        let now = cx.now();
        if now.since(self.since) <= max_open {
            return;
        }
        self.since = self
            .calls
            .values()
            .map(|open| open.since)
            .min()
            .unwrap_or(now);
        let is_overdue = |open: &Open| now.since(open.since) > max_open;
        let calls = self.calls.iter_mut();
        let mut overdue: Vec<_> = calls.filter(|(_, open)| is_overdue(open)).collect();
        overdue.sort_by_key(|(ticket, open)| (open.since, **ticket));
        let trouble = incident::overdue().many(overdue.len() as u64);
        let kind = |ticket: &TicketId, open: &Open| {
            EventKind::Ledger(LedgerEvent::Overdue {
                ticket: *ticket,
                document: open.document.clone(),
                document_type: open.document_type.clone(),
                open_for: now.since(open.since),
            })
        };
        let mut is_told = false;
        for (ticket, open) in &mut overdue {
            if mem::replace(&mut open.reported, true) {
                continue;
            }
            if is_told {
                cx.emit(Severity::Warning, kind(ticket, open));
            } else {
                cx.page(&trouble, kind(ticket, open));
                is_told = true;
            }
        }
        if let Some((ticket, open)) = overdue.first().filter(|_| !is_told) {
            cx.still(&trouble, || kind(ticket, open));
        }
    }

    /// The calls that are tracked one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TicketId, &Open)> {
        self.calls.iter()
    }

    pub(super) fn len(&self) -> u64 {
        self.calls.len() as u64 + self.untracked
    }

    pub(super) fn stored(&self) -> Vec<(TicketId, Open)> {
        let calls = self.calls.iter();
        calls
            .map(|(ticket, open)| (*ticket, open.clone()))
            .collect()
    }
}
