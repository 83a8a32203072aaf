//! The events of shadow runs, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::VersionId;
use crate::ratio::Ratio;

/// The events of a [`ShadowComparator`](crate::ShadowComparator).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum ShadowEvent {
    /// People's corrections show that a candidate is no worse than production.
    CandidateNoWorse {
        candidate: VersionId,
        candidate_wrong: u64,
        production_wrong: u64,
        documents: u64,
    },
    /// People's corrections show that a candidate is worse than production.
    CandidateWorse {
        candidate: VersionId,
        candidate_wrong: u64,
        production_wrong: u64,
        documents: u64,
    },
    /// Somebody has taken note of the review that a shadow run requested.
    ReviewAcknowledged {
        candidate: VersionId,
        who: String,
        why: String,
    },
    /// Too large a share of a candidate's shadow answers diverges from production.
    ReviewRequested {
        candidate: VersionId,
        production: VersionId,
        diverged: u64,
        compared: u64,
        threshold: Ratio,
    },
    /// A shadow run cannot say anything of its candidate, for the reason `why`.
    ShadowBlind { candidate: VersionId, why: String },
    /// A shadow run has compared enough documents.
    ShadowFinished {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        not_comparable: u64,
    },
}

impl ShadowEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CandidateNoWorse { .. } => "candidate_no_worse",
            Self::CandidateWorse { .. } => "candidate_worse",
            Self::ReviewAcknowledged { .. } => "review_acknowledged",
            Self::ReviewRequested { .. } => "review_requested",
            Self::ShadowBlind { .. } => "shadow_blind",
            Self::ShadowFinished { .. } => "shadow_finished",
        }
    }
}

impl fmt::Display for ShadowEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CandidateNoWorse {
                candidate,
                candidate_wrong,
                production_wrong,
                documents,
            } => write!(
                f,
                "{candidate} is no worse than production in its shadow run: of {documents} reviewed \
                 documents {candidate_wrong} of its answers are wrong, and {production_wrong} of \
                 production's"
            ),
            Self::CandidateWorse {
                candidate,
                candidate_wrong,
                production_wrong,
                documents,
            } => write!(
                f,
                "{candidate} is worse than production in its shadow run: of {documents} reviewed \
                 documents {candidate_wrong} of its answers are wrong, and {production_wrong} of \
                 production's; do not deploy {candidate}"
            ),
            Self::ReviewAcknowledged {
                candidate,
                who,
                why,
            } => write!(f, "{who} acknowledged the review of {candidate}: {why}"),
            Self::ReviewRequested {
                candidate,
                production,
                diverged,
                compared,
                threshold,
            } => write!(
                f,
                "{diverged} of {compared} shadow answers of {candidate} diverge from those of \
                 {production} (threshold {threshold}): review them before deploying {candidate}"
            ),
            Self::ShadowBlind { candidate, why } => {
                write!(f, "shadow run of {candidate} is blind: {why}")
            }
            Self::ShadowFinished {
                candidate,
                diverged,
                compared,
                not_comparable,
            } => write!(
                f,
                "shadow run of {candidate} finished: {diverged} of {compared} answers diverge from \
                 production, {not_comparable} not comparable"
            ),
        }
    }
}
