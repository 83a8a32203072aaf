//! Why a rollout holds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a rollout holds. Ordered: of several reasons, the rollout reports the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldReason {
    /// It demands a clearance before it starts, and the candidate is not cleared: it gets no
    /// documents.
    NotCleared,
    /// The operator paused it.
    Paused,
    /// Production does not serve its share of the documents: another guard sends them elsewhere, so
    /// the candidate is compared with nothing. The stage's time stands still.
    StableNotServing,
    /// The candidate does not serve its share of the documents: another guard sends them elsewhere.
    /// This time does not count for the stage's minimum.
    CandidateNotServing,
    /// The stage has not run for its minimum time.
    NotDue,
    /// Corrections are divided by the reviewed answers, and reviews of one version or of both are not
    /// reported.
    NoReviews,
    /// There are too few corrections to compare the versions.
    NoEvidence,
    /// Too many of the expected corrections have not arrived yet.
    Immature,
    /// The candidate's share of the documents is not the planned one, so the two groups may not be
    /// comparable.
    #[doc(alias = "sample ratio mismatch")]
    SplitBroken,
    /// The candidate has answered too few documents of an expected type.
    Coverage,
    /// The counts of all types, of one type or of one measure do not show clearly enough whether the
    /// candidate is worse.
    Unclear,
    /// All other conditions are met: the operator must approve the next stage.
    Approval,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approval => "the operator must approve the next stage",
            Self::CandidateNotServing => "the candidate does not serve its share of the documents",
            Self::Coverage => "too few documents of some types",
            Self::Immature => "too many expected corrections have not arrived",
            Self::NoEvidence => "too few corrections to decide",
            Self::NoReviews => "reviews of both versions must be reported to compare them",
            Self::NotCleared => "the candidate is not cleared",
            Self::NotDue => "the minimum time of the stage is not over",
            Self::Paused => "the operator paused it",
            Self::SplitBroken => "the candidate does not get its planned share of the documents",
            Self::StableNotServing => "production does not serve its share of the documents",
            Self::Unclear => "the evidence is inconclusive",
        })
    }
}
