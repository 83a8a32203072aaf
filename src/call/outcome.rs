//! The ways in which a call ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::reason::Destination;
use crate::failure::FailureKind;

/// How a call ended. Every ticket gets exactly one outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The permit was dropped without an outcome: a cancelled future, an early return, a panic.
    Abandoned,
    /// The guards accepted the answer: it can be used without review.
    Accepted,
    /// The call was not made; the document went to this destination.
    Diverted(Destination),
    /// The call failed, or its answer counts as a failure.
    Failed(FailureKind),
    /// The answer goes to human review.
    NeedsReview,
    /// The caller released the permit without making the call.
    Released,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.pad("abandoned"),
            Self::Accepted => f.pad("accepted"),
            Self::Diverted(destination) => write!(f, "diverted to {destination}"),
            Self::Failed(kind) => write!(f, "failed: {kind}"),
            Self::NeedsReview => f.pad("needs review"),
            Self::Released => f.pad("released"),
        }
    }
}
