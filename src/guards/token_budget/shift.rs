//! Models that count differently from one day on: all texts have fewer tokens.

use serde::{Deserialize, Serialize};

use crate::tokens::{Learnt, UNIT};

/// The logarithms of the likelihood ratio of a share of 50 % to one of 5 %, for a document among the
/// smallest 5 % before and for another one.
const LOW: f64 = std::f64::consts::LN_10;
const NOT_LOW: f64 = -0.641_854;
const EVIDENCE: f64 = 10.0;
/// By how much is known from this number of documents on ..
const DOCUMENTS: usize = 30;
/// .. of which the latest are kept.
const KEPT: usize = 60;
/// A tokenizer changes all texts by about the same factor: nine in ten of them by at most this much
/// more, in percent, than the tenth.
const ALIKE: u64 = 130;
/// Less than this is no change, in millionths.
const CHANGED: u64 = 950_000;

/// The evidence that a model has another tokenizer than before, over all document types.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Shift {
    /// A cumulative sum of log likelihood ratios (Page, 1954).
    evidence: f64,
    /// Of the documents since it was last zero, the ratio to the median of their type.
    to_median: Vec<u64>,
}

impl Shift {
    /// Adds a document; the factor of the change, in millionths, once it is certain.
    pub(super) fn add(&mut self, learnt: Learnt) -> Option<u64> {
        let to_median = learnt.to_median?;
        self.evidence += if learnt.is_low { LOW } else { NOT_LOW };
        if self.evidence <= 0.0 {
            *self = Self::default();
            return None;
        }
        self.to_median.push(to_median);
        if self.to_median.len() > KEPT {
            self.to_median.remove(0);
        }
        if self.evidence <= EVIDENCE || self.to_median.len() < DOCUMENTS {
            return None;
        }
        let mut sorted = self.to_median.clone();
        sorted.sort_unstable();
        let tenth = *sorted.get(sorted.len() / 10)?;
        let by = *sorted.get(sorted.len() * 9 / 10)?;
        let is_one_change = by <= tenth.saturating_mul(ALIKE) / 100 && by < CHANGED.min(UNIT);
        is_one_change.then(|| {
            *self = Self::default();
            by
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(to_median: u64, is_low: bool) -> Learnt {
        Learnt {
            fallen: None,
            to_median: Some(to_median),
            is_low,
        }
    }

    fn after(documents: impl IntoIterator<Item = (u64, bool)>) -> (usize, Option<u64>) {
        let mut shift = Shift::default();
        let mut seen = 0;
        for (to_median, is_low) in documents {
            seen += 1;
            let by = shift.add(document(to_median, is_low));
            if by.is_some() {
                return (seen, by);
            }
        }
        (seen, None)
    }

    /// Of 30 documents from 0.69 to 0.719, the 28th is 0.717.
    #[test]
    fn thirty_documents_with_fewer_tokens_are_another_tokenizer() {
        let fewer = (0..100).map(|n| (690_000 + n % 30 * 1_000, true));
        assert_eq!(after(fewer), (30, Some(717_000)));
    }

    /// Every second document among the smallest is what 50 % means: 2.30 - 0.64 = 1.66 for two.
    #[test]
    fn documents_as_before_are_none() {
        assert_eq!(
            after((0..200).map(|n| (1_000_000, n % 20 == 0))),
            (200, None)
        );
        let few_are_low = (0..200).map(|n| (700_000, n % 5 == 0));
        assert_eq!(after(few_are_low), (200, None), "2.30 < 4 * 0.64");
    }

    /// Texts that a service cut have each another share of their tokens.
    #[test]
    fn documents_that_differ_are_no_change_of_a_tokenizer() {
        assert_eq!(
            after((0..200).map(|n| (500_000 + n % 10 * 40_000, true))),
            (200, None)
        );
        assert_eq!(
            after((0..200).map(|_| (960_000, true))),
            (200, None),
            "not enough"
        );
    }
}
