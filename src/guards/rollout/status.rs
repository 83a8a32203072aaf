//! Where a rollout stands, and what the evidence asks for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::judge::Evidence;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutState {
    /// A person took the candidate out of service.
    Aborted,
    /// The candidate keeps its share and waits for a person to promote or abort; it is still rolled back if it turns out
    /// to be worse.
    Escalated,
    /// The candidate serves everything. For 24 hours more it is rolled back if late corrections say that it is worse.
    Promoted,
    /// The candidate serves nothing any more.
    RolledBack,
    /// The candidate serves the share of its stage.
    Running,
}

/// What the evidence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Decision {
    /// A person must decide: the time for this stage is over, and it is not clear.
    Escalate,
    /// Wait.
    Hold(HoldReason),
    /// Go on to the next stage, or through after the last.
    Promote,
    /// The candidate is worse.
    RollBack,
}

/// Why a rollout waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HoldReason {
    /// All else speaks for the next stage: a person must approve it.
    Approval,
    /// A document type was not seen often enough.
    Coverage,
    /// There are too few corrections, on either side, to tell anything.
    NoEvidence,
    /// The time of the stage is not over.
    NotDue,
    /// A person paused it.
    Paused,
    /// The corrections speak neither clearly for nor clearly against it.
    Unclear,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approval => "a person must approve the next stage",
            Self::Coverage => "some document types were not seen often enough",
            Self::NoEvidence => "too few corrections to tell",
            Self::NotDue => "the time of the stage is not over",
            Self::Paused => "a person paused it",
            Self::Unclear => "the corrections are not clear",
        })
    }
}

/// A rollout as it stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RolloutStatus {
    /// The candidate; `None` when there is none, and everything below says nothing.
    pub candidate: Option<VersionId>,
    /// Where the rollout stands.
    pub state: RolloutState,
    /// The stage, counted from 0.
    pub stage: u8,
    /// The share of documents that the candidate gets.
    pub share: Ratio,
    /// Whether a person paused it.
    pub paused: bool,
    /// What the evidence asks for; `None` when the rollout is over.
    pub decision: Option<Decision>,
    /// The evidence.
    pub evidence: Evidence,
    /// Expected document types that the candidate has not answered often enough.
    pub uncovered: Vec<DocumentType>,
}

impl RolloutState {
    /// Whether the candidate serves nothing any more.
    pub(super) fn is_rejected(self) -> bool {
        matches!(self, Self::Aborted | Self::RolledBack)
    }

    /// Whether the candidate has a share of the documents, and all others compare it.
    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::Escalated | Self::Running)
    }
}

impl fmt::Display for RolloutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Aborted => "aborted",
            Self::Escalated => "escalated",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled back",
            Self::Running => "running",
        })
    }
}
