//! Generations of calls. A ticket carries no generation: its number says whether it came before
//! one.

use crate::call::{Ticket, TicketId};
use crate::guard::Cx;
use crate::time::Timestamp;

/// The point at which a generation of calls begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Generation(Option<Begin>);

#[derive(Clone, Copy, Debug)]
struct Begin {
    /// The generation's first ticket.
    ticket: TicketId,
    at: Timestamp,
}

impl Generation {
    /// The generation that begins with the call at hand, or else with the next call.
    pub(super) fn beginning(cx: &Cx<'_>, at: Timestamp) -> Self {
        let ticket = cx.ticket();
        Self(Some(Begin { ticket, at }))
    }

    /// Whether a call came before this generation. Tickets of two pipelines that share a breaker
    /// have no common order, so time decides there.
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
