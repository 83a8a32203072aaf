//! Which documents were reviewed and corrected. Each document counts once, a batch counts once, and
//! a correction can be retracted.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::call::{Correction, Role, Ticket};
use crate::name::BatchKey;

/// The number of corrections that are remembered, and of reviewed documents; corrected documents
/// can double the latter. The tables take at most 9 MB.
pub(crate) const REMEMBERED: usize = 100_000;

/// What a correction or its retraction changes in the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// One more.
    More,
    /// One less.
    Less,
    /// It was reported before, or its document or batch already counts.
    Nothing,
    /// There is no such correction to retract.
    Unknown,
}

/// Stores hashes only, never names.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    /// Each correction of a field, counted or not.
    known: HashSet<u64, RandomState>,
    documents: HashMap<u64, Document, RandomState>,
    /// The number of each batch, per stratum and version.
    batches: HashMap<u64, u32, RandomState>,
    /// The number of corrected documents in each batch, indexed by its number minus one.
    in_batch: Vec<u32>,
}

/// Document type, stage, time slice and version.
type StratumId<'a> = (&'a str, usize, usize, Role);

/// A document that was reviewed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Document {
    corrections: u16,
    /// The number of the batch that it counts for, as of its first correction; 0 for none.
    batch: u32,
}

impl Corrections {
    /// Records a review; returns whether it is the first of the document.
    pub(crate) fn review(&mut self, ticket: &Ticket) -> bool {
        let document = hash(ticket, &[]);
        if self.documents.len() >= REMEMBERED {
            return !self.documents.contains_key(&document);
        }
        let before = self.documents.len();
        self.documents.entry(document).or_default();
        self.documents.len() > before
    }

    /// Records a correction; a batch counts once per stratum and version.
    pub(crate) fn correct(
        &mut self,
        ticket: &Ticket,
        correction: &Correction,
        place: StratumId<'_>,
    ) -> Change {
        let key = correction_key(ticket, correction);
        if self.known.contains(&key) {
            return Change::Nothing;
        }
        let document = hash(ticket, &[]);
        if self.is_full() {
            let is_corrected = self.documents.get(&document);
            let is_corrected = is_corrected.is_some_and(|document| document.corrections > 0);
            return if is_corrected {
                Change::Nothing
            } else {
                Change::More
            };
        }
        self.known.insert(key);
        let known = self.documents.entry(document).or_default();
        known.corrections = known.corrections.saturating_add(1);
        if known.corrections > 1 {
            return Change::Nothing;
        }
        let Some(batch) = correction.batch() else {
            known.batch = 0;
            return Change::More;
        };
        let next = u32::try_from(self.in_batch.len()).map_or(u32::MAX, |len| len + 1);
        let number = *self.batches.entry(batch_key(batch, place)).or_insert(next);
        known.batch = number;
        if number == next {
            self.in_batch.push(0);
        }
        let place = number.checked_sub(1).map(|place| place as usize);
        match place.and_then(|place| self.in_batch.get_mut(place)) {
            Some(documents) => {
                *documents = documents.saturating_add(1);
                if *documents == 1 {
                    Change::More
                } else {
                    Change::Nothing
                }
            }
            None => Change::More,
        }
    }

    /// Records a retraction.
    pub(crate) fn retract(&mut self, ticket: &Ticket, correction: &Correction) -> Change {
        if !self.known.remove(&correction_key(ticket, correction)) {
            return Change::Unknown;
        }
        let Some(known) = self.documents.get_mut(&hash(ticket, &[])) else {
            return Change::Nothing;
        };
        known.corrections = known.corrections.saturating_sub(1);
        if known.corrections > 0 {
            return Change::Nothing;
        }
        let batch = known.batch.checked_sub(1);
        match batch.and_then(|batch| self.in_batch.get_mut(batch as usize)) {
            None => Change::Less,
            Some(documents) => {
                *documents = documents.saturating_sub(1);
                if *documents == 0 {
                    Change::Less
                } else {
                    Change::Nothing
                }
            }
        }
    }

    /// Whether further corrections are no longer remembered: a repeated report counts again, and
    /// cannot be retracted.
    pub(crate) fn is_full(&self) -> bool {
        self.known.len() >= REMEMBERED || self.documents.len() >= 2 * REMEMBERED
    }

    pub(crate) fn stored(&self) -> Stored {
        Stored {
            corrections: self.known.iter().copied().collect(),
            documents: self
                .documents
                .iter()
                .map(|(key, value)| (*key, *value))
                .collect(),
            batches: self
                .batches
                .iter()
                .map(|(key, value)| (*key, *value))
                .collect(),
            in_batch: self.in_batch.clone(),
        }
    }
}

impl From<Stored> for Corrections {
    fn from(stored: Stored) -> Self {
        Self {
            known: stored.corrections.into_iter().collect(),
            documents: stored.documents.into_iter().collect(),
            batches: stored.batches.into_iter().collect(),
            in_batch: stored.in_batch,
        }
    }
}

/// The key of one correction of one field of one document.
fn correction_key(ticket: &Ticket, correction: &Correction) -> u64 {
    let field = correction.field().as_str();
    match correction.id() {
        None => hash(ticket, &[field]),
        Some(id) => hash(ticket, &[field, id.as_str()]),
    }
}

