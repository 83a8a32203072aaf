//! Where a document goes instead of to the model, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::name::{Field, QueueName, VersionId};
use crate::tokens::{TokenBreakdown, TokenCount};

/// Where a diverted document goes. Ordered by caution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Destination {
    /// A queue of yours, by name.
    Queue(QueueName),
    /// A person.
    HumanReview,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {name}"),
            Self::HumanReview => f.write_str("human review"),
        }
    }
}

/// Why a document was diverted, or why a person must look at an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A guard failed while it judged; nothing is sent on trust.
    GuardFailed {
        /// Its name.
        guard: String,
    },
    /// A confidence is not a number between 0 and 1.
    InvalidConfidence {
        /// The field that it was given for.
        field: Field,
    },
    /// A confidence is below the acceptance threshold.
    LowConfidence {
        /// The field.
        field: Field,
        /// Its confidence.
        confidence: Confidence,
        /// The threshold at that moment.
        threshold: Confidence,
    },
    /// No version is fit to serve.
    NoVersionLeft,
    /// A reason of a guard of your own.
    Other(String),
    /// The prompt may need more than the limit allows.
    OverBudget {
        /// The version that was judged.
        version: VersionId,
        /// What the call needs, part by part.
        breakdown: Box<TokenBreakdown>,
        /// What the limit allows.
        limit: u64,
        /// The most that the model reads beside the reserved answer.
        largest_prompt: u64,
    },
    /// The API read fewer tokens than the prompt has: the service cut it.
    PromptCut {
        /// What was counted.
        counted: TokenCount,
        /// What the API says it read.
        reported: u64,
    },
    /// Nobody counted the document's tokens.
    Unmeasured,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuardFailed { guard } => write!(f, "guard {guard} failed"),
            Self::InvalidConfidence { field } => {
                write!(f, "the confidence of {field} is not between 0 and 1")
            }
            Self::LowConfidence {
                field,
                confidence,
                threshold,
            } => write!(f, "confidence of {field} {confidence} is below {threshold}"),
            Self::NoVersionLeft => f.write_str("no version is fit to serve"),
            Self::Other(reason) => f.write_str(reason),
            Self::OverBudget {
                version,
                breakdown,
                limit,
                largest_prompt,
            } => {
                let verb = if breakdown.prompt().lower() > *largest_prompt {
                    "cannot fit"
                } else if breakdown.prompt().is_exact() {
                    "needs"
                } else {
                    "may need"
                };
                write!(
                    f,
                    "{version} {verb} {breakdown}; the limit is {limit} of {largest_prompt}"
                )
            }
            Self::PromptCut { counted, reported } => {
                write!(
                    f,
                    "the service read {reported} of {counted}: it cut the prompt"
                )
            }
            Self::Unmeasured => f.write_str("the tokens were not counted"),
        }
    }
}
