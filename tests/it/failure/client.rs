//! What the errors of `async-openai` mean.

use std::time::Duration;

use async_openai::error::{ApiErrorResponse, OpenAIError, StreamError};
use fusebox::failure::ApiError;
use fusebox::{Classify, FailureKind};

use crate::support::seconds;

use FailureKind::{
    ContextLengthExceeded, InvalidRequest, MalformedOutput, Overloaded, QuotaExhausted,
    ServerError, Throttled, Timeout, Transport, Unknown,
};

fn refused(status: u16, message: &str, code: Option<&str>) -> OpenAIError {
    let api_error = async_openai::error::ApiError {
        message: message.to_owned(),
        code: code.map(str::to_owned),
        ..Default::default()
    };
    OpenAIError::ApiError(ApiErrorResponse {
        status_code: reqwest::StatusCode::from_u16(status).unwrap(),
        api_error,
    })
}

fn unreadable(body: &str) -> OpenAIError {
    let error = serde_json::from_str::<u8>("{").unwrap_err();
    OpenAIError::JSONDeserialize(error, body.to_owned())
}

#[test]
fn a_refused_call() {
    let long = "This model's maximum context length is 16385 tokens. However, your messages resulted in 33625 tokens.";
    let error = refused(400, long, Some("context_length_exceeded"));
    assert_eq!(error.failure_kind(), ContextLengthExceeded);
    assert_eq!(refused(400, long, None).input_tokens(), Some(33_625));
    let error = refused(429, "quota", Some("insufficient_quota"));
    assert_eq!(error.failure_kind(), QuotaExhausted);
}

/// `async-openai` keeps no headers, and of a 5xx the whole body as the message.
#[test]
fn what_is_read_from_the_message() {
    let error = refused(429, "Please try again in 1m12.5s.", None);
    assert_eq!(error.retry_after(), Some(Duration::from_millis(72_500)));
    let api_error = ApiError::from(&error).with_retry_after("90");
    assert_eq!(api_error.retry_after(), Some(seconds(90)));
    let body = r#"{"error":{"message":"litellm.InternalServerError: AnthropicException - {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}","type":null,"param":null,"code":"500"}}"#;
    let error = refused(500, body, None);
    assert_eq!(error.failure_kind(), Overloaded);
    let response = ApiError::from_response(500, body.as_bytes());
    assert_eq!(ApiError::from(&error), response);
}

/// A status of Gemini is a number, which `async-openai` does not read: the body decides.
#[test]
fn a_body_that_async_openai_cannot_read() {
    let body = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"23s"}]}}"#;
    let error = unreadable(body);
    assert_eq!(error.failure_kind(), Throttled);
    assert_eq!(error.retry_after(), Some(seconds(23)));
    assert_eq!(unreadable("{\"choices\":[").failure_kind(), MalformedOutput);
    // An answer that was cut may say anything.
    let quoted = "{\"choices\":[{\"message\":{\"content\":\"prompt is too long: 5 tokens";
    let error = unreadable(quoted);
    assert_eq!(error.failure_kind(), MalformedOutput);
    assert_eq!(error.input_tokens(), None);
}

/// A call to a server that never answers.
async fn late() -> OpenAIError {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(1))
        .no_proxy()
        .build()
        .unwrap();
    OpenAIError::Reqwest(client.get(url).send().await.unwrap_err())
}

#[tokio::test]
async fn the_two_ways_to_read_an_error_agree() {
    let no_url = reqwest::Client::new().get("no url").build().unwrap_err();
    // The text of a local error may quote anything.
    let quoted = "prompt is too long: 5 tokens; try again in 9s; litellm.RateLimitError: x";
    let events = StreamError::EventStream(quoted.to_owned());
    for (error, expected) in [
        (refused(400, "no", None), InvalidRequest),
        (refused(429, "slow down", None), Throttled),
        (refused(500, "<html>", None), ServerError),
        (refused(529, "Overloaded", None), Overloaded),
        (unreadable(""), MalformedOutput),
        (unreadable("<html>"), MalformedOutput),
        (unreadable(r#"{"error":{"code":503}}"#), Overloaded),
        (OpenAIError::Reqwest(no_url), Transport),
        (late().await, Timeout),
        (OpenAIError::StreamError(Box::new(events)), Transport),
        (
            OpenAIError::InvalidArgument(quoted.to_owned()),
            InvalidRequest,
        ),
        (OpenAIError::FileReadError(quoted.to_owned()), Unknown),
        (OpenAIError::FileSaveError(quoted.to_owned()), Unknown),
        (OpenAIError::Boxed(quoted.into()), Unknown),
    ] {
        let api_error = ApiError::from(&error);
        assert_eq!(error.failure_kind(), expected, "{error}");
        assert_eq!(api_error.failure_kind(), expected, "{error}");
        assert_eq!(api_error.input_tokens(), error.input_tokens(), "{error}");
        assert_eq!(api_error.retry_after(), error.retry_after(), "{error}");
        let local = !matches!(
            error,
            OpenAIError::ApiError(_) | OpenAIError::JSONDeserialize(..)
        );
        assert!(!local || error.retry_after().is_none(), "{error}");
        assert!(!local || error.input_tokens().is_none(), "{error}");
    }
}
