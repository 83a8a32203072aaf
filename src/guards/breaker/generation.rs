//! Generations of calls, without a number on each call: tickets are numbered in the order in which calls come.

use crate::call::{Ticket, TicketId};
use crate::guard::Cx;
use crate::time::Timestamp;

/// Where a generation of calls begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Generation(Option<Begin>);

#[derive(Clone, Copy, Debug)]
struct Begin {
    /// The first ticket of it.
    ticket: TicketId,
    at: Timestamp,
}

impl Generation {
    /// The one that begins with the call that is being looked at, or else with the next.
    pub(super) fn beginning(cx: &Cx<'_>, at: Timestamp) -> Self {
        let ticket = cx.ticket();
        Self(Some(Begin { ticket, at }))
    }

    /// Whether a call came before it. Between pipelines that share a breaker, time decides.
    pub(super) fn is_after(&self, ticket: &Ticket) -> bool {
        self.0.is_some_and(|begin| {
            if begin.ticket.is_of_pipeline(ticket.id()) {
                ticket.id() < begin.ticket
            } else {
                ticket.admitted_at() < begin.at
            }
        })
    }
}
