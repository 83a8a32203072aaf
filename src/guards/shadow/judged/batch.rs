//! Documents of one batch are one fact.

use serde::{Deserialize, Serialize};

use super::report::Pair;

/// What is known of the documents of one batch: of one supplier, upload or delivery.
///
/// They are often wrong for one cause, so together they are one pair: a version is wrong in the batch
/// if it is wrong in any of its documents that somebody looked at. Swapping the versions swaps the
/// pair, so an equal candidate is called worse no more often than without batches. A batch with many
/// documents is wrong more often than a document, which brings the ratio nearer to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    /// Its documents that are remembered.
    pub(super) remembered: u64,
    /// Those that somebody looked at, remembered or not.
    looked_at: u64,
    candidate_wrong: u64,
    /// Production is wrong in them, and of the candidate it cannot be said.
    candidate_unknown: u64,
    production_wrong: u64,
    /// Whether it was counted when the candidate was called worse.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) in_verdict: bool,
}

impl Batch {
    /// How the batch came out; `None` while nobody looked at a document of it.
    pub(super) fn pair(&self) -> Option<Pair> {
        let candidate_is_wrong = match (self.candidate_wrong, self.candidate_unknown) {
            (0, 0) => Some(false),
            (0, _) => None,
            _ => Some(true),
        };
        let pair = match (self.production_wrong > 0, candidate_is_wrong) {
            (false, Some(false)) => Pair::BothRight,
            (false, _) => Pair::OnlyProductionRight,
            (true, None) => Pair::Unknown,
            (true, Some(false)) => Pair::OnlyCandidateRight,
            (true, Some(true)) => Pair::BothWrong,
        };
        (self.looked_at > 0).then_some(pair)
    }

    /// Counts as `after` one of its documents that counted as `before`.
    pub(super) fn revise(&mut self, before: Option<Pair>, after: Option<Pair>) {
        if let Some(pair) = before {
            for count in self.counts(pair) {
                *count = count.saturating_sub(1);
            }
        }
        if let Some(pair) = after {
            for count in self.counts(pair) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Whether each count is at most that of `other`, and the remembered documents are the same.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.remembered == other.remembered
            && self.looked_at <= other.looked_at
            && self.candidate_wrong <= other.candidate_wrong
            && self.candidate_unknown <= other.candidate_unknown
            && self.production_wrong <= other.production_wrong
    }

    fn counts(&mut self, pair: Pair) -> impl Iterator<Item = &mut u64> {
        let production = &mut self.production_wrong;
        let (production, candidate) = match pair {
            Pair::BothRight => (None, None),
            Pair::BothWrong => (Some(production), Some(&mut self.candidate_wrong)),
            Pair::OnlyCandidateRight => (Some(production), None),
            Pair::OnlyProductionRight => (None, Some(&mut self.candidate_wrong)),
            Pair::Unknown => (Some(production), Some(&mut self.candidate_unknown)),
        };
        [Some(&mut self.looked_at), production, candidate]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[Pair]) -> Option<Pair> {
        let mut batch = Batch::default();
        for pair in pairs {
            batch.revise(None, Some(*pair));
        }
        batch.pair()
    }

    #[test]
    fn a_version_is_wrong_in_a_batch_if_it_is_wrong_in_any_document() {
        use Pair::{BothRight, BothWrong, OnlyCandidateRight, OnlyProductionRight, Unknown};
        for (pairs, pair) in [
            (&[][..], None),
            (&[BothRight, BothRight], Some(BothRight)),
            (&[BothRight, OnlyCandidateRight], Some(OnlyCandidateRight)),
            (
                &[OnlyProductionRight, OnlyProductionRight],
                Some(OnlyProductionRight),
            ),
            (&[OnlyProductionRight, OnlyCandidateRight], Some(BothWrong)),
            (&[BothWrong, BothRight], Some(BothWrong)),
            (&[Unknown, OnlyCandidateRight], Some(Unknown)),
            (&[Unknown, OnlyProductionRight], Some(BothWrong)),
        ] {
            assert_eq!(of(pairs), pair, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_taken_back_leaves_nothing() {
        let mut batch = Batch::default();
        for pair in [Pair::Unknown, Pair::BothWrong, Pair::OnlyProductionRight] {
            batch.revise(None, Some(pair));
            batch.revise(None, Some(Pair::BothRight));
            batch.revise(Some(pair), None);
            assert_eq!(batch.pair(), Some(Pair::BothRight), "{pair:?}");
            batch.revise(Some(Pair::BothRight), None);
            assert_eq!(batch, Batch::default());
        }
    }
}
