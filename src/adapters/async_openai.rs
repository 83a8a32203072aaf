//! Classifies the errors of the crate `async-openai`.

use async_openai::error::OpenAIError;

use crate::failure::{ApiError, Classify, FailureKind};

/// Agrees with [`ApiError`]'s `From<&OpenAIError>` for every error.
///
/// `async-openai` drops the headers of a refused call, `retry-after` too: the wait comes from the
/// body, as in "Please try again in 1m12.5s". Where you have the header, add it with
/// [`ApiError::with_retry_after`].
impl Classify for OpenAIError {
    fn failure_kind(&self) -> FailureKind {
        ApiError::from(self).failure_kind()
    }

    fn input_tokens(&self) -> Option<u64> {
        ApiError::from(self).input_tokens()
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        ApiError::from(self).retry_after()
    }
}

/// Reads what the API sent. The text of a local error, such as a failed connection, decides
/// nothing.
impl From<&OpenAIError> for ApiError {
    fn from(error: &OpenAIError) -> Self {
        let kind = match error {
            OpenAIError::ApiError(response) => {
                let error = &response.api_error;
                // Of a 5xx, the message is the whole body.
                let body = match (&error.r#type, &error.code) {
                    (None, None) => error.message.clone(),
                    _ => serde_json::json!({ "error": error }).to_string(),
                };
                return Self::from_response(response.status_code.as_u16(), body.as_bytes());
            }
            OpenAIError::JSONDeserialize(_, body) => {
                // An answer that was cut is no JSON, and may say anything.
                let read = serde_json::from_str::<serde::de::IgnoredAny>(body).ok();
                let sent = read.map(|_| Self::from_stream(body));
                match sent.filter(|sent| sent.failure_kind() != FailureKind::Unknown) {
                    Some(sent) => return sent,
                    None => FailureKind::MalformedOutput,
                }
            }
            OpenAIError::Reqwest(error) if error.is_timeout() => FailureKind::Timeout,
            OpenAIError::Reqwest(_) | OpenAIError::StreamError(_) => FailureKind::Transport,
            OpenAIError::InvalidArgument(_) => FailureKind::InvalidRequest,
            _ => FailureKind::Unknown,
        };
        Self::local(kind, error.to_string())
    }
}
