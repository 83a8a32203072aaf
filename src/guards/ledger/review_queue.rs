//! Documents that wait for a person.

use std::collections::BTreeMap;
use std::time::Duration;

use super::incident;
use crate::call::{Feedback, Outcome, Ticket};
use crate::event::{EventKind, LedgerEvent};
use crate::guard::Cx;
use crate::name::{DocumentId, DocumentType};
use crate::time::Timestamp;

/// The most documents that are tracked; those that come when the queue has as many are not, because
/// the oldest pages in any case.
const LIMIT: usize = 100_000;

/// The documents that were diverted or whose answers need review, and since when.
#[derive(Debug, Default)]
pub(super) struct ReviewQueue(BTreeMap<(DocumentType, DocumentId), Timestamp>);

impl ReviewQueue {
    /// A call ended: its document waits if the outcome sends it to a person.
    pub(super) fn end(&mut self, ticket: &Ticket, outcome: &Outcome, now: Timestamp) {
        let waits = matches!(outcome, Outcome::Diverted(_) | Outcome::NeedsReview);
        if waits && self.0.len() < LIMIT {
            self.0.entry(key(ticket)).or_insert(now);
        }
    }

    /// Feedback came: if it is from a person, the document no longer waits.
    pub(super) fn learn(&mut self, ticket: &Ticket, feedback: &Feedback) {
        match feedback {
            Feedback::Compared(_) => {}
            Feedback::Corrected(_)
            | Feedback::PickedUp
            | Feedback::Retracted(_)
            | Feedback::Reviewed => {
                self.0.remove(&key(ticket));
            }
        }
    }

    /// Reports documents that have waited for longer than `limit`.
    pub(super) fn report(&self, limit: Duration, cx: &Cx<'_>) {
        let now = cx.now();
        let age = |since: &Timestamp| now.since(*since);
        let late = self.0.iter().filter(|(_, since)| age(since) > limit);
        let waiting = late.clone().count() as u64;
        let oldest = late.min_by_key(|(_, since)| **since);
        if let Some(((document_type, document), since)) = oldest {
            cx.still(&incident::review_queue(waiting), || {
                EventKind::Ledger(LedgerEvent::ReviewQueue {
                    document: document.clone(),
                    document_type: document_type.clone(),
                    waited: age(since),
                    waiting,
                    limit,
                })
            });
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn stored(&self) -> Vec<(DocumentType, DocumentId, Timestamp)> {
        let waiting = self.0.iter();
        let stored = waiting.map(|((document_type, document), since)| {
            (document_type.clone(), document.clone(), *since)
        });
        stored.collect()
    }

    pub(super) fn restore(&mut self, stored: Vec<(DocumentType, DocumentId, Timestamp)>) {
        let waiting = stored.into_iter().take(LIMIT);
        self.0 = waiting
            .map(|(document_type, document, since)| ((document_type, document), since))
            .collect();
    }
}

fn key(ticket: &Ticket) -> (DocumentType, DocumentId) {
    (ticket.document_type().clone(), ticket.document().clone())
}
