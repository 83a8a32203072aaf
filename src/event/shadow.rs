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
    /// Too large a share of a candidate's shadow answers diverges from production.
    ReviewRequested {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        threshold: Ratio,
    },
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
            Self::ReviewRequested { .. } => "review_requested",
            Self::ShadowFinished { .. } => "shadow_finished",
        }
    }
}

impl fmt::Display for ShadowEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReviewRequested {
                candidate,
                diverged,
                compared,
                threshold,
            } => write!(
                f,
                "{diverged} of {compared} shadow answers of {candidate} diverge from production \
                 (threshold {threshold}): review them before deploying {candidate}"
            ),
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
