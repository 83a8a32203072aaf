//! The status of a rollout, and what the evidence says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{Decision, Evidence, Findings, NotCounted};
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::revision::Revision;

/// The state of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutState {
    /// The operator took the candidate out of service.
    Aborted,
    /// The candidate keeps its share and waits for the operator to promote or abort, or for clear
    /// evidence.
    Escalated,
    /// The candidate serves everything. For another 24 hours, late corrections can roll it back.
    Promoted,
    /// The candidate no longer gets documents.
    RolledBack,
    /// The candidate serves the share of its stage.
    Running,
    /// The candidate gets no documents until it is cleared, or until the operator promotes it: the
    /// rollout [demands](super::RolloutPolicyBuilder::after_shadow) it.
    Waiting,
}

/// How a candidate compares for one document type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TypeVerdict {
    /// The type returned to production because the candidate was worse for it.
    Excluded,
    /// The ratio is above the tolerated one with a probability of at most 5 %.
    NoWorse,
    /// The evidence is not sufficient either way.
    Unclear,
    /// The candidate has no documents of this type in the comparison.
    Unseen,
    /// The evidence against the candidate is strong enough for this type alone.
    Worse,
}

/// One document type in a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TypeStatus {
    /// The document type; `other` for the types beyond the first thousand, which are evaluated
    /// together.
    pub document_type: DocumentType,
    /// How the candidate compares.
    pub verdict: TypeVerdict,
    /// The corrections of this type.
    pub evidence: Evidence,
}

/// The status of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RolloutStatus {
    /// The candidate. If `None`, there is no rollout, and the other fields are empty.
    pub candidate: Option<VersionId>,
    /// The revision, for the next command. Commands change it, and the steps of the rollout: its
    /// start, each stage, a promotion, an escalation, a rollback, a type that returned to
    /// production.
    pub revision: Revision,
    /// The state of the rollout.
    pub state: RolloutState,
    /// The stage, counted from 1.
    pub stage: u8,
    /// The candidate's current share of the documents.
    pub share: Ratio,
    /// Whether the operator paused the rollout.
    pub paused: bool,
    /// Why the candidate does not serve yet, as of the latest tick: what must clear it says so.
    /// `None` when it was cleared, or need not be.
    pub not_cleared: Option<String>,
    /// The current decision; `None` when the rollout is over.
    pub decision: Option<Decision>,
    /// The corrections of all document types together.
    pub evidence: Evidence,
    /// The findings behind the decision: the evidence above, or that of a type or a measure for
    /// which the candidate is worse.
    pub findings: Findings,
    /// Every document type, by name.
    pub types: Vec<TypeStatus>,
    /// Failures, diversions, truncations and abandonments, over all types.
    pub at_once: Vec<Evidence>,
    /// How many corrections, retractions and reviews did not count, by reason.
    pub not_counted: BTreeMap<NotCounted, u64>,
}

impl fmt::Display for RolloutStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(candidate) = &self.candidate else {
            return f.write_str("no rollout");
        };
        if let (RolloutState::Waiting, Some(why)) = (self.state, &self.not_cleared) {
            return write!(f, "{candidate} waits for its shadow run: {why}");
        }
        write!(
            f,
            "{candidate} {} at stage {} with {}",
            self.state, self.stage, self.share
        )?;
        if let Some(decision) = self.decision {
            write!(f, ", {decision}")?;
        }
        write!(f, "; {}", self.findings)?;
        match self.findings.next_evaluation {
            Some(at) => write!(f, "; next evaluation at {at}"),
            None => Ok(()),
        }
    }
}

impl RolloutState {
    /// Whether the candidate no longer gets documents.
    pub(super) fn is_rejected(self) -> bool {
        matches!(self, Self::Aborted | Self::RolledBack)
    }

    /// Whether the rollout has not ended: what it decides changes something.
    pub(super) fn has_decision(self) -> bool {
        self.is_under_way() || self == Self::Waiting
    }

    /// Whether the candidate serves a share and is compared with production on the rest.
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
            Self::Waiting => "waiting",
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
