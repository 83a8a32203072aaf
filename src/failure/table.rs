//! The table from errors of LLM APIs to kinds of failure: the most specific row first.

use super::overflow::Overflow;
use crate::failure::FailureKind;

/// The parts of an error that the table matches.
#[derive(Debug, Default)]
pub(super) struct ErrorText {
    /// The status of the response; 0 if there is none, as inside a stream.
    pub(super) status: u16,
    /// Types, codes and reasons, in lower case.
    pub(super) words: Vec<String>,
    /// The beginnings of the messages, in lower case.
    pub(super) openings: Vec<String>,
    /// The messages, in lower case.
    pub(super) message: String,
}

/// The condition of a row.
enum Sign {
    /// One of these types, codes or reasons.
    Word(&'static [&'static str]),
    /// A message that contains one of these texts, whatever the status.
    Message(&'static [&'static str]),
    /// A message that begins with one of these clauses, whatever the status. A provider may quote
    /// the prompt after its own first words.
    Opening(&'static [&'static str]),
    /// One of these statuses.
    Status(&'static [u16]),
    /// A message about a prompt that is too long, with a matching status.
    Overflow,
    /// A message with a rate limit and a request above that limit.
    AboveRate,
}

use FailureKind as Kind;
use Sign::{AboveRate, Message, Opening, Status, Word};

/// A status comes only after every word and message that is more specific: an exceeded quota of
/// Amazon Bedrock is a 400, a failing model there is a 424, and a wrong API key of Gemini is a 400.
/// `contextwindowexceedederror` and its like are classes of `LiteLLM`, whose proxy answers a used-up
/// budget with a 429 and Anthropic's 529 with a 500.
const ROWS: &[(Sign, FailureKind)] = &[
    (
        Word(&[
            "context_length_exceeded",
            "contextwindowexceedederror",
            "exceed_context_size_error",
            "model_context_window_exceeded",
        ]),
        Kind::ContextLengthExceeded,
    ),
    (Sign::Overflow, Kind::ContextLengthExceeded),
    (
        Word(&[
            "insufficient_quota",
            "budget_exceeded",
            "budgetexceedederror",
            "billing_error",
            "billing_not_active",
            "billing_hard_limit_reached",
            "enforced_spend_limit_reached",
            "servicequotaexceededexception",
        ]),
        Kind::QuotaExhausted,
    ),
    (
        Opening(&[
            "budget has been exceeded",
            "exceededbudget",
            "authentication error, exceededbudget",
            "no deployments available - crossed budget",
        ]),
        Kind::QuotaExhausted,
    ),
    (AboveRate, Kind::RequestAboveRate),
    (
        Word(&[
            "api_key_invalid",
            "authentication_error",
            "invalid_api_key",
            "permission_error",
            "permission_denied",
            "unauthenticated",
            "expired_key",
            "token_not_found_in_db",
            "key_model_access_denied",
            "team_model_access_denied",
            "user_model_access_denied",
            "org_model_access_denied",
            "project_model_access_denied",
            "accessdeniedexception",
            "expiredtokenexception",
            "unrecognizedclientexception",
        ]),
        Kind::Auth,
    ),
    (
        Word(&[
            "model_not_found",
            "not_found_error",
            "deploymentnotfound",
            "resourcenotfoundexception",
        ]),
        Kind::NotFound,
    ),
    (
        Opening(&["invalid model name passed in model", "you passed in model"]),
        Kind::NotFound,
    ),
    (
        Word(&[
            "content_filter",
            "content_policy_violation",
            "contentpolicyviolationerror",
            "responsibleaipolicyviolation",
        ]),
        Kind::ContentFiltered,
    ),
    (
        Word(&[
            "overloaded_error",
            "unavailable",
            "modelnotreadyexception",
            "serviceunavailableexception",
        ]),
        Kind::Overloaded,
    ),
    (Opening(&["overloaded"]), Kind::Overloaded),
    (
        Word(&[
            "timeout_error",
            "deadline_exceeded",
            "modeltimeoutexception",
        ]),
        Kind::Timeout,
    ),
    (
        Word(&[
            "rate_limit_error",
            "rate_limit_exceeded",
            "resource_exhausted",
            "throttlingexception",
            "too_many_requests",
        ]),
        Kind::Throttled,
    ),
    (
        Message(&[
            "exceeded your current quota",
            "credit balance is too low",
            "spend limit",
            "specified api usage limits",
        ]),
        Kind::QuotaExhausted,
    ),
    (
        Word(&[
            "internalserverexception",
            "modelerrorexception",
            "modelstreamerrorexception",
        ]),
        Kind::ServerError,
    ),
    (Word(&["validationexception"]), Kind::InvalidRequest),
    (Status(&[401, 403]), Kind::Auth),
    (Status(&[402]), Kind::QuotaExhausted),
    (Status(&[404]), Kind::NotFound),
    (Status(&[408, 504]), Kind::Timeout),
    (Status(&[429]), Kind::Throttled),
    (Status(&[503, 529]), Kind::Overloaded),
    (Status(&[409, 424, 500, 502]), Kind::ServerError),
    (Status(&[400, 413, 422]), Kind::InvalidRequest),
    (
        Word(&["auth_error", "authenticationerror", "permissiondeniederror"]),
        Kind::Auth,
    ),
    (Word(&["not_found", "notfounderror"]), Kind::NotFound),
    (Word(&["timeout"]), Kind::Timeout),
    (
        Word(&["throttling_error", "ratelimiterror"]),
        Kind::Throttled,
    ),
    (Word(&["serviceunavailableerror"]), Kind::Overloaded),
    (
        Word(&[
            "api_error",
            "server_error",
            "internal",
            "internal_error",
            "internal_server_error",
            "apiconnectionerror",
            "apierror",
            "badgatewayerror",
            "internalservererror",
        ]),
        Kind::ServerError,
    ),
    (
        Word(&[
            "invalid_request_error",
            "invalid_request",
            "invalid_argument",
            "failed_precondition",
            "bad_request_error",
            "badrequesterror",
            "request_too_large",
            "unprocessableentityerror",
            "unsupportedparamserror",
        ]),
        Kind::InvalidRequest,
    ),
];

