//! The stored state, and what it cannot say without contradicting itself.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::digest::Digest;
use super::document::Document;
use super::report::{JudgedCounts, PairCounts, Standing};
use super::settings::LookedAt;
use super::waiting::Waiting;
use crate::call::TicketId;
use crate::format::Format;
use crate::name::{BatchKey, DocumentType};
use crate::time::Timestamp;

/// That the candidate was called worse, and the facts that showed it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Called {
    pub(super) at: Timestamp,
    /// The units of that moment, as they have been revised since.
    pub(super) units: PairCounts,
}

/// The stored state: what is remembered, and the counts, which have those of what was let go too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(super) format: Format<1>,
    /// Which key the digests were made with.
    pub(super) key: Digest,
    pub(super) looked_at: LookedAt,
    pub(super) now: Timestamp,
    /// By time of their comparison.
    pub(super) documents: Vec<(TicketId, Document)>,
    pub(super) waiting: Waiting,
    pub(super) batches: Vec<(BatchKey, Batch)>,
    pub(super) types: Vec<(DocumentType, JudgedCounts)>,
    pub(super) other: Option<JudgedCounts>,
    pub(super) total: JudgedCounts,
    pub(super) units: PairCounts,
    pub(super) called: Option<Called>,
    pub(super) let_go: u64,
}

impl Stored {
    /// In what the state contradicts itself, if it does.
    pub(super) fn contradiction(&self, types: usize) -> Option<&'static str> {
        let ids: HashSet<_, RandomState> = self.documents.iter().map(|(id, _)| id).collect();
        if ids.len() != self.documents.len() {
            return Some("a document is in it twice");
        }
        if self
            .documents
            .iter()
            .any(|(id, _)| self.waiting.contains(*id))
        {
            return Some("a compared document waits for its comparison");
        }
        let times = self
            .documents
            .iter()
            .map(|(_, document)| document.compared_at);
        if !times.chain([self.now]).is_sorted() {
            return Some("its documents are not in order of time");
        }
        let is_possible = |(_, document): &(TicketId, Document)| {
            document.told.is_possible(self.now) && document.differing.is_possible()
        };
        if !self.documents.iter().all(is_possible) || !self.waiting.is_possible(self.now) {
            return Some("a document has too many fields, or a review to come");
        }
        if self.types.len() > types || (self.other.is_some() && self.types.len() < types) {
            return Some("it has too many document types, or an overflow without need");
        }
        let all = self
            .types
            .iter()
            .map(|(_, counts)| counts)
            .chain(&self.other);
        let compared = all.clone().map(JudgedCounts::compared);
        let remembered = self.documents.len() as u64;
        if compared.fold(0, u64::saturating_add) != self.total.compared()
            || self.let_go.checked_add(remembered) != Some(self.total.compared())
        {
            return Some("its counts do not match its documents");
        }
        self.contradiction_of_counts()
    }

    /// What is remembered cannot be more than what was counted.
    fn contradiction_of_counts(&self) -> Option<&'static str> {
        let mut types: HashMap<&DocumentType, JudgedCounts, RandomState> = HashMap::default();
        let mut other = JudgedCounts::default();
        let mut batches: HashMap<&BatchKey, Batch, RandomState> = HashMap::default();
        let own: HashMap<_, _, RandomState> = self
            .types
            .iter()
            .map(|(key, counts)| (key, counts))
            .collect();
        let (mut units, mut in_verdict) = (PairCounts::default(), PairCounts::default());
        for (_, document) in &self.documents {
            let standing = document.standing();
            let counts = if own.contains_key(&document.of_type) {
                types.entry(&document.of_type).or_default()
            } else {
                &mut other
            };
            counts.add(standing);
            if let Some(key) = &document.batch {
                let batch = batches.entry(key).or_default();
                batch.remembered = batch.remembered.saturating_add(1);
                batch.revise(None, standing.pair());
                if document.in_verdict {
                    return Some("a document of a batch is a unit of its own");
                }
            } else if let Standing::LookedAt(pair) = standing {
                units.add(pair);
                if document.in_verdict {
                    in_verdict.add(pair);
                }
            } else if document.in_verdict {
                return Some("the verdict counts a document that nobody looked at");
            }
        }
        let is_within = |counts: &JudgedCounts, of: Option<&JudgedCounts>| {
            of.is_some_and(|of| counts.is_within(of))
        };
        let nothing = JudgedCounts::default();
        if !types
            .iter()
            .all(|(key, counts)| is_within(counts, own.get(key).copied()))
            || !is_within(&other, Some(self.other.as_ref().unwrap_or(&nothing)))
        {
            return Some("its counts do not match its documents");
        }
        if batches.len() != self.batches.len() {
            return Some("its batches do not match its documents");
        }
        for (key, batch) in &self.batches {
            if !batches.get(key).is_some_and(|found| found.is_within(batch)) {
                return Some("its batches do not match its documents");
            }
            units.revise(None, batch.pair());
            if batch.in_verdict {
                in_verdict.revise(None, batch.pair());
            }
        }
        let called = self
            .called
            .map_or(PairCounts::default(), |called| called.units);
        let is_early = self.called.is_some_and(|called| called.at > self.now);
        if !units.is_within(&self.units) || !in_verdict.is_within(&called) || is_early {
            return Some("its verdict does not match its documents");
        }
        None
    }
}
