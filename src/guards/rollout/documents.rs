//! What has been counted, so that nothing counts twice: a document counts once for each measure,
//! however often it is tried or corrected, and so does a batch. A correction can be retracted.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::call::{Correction, Ticket};
use crate::event::Measure;
use crate::name::BatchKey;

/// The number of corrections that are remembered, and of documents that had a bad end or a review;
/// corrected documents can double the latter. The tables take some 12 MB then.
pub(super) const REMEMBERED: usize = 100_000;

/// How many are stored together: a part is some KB.
const PART: usize = 256;

/// What a correction or its retraction changes in the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One more.
    More,
    /// One less.
    Less,
    /// It was reported before, or its document or batch already counts.
    Nothing,
    /// There is no such correction to retract.
    Unknown,
}

/// What the end of a call adds to the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// One more document.
    pub(super) document: bool,
    /// One more answer.
    pub(super) answer: bool,
    /// One more event of the measure.
    pub(super) event: bool,
}

/// A failure that a burst may take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    document: u64,
    unit: u64,
    /// Whether the document was counted with it, and not with an earlier call.
    pub(super) added_document: bool,
}

impl Failure {
    pub(super) fn new(ticket: &Ticket, added: Added) -> Self {
        Self {
            document: document_key(ticket),
            unit: unit_key(ticket),
            added_document: added.document,
        }
    }

    /// Of which keys it was counted, and as what.
    fn counted_as(&self) -> [(u64, u8); 2] {
        let document = if self.added_document { DOCUMENT } else { 0 };
        [
            (self.document, document),
            (self.unit, bit(Measure::Failures)),
        ]
    }
}

/// Stores hashes only, never names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Documents {
    /// Each correction of a field, counted or not.
    corrections: IndexSet<u64, RandomState>,
    #[serde(with = "by_value")]
    known: IndexMap<u64, Known, RandomState>,
    /// The parts that have changed since [`take_changed`](Self::take_changed): what is new is in the
    /// last ones.
    #[serde(skip)]
    changed: BTreeSet<Place>,
}

/// A part of what is remembered, from 0: so many in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Corrections(usize),
    Known(usize),
}

/// A part of what is remembered, to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Corrections(Vec<u64>),
    Known(#[serde(with = "by_value")] IndexMap<u64, Known, RandomState>),
}

/// What is known of a document or a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Known {
    /// What it has been counted as: bits.
    counted: u8,
    corrections: u16,
}

/// What is known is stored once for all of which the same is known: the keys alone take enough room.
mod by_value {
    use std::collections::BTreeMap;

    use serde::{Deserializer, Serializer};

    use super::{Deserialize, IndexMap, Known, RandomState};

