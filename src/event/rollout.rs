//! The events of rollouts, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::hold_reason::HoldReason;
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::time::as_millis;

/// The events of a [`CanaryPolicy`](crate::CanaryPolicy) or a
/// [`BlueGreenPolicy`](crate::BlueGreenPolicy). Stages are counted from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum RolloutEvent {
    /// A stage of a rollout has met all conditions, and the operator must approve the next stage.
    ApprovalNeeded {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// The current rollout ignored a correction, a retraction or a review. It reports the first one
    /// for each reason; its status counts all of them.
    CorrectionNotCounted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        reason: NotCounted,
    },
    /// A candidate that was taken out of service before was deployed again: it gets no documents
    /// unless the operator readmits it.
    CandidateBarred { candidate: VersionId },
    /// A promoted candidate is worse than the production before it, and no rollout takes it back:
    /// late corrections said so after the 24 hours, or it is the production version now.
    FoundWorse {
        candidate: VersionId,
        stable: VersionId,
        findings: Box<Findings>,
    },
    /// A stage of the plan is too short for the corrections that come: it escalates after `waits`,
    /// and half of the candidates that are as good as production need longer than `needed` there.
    /// `corrected` answers of both versions came in the time `over`. Reported once, in the first
    /// stage.
    PlanTooShort {
        candidate: VersionId,
        stage: u8,
        corrected: u64,
        #[serde(with = "as_millis")]
        over: Duration,
        #[serde(with = "as_millis")]
        waits: Duration,
        #[serde(with = "as_millis")]
        needed: Duration,
    },
    /// The candidate was worse than production, or the operator aborted its rollout: it no longer
    /// serves.
    RolledBack {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// The operator gave a command to a rollout that was at this stage: `before` and `after` are its
    /// state, stage and share, in words. What speaks for a promotion or an abort is in the next event.
    RolloutCommanded {
        candidate: VersionId,
        stage: u8,
        command: RolloutCommand,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// A stage did not meet its conditions in time: the operator must promote or abort the
    /// candidate, which keeps its share until then, or until the evidence becomes clear.
    RolloutEscalated {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// Another process of the pipeline took a step of the rollout first, or gave it a command, and this
    /// one follows: `before` and `after` are its state, stage and share, in words. What the other one
    /// told people is told here too.
    RolloutFollowed {
        candidate: VersionId,
        stage: u8,
        before: String,
        after: String,
    },
    /// A rollout holds for another reason than before.
    RolloutHolds {
        candidate: VersionId,
        stage: u8,
        reason: HoldReason,
        findings: Box<Findings>,
    },
    /// The last stage is over: the candidate serves all documents, except those of excluded or
    /// uncovered types. Late corrections can still roll it back.
    RolloutPromoted {
        candidate: VersionId,
        findings: Box<Findings>,
    },
    /// A rollout demands a clearance before it starts, and the candidate is not cleared: it gets no
    /// documents. `why` is the clearance's first answer; the status has the latest.
    RolloutWaits { candidate: VersionId, why: String },
    /// The candidate serves a larger share of the documents.
    StageStarted {
        candidate: VersionId,
        stage: u8,
        share: Ratio,
        findings: Box<Findings>,
    },
    /// The candidate is worse for one document type: production serves this type, and the candidate
    /// goes on with the others.
    TypeExcluded {
        candidate: VersionId,
        stage: u8,
        document_type: DocumentType,
        findings: Box<Findings>,
    },
}

impl RolloutEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::CandidateBarred { .. } => "candidate_barred",
            Self::CorrectionNotCounted { .. } => "correction_not_counted",
            Self::FoundWorse { .. } => "found_worse",
            Self::PlanTooShort { .. } => "plan_too_short",
            Self::RolledBack { .. } => "rolled_back",
            Self::RolloutCommanded { .. } => "rollout_commanded",
            Self::RolloutEscalated { .. } => "rollout_escalated",
            Self::RolloutFollowed { .. } => "rollout_followed",
            Self::RolloutHolds { .. } => "rollout_holds",
            Self::RolloutPromoted { .. } => "rollout_promoted",
            Self::RolloutWaits { .. } => "rollout_waits",
            Self::StageStarted { .. } => "stage_started",
            Self::TypeExcluded { .. } => "type_excluded",
        }
    }

    /// What is said before the first stage has shown anything.
    fn of_the_start(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = humantime::format_duration;
        match self {
            Self::CandidateBarred { candidate } => write!(
                f,
                "{candidate} was taken out of service before and gets no documents until an operator \
                 readmits it"
            ),
            Self::PlanTooShort {
                candidate,
                stage,
                corrected,
                over,
                waits,
                needed,
            } => write!(
                f,
                "{candidate} has little chance to leave stage {stage}, which escalates after {}: \
                 with {corrected} corrections in {}, half of all equal candidates need {} or longer",
                shown(*waits),
                shown(*over),
                shown(*needed)
            ),
            Self::RolloutWaits { candidate, why } => write!(
                f,
                "{candidate} gets no documents and waits for its shadow run: {why}"
            ),
            _ => Ok(()),
        }
    }

    /// What a person or another process has decided.
    fn of_decisions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RolloutCommanded {
                candidate,
                stage,
                command,
                who,
                why,
                ..
            } => write!(
                f,
                "{who} {} {candidate} at stage {stage} ({why})",
                command.participle()
            ),
            Self::RolloutFollowed {
                candidate,
                before,
                after,
                ..
            } => write!(
                f,
                "{candidate} was {before}; another process decided that it is {after}, and this one \
                 follows"
            ),
            _ => Ok(()),
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
                "{candidate} met the conditions of stage {stage} and waits for approval: {findings}"
            ),
            Self::CandidateBarred { .. }
            | Self::PlanTooShort { .. }
            | Self::RolloutWaits { .. } => self.of_the_start(f),
            Self::CorrectionNotCounted {
                document,
                document_type,
                version,
                reason,
            } => write!(
                f,
                "feedback on {document} ({document_type}, {version}) ignored: {reason}"
            ),
            Self::FoundWorse {
                candidate,
                stable,
                findings,
            } => write!(
                f,
                "{candidate} is worse than {stable}, which it replaced, and still serves: {findings}"
            ),
            Self::RolledBack {
                candidate,
                stage,
                findings,
            } => write!(
                f,
                "{candidate} rolled back at stage {stage}, production serves every document: {findings}"
            ),
            Self::RolloutCommanded { .. } | Self::RolloutFollowed { .. } => self.of_decisions(f),
            Self::RolloutEscalated {
                candidate,
                stage,
                findings,
            } => write!(
                f,
                "{candidate} escalated at stage {stage}, operator must promote or abort: {findings}"
            ),
            Self::RolloutHolds {
                candidate,
                stage,
                reason,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} holds at stage {stage}: {reason}; {findings}"
                )?;
                match findings.next_evaluation {
                    Some(at) => write!(f, "; next evaluation at {at}"),
                    None => Ok(()),
                }
            }
            Self::RolloutPromoted {
                candidate,
                findings,
            } => write!(
                f,
                "{candidate} promoted, late corrections can still roll it back: {findings}"
            ),
            Self::StageStarted {
                candidate,
                stage,
                share,
                findings,
            } => write!(
                f,
                "{candidate} serves {share} of the documents in stage {stage}: {findings}"
            ),
            Self::TypeExcluded {
                candidate,
                stage,
                document_type,
                findings,
            } => write!(
                f,
                "{document_type} excluded from {candidate} at stage {stage}, production serves it: \
                 {findings}"
            ),
        }
    }
}

