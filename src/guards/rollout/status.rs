//! Where a rollout stands, and what the evidence asks for.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{Decision, Evidence, Findings, NotCounted};
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

/// How a candidate stands with one document type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TypeVerdict {
    /// Production keeps the type, because the candidate was worse for it.
    Excluded,
    /// The candidate is above the tolerated ratio with a probability of at most 5 %.
    NoWorse,
    /// Neither clearly worse nor clearly not.
    Unclear,
    /// The candidate was given none.
    Unseen,
    /// The evidence against the candidate is strong enough for this type alone.
    Worse,
}

/// One document type in a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TypeStatus {
    /// Which; `other` for those past the first thousand, which are judged together.
    pub document_type: DocumentType,
    /// How the candidate stands with it.
    pub verdict: TypeVerdict,
    /// The corrections of this type.
    pub evidence: Evidence,
}

/// A rollout as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The corrections of all document types together.
    pub evidence: Evidence,
    /// What the decision is made on: this evidence, or that of a type or a measure that is worse by itself.
    pub findings: Findings,
    /// Every document type, by name.
    pub types: Vec<TypeStatus>,
    /// Failures, diversions, truncations and abandonments, all types together.
    pub at_once: Vec<Evidence>,
    /// How many corrections, retractions and reviews could not be counted, and why.
    pub not_counted: BTreeMap<NotCounted, u64>,
}

impl fmt::Display for RolloutStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(candidate) = &self.candidate else {
            return f.write_str("no rollout");
        };
        let stage = u32::from(self.stage) + 1;
        write!(
            f,
            "{candidate} {} at stage {stage} with {}",
            self.state, self.share
        )?;
        if let Some(decision) = self.decision {
            write!(f, ", {decision}")?;
        }
        write!(f, "; {}", self.findings)?;
        match self.findings.next_look {
            Some(at) => write!(f, "; next look at {at}"),
            None => Ok(()),
        }
    }
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

impl fmt::Display for TypeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Excluded => "excluded",
            Self::NoWorse => "no worse",
            Self::Unclear => "unclear",
            Self::Unseen => "unseen",
            Self::Worse => "worse",
        })
    }
}
