//! The events of token budgets, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::{DocumentId, DocumentType, ModelName, VersionId};
use crate::time::Timestamp;
use crate::tokens::TokenCount;

/// The events of a [`TokenBudget`](crate::TokenBudget).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum BudgetEvent {
    /// More documents than promised have more tokens than the calibrated bound for their type.
    BoundMissed {
        document_type: DocumentType,
        model: ModelName,
        misses: u64,
        documents: u64,
    },
    /// Several documents of one type went over the token budget of this version within a short
    /// time. `tokens` is what the latest of them needs; `None` when that could not be counted.
    BudgetAlarm {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        #[serde(with = "crate::time::as_millis")]
        within: Duration,
        tokens: Option<TokenCount>,
        limit: u64,
    },
    /// An API reported more tokens than the guard counted, or refused as too long a prompt that
    /// should fit: the guard's count is wrong. `reported` is `None` when the API gave no number.
    CountWrong {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
        counted: TokenCount,
        reported: Option<u64>,
    },
    /// Documents of a type have little headroom: the 99th percentile of their prompts (`p99`) is
    /// close to the largest prompt that fits next to the reserved answer.
    LittleHeadroom {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        p99: u64,
        largest_prompt: u64,
    },
    /// A model reaches its announced end of life soon, or has reached it.
    ModelEnds {
        model: ModelName,
        // `at` in the flat JSON is the time of the event.
        #[serde(rename = "ends_at")]
        at: Timestamp,
    },
    /// An API reported fewer input tokens than the prompt has: the service cut the prompt, so the
    /// guard does not accept the answer. `alike` is how many other prompts, of other lengths, were
    /// reported with the very same usage.
    PromptCut {
        document: DocumentId,
        document_type: DocumentType,
        model: ModelName,
        counted: TokenCount,
        reported: u64,
        alike: u64,
    },
    /// A model counts all texts differently from before, at this percentage of the tokens: what was
    /// learnt of it is scaled.
    TokenizerChanged { model: ModelName, percent: u64 },
    /// An API reported so many more tokens than another tokenizer counts that the guard does not
    /// learn from it.
    UsageNotBelieved {
        document: DocumentId,
        document_type: DocumentType,
        model: ModelName,
        counted: TokenCount,
        reported: u64,
    },
}

impl BudgetEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BoundMissed { .. } => "bound_missed",
            Self::BudgetAlarm { .. } => "budget_alarm",
            Self::CountWrong { .. } => "count_wrong",
            Self::LittleHeadroom { .. } => "little_headroom",
            Self::ModelEnds { .. } => "model_ends",
            Self::PromptCut { .. } => "prompt_cut",
            Self::TokenizerChanged { .. } => "tokenizer_changed",
            Self::UsageNotBelieved { .. } => "usage_not_believed",
        }
    }
}

impl fmt::Display for BudgetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountWrong { .. } | Self::PromptCut { .. } | Self::UsageNotBelieved { .. } => {
                self.usage(f)
            }
            Self::BoundMissed {
                document_type,
                model,
                misses,
                documents,
            } => write!(
                f,
                "token bound of {model} too low for documents of type {document_type}: {misses} of \
                 {documents} had more tokens; the bound adapts by itself"
            ),
            Self::BudgetAlarm {
                document_type,
                version,
                documents,
                within,
                tokens,
                limit,
            } => {
                let within = humantime::format_duration(*within);
                write!(
                    f,
                    "{documents} documents of type {document_type} exceeded the token budget of \
                     {version} within {within}: "
                )?;
                match tokens {
                    Some(tokens) => write!(
                        f,
                        "the latest needs {tokens}, the limit is {limit}; roll back {version} or \
                         add a larger fallback model"
                    ),
                    None => f.write_str(
                        "the latest could not be counted; pass its text or its token count",
                    ),
                }
            }
            Self::LittleHeadroom {
                document_type,
                version,
                documents,
                p99,
                largest_prompt,
            } => write!(
                f,
                "little headroom for documents of type {document_type} with {version}: 99 % of \
                 {documents} prompts have up to {p99} tokens, more than 80 % of \
                 the {largest_prompt} that fit"
            ),
            Self::ModelEnds { model, at } => {
                write!(
                    f,
                    "end of life of {model} is {at}: move its versions to another model"
                )
            }
            Self::TokenizerChanged { model, percent } => write!(
                f,
                "{model} counts {percent} % of the tokens that it counted before: what was learnt \
                 of it is scaled"
            ),
        }
    }
}

impl BudgetEvent {
    /// What the API reports is not what was counted.
    fn usage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountWrong {
                document,
                version,
                model,
                counted,
                reported,
                ..
            } => {
                write!(
                    f,
                    "wrong token count for {document} with {version}: counted {counted}, {model} "
                )?;
                match reported {
                    Some(reported) => write!(f, "reports {reported}")?,
                    None => f.write_str("refused it as too long")?,
                }
                write!(
                    f,
                    "; check the tokenizer and the limits declared for {model}"
                )
            }
            Self::PromptCut {
                document,
                model,
                reported,
                alike,
                ..
            } if *alike > 0 => {
                let others = if *alike == 1 { "prompt" } else { "prompts" };
                write!(
                    f,
                    "{model} reports {reported} input tokens for {document}, as for {alike} other \
                     {others} of other lengths: the service cut the prompt, so the answer is not \
                     accepted"
                )
            }
            Self::PromptCut {
                document,
                model,
                counted,
                reported,
                ..
            } => {
                let at_least = if counted.is_exact() { "" } else { "at least " };
                write!(
                    f,
                    "{model} reports {reported} input tokens for {document}, we counted \
                     {at_least}{}: the service cut the prompt, so the answer is not accepted",
                    counted.lower()
                )
            }
            Self::UsageNotBelieved {
                document,
                model,
                counted,
                reported,
                ..
            } => write!(
                f,
                "{model} reports {reported} input tokens for {document}, estimated at {counted}: \
                 the guard does not learn from it; check what is reported as usage"
            ),
            _ => Ok(()),
        }
    }
}
