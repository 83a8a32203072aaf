//! What shadow runs report, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::VersionId;
use crate::ratio::Ratio;

/// What a [`ShadowComparator`](crate::ShadowComparator) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum ShadowEvent {
    /// A shadow run diverges too much: a person should look.
    ReviewRequested {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        threshold: Ratio,
    },
    /// A shadow run has seen enough.
    ShadowFinished {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        not_comparable: u64,
    },
}

impl ShadowEvent {
    /// Which event it is, as `"event"` says in JSON.
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
                "{diverged} of {compared} shadow answers of {candidate} diverge (threshold {threshold}): please look"
            ),
            Self::ShadowFinished {
                candidate,
                diverged,
                compared,
                not_comparable,
            } => write!(
                f,
                "shadow run of {candidate} is over: {diverged} of {compared} diverge, {not_comparable} not comparable"
            ),
        }
    }
}