    pub(super) fn serialize<S: Serializer>(
        known: &IndexMap<u64, Known, RandomState>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut keys: BTreeMap<Known, Vec<u64>> = BTreeMap::new();
        for (key, known) in known {
            keys.entry(*known).or_default().push(*key);
        }
        let of_value = |(known, keys): (Known, _)| (known.counted, known.corrections, keys);
        serializer.collect_seq(keys.into_iter().map(of_value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<IndexMap<u64, Known, RandomState>, D::Error> {
        let stored = Vec::<(u8, u16, Vec<u64>)>::deserialize(deserializer)?;
        let known = stored.into_iter().flat_map(|(counted, corrections, keys)| {
            let known = Known {
                counted,
                corrections,
            };
            keys.into_iter().map(move |key| (key, known))
        });
        Ok(known.collect())
    }
}

const DOCUMENT: u8 = 1;
const ANSWER: u8 = 2;
const REVIEW: u8 = 4;

fn bit(measure: Measure) -> u8 {
    match measure {
        Measure::Abandonments => 8,
        Measure::Corrections => 0,
        Measure::Diversions => 16,
        Measure::Failures => 32,
        Measure::Truncations => 64,
    }
}

impl Known {
    /// Marks it as counted; returns whether it was not.
    fn count(&mut self, as_what: u8) -> bool {
        let is_new = self.counted & as_what == 0;
        self.counted |= as_what;
        is_new
    }
}

impl Documents {
    /// What is known of this; nothing yet, if it is new.
    fn entry(&mut self, key: u64) -> &mut Known {
        let entry = self.known.entry(key);
        self.changed.insert(Place::Known(entry.index() / PART));
        entry.or_default()
    }

    fn known_mut(&mut self, key: u64) -> Option<&mut Known> {
        let (place, _, known) = self.known.get_full_mut(&key)?;
        self.changed.insert(Place::Known(place / PART));
        Some(known)
    }

    fn insert_correction(&mut self, key: u64) {
        let (place, _) = self.corrections.insert_full(key);
        self.changed.insert(Place::Corrections(place / PART));
    }

    /// Whether there was one. The last one takes its place.
    fn remove_correction(&mut self, key: u64) -> bool {
        let Some((place, _)) = self.corrections.swap_remove_full(&key) else {
            return false;
        };
        for place in [place, self.corrections.len()] {
            self.changed.insert(Place::Corrections(place / PART));
        }
        true
    }

    /// The parts that have changed since this was last asked, or all, each with a name that it keeps.
    pub(super) fn take_changed(&mut self, all: bool) -> Vec<(String, Part)> {
        let mut changed = std::mem::take(&mut self.changed);
        if all {
            let parts = |len: usize| 0..len.div_ceil(PART);
            changed = parts(self.known.len()).map(Place::Known).collect();
            changed.extend(parts(self.corrections.len()).map(Place::Corrections));
        }
        let part = |place| match place {
            Place::Corrections(number) => {
                let of_part = self.corrections.iter().skip(number * PART).take(PART);
                let part = Part::Corrections(of_part.copied().collect());
                (format!("corrections-{number}"), part)
            }
            Place::Known(number) => {
                let of_part = self.known.iter().skip(number * PART).take(PART);
                let of_part = of_part.map(|(key, known)| (*key, *known));
                (format!("known-{number}"), Part::Known(of_part.collect()))
            }
        };
        changed.into_iter().map(part).collect()
    }

    /// Remembers what a part has.
    pub(super) fn take(&mut self, part: Part) {
        match part {
            Part::Corrections(corrections) => self.corrections.extend(corrections),
            Part::Known(known) => self.known.extend(known),
        }
    }

    /// Records the end of a call. Only documents with a bad end or a review are remembered, so another
    /// call for one that went well counts again.
    pub(super) fn ended(
        &mut self,
        ticket: &Ticket,
        measure: Option<Measure>,
        is_answer: bool,
    ) -> Added {
        let document = document_key(ticket);
        let is_known = self.known.contains_key(&document);
        let mut added = Added {
            document: true,
            answer: is_answer,
            event: measure.is_some(),
        };
        if !is_known && (measure.is_none() || self.known.len() >= REMEMBERED) {
            return added;
        }
        let known = self.entry(document);
        added.document = known.count(DOCUMENT);
        added.answer = is_answer && known.count(ANSWER);
        if let Some(measure) = measure {
            let unit = self.entry(unit_key(ticket));
            added.event = unit.count(bit(measure));
        }
        added
    }

    /// Takes back what a failure has added, so that the next call of its document counts.
    pub(super) fn take_back(&mut self, failure: &Failure) {
        for (key, counted) in failure.counted_as() {
            if let Some(known) = self.known_mut(key) {
                known.counted &= !counted;
            }
        }
    }

    /// Counts a failure after all that was taken back; a document that has come again since has
    /// already been counted.
    pub(super) fn give_back(&mut self, failure: &Failure) -> Added {
        let is_full = self.known.len() >= REMEMBERED;
        let [document, event] = failure.counted_as().map(|(key, as_what)| {
            if is_full && !self.known.contains_key(&key) {
                return true;
            }
            self.entry(key).count(as_what)
        });
        Added {
            document: document && failure.added_document,
            answer: false,
            event,
        }
    }

    /// Whether this is the first document of its batch; one without a batch is by itself.
    pub(super) fn is_first_of_batch(&mut self, ticket: &Ticket) -> bool {
        if ticket.batch().is_none() || self.known.len() >= REMEMBERED {
            return ticket.batch().is_none();
        }
        let batch = self.entry(unit_key(ticket));
        batch.count(DOCUMENT)
    }

    /// Records a review of a document that was answered; returns whether it is the first.
    pub(super) fn review(&mut self, ticket: &Ticket) -> bool {
        let document = document_key(ticket);
        if self.known.len() >= REMEMBERED {
            let known = self.known.get(&document);
            return known.is_none_or(|known| known.counted & REVIEW == 0);
        }
        let known = self.entry(document);
        known.counted |= DOCUMENT | ANSWER;
        known.count(REVIEW)
    }

    /// Records a correction.
    pub(super) fn correct(&mut self, ticket: &Ticket, correction: &Correction) -> Change {
        let key = correction_key(ticket, correction);
        if self.corrections.contains(&key) {
            return Change::Nothing;
        }
        let unit = unit_key(ticket);
        if self.is_full() {
            let known = self.known.get(&unit);
            let is_corrected = known.is_some_and(|known| known.corrections > 0);
            return if is_corrected {
                Change::Nothing
            } else {
                Change::More
            };
        }
        self.insert_correction(key);
        let known = self.entry(unit);
        known.corrections = known.corrections.saturating_add(1);
        if known.corrections == 1 {
            Change::More
        } else {
            Change::Nothing
        }
    }

    /// Records a retraction.
    pub(super) fn retract(&mut self, ticket: &Ticket, correction: &Correction) -> Change {
        if !self.remove_correction(correction_key(ticket, correction)) {
            return Change::Unknown;
        }
        let Some(known) = self.known_mut(unit_key(ticket)) else {
            return Change::Nothing;
        };
        known.corrections = known.corrections.saturating_sub(1);
        if known.corrections == 0 {
            Change::Less
        } else {
            Change::Nothing
        }
    }

    /// Whether further corrections are no longer remembered: a repeated report counts again, and
    /// cannot be retracted.
    pub(super) fn is_full(&self) -> bool {
        self.corrections.len() >= REMEMBERED || self.known.len() >= 2 * REMEMBERED
    }
}

/// What the split gives to a version, and what counts once: a batch, or a document without one.
pub(super) fn unit(ticket: &Ticket) -> &str {
    let batch = ticket.batch().map(BatchKey::as_str);
    batch.unwrap_or(ticket.document().as_str())
}

/// The key of a document of one version.
pub(super) fn document_key(ticket: &Ticket) -> u64 {
    hash(ticket, &[])
}

/// The key of what counts once. The documents of a batch count for their own type and stage.
fn unit_key(ticket: &Ticket) -> u64 {
    let Some(batch) = ticket.batch() else {
        return document_key(ticket);
    };
    let document_type = ticket.document_type().as_str();
    let version = XxHash3_64::oneshot(ticket.version().as_str().as_bytes());
    let seed = version ^ u64::from(ticket.stage().unwrap_or(0));
    hash_names(seed, &[batch.as_str(), document_type, "batch"])
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
    hash_names(seed, names)
}

fn hash_names(seed: u64, names: &[&str]) -> u64 {
    names.iter().fold(seed, |seed, name| {
        XxHash3_64::oneshot_with_seed(seed, name.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::call::{Call, Role, Version};
    use crate::name::{CorrectionId, Field};

    fn in_batch(document: u64, batch: u8) -> Ticket {
        let mut call = Call::new(document.to_string(), "invoice").unwrap();
        if batch > 0 {
            call = call.in_batch(BatchKey::new(batch.to_string()).unwrap());
        }
        Ticket::new(&call, &Version::new("v8", "gpt-4o").unwrap()).with_role(Role::Candidate)
    }

    fn ticket(document: u64) -> Ticket {
        in_batch(document, 0)
    }

    fn correction(field: u8, id: u8) -> Correction {
        let correction = Correction::new(Field::new(format!("field-{field}")).unwrap());
        if id > 0 {
            correction.with_id(CorrectionId::new(id.to_string()).unwrap())
        } else {
            correction
        }
    }

    proptest! {
        /// Against a plain list of all reports: a document without a batch counts once, and so does
        /// a batch.
        #[test]
        fn facts_are_counted_as_a_list_would(
            steps in prop::collection::vec((0_u64..6, 0_u8..2, 0_u8..2, any::<bool>()), 1..60),
        ) {
            let mut documents = Documents::default();
            let mut alive: Vec<(u64, u8, u8)> = Vec::new();
            let mut facts = 0_i64;
            // Documents 2 to 5 are in the batches 1 and 2.
            let batch = |document: u64| u8::try_from(document / 2).unwrap();
            for (document, field, id, is_taken_back) in steps {
                let ticket = in_batch(document, batch(document));
                let said = (document, field, id);
                let change = if is_taken_back {
                    alive.retain(|other| *other != said);
                    documents.retract(&ticket, &correction(field, id))
                } else {
                    if !alive.contains(&said) {
                        alive.push(said);
                    }
                    documents.correct(&ticket, &correction(field, id))
                };
                facts += match change {
                    Change::More => 1,
                    Change::Less => -1,
                    Change::Nothing | Change::Unknown => 0,
                };
                let expected: HashSet<_> = alive
                    .iter()
                    .map(|(document, _, _)| match batch(*document) {
                        0 => *document,
                        batch => 100 + u64::from(batch),
                    })
                    .collect();
                prop_assert_eq!(facts, i64::try_from(expected.len()).unwrap());
                let stored = serde_json::to_string(&documents).unwrap();
                documents = serde_json::from_str(&stored).unwrap();
            }
        }

        /// Against a list of all ends: a document that ever had a bad end counts once from then on,
        /// as a document, as an answer and for each measure.
        #[test]
        fn a_document_that_is_tried_again_counts_once(
            ends in prop::collection::vec((0_u64..3, prop::sample::select(&[
                (None, true),
                (Some(Measure::Failures), false),
                (Some(Measure::Diversions), true),
                (Some(Measure::Abandonments), false),
            ][..])), 1..40),
        ) {
            let mut documents = Documents::default();
            let mut before: HashMap<u64, HashSet<&str>> = HashMap::new();
            for (document, (measure, is_answer)) in ends {
                let known = before.get(&document).cloned().unwrap_or_default();
                let is_remembered = !known.is_empty();
                let added = documents.ended(&ticket(document), measure, is_answer);
                prop_assert_eq!(added.document, !is_remembered);
                prop_assert_eq!(added.answer, is_answer && !known.contains("answer"));
                let event = measure.map(|measure| match measure {
                    Measure::Failures => "failed",
                    Measure::Diversions => "diverted",
                    _ => "abandoned",
                });
                prop_assert_eq!(added.event, event.is_some_and(|event| !known.contains(event)));
                if measure.is_some() || is_remembered {
                    let entry = before.entry(document).or_default();
                    entry.insert("document");
                    entry.extend(event);
                    entry.extend(is_answer.then_some("answer"));
                }
            }
        }
    }

    /// Two documents of a batch fail: two documents, and one failure.
    #[test]
    fn a_batch_fails_once() {
        let mut documents = Documents::default();
        let mut fail =
            |document| documents.ended(&in_batch(document, 1), Some(Measure::Failures), false);
        let (first, second) = (fail(1), fail(2));
        assert!(first.document && first.event);
        assert!(second.document && !second.event);
        assert!(documents.is_first_of_batch(&in_batch(3, 2)));
        assert!(!documents.is_first_of_batch(&in_batch(4, 2)));
        assert!(documents.is_first_of_batch(&ticket(5)) && documents.is_first_of_batch(&ticket(5)));
    }

    #[test]
    fn what_was_never_said_cannot_be_taken_back() {
        let mut documents = Documents::default();
        let ticket = ticket(1);
        assert_eq!(
            documents.retract(&ticket, &correction(0, 0)),
            Change::Unknown
        );
        assert_eq!(documents.correct(&ticket, &correction(0, 0)), Change::More);
        assert_eq!(
            documents.retract(&ticket, &correction(0, 1)),
            Change::Unknown,
            "another id"
        );
        assert_eq!(
            documents.retract(&ticket, &correction(1, 0)),
            Change::Unknown,
            "another field"
        );
        assert_eq!(documents.retract(&ticket, &correction(0, 0)), Change::Less);
    }

    #[test]
    fn past_the_limit_facts_count_but_are_not_remembered() {
        let mut documents = Documents::default();
        for n in 0..REMEMBERED as u64 {
            assert!(!documents.is_full(), "{n}");
            assert_eq!(
                documents.correct(&ticket(n), &correction(0, 0)),
                Change::More
            );
        }
        assert!(documents.is_full());
        let late = ticket(u64::MAX);
        assert_eq!(documents.correct(&late, &correction(0, 0)), Change::More);
        assert_eq!(documents.retract(&late, &correction(0, 0)), Change::Unknown);
        let known = ticket(5);
        assert_eq!(
            documents.correct(&known, &correction(0, 0)),
            Change::Nothing
        );
        assert_eq!(documents.known.len(), REMEMBERED);
        assert_eq!(documents.retract(&known, &correction(0, 0)), Change::Less);
    }
}
