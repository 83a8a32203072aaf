//! Which documents have arrived already, so that several calls for one are one document.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::call::Ticket;

/// Above this limit, forget the document that arrived first.
const REMEMBERED: usize = 10_000;

/// The documents that arrived last, by a hash of type and id.
#[derive(Debug, Default)]
pub(super) struct Documents {
    hasher: RandomState,
    /// With the number of times that something had come out of the type when the document was last
    /// counted as waiting.
    counted: HashMap<u64, u64, RandomState>,
    order: VecDeque<u64>,
}

/// What a call says of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// No earlier call for it is remembered.
    pub(super) is_new: bool,
    /// It is not among those that wait.
    pub(super) begins_to_wait: bool,
}

impl Documents {
    /// A call for a document; `came_out` says how often something has come out of its type.
    pub(super) fn see(&mut self, ticket: &Ticket, came_out: u64) -> Sighting {
        let document = (ticket.document_type(), ticket.document());
        let key = self.hasher.hash_one(document);
        let before = self.counted.insert(key, came_out);
        if before.is_none() {
            if self.order.len() >= REMEMBERED {
                if let Some(first) = self.order.pop_front() {
                    self.counted.remove(&first);
                }
            }
            self.order.push_back(key);
        }
        Sighting {
            is_new: before.is_none(),
            begins_to_wait: before != Some(came_out),
        }
    }
}