/// Why a rollout ignored a correction, a retraction or a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotCounted {
    /// The rollout knows no answer for the document yet.
    NoAnswer,
    /// The answer is outside the comparison: it is of another version, from before the rollout
    /// began, or from after the candidate was promoted.
    NotCompared,
    /// The rollout knows no such correction that could be retracted.
    NothingToRetract,
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoAnswer => "the document has no answer yet",
            Self::NotCompared => "outside the comparison",
            Self::NothingToRetract => "no such correction to retract",
        })
    }
}

/// A command of the operator to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutCommand {
    /// Take the candidate out of service.
    Abort,
    /// Allow the next stage once all conditions are met.
    Approve,
    /// Require an approval before the next stage.
    Hold,
    /// Stop the clock of the stage.
    Pause,
    /// Start the next stage now.
    Promote,
    /// Start the rollout of a candidate again that was taken out of service.
    Readmit,
    /// Start the clock of the stage again after a pause.
    Resume,
}

impl RolloutCommand {
    fn participle(self) -> &'static str {
        match self {
            Self::Abort => "aborted",
            Self::Approve => "approved",
            Self::Hold => "held",
            Self::Pause => "paused",
            Self::Promote => "promoted",
            Self::Readmit => "readmitted",
            Self::Resume => "resumed",
        }
    }
}

impl fmt::Display for RolloutCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Abort => "abort",
            Self::Approve => "approve",
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Readmit => "readmit",
            Self::Resume => "resume",
        })
    }
}
