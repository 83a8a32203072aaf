//! Which of the two versions was right, on the same documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::DocumentType;
use crate::stats::{McNemar, paired_ratio};
use crate::time::Timestamp;

/// How one document came out for the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pair {
    /// Both are right.
    BothRight,
    /// Both are wrong, in the same field or in different ones.
    BothWrong,
    /// The candidate is right, production is wrong.
    OnlyCandidateRight,
    /// Production is right, the candidate is wrong.
    OnlyProductionRight,
    /// Production is wrong; of the candidate it cannot be said.
    Unknown,
}

/// As what a document is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Somebody corrected it, but nobody said that it was reviewed.
    Corrected(Pair),
    /// Somebody looked at all of it.
    LookedAt(Pair),
    /// Nobody looked at it.
    #[default]
    Unreviewed,
}

impl Standing {
    /// The pair, where somebody looked at all of the document.
    pub(crate) fn pair(self) -> Option<Pair> {
        match self {
            Self::LookedAt(pair) => Some(pair),
            Self::Corrected(_) | Self::Unreviewed => None,
        }
    }
}

/// Documents, or batches of documents, by which of the two versions was right.
///
/// A version is wrong in a document if it is wrong in at least one critical field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairCounts {
    /// Both are right.
    pub both_right: u64,
    /// Both are wrong.
    pub both_wrong: u64,
    /// The candidate is right, production is wrong.
    pub only_candidate_right: u64,
    /// Production is right, the candidate is wrong.
    pub only_production_right: u64,
    /// Production is wrong; of the candidate it cannot be said, because nobody told the settled
    /// value, or because the value has no form that all equal values share.
    ///
    /// The verdict takes the less convincing side: for "worse" the candidate is right in them, for
    /// "no worse" it is wrong.
    pub unknown: u64,
}

impl PairCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        [
            self.both_right,
            self.both_wrong,
            self.only_candidate_right,
            self.only_production_right,
            self.unknown,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Those in which production is wrong.
    pub fn production_wrong(&self) -> u64 {
        let known = self.both_wrong.saturating_add(self.only_candidate_right);
        known.saturating_add(self.unknown)
    }

    /// Those in which the candidate is wrong, as far as it can be said.
    pub fn candidate_wrong(&self) -> u64 {
        self.both_wrong.saturating_add(self.only_production_right)
    }

    /// Those in which production is right: nobody corrected them.
    pub fn accepted(&self) -> u64 {
        self.both_right.saturating_add(self.only_production_right)
    }

    /// Counts as `after` what counted as `before`.
    pub(crate) fn revise(&mut self, before: Option<Pair>, after: Option<Pair>) {
        if let Some(pair) = before {
            self.take(pair);
        }
        if let Some(pair) = after {
            self.add(pair);
        }
    }

    pub(crate) fn add(&mut self, pair: Pair) {
        let count = self.count(pair);
        *count = count.saturating_add(1);
    }

    pub(crate) fn take(&mut self, pair: Pair) {
        let count = self.count(pair);
        *count = count.saturating_sub(1);
    }

    /// Whether each count is at most that of `other`.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.both_right <= other.both_right
            && self.both_wrong <= other.both_wrong
            && self.only_candidate_right <= other.only_candidate_right
            && self.only_production_right <= other.only_production_right
            && self.unknown <= other.unknown
    }

    fn count(&mut self, pair: Pair) -> &mut u64 {
        match pair {
            Pair::BothRight => &mut self.both_right,
            Pair::BothWrong => &mut self.both_wrong,
            Pair::OnlyCandidateRight => &mut self.only_candidate_right,
            Pair::OnlyProductionRight => &mut self.only_production_right,
            Pair::Unknown => &mut self.unknown,
        }
    }
}

/// The compared documents, by what people told of them: each is in one of the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JudgedCounts {
    /// Somebody looked at them.
    pub looked_at: PairCounts,
    /// Somebody corrected them, but nobody said that they were reviewed. The verdict leaves them
    /// out: what only the candidate got wrong is never among them.
    pub corrected_only: PairCounts,
    /// Nobody looked at them, so nobody knows which answer is right.
    pub unreviewed: u64,
}

impl JudgedCounts {
    /// All compared documents.
    pub fn compared(&self) -> u64 {
        let told = self.looked_at.total();
        told.saturating_add(self.corrected_only.total())
            .saturating_add(self.unreviewed)
    }

    pub(crate) fn add(&mut self, standing: Standing) {
        match standing {
            Standing::Corrected(pair) => self.corrected_only.add(pair),
            Standing::LookedAt(pair) => self.looked_at.add(pair),
            Standing::Unreviewed => self.unreviewed = self.unreviewed.saturating_add(1),
        }
    }

    pub(crate) fn take(&mut self, standing: Standing) {
        match standing {
            Standing::Corrected(pair) => self.corrected_only.take(pair),
            Standing::LookedAt(pair) => self.looked_at.take(pair),
            Standing::Unreviewed => self.unreviewed = self.unreviewed.saturating_sub(1),
        }
    }

    /// Whether each count is at most that of `other`.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.looked_at.is_within(&other.looked_at)
            && self.corrected_only.is_within(&other.corrected_only)
            && self.unreviewed <= other.unreviewed
    }
}

/// What people's corrections say of a candidate that ran beside production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum JudgedVerdict {
    /// The candidate's rate of corrections is shown to be below the tolerated multiple of
    /// production's (1.5 by default).
    NoWorse,
    /// The evidence is not enough for either.
    NotEnough {
        /// Why.
        reason: JudgedGap,
        /// How many more documents are needed.
        needed: DocumentsNeeded,
    },
    /// The candidate is shown to be worse than production, and its rate of corrections is more than
    /// the tolerated multiple of production's.
    Worse,
}

