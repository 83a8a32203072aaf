//! The ways in which a call to a language model fails, failures inside an HTTP 200 included.

mod api;
mod overflow;
mod table;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use api::ApiError;
pub use overflow::Overflow;

/// How a call failed.
///
/// The kinds follow what OpenAI, Anthropic, Google and Amazon document. Match the most specific one: a context overflow
/// is also an invalid request, and the two call for different help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The key is wrong or may not do this (401, 403).
    Auth,
    /// The provider's filter blocked the prompt or the answer.
    ContentFiltered,
    /// Prompt and answer do not fit into the context window.
    ContextLengthExceeded,
    /// An answer without content.
    EmptyOutput,
    /// Any other request that the API refuses (400).
    InvalidRequest,
    /// The answer cannot be parsed or does not fit the schema.
    MalformedOutput,
    /// The model or the endpoint does not exist (404).
    NotFound,
    /// The provider is out of capacity (503, 529).
    Overloaded,
    /// The account's quota or budget is used up; waiting does not help.
    QuotaExhausted,
    /// The model declined to answer.
    Refusal,
    /// This one request asks for more than the account may use in a minute (429); waiting does not help.
    RequestAboveRate,
    /// The provider failed (500, 502, an error inside a stream).
    ServerError,
    /// Too many requests (429); waiting helps.
    Throttled,
    /// No answer within the time allowed.
    Timeout,
    /// The connection failed.
    Transport,
    /// The answer was cut at its length limit.
    Truncated,
    /// Anything else. A failure, never a success.
    Unknown,
}

/// Who can mend a failure: what a fallback to the previous prompt version can and cannot help with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Credentials, model names, billing: a person must act, and no rate needs to be waited for.
    Account,
    /// The caller sends faster than its share; waiting cures it.
    RateLimit,
    /// The prompt, alone or with this document: the previous version often helps.
    Prompt,
    /// The provider: the previous version seldom helps.
    Provider,
}

impl FailureKind {
    /// Who can mend it.
    pub fn cause(self) -> Cause {
        match self {
            Self::Auth | Self::NotFound | Self::QuotaExhausted => Cause::Account,
            Self::Throttled => Cause::RateLimit,
            Self::ContentFiltered
            | Self::ContextLengthExceeded
            | Self::EmptyOutput
            | Self::InvalidRequest
            | Self::MalformedOutput
            | Self::Refusal
            | Self::RequestAboveRate
            | Self::Truncated => Cause::Prompt,
            Self::Overloaded
            | Self::ServerError
            | Self::Timeout
            | Self::Transport
            | Self::Unknown => Cause::Provider,
        }
    }

    /// The failure that a finish or stop reason of an HTTP 200 stands for; `None` for an answer that is complete.
    ///
    /// Knows the words of OpenAI (`length`, `content_filter`), Anthropic (`max_tokens`, `refusal`,
    /// `model_context_window_exceeded`), Google (`MAX_TOKENS`, `SAFETY`, ..) and Amazon Bedrock
    /// (`guardrail_intervened`, ..). A word it does not know is not a failure.
    pub fn from_finish_reason(reason: &str) -> Option<Self> {
        match reason {
            "length" | "max_tokens" | "MAX_TOKENS" => Some(Self::Truncated),
            "model_context_window_exceeded" => Some(Self::ContextLengthExceeded),
            "refusal" => Some(Self::Refusal),
            "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII" => Some(Self::ContentFiltered),
            "MALFORMED_FUNCTION_CALL" | "malformed_model_output" | "malformed_tool_use" => {
                Some(Self::MalformedOutput)
            }
            _ => None,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auth => "auth",
            Self::ContentFiltered => "content_filtered",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::EmptyOutput => "empty_output",
            Self::InvalidRequest => "invalid_request",
            Self::MalformedOutput => "malformed_output",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Refusal => "refusal",
            Self::RequestAboveRate => "request_above_rate",
            Self::ServerError => "server_error",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Truncated => "truncated",
            Self::Unknown => "unknown",
        })
    }
}

/// What kind of failure an error of your client is; [`Pipeline::run`](crate::Pipeline::run) asks it.
///
/// [`ApiError`] tells it from a status and a body.
///
/// ```
/// use fusebox::{Classify, FailureKind};
///
/// #[derive(Debug)]
/// enum ClientError { Slow, Status(u16) }
///
/// impl Classify for ClientError {
///     fn failure_kind(&self) -> FailureKind {
///         match self {
///             ClientError::Slow => FailureKind::Timeout,
///             ClientError::Status(429) => FailureKind::Throttled,
///             ClientError::Status(500..) => FailureKind::ServerError,
///             ClientError::Status(_) => FailureKind::Unknown,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "fusebox cannot tell what kind of failure `{Self}` is",
    label = "implement `fusebox::Classify` for `{Self}`, or call `run_with(&call, |error| kind, ..)`"
)]
pub trait Classify {
    /// The kind; [`FailureKind::Unknown`] if it cannot be told.
    fn failure_kind(&self) -> FailureKind;

    /// How many tokens the prompt had, if the error says so: a prompt that was too long is counted exactly by the API
    /// that refuses it. [`Overflow::parse`] reads it from the message.
    fn input_tokens(&self) -> Option<u64> {
        None
    }

    /// How long the API asks to wait, if it does.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
