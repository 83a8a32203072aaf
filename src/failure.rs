//! The kinds of failure of a call to a language model, including failures inside an HTTP 200.

mod api;
mod finish;
mod litellm;
mod overflow;
mod table;
mod wait;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use api::ApiError;
pub use finish::FinishReason;
pub use overflow::Overflow;

/// How a call failed.
///
/// The kinds follow the documentation of OpenAI, Anthropic, Google and Amazon. Use the most
/// specific one: a context overflow is also an invalid request, but the two need different fixes.
/// Printed with the same name as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The API key is wrong or lacks the permission (401, 403).
    Auth,
    /// The provider's filter blocked the prompt or the answer.
    ContentFiltered,
    /// The prompt and the answer do not fit into the context window.
    ContextLengthExceeded,
    /// The answer has no content.
    EmptyOutput,
    /// The API refused the request for another reason (400).
    InvalidRequest,
    /// The answer cannot be parsed or does not match the schema.
    MalformedOutput,
    /// The model or the endpoint does not exist (404).
    NotFound,
    /// The provider is out of capacity (503, 529).
    Overloaded,
    /// The quota or the budget of the account is used up; waiting does not help.
    QuotaExhausted,
    /// The model declined to answer.
    Refusal,
    /// This one request is larger than the account's limit per minute (429); waiting does not help.
    RequestAboveRate,
    /// The provider failed (500, 502, an error inside a stream).
    ServerError,
    /// Too many requests (429); waiting helps.
    Throttled,
    /// The call timed out.
    Timeout,
    /// The connection failed.
    Transport,
    /// The answer was cut at its length limit.
    Truncated,
    /// Any other failure. It never counts as a success.
    Unknown,
}

/// The cause of a failure: it decides whether a fallback to the previous prompt version can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Credentials, model names, billing: the operator must act at once, whatever the error rate.
    Account,
    /// The caller exceeds its rate limit; waiting helps.
    RateLimit,
    /// The prompt, alone or together with this document; the previous version often helps.
    Prompt,
    /// The provider; the previous version rarely helps.
    Provider,
}

impl FailureKind {
    /// The kind's name, the same as in JSON.
    pub fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// The cause of this kind of failure.
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
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Tells the kind of failure of an error of your client; [`Pipeline::run`](crate::Pipeline::run)
/// uses it.
///
/// [`ApiError`] classifies a status and a body.
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
    message = "fusebox cannot tell which kind of failure `{Self}` is",
    label = "implement `fusebox::Classify` for `{Self}`, or call `run_with(&call, |error| kind, ..)`"
)]
pub trait Classify {
    /// The kind of failure; [`FailureKind::Unknown`] if no other fits.
    fn failure_kind(&self) -> FailureKind;

    /// The number of tokens in the prompt, if the error states it: an API that refuses a prompt as
    /// too long often reports the exact count. [`Overflow::parse`] reads it from the message.
    fn input_tokens(&self) -> Option<u64> {
        None
    }

    /// The time that the API asks to wait, if any.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
