//! How calls have ended so far.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ends::Ends;
use crate::name::DocumentType;

/// How calls have ended so far, and what is still to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerReport {
    pub(super) types: BTreeMap<DocumentType, Ends>,
    pub(super) other: Option<Ends>,
    pub(super) open: u64,
    pub(super) awaiting_review: u64,
}

impl LedgerReport {
    /// The ends of each document type, by name.
    pub fn types(&self) -> impl Iterator<Item = (&DocumentType, &Ends)> {
        self.types.iter()
    }

    /// The ends of the types above the limit of 10,000; `None` while no type is above it.
    pub fn other(&self) -> Option<&Ends> {
        self.other.as_ref()
    }

    /// The ends of one document type.
    pub fn of(&self, document_type: impl AsRef<str>) -> Ends {
        let ends = self.types.get(document_type.as_ref());
        ends.copied().unwrap_or_default()
    }

    /// The ends of all types.
    pub fn total(&self) -> Ends {
        self.types
            .values()
            .chain(&self.other)
            .fold(Ends::default(), |sum, ends| sum.plus(*ends))
    }

    /// The number of calls that have not ended.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// The number of documents that wait for a person; 0 without
    /// [`review_within`](super::RouteLedgerBuilder::review_within).
    pub fn awaiting_review(&self) -> u64 {
        self.awaiting_review
    }
}
