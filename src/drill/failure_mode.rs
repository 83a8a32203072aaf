//! The ways in which a pipeline fails, and which guard pages for each.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, What};
use crate::failure::FailureKind;
use crate::time::minutes;

/// A way in which a pipeline of calls to a model fails: each needs a signal that pages, and a drill
/// that has shown so ([`Readiness`](super::Readiness)).
///
/// A [fault](Fault) that a drill injects belongs to at most one. Deployments, restarts, jumps of the
/// clock and a sink that is down belong to none: they are what other faults are drilled with. Nor do
/// faults of the signals themselves (usage that is wrong, confidences that are missing or all alike,
/// a sink that panics, ticks that stop, a pager or a store that fails): they have a page of their
/// own. Nor does a candidate whose answers differ: a shadow run looks for it, pages nobody, and a
/// readiness asks for that run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureMode {
    /// Prompts no longer fit into the context window.
    PromptTooLong,
    /// Calls fail: an outage, a rejected request, a refusal.
    CallsFail,
    /// Calls are throttled.
    Throttled,
    /// The provider is overloaded.
    Overloaded,
    /// Calls never end.
    CallsHang,
    /// Answers are cut off.
    AnswersCutOff,
    /// Answers cannot be read.
    AnswersUnreadable,
    /// Answers are empty.
    AnswersEmpty,
    /// The confidence of a field falls.
    ConfidenceFalls,
    /// The confidences of a field change their shape at the same mean.
    ConfidenceSpreads,
    /// Reviewers correct more answers.
    CorrectionsRise,
    /// Corrections stop arriving.
    CorrectionsStop,
    /// The application loses documents on the way: permits are dropped.
    DocumentsDropped,
    /// Documents of a type, or all, stop arriving.
    DocumentsStop,
}

impl FailureMode {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PromptTooLong,
        Self::CallsFail,
        Self::Throttled,
        Self::Overloaded,
        Self::CallsHang,
        Self::AnswersCutOff,
        Self::AnswersUnreadable,
        Self::AnswersEmpty,
        Self::ConfidenceFalls,
        Self::ConfidenceSpreads,
        Self::CorrectionsRise,
        Self::CorrectionsStop,
        Self::DocumentsDropped,
        Self::DocumentsStop,
    ];

    /// The failure mode that a fault stands for.
    pub fn of(fault: &Fault) -> Option<Self> {
        match &fault.what {
            What::AddTokens(_) => Some(Self::PromptTooLong),
            What::Correct => Some(Self::CorrectionsRise),
            What::Fail(kind) => Some(Self::of_failure(*kind)),
            What::Hang => Some(Self::CallsHang),
            What::LowerConfidence(_) => Some(Self::ConfidenceFalls),
            What::Silence => Some(Self::DocumentsStop),
            What::SpreadConfidence(_) => Some(Self::ConfidenceSpreads),
            What::StopFeedback => Some(Self::CorrectionsStop),
            What::Abandon => Some(Self::DocumentsDropped),
            What::AddUsage(_)
            | What::CutPrompts(_)
            | What::Deploy(_)
            | What::Diverge
            | What::DropFacts
            | What::FixConfidence(_)
            | What::JumpClock { .. }
            | What::LoseStore
            | What::OmitConfidence
            | What::PagerDown
            | What::Restart { .. }
            | What::ShareStore
            | What::SinkDown
            | What::SinkPanics
            | What::StopTicks
            | What::StoreDown => None,
        }
    }

    fn of_failure(kind: FailureKind) -> Self {
        match kind {
            FailureKind::ContextLengthExceeded => Self::PromptTooLong,
            FailureKind::EmptyOutput => Self::AnswersEmpty,
            FailureKind::MalformedOutput => Self::AnswersUnreadable,
            FailureKind::Overloaded => Self::Overloaded,
            FailureKind::RequestAboveRate | FailureKind::Throttled => Self::Throttled,
            FailureKind::Truncated => Self::AnswersCutOff,
            FailureKind::Auth
            | FailureKind::ContentFiltered
            | FailureKind::InvalidRequest
            | FailureKind::NotFound
            | FailureKind::QuotaExhausted
            | FailureKind::Refusal
            | FailureKind::ServerError
            | FailureKind::Timeout
            | FailureKind::Transport
            | FailureKind::Unknown => Self::CallsFail,
        }
    }

    /// The [names](crate::Guard::name) of the guards that are made for it.
    pub fn guards(self) -> &'static [&'static str] {
        match self {
            Self::PromptTooLong => &["token-budget"],
            Self::CallsFail
            | Self::Throttled
            | Self::Overloaded
            | Self::AnswersCutOff
            | Self::AnswersUnreadable
            | Self::AnswersEmpty
            | Self::DocumentsDropped => &["error-rate"],
            Self::CallsHang | Self::DocumentsStop => &["ledger"],
            Self::ConfidenceFalls | Self::ConfidenceSpreads => &["confidence-drift"],
            Self::CorrectionsRise | Self::CorrectionsStop => &["canary", "blue-green"],
        }
    }

    /// Within which time it must be known, unless a readiness says otherwise: 30 minutes; a day
    /// where corrections decide, which come when reviewers have looked.
    pub const fn known_within(self) -> Duration {
        match self {
            Self::CorrectionsRise | Self::CorrectionsStop => minutes(24 * 60),
            _ => minutes(30),
        }
    }
}

impl fmt::Display for FailureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PromptTooLong => "prompts are too long",
            Self::CallsFail => "calls fail",
            Self::Throttled => "calls are throttled",
            Self::Overloaded => "the provider is overloaded",
            Self::CallsHang => "calls hang",
            Self::AnswersCutOff => "answers are cut off",
            Self::AnswersUnreadable => "answers cannot be read",
            Self::AnswersEmpty => "answers are empty",
            Self::ConfidenceFalls => "confidence falls",
            Self::ConfidenceSpreads => "confidences spread at the same mean",
            Self::CorrectionsRise => "corrections rise",
            Self::CorrectionsStop => "corrections stop",
            Self::DocumentsDropped => "documents are dropped",
            Self::DocumentsStop => "documents stop arriving",
        })
    }
}
