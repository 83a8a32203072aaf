//! What the ledger knows of each document type, in bounded memory.

use std::collections::BTreeMap;

use super::arrivals::Arrivals;
use crate::name::DocumentType;
use crate::stats::{BoundedMap, DEFAULT_KEYS, Place};

/// The types by name. A declared type has a place of its own; the others share a limit.
#[derive(Debug)]
pub(super) struct Types {
    declared: BTreeMap<DocumentType, Arrivals>,
    others: BoundedMap<DocumentType, Arrivals>,
}

impl Types {
    pub(super) fn new<'a>(declared: impl Iterator<Item = &'a DocumentType>) -> Self {
        Self {
            declared: declared
                .map(|name| (name.clone(), Arrivals::default()))
                .collect(),
            others: BoundedMap::new(DEFAULT_KEYS),
        }
    }

    /// The entry of a type, created if missing.
    pub(super) fn of(&mut self, document_type: &DocumentType) -> (&mut Arrivals, Place) {
        match self.declared.get_mut(document_type) {
            Some(arrivals) => (arrivals, Place::Own),
            None => self.others.entry(document_type, Arrivals::default),
        }
    }

    /// Every type with an entry of its own.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DocumentType, &Arrivals)> {
        self.declared.iter().chain(self.others.iter())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&DocumentType, &mut Arrivals)> {
        self.declared.iter_mut().chain(self.others.iter_mut())
    }

    /// The entry of all other types, if there are more than the limit.
    pub(super) fn other(&self) -> Option<&Arrivals> {
        self.others.other()
    }

    /// The largest number of types that are not declared and have an entry of their own.
    pub(super) fn limit(&self) -> usize {
        self.others.limit()
    }

    /// Restores stored entries, whether or not their types were declared when they were stored.
    pub(super) fn refill(
        &mut self,
        stored: Vec<(DocumentType, Arrivals)>,
        other: Option<Arrivals>,
    ) {
        let mut others = Vec::new();
        for (document_type, arrivals) in stored {
            match self.declared.get_mut(&document_type) {
                Some(declared) => *declared = arrivals,
                None => others.push((document_type, arrivals)),
            }
        }
        self.others.refill(others, other);
    }
}