/// A hash of a document, a version and further names; the same on every machine and after every
/// restart.
fn hash(ticket: &Ticket, names: &[&str]) -> u64 {
    let version = XxHash3_64::oneshot(ticket.version().as_str().as_bytes());
    let seed = XxHash3_64::oneshot_with_seed(version, ticket.document().as_str().as_bytes());
    names.iter().fold(seed, |seed, name| {
        XxHash3_64::oneshot_with_seed(seed, name.as_bytes())
    })
}

fn batch_key(batch: &BatchKey, (document_type, stage, time_slice, role): StratumId<'_>) -> u64 {
    let seed = XxHash3_64::oneshot(batch.as_str().as_bytes());
    let seed = XxHash3_64::oneshot_with_seed(seed, document_type.as_bytes());
    let numbers = [stage, time_slice, usize::from(role == Role::Candidate)];
    numbers.iter().fold(seed, |seed, number| {
        XxHash3_64::oneshot_with_seed(seed, &(*number as u64).to_le_bytes())
    })
}

/// Corrections as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    corrections: Vec<u64>,
    documents: Vec<(u64, Document)>,
    batches: Vec<(u64, u32)>,
    in_batch: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::{Call, Version};
    use crate::name::{CorrectionId, Field};

    const PLACE: StratumId<'_> = ("invoice", 0, 0, Role::Candidate);

    fn ticket(document: u64) -> Ticket {
        let call = Call::new(document.to_string(), "invoice").unwrap();
        Ticket::new(&call, &Version::new("v8", "gpt-4o").unwrap()).with_role(Role::Candidate)
    }

    fn correction(field: u8, id: u8, batch: u8) -> Correction {
        let mut correction = Correction::new(Field::new(format!("field-{field}")).unwrap());
        if id > 0 {
            correction = correction.with_id(CorrectionId::new(id.to_string()).unwrap());
        }
        if batch > 0 {
            correction = correction.in_batch(BatchKey::new(batch.to_string()).unwrap());
        }
        correction
    }

    proptest! {
        /// Against a plain list of all reports: a document without a batch counts once, a batch
        /// counts once per stratum.
        #[test]
        fn facts_are_counted_as_a_list_would(
            steps in prop::collection::vec((0_u64..4, 0_u8..2, 0_u8..2, 0_u8..3, any::<bool>()), 1..60),
        ) {
            let mut corrections = Corrections::default();
            let mut alive: Vec<(u64, u8, u8)> = Vec::new();
            let mut batch_of: HashMap<u64, u8> = HashMap::new();
            let mut facts = 0_i64;
            for (document, field, id, batch, is_taken_back) in steps {
                let ticket = ticket(document);
                let place = ("invoice", 0, usize::from(document % 2 == 1), Role::Candidate);
                let said = (document, field, id);
                let change = if is_taken_back {
                    alive.retain(|other| *other != said);
                    corrections.retract(&ticket, &correction(field, id, 0))
                } else {
                    if !alive.iter().any(|(other, _, _)| *other == document) {
                        batch_of.insert(document, batch);
                    }
                    if !alive.contains(&said) {
                        alive.push(said);
                    }
                    corrections.correct(&ticket, &correction(field, id, batch), place)
                };
                facts += match change {
                    Change::More => 1,
                    Change::Less => -1,
                    Change::Nothing | Change::Unknown => 0,
                };
                let expected: HashSet<_> = alive
                    .iter()
                    .map(|(document, _, _)| match batch_of[document] {
                        0 => (*document, 100, 0),
                        batch => (document % 2, batch, 1),
                    })
                    .collect();
                prop_assert_eq!(facts, i64::try_from(expected.len()).unwrap());
                corrections = Corrections::from(corrections.stored());
            }
        }
    }

    #[test]
    fn what_was_never_said_cannot_be_taken_back() {
        let mut corrections = Corrections::default();
        let ticket = ticket(1);
        assert_eq!(
            corrections.retract(&ticket, &correction(0, 0, 0)),
            Change::Unknown
        );
        assert_eq!(
            corrections.correct(&ticket, &correction(0, 0, 0), PLACE),
            Change::More
        );
        assert_eq!(
            corrections.retract(&ticket, &correction(0, 1, 0)),
            Change::Unknown,
            "another id"
        );
        assert_eq!(
            corrections.retract(&ticket, &correction(1, 0, 0)),
            Change::Unknown,
            "another field"
        );
        assert_eq!(
            corrections.retract(&ticket, &correction(0, 0, 0)),
            Change::Less
        );
    }

    #[test]
    fn past_the_limit_facts_count_but_are_not_remembered() {
        let mut corrections = Corrections::default();
        for n in 0..REMEMBERED as u64 {
            assert!(!corrections.is_full(), "{n}");
            assert_eq!(
                corrections.correct(&ticket(n), &correction(0, 0, 0), PLACE),
                Change::More
            );
        }
        assert!(corrections.is_full());
        let late = ticket(u64::MAX);
        assert_eq!(
            corrections.correct(&late, &correction(0, 0, 0), PLACE),
            Change::More
        );
        assert_eq!(
            corrections.retract(&late, &correction(0, 0, 0)),
            Change::Unknown
        );
        let known = ticket(5);
        assert_eq!(
            corrections.correct(&known, &correction(0, 0, 0), PLACE),
            Change::Nothing
        );
        assert_eq!(corrections.documents.len(), REMEMBERED);
        assert_eq!(
            corrections.retract(&known, &correction(0, 0, 0)),
            Change::Less
        );
    }
}
