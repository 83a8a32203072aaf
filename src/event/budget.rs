//! What token budgets report, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::{DocumentId, DocumentType, ModelName, VersionId};
use crate::time::Timestamp;
use crate::tokens::TokenCount;

/// What a [`TokenBudget`](crate::TokenBudget) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum BudgetEvent {
    /// More documents than promised have more tokens than the bound that was learnt for their type.
    BoundMissed {
        document_type: DocumentType,
        model: ModelName,
        misses: u64,
        documents: u64,
    },
    /// Documents of one type keep going over the token budget since this version serves.
    BudgetAlarm {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        #[serde(with = "crate::time::as_millis")]
        within: Duration,
        tokens: Option<TokenCount>,
        limit: u64,
    },
    /// An API reported another number of tokens than was counted, or refused a prompt that should fit: the guard itself
    /// is wrong.
    CountWrong {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
        counted: TokenCount,
        reported: Option<u64>,
    },
    /// Documents of a type have little room left in what the model can read.
    LittleHeadroom {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        p99: u64,
        largest_prompt: u64,
    },
    /// The provider switches a model off soon, or has done so.
    ModelEnds { model: ModelName, at: Timestamp },
    /// A service read fewer tokens than the prompt has: it cut the prompt, and the answer is not accepted.
    PromptCut {
        document: DocumentId,
        document_type: DocumentType,
        model: ModelName,
        counted: TokenCount,
        reported: u64,
    },
}

impl BudgetEvent {
    /// Which event it is, as `"event"` says in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BoundMissed { .. } => "bound_missed",
            Self::BudgetAlarm { .. } => "budget_alarm",
            Self::CountWrong { .. } => "count_wrong",
            Self::LittleHeadroom { .. } => "little_headroom",
            Self::ModelEnds { .. } => "model_ends",
            Self::PromptCut { .. } => "prompt_cut",
        }
    }
}

impl fmt::Display for BudgetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BoundMissed {
                document_type,
                model,
                misses,
                documents,
            } => write!(
                f,
                "{misses} of {documents} documents of type {document_type} had more tokens than the bound learnt for \
                 {model}; it is following"
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
                    "{documents} documents of type {document_type} over the token budget within {within} "
                )?;
                match tokens {
                    Some(tokens) => write!(
                        f,
                        "with {version}: the last needs {tokens}, the limit is {limit}"
                    ),
                    None => write!(f, "with {version}: the last was not measured"),
                }
            }
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
                    "the token budget counted {counted} for {document} with {version}, and {model} "
                )?;
                match reported {
                    Some(reported) => write!(f, "reports {reported}: the guard counts wrong"),
                    None => f.write_str("says that it is too long: the guard counts wrong"),
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
                "99 % of {documents} documents of type {document_type} need up to {p99} tokens with {version}, which is \
                 more than 80 % of the {largest_prompt} that the model reads"
            ),
            Self::ModelEnds { model, at } => {
                write!(f, "the provider switches {model} off at {at}")
            }
            Self::PromptCut {
                document,
                model,
                counted,
                reported,
                ..
            } => write!(
                f,
                "{model} read {reported} tokens of {document}, which has {counted}: the service cut the prompt"
            ),
        }
    }
}
