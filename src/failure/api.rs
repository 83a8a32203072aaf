//! Parses the error responses of LLM APIs.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use super::litellm::Unwrapped;
use super::table::{ErrorText, kind_of};
use super::wait::{wait, wait_in};
use super::{Classify, FailureKind, Overflow};

/// The longest body that is read, in bytes. OpenAI's `response.failed` repeats the instructions and
/// the tools, so that a cut body would be no JSON, and its text not the provider's.
const LONGEST: usize = 1 << 20;
/// The deepest nesting that is read: bodies can be arrays of errors, and errors can hold bodies as
/// text.
const DEPTH: u8 = 4;
/// The keys of types, codes and reasons.
const WORD_KEYS: [&str; 6] = ["type", "code", "status", "reason", "error_code", "__type"];
/// The statuses of a failed call.
const FAILED: Range<u16> = 300..600;
/// The characters at the beginning of a message that the table may compare.
const OPENING: usize = 128;

/// An error of an LLM API: the kind of failure, the time to wait, and the number of tokens in the
/// prompt.
///
/// It reads the formats of OpenAI, Azure, Anthropic, Gemini, Amazon Bedrock, `LiteLLM`'s proxy and
/// compatible servers: numeric codes, errors inside arrays, errors as text inside errors, and error
/// events inside a stream. Parsing never fails: if the body is unreadable, or longer than 1 MiB,
/// the status alone decides.
///
/// ```
/// use fusebox::{Classify, FailureKind};
/// use fusebox::failure::ApiError;
///
/// let body = r#"{"type": "error", "error": {"type": "invalid_request_error",
///     "message": "prompt is too long: 200251 tokens > 200000 maximum"}}"#;
/// let error = ApiError::from_response(400, body.as_bytes());
/// assert_eq!(error.failure_kind(), FailureKind::ContextLengthExceeded);
/// assert_eq!(error.input_tokens(), Some(200_251));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    kind: FailureKind,
    retry_after: Option<Duration>,
    input_tokens: Option<u64>,
    message: String,
}

impl ApiError {
    /// The error of a response with this status and body.
    pub fn from_response(status: u16, body: &[u8]) -> Self {
        Self::read(status, &[], body)
    }

    /// The error of an event inside a stream that began with a 200. Pass the data of the event, or
    /// the whole event.
    pub fn from_stream(event: &str) -> Self {
        Self::read(0, &[], event.as_bytes())
    }

    /// The error of an Amazon Bedrock response, whose header `x-amzn-errortype` is `error_type`.
    pub fn from_bedrock(status: u16, error_type: &str, body: &[u8]) -> Self {
        Self::read(status, &[error_type], body)
    }

    /// The same error with the header `retry-after`: seconds, or numbers with units such as `644ms`
    /// and `1m12.5s`. A date is ignored. Without the header, the wait comes from the body.
    pub fn with_retry_after(mut self, header: &str) -> Self {
        self.retry_after = wait(header).or(self.retry_after);
        self
    }

    /// The status of the response; 0 for an error inside a stream.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The message of the API, cut at 4,096 bytes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error that no API sent: only its kind and its text.
    #[cfg(feature = "async-openai")]
    pub(crate) fn local(kind: FailureKind, message: String) -> Self {
        Self {
            status: 0,
            kind,
            retry_after: None,
            input_tokens: None,
            message: cut(message),
        }
    }

    fn read(status: u16, words: &[&str], body: &[u8]) -> Self {
        let body = if body.len() > LONGEST { &[] } else { body };
        let body = String::from_utf8_lossy(body);
        let mut reading = Reading::default();
        for word in words {
            reading.word(word);
        }
        reading.text(&body, 0);
        let message = reading.messages.join("; ");
        let error = ErrorText {
            status: if FAILED.contains(&status) {
                status
            } else {
                reading.status
            },
            words: reading.words,
            openings: reading.openings,
            message: message.to_lowercase(),
        };
        let kind = kind_of(&error);
        let stated = || Overflow::parse(&message).and_then(Overflow::prompt_tokens);
        let is_overflow = kind == FailureKind::ContextLengthExceeded;
        let input_tokens = reading.prompt_tokens.or_else(stated);
        Self {
            status,
            kind,
            retry_after: reading.retry_after.or_else(|| wait_in(&error.message)),
            input_tokens: input_tokens.filter(|_| is_overflow),
            message: cut(message),
        }
    }
}

