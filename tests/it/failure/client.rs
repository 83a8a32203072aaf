//! What the errors of `async-openai` mean.

use async_openai::error::{ApiErrorResponse, OpenAIError};
use fusebox::{Classify, FailureKind};

use crate::support::seconds;

use FailureKind::{ContextLengthExceeded, InvalidRequest, QuotaExhausted};

fn error(status: u16, message: &str, code: Option<&str>) -> OpenAIError {
    let api_error = async_openai::error::ApiError {
        message: message.to_owned(),
        code: code.map(str::to_owned),
        ..Default::default()
    };
    let status_code = reqwest::StatusCode::from_u16(status).unwrap();
    OpenAIError::ApiError(ApiErrorResponse {
        status_code,
        api_error,
    })
}

#[test]
fn errors_of_async_openai_say_what_they_are() {
    let long = "This model's maximum context length is 16385 tokens. However, your messages resulted in 33625 tokens.";
    let error_of = |status, message, code| error(status, message, code);
    assert_eq!(
        error_of(400, long, Some("context_length_exceeded")).failure_kind(),
        ContextLengthExceeded
    );
    assert_eq!(error_of(400, long, None).input_tokens(), Some(33_625));
    assert_eq!(
        error_of(429, "Please try again in 2s.", None).retry_after(),
        Some(seconds(2))
    );
    assert_eq!(
        error_of(429, "quota", Some("insufficient_quota")).failure_kind(),
        QuotaExhausted
    );
    let argument = OpenAIError::InvalidArgument("no model".to_owned());
    assert_eq!(argument.failure_kind(), InvalidRequest);
    let cut = serde_json::from_str::<u8>("{").unwrap_err();
    let unreadable = OpenAIError::JSONDeserialize(cut, "{\"choices\":[".to_owned());
    assert_eq!(unreadable.failure_kind(), FailureKind::MalformedOutput);
}
