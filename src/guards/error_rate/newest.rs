//! Generations of calls, without a number on each call: tickets are numbered in the order of admission.

use crate::ticket::TicketId;

/// The newest call that was admitted by each pipeline that shares a breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Newest(Vec<TicketId>);

impl Newest {
    pub(super) fn note(&mut self, ticket: TicketId) {
        match self
            .0
            .iter_mut()
            .find(|newest| newest.is_of_pipeline(ticket))
        {
            Some(newest) => *newest = ticket.max(*newest),
            None => self.0.push(ticket),
        }
    }

    /// Whether a call was admitted up to these.
    pub(super) fn covers(&self, ticket: TicketId) -> bool {
        let newest = self.0.iter().find(|newest| newest.is_of_pipeline(ticket));
        newest.is_some_and(|newest| ticket <= *newest)
    }
}