/// The statuses of messages about a prompt that is too long; 0 inside a stream.
const OVERFLOW_STATUSES: [u16; 4] = [0, 400, 413, 422];

/// The kind of failure of the first row that matches.
pub(super) fn kind_of(error: &ErrorText) -> FailureKind {
    let row = ROWS.iter().find(|(sign, _)| sign.matches(error));
    row.map_or_else(|| kind_of_class(error.status), |(_, kind)| *kind)
}

/// The kind of failure for the class of a status without a row.
fn kind_of_class(status: u16) -> FailureKind {
    match status {
        400..=499 => FailureKind::InvalidRequest,
        500..=599 => FailureKind::ServerError,
        _ => FailureKind::Unknown,
    }
}

impl Sign {
    fn matches(&self, error: &ErrorText) -> bool {
        match self {
            Word(words) => error
                .words
                .iter()
                .any(|word| words.contains(&word.as_str())),
            Message(parts) => parts.iter().any(|part| error.message.contains(part)),
            Opening(clauses) => clauses.iter().any(|clause| error.opens_with(clause)),
            Status(statuses) => statuses.contains(&error.status),
            Self::Overflow => {
                let refused = OVERFLOW_STATUSES.contains(&error.status);
                (refused || error.is_of_a_stream_behind_litellm())
                    && Overflow::parse(&error.message).is_some()
            }
            AboveRate => is_above_rate(&error.message),
        }
    }
}

impl ErrorText {
    /// Whether a message begins with this clause, and the clause ends there.
    fn opens_with(&self, clause: &str) -> bool {
        let ends = |rest: &str| !rest.starts_with(|c: char| c == ' ' || c.is_alphanumeric());
        let mut openings = self.openings.iter();
        openings.any(|opening| opening.strip_prefix(clause).is_some_and(ends))
    }

    /// `LiteLLM`'s proxy calls every error inside a stream a failed connection.
    fn is_of_a_stream_behind_litellm(&self) -> bool {
        self.message.starts_with("litellm.")
            && self.words.iter().any(|word| word == "apiconnectionerror")
    }
}

/// "Limit 30000, Requested 30601" can never succeed, however long the caller waits. "Limit 30000,
/// Used 29937, Requested 385" can.
fn is_above_rate(message: &str) -> bool {
    let number = |word: &str| {
        let (_, after) = message.split_once(word)?;
        let digits = after.trim_start_matches([' ', ':']);
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != ',');
        let digits = digits.get(..end.unwrap_or(digits.len()))?;
        digits.replace(',', "").parse::<u64>().ok()
    };
    let limits = number("limit ").or_else(|| number("limit:"));
    limits
        .zip(number("requested"))
        .is_some_and(|(limit, requested)| requested > limit)
}