impl Classify for ApiError {
    fn failure_kind(&self) -> FailureKind {
        self.kind
    }

    fn input_tokens(&self) -> Option<u64> {
        self.input_tokens
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.status > 0 {
            write!(f, " (status {})", self.status)?;
        }
        write!(f, ": {}", self.message.escape_debug())
    }
}

impl std::error::Error for ApiError {}

/// The parts of a body that have been found so far.
#[derive(Default)]
struct Reading {
    /// The status in the body, if any; else 0.
    status: u16,
    words: Vec<String>,
    messages: Vec<String>,
    /// The beginnings of the messages, each with the names of `LiteLLM`'s proxy and without them.
    openings: Vec<String>,
    retry_after: Option<Duration>,
    /// The tokens of the prompt, as llama.cpp reports them in a field of their own.
    prompt_tokens: Option<u64>,
    /// Whether these are the parts of a body inside a message of `LiteLLM`'s proxy.
    unwrapped: bool,
}

impl Reading {
    /// Reads a text that may be JSON, or a stream event that holds JSON.
    fn text(&mut self, text: &str, depth: u8) {
        let text = text.trim();
        let data = text.lines().find_map(|line| line.strip_prefix("data:"));
        let json = data.unwrap_or(text).trim();
        let value = json
            .starts_with(['{', '['])
            .then(|| serde_json::from_str(json));
        match value {
            Some(Ok(value)) if depth < DEPTH => self.value(&value, depth + 1),
            _ if text.is_empty() => {}
            _ => self.message(text),
        }
    }

    /// Reads the words of a message of `LiteLLM`'s proxy, and the body of the provider inside it.
    fn message(&mut self, text: &str) {
        let unwrapped = Unwrapped::of(text);
        for class in &unwrapped.classes {
            self.word(class);
        }
        for text in [text, unwrapped.text] {
            let opening = text.chars().take(OPENING);
            self.openings
                .push(opening.collect::<String>().to_lowercase());
        }
        if let Some(body) = unwrapped.body().filter(|_| !self.unwrapped) {
            let mut inner = Self {
                unwrapped: true,
                ..Self::default()
            };
            inner.value(&body, 1);
            self.words.append(&mut inner.words);
            self.openings.append(&mut inner.openings);
            self.retry_after = self.retry_after.or(inner.retry_after);
            self.prompt_tokens = self.prompt_tokens.or(inner.prompt_tokens);
            if self.status == 0 {
                self.status = inner.status;
            }
        }
        self.messages.push(text.to_owned());
    }

    fn value(&mut self, value: &Value, depth: u8) {
        if depth > DEPTH {
            return;
        }
        match value {
            Value::Array(values) => {
                for value in values.iter().take(8) {
                    self.value(value, depth + 1);
                }
            }
            Value::String(text) => self.text(text, depth),
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.field(key, value, depth);
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, key: &str, value: &Value, depth: u8) {
        match (key.to_ascii_lowercase().as_str(), value) {
            ("message" | "detail", Value::String(text)) => self.text(text, depth),
            ("retrydelay", Value::String(text)) => self.retry_after = wait(text),
            ("code" | "status", Value::Number(number)) => {
                let status = number.as_u64().and_then(|code| u16::try_from(code).ok());
                self.status(status);
            }
            (key, Value::String(word)) if WORD_KEYS.contains(&key) => {
                if matches!(key, "code" | "status") {
                    self.status(word.parse().ok());
                }
                self.word(word);
            }
            ("n_prompt_tokens", Value::Number(tokens)) => self.prompt_tokens = tokens.as_u64(),
            ("error" | "errors" | "details" | "innererror" | "body", value) => {
                self.value(value, depth + 1);
            }
            // The rest of a response is the model's answer, which may quote anything.
            ("response", Value::Object(response)) => {
                if let Some(error) = response.get("error") {
                    self.value(error, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn status(&mut self, status: Option<u16>) {
        let failed = status.filter(|status| FAILED.contains(status));
        self.status = failed.unwrap_or(self.status);
    }

    /// Adds a word in the form of the table: without a namespace before it and without anything
    /// after a colon.
    fn word(&mut self, word: &str) {
        let word = word.rsplit('#').next().unwrap_or(word);
        let word = word.split(':').next().unwrap_or(word);
        self.words.push(word.trim().to_ascii_lowercase());
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(4_096);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
