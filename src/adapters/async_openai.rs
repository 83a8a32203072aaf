//! Classifies the errors of the crate `async-openai`.

use async_openai::error::OpenAIError;

use crate::failure::{ApiError, Classify, FailureKind};

impl Classify for OpenAIError {
    fn failure_kind(&self) -> FailureKind {
        match self {
            Self::ApiError(_) => ApiError::from(self).failure_kind(),
            Self::JSONDeserialize(_, body) => match ApiError::from_stream(body).failure_kind() {
                FailureKind::Unknown => FailureKind::MalformedOutput,
                kind => kind,
            },
            Self::Reqwest(error) if error.is_timeout() => FailureKind::Timeout,
            Self::Reqwest(_) | Self::StreamError(_) => FailureKind::Transport,
            Self::InvalidArgument(_) => FailureKind::InvalidRequest,
            _ => FailureKind::Unknown,
        }
    }

    fn input_tokens(&self) -> Option<u64> {
        ApiError::from(self).input_tokens()
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        ApiError::from(self).retry_after()
    }
}

impl From<&OpenAIError> for ApiError {
    fn from(error: &OpenAIError) -> Self {
        match error {
            OpenAIError::ApiError(response) => {
                let body = serde_json::json!({ "error": response.api_error });
                Self::from_response(response.status_code.as_u16(), body.to_string().as_bytes())
            }
            error => Self::from_stream(&error.to_string()),
        }
    }
}
