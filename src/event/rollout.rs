//! What rollouts report, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::findings::{Findings, HoldReason};
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::ratio::Ratio;

/// What a [`CanaryPolicy`](crate::CanaryPolicy) or a [`BlueGreenPolicy`](crate::BlueGreenPolicy) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum RolloutEvent {
    /// A stage of a rollout has met all conditions, and a person must approve the next.
    ApprovalNeeded {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// A correction, its retraction or a review could not be counted by the rollout that is on. Told for the first of each
    /// reason; the rollout's status counts them all.
    CorrectionNotCounted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        reason: NotCounted,
    },
    /// A candidate was worse: it serves nothing any more.
    RolledBack {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// A person told a rollout to do otherwise than planned.
    RolloutCommanded {
        candidate: VersionId,
        stage: u8,
        command: RolloutCommand,
    },
    /// A rollout waits for a person: the evidence is not clear, and the time for it is over.
    RolloutEscalated {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// A rollout waits, for another reason than before.
    RolloutHolds {
        candidate: VersionId,
        stage: u8,
        reason: HoldReason,
        findings: Box<Findings>,
    },
    /// A rollout is through: the candidate serves everything.
    RolloutPromoted {
        candidate: VersionId,
        findings: Box<Findings>,
    },
    /// A candidate was exposed to a larger share.
    StageStarted {
        candidate: VersionId,
        stage: u8,
        share: Ratio,
        findings: Box<Findings>,
    },
    /// A candidate is worse for one document type: production keeps the type, the candidate goes on with the others.
    TypeExcluded {
        candidate: VersionId,
        stage: u8,
        document_type: DocumentType,
        findings: Box<Findings>,
    },
}

impl RolloutEvent {
    /// Which event it is, as `"event"` says in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::CorrectionNotCounted { .. } => "correction_not_counted",
            Self::RolledBack { .. } => "rolled_back",
            Self::RolloutCommanded { .. } => "rollout_commanded",
            Self::RolloutEscalated { .. } => "rollout_escalated",
            Self::RolloutHolds { .. } => "rollout_holds",
            Self::RolloutPromoted { .. } => "rollout_promoted",
            Self::StageStarted { .. } => "stage_started",
            Self::TypeExcluded { .. } => "type_excluded",
        }
    }
}

impl fmt::Display for RolloutEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApprovalNeeded {
                candidate,
                stage,
                findings,
            } => write!(
                f,
                "{candidate} has met the conditions of stage {} and waits for an approval: {findings}",
                stage + 1
            ),
            Self::CorrectionNotCounted {
                document,
                document_type,
                version,
                reason,
            } => write!(
                f,
                "what was said of {document} ({document_type}, {version}) is not counted: {reason}"
            ),
            Self::RolledBack {
                candidate,
                stage,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} rolled back at stage {}: {findings}",
                    stage + 1
                )
            }
            Self::RolloutCommanded {
                candidate,
                stage,
                command,
            } => write!(
                f,
                "a person said {command} to {candidate} at stage {}",
                stage + 1
            ),
            Self::RolloutEscalated {
                candidate,
                stage,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} waits for a decision at stage {}: {findings}",
                    stage + 1
                )
            }
            Self::RolloutHolds {
                candidate,
                stage,
                reason,
                findings,
            } => {
                let stage = stage + 1;
                write!(
                    f,
                    "{candidate} waits at stage {stage}: {reason}; {findings}"
                )?;
                match findings.next_look {
                    Some(at) => write!(f, "; next look at {at}"),
                    None => Ok(()),
                }
            }
            Self::RolloutPromoted {
                candidate,
                findings,
            } => write!(f, "{candidate} serves everything: {findings}"),
            Self::StageStarted {
                candidate,
                stage,
                share,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} gets {share} of the documents (stage {}): {findings}",
                    stage + 1
                )
            }
            Self::TypeExcluded {
                candidate,
                stage,
                document_type,
                findings,
            } => write!(
                f,
                "{document_type} stays with production from stage {} of {candidate} on: {findings}",
                stage + 1
            ),
        }
    }
}

/// Why a rollout could not count what a person said of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotCounted {
    /// Its document has no answer yet, as far as is known here.
    NoAnswer,
    /// The answer is not one that this rollout compares: of another version, from before it began, or from after the candidate
    /// was promoted.
    NotCompared,
    /// The correction that is taken back was never told.
    NothingToRetract,
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoAnswer => "it has no answer yet",
            Self::NotCompared => "it is not among the documents that are compared",
            Self::NothingToRetract => "there is no such correction to take back",
        })
    }
}

/// What a person tells a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutCommand {
    /// Take the candidate out of service.
    Abort,
    /// Go on when all conditions are met.
    Approve,
    /// Ask before the next stage.
    Hold,
    /// Stop the time of the stage.
    Pause,
    /// Go on to the next stage now.
    Promote,
    /// Go on after a pause.
    Resume,
}

impl fmt::Display for RolloutCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Abort => "abort",
            Self::Approve => "approve",
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Resume => "resume",
        })
    }
}
