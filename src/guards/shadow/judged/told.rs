//! What people told of a document: its review, and the corrections that stand.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::call::Correction;
use crate::name::Field;
use crate::time::Timestamp;

/// The number of corrections that are kept of one document.
pub(super) const CORRECTIONS: usize = 100;

/// What people told of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// When a review was told first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reviewed_at: Option<Timestamp>,
    /// The corrections that stand, the one told last at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<Corrected>,
    /// Whether there were more than are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) overfull: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Corrected {
    correction: Correction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<Digest>,
}

impl Told {
    /// Adds a correction, with the value that it settles on. The same correction told again counts
    /// once, with the value told last.
    pub(super) fn correct(&mut self, correction: &Correction, settled: Option<Digest>) {
        let correction = correction.without_value();
        self.corrections
            .retain(|corrected| corrected.correction != correction);
        if self.corrections.len() >= CORRECTIONS {
            self.overfull = true;
            return;
        }
        self.corrections.push(Corrected {
            correction,
            settled,
        });
    }

    /// Takes a correction back. One that was never told changes nothing.
    pub(super) fn retract(&mut self, correction: &Correction) {
        let correction = correction.without_value();
        self.corrections
            .retain(|corrected| corrected.correction != correction);
    }

    pub(super) fn review(&mut self, now: Timestamp) {
        self.reviewed_at.get_or_insert(now);
    }

    pub(super) fn is_corrected(&self) -> bool {
        self.overfull || !self.corrections.is_empty()
    }

    /// The corrected fields, each once, with the value that was told last.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&Field, Option<Digest>)> {
        let corrections = self.corrections.iter().enumerate();
        corrections.filter_map(|(at, corrected)| {
            let field = corrected.correction.field();
            let mut later = self.corrections.iter().skip(at + 1);
            let is_last = later.all(|later| later.correction.field() != field);
            is_last.then_some((field, corrected.settled))
        })
    }

    /// Whether a stored one is what this type can hold.
    pub(super) fn is_possible(&self, now: Timestamp) -> bool {
        self.corrections.len() <= CORRECTIONS && self.reviewed_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::shadow::judged::digest::{DigestKey, Settled};
    use crate::name::CorrectionId;

    fn correction(field: &str, id: &str) -> Correction {
        let correction = Correction::new(Field::new(field).unwrap());
        if id.is_empty() {
            return correction;
        }
        correction.with_id(CorrectionId::new(id).unwrap())
    }

    fn digest(value: &str) -> Option<Digest> {
        DigestKey::new([0; 16]).settled(&Field::new("f").unwrap(), Settled::Value(value))
    }

    fn fields(told: &Told) -> Vec<(String, Option<Digest>)> {
        told.fields()
            .map(|(field, settled)| (field.to_string(), settled))
            .collect()
    }

    #[test]
    fn the_value_told_last_is_the_settled_one() {
        let mut told = Told::default();
        told.correct(&correction("total", "a"), digest("1"));
        told.correct(&correction("total", "b"), digest("2"));
        assert_eq!(fields(&told), [("total".into(), digest("2"))]);
        told.correct(&correction("total", "a"), digest("3"));
        assert_eq!(fields(&told), [("total".into(), digest("3"))]);
        told.retract(&correction("total", "a"));
        assert_eq!(fields(&told), [("total".into(), digest("2"))]);
    }

    #[test]
    fn a_field_is_corrected_until_every_correction_of_it_is_retracted() {
        let mut told = Told::default();
        told.correct(&correction("total", "a"), None);
        told.correct(&correction("total", "b"), None);
        told.retract(&correction("total", ""));
        told.retract(&correction("total", "a"));
        assert!(told.is_corrected());
        told.retract(&correction("total", "b"));
        assert!(!told.is_corrected());
    }

    #[test]
    fn a_second_review_does_not_put_off_the_first() {
        let mut told = Told::default();
        told.review(Timestamp::from_millis(1));
        told.review(Timestamp::from_millis(2));
        assert_eq!(told.reviewed_at, Some(Timestamp::from_millis(1)));
    }

    #[test]
    fn a_document_with_too_many_corrections_stays_corrected() {
        let mut told = Told::default();
        for field in 0..=CORRECTIONS {
            assert!(!told.overfull, "{field}");
            told.correct(&correction(&field.to_string(), ""), None);
        }
        assert!(told.overfull && told.is_possible(Timestamp::EPOCH));
        for field in 0..=CORRECTIONS {
            told.retract(&correction(&field.to_string(), ""));
        }
        assert!(told.is_corrected(), "the one that was not kept");
    }
}
