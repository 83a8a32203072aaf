//! What the ledger knows of each document type, in bounded memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arrivals::Arrivals;
use crate::name::DocumentType;
use crate::stats::{BoundedMap, DEFAULT_KEYS, Place, Tracked};

/// The types by name. A declared type has a place of its own; the others share a limit.
#[derive(Debug)]
pub(super) struct Types {
    declared: BTreeMap<DocumentType, Tracked<Arrivals>>,
    others: BoundedMap<DocumentType, Tracked<Arrivals>>,
    /// Whether types were forgotten since [`take_changed`](Self::take_changed).
    has_forgotten: bool,
}

impl Types {
    pub(super) fn new<'a>(declared: impl Iterator<Item = &'a DocumentType>) -> Self {
        Self {
            declared: declared
                .map(|name| (name.clone(), Tracked::default()))
                .collect(),
            others: BoundedMap::new(DEFAULT_KEYS),
            has_forgotten: false,
        }
    }

    /// The entry of a type, created if missing.
    pub(super) fn of(&mut self, document_type: &DocumentType) -> (&mut Arrivals, Place) {
        let (arrivals, place) = match self.declared.get_mut(document_type) {
            Some(arrivals) => (arrivals, Place::Own),
            None => self.others.entry(document_type, Tracked::default),
        };
        (arrivals.change(), place)
    }

    /// Every type with an entry of its own.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DocumentType, &Arrivals)> {
        let own = self.declared.iter().chain(self.others.iter());
        own.map(|(document_type, arrivals)| (document_type, &**arrivals))
    }

    pub(super) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (&DocumentType, &mut Tracked<Arrivals>)> {
        self.declared.iter_mut().chain(self.others.iter_mut())
    }

    /// Every type with an entry of its own, to be written without the lock of the guard.
    pub(super) fn shared(&self) -> Vec<(DocumentType, Arc<Arrivals>)> {
        let declared = self.declared.iter();
        let mut all = self.others.shared(|_| true);
        all.extend(declared.map(|(name, arrivals)| (name.clone(), arrivals.shared())));
        all
    }

    /// The same of those that have changed since this was last asked; and whether it is all, because
    /// all was asked for or types were forgotten.
    pub(super) fn take_changed(&mut self, all: bool) -> (Vec<(DocumentType, Arc<Arrivals>)>, bool) {
        let all = std::mem::take(&mut self.has_forgotten) || all;
        let own = self.iter_mut();
        let changed = own.filter_map(|(name, arrivals)| {
            let has_changed = arrivals.take_changed();
            (has_changed || all).then(|| (name.clone(), arrivals.shared()))
        });
        (changed.collect(), all)
    }

    /// The entry of all other types, if there are more than the limit.
    pub(super) fn other(&self) -> Option<&Arrivals> {
        self.others.other().map(|arrivals| &**arrivals)
    }

    /// The largest number of types that are not declared and have an entry of their own.
    pub(super) fn limit(&self) -> usize {
        self.others.limit()
    }

    /// Restores stored entries, whether or not their types were declared when they were stored.
    pub(super) fn refill(
        &mut self,
        stored: Vec<(DocumentType, Arc<Arrivals>)>,
        other: Option<Arrivals>,
    ) {
        self.has_forgotten = true;
        let mut others = Vec::new();
        for (document_type, arrivals) in stored {
            let arrivals = Tracked::of(arrivals);
            match self.declared.get_mut(&document_type) {
                Some(declared) => *declared = arrivals,
                None => others.push((document_type, arrivals)),
            }
        }
        self.others.refill(others, other.map(Tracked::new));
    }
}
