//! Where a document goes when its call or its answer is not allowed, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::name::{Field, FinishWord, QueueName, VersionId};
use crate::tokens::{TokenBreakdown, TokenCount};

/// Where a diverted document goes. Ordered from least to most cautious.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Destination {
    /// A queue of your own, by name.
    Queue(QueueName),
    /// Human review.
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

/// Why a document was diverted, or why its answer goes to human review.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The deadline of [`Pipeline::run_until`](crate::Pipeline::run_until) passed before the call
    /// was made.
    DeadlinePassed,
    /// A guard panicked, so its vote is missing.
    GuardFailed {
        /// The name of the guard.
        guard: String,
    },
    /// A confidence is not a number from 0 to 1.
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
        /// The acceptance threshold at that time.
        threshold: Confidence,
    },
    /// No version can serve.
    NoVersionLeft,
    /// A reason of a guard of your own.
    Other(String),
    /// The prompt may need more tokens than the limit.
    OverBudget {
        /// The version that would have served the call.
        version: VersionId,
        /// The tokens of the call, part by part.
        breakdown: Box<TokenBreakdown>,
        /// The most tokens that the prompt may have.
        limit: u64,
        /// The largest prompt that fits next to the reserved answer, in tokens.
        largest_prompt: u64,
    },
    /// The call is strictly pinned ([`Pin::or_review`](crate::call::Pin::or_review)), and another
    /// version would have served it.
    PinLost {
        /// The version that the call was pinned to.
        version: VersionId,
    },
    /// The API reports fewer input tokens than the prompt has: the service cut the prompt.
    PromptCut {
        /// The tokens of the prompt, as the guard counted them.
        counted: TokenCount,
        /// The input tokens that the API reports.
        reported: u64,
        /// How many other prompts, of other lengths, were reported with the very same usage.
        #[serde(default)]
        alike: u64,
    },
    /// The process is about to end and admits no more calls.
    ShuttingDown,
    /// The finish reason does not say that the answer is complete.
    UnclearFinish {
        /// The finish reason that the API reports.
        word: FinishWord,
    },
    /// The tokens of the document were not counted.
    Unmeasured,
}

impl Reason {
    /// The reason's name, the same as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DeadlinePassed => "deadline_passed",
            Self::GuardFailed { .. } => "guard_failed",
            Self::InvalidConfidence { .. } => "invalid_confidence",
            Self::LowConfidence { .. } => "low_confidence",
            Self::NoVersionLeft => "no_version_left",
            Self::ShuttingDown => "shutting_down",
            Self::Other(_) => "other",
            Self::OverBudget { .. } => "over_budget",
            Self::PinLost { .. } => "pin_lost",
            Self::PromptCut { .. } => "prompt_cut",
            Self::UnclearFinish { .. } => "unclear_finish",
            Self::Unmeasured => "unmeasured",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlinePassed => f.write_str("the deadline passed before the call was made"),
            Self::GuardFailed { guard } => write!(f, "guard {guard} panicked"),
            Self::InvalidConfidence { field } => {
                write!(f, "confidence of {field} is not a number from 0 to 1")
            }
            Self::LowConfidence {
                field,
                confidence,
                threshold,
            } => write!(
                f,
                "confidence {confidence} of {field} is below the threshold {threshold}"
            ),
            Self::NoVersionLeft => f.write_str("no version can serve"),
            Self::ShuttingDown => f.write_str("the process is about to end"),
            Self::Other(reason) => f.write_str(reason),
            Self::OverBudget {
                version,
                breakdown,
                limit,
                largest_prompt,
            } => {
                let at_least = breakdown.prompt().lower();
                let verb = if at_least > *largest_prompt {
                    "cannot fit"
                } else if at_least > *limit {
                    "needs"
                } else {
                    "may need"
                };
                write!(
                    f,
                    "{version} {verb} {breakdown}; the limit is {limit} of the \
                     {largest_prompt} that fit"
                )
            }
            Self::PinLost { version } => {
                write!(f, "it is pinned to {version}, which does not serve it")
            }
            Self::PromptCut {
                reported, alike, ..
            } if *alike > 0 => {
                let others = if *alike == 1 { "prompt" } else { "prompts" };
                write!(
                    f,
                    "the API reports {reported} input tokens, as for {alike} other {others} of \
                     other lengths: the service cut the prompt"
                )
            }
            Self::PromptCut {
                counted, reported, ..
            } => {
                let at_least = if counted.is_exact() { "" } else { "at least " };
                write!(
                    f,
                    "the API reports {reported} input tokens, we counted {at_least}{}: the service \
                     cut the prompt",
                    counted.lower()
                )
            }
            Self::UnclearFinish { word } => {
                write!(
                    f,
                    "finish reason `{word}` does not say that the answer is complete"
                )
            }
            Self::Unmeasured => f.write_str("its tokens were not counted"),
        }
    }
}