/// Why there is no verdict yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JudgedGap {
    /// People told of documents with corrections, and of almost none that they accepted: mistakes of
    /// the candidate alone cannot be seen.
    CorrectionsOnly,
    /// Too few documents that only one version got wrong.
    TooFew,
    /// Nobody looked at a compared document.
    Unreviewed,
}

/// How many more documents people must look at, if production keeps its rate of mistakes and the
/// share of mistakes in common stays. About half of all runs need more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentsNeeded {
    /// Until a candidate that is exactly as good as production from now on is shown to be no worse;
    /// `None` if that cannot be said, because no mistake is known yet.
    pub no_worse: Option<u64>,
    /// Until a candidate that is corrected twice as often as production from now on is called worse;
    /// `None` if that cannot be said.
    pub worse: Option<u64>,
}

/// How many documents a shadow run needs, said before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JudgedFeasibility {
    /// About half of all runs need more.
    pub expected: DocumentsNeeded,
    /// About one run in ten needs more.
    pub nine_in_ten: DocumentsNeeded,
}

/// The candidate's and production's mistakes on the same documents, and what they show.
///
/// The evidence is a number of which 20 is convincing: where the opposite holds, it ever reaches 20
/// in at most 5 % of runs. The p-values are for one look at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JudgedReport {
    /// The verdict.
    pub verdict: JudgedVerdict,
    /// When the candidate was called worse.
    pub called_worse_at: Option<Timestamp>,
    /// All compared documents.
    pub total: JudgedCounts,
    /// The same by document type.
    pub types: BTreeMap<DocumentType, JudgedCounts>,
    /// The document types above the limit of 1,000.
    pub other: Option<JudgedCounts>,
    /// What the verdict counts: the documents that somebody looked at, where all documents of a batch
    /// are one.
    pub units: PairCounts,
    /// The evidence that the candidate is worse than production, at most 10^12.
    pub evidence_worse: f64,
    /// The evidence that its rate of corrections is below the tolerated multiple, at most 10^12.
    pub evidence_no_worse: f64,
    /// The 95 % interval of the candidate's rate of corrections as a multiple of production's, from
    /// the units without unknown ones; the upper end is `None` if there is none.
    pub ratio: (f64, Option<f64>),
    /// The one-sided p-value of McNemar's exact test of the units: that the candidate is no worse.
    pub p_one_sided: f64,
    /// The two-sided p-value: that they are equal.
    pub p_two_sided: f64,
    /// How many documents were let go, the oldest first: what people tell of them from then on no
    /// longer counts.
    pub let_go: u64,
}

impl JudgedReport {
    /// The intervals and p-values of these units: ratio, one-sided, two-sided.
    pub(super) fn of_units(units: &PairCounts) -> ((f64, Option<f64>), f64, f64) {
        let (hits, misses) = (units.only_production_right, units.only_candidate_right);
        let (low, high) = paired_ratio(units.both_wrong, hits, misses);
        let test = McNemar::exact(hits, misses);
        let ratio = (low, high.is_finite().then_some(high));
        (ratio, test.one_sided, test.two_sided)
    }
}

impl fmt::Display for JudgedVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorse => f.pad("no worse than production"),
            Self::NotEnough { reason, needed } => {
                write!(f, "not enough evidence: {reason}")?;
                match reason {
                    JudgedGap::TooFew => write!(f, "; {needed}"),
                    JudgedGap::CorrectionsOnly | JudgedGap::Unreviewed => Ok(()),
                }
            }
            Self::Worse => f.pad("worse than production"),
        }
    }
}

impl fmt::Display for JudgedGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CorrectionsOnly => {
                "reviewers report corrections only, so mistakes of the candidate alone cannot be seen"
            }
            Self::TooFew => "too few documents that only one version got wrong",
            Self::Unreviewed => "nobody looked at the compared documents",
        })
    }
}

impl fmt::Display for DocumentsNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |count: Option<u64>| match count {
            Some(count) => format!("about {count} more documents"),
            None => "an unknown number of documents".to_owned(),
        };
        write!(
            f,
            "{} show a candidate as good as production to be no worse, {} show one that is corrected \
             twice as often to be worse",
            shown(self.no_worse),
            shown(self.worse)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_what_is_missing() {
        let needed = DocumentsNeeded {
            no_worse: Some(4_095),
            worse: Some(847),
        };
        let not_enough = |reason| JudgedVerdict::NotEnough { reason, needed };
        assert_eq!(
            not_enough(JudgedGap::TooFew).to_string(),
            "not enough evidence: too few documents that only one version got wrong; about 4095 \
             more documents show a candidate as good as production to be no worse, about 847 more \
             documents show one that is corrected twice as often to be worse"
        );
        assert_eq!(
            not_enough(JudgedGap::CorrectionsOnly).to_string(),
            "not enough evidence: reviewers report corrections only, so mistakes of the candidate \
             alone cannot be seen"
        );
        assert_eq!(JudgedVerdict::Worse.to_string(), "worse than production");
    }

    #[test]
    fn an_interval_without_an_end_is_written_as_none() {
        let units = PairCounts {
            only_production_right: 5,
            ..PairCounts::default()
        };
        let (ratio, one_sided, two_sided) = JudgedReport::of_units(&units);
        assert_eq!(ratio.1, None);
        assert!((one_sided - 0.031_25).abs() < 1e-12 && (two_sided - 0.062_5).abs() < 1e-12);
    }
}
