//! What the errors of LLM APIs mean. The bodies are those that the APIs have sent, as users have
//! reported them.

use fusebox::failure::{ApiError, Cause};
use fusebox::{Classify, FailureKind};
use proptest::prelude::*;

use super::kind;

use FailureKind::{
    Auth, ContentFiltered, ContextLengthExceeded, InvalidRequest, NotFound, Overloaded,
    QuotaExhausted, RequestAboveRate, ServerError, Throttled, Timeout, Unknown,
};

#[test]
fn openai_and_azure() {
    for (status, body, expected) in [
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 16385 tokens. However, your messages resulted in 33625 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ContextLengthExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"Input tokens exceed the configured limit of 922000 tokens. Your messages resulted in 1860900 tokens.","type":"invalid_request_error"}}"#,
            ContextLengthExceeded,
        ),
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 30601. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            RequestAboveRate,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29937, Requested 385. Please try again in 644ms.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            Throttled,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            QuotaExhausted,
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Auth,
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            NotFound,
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","param":null,"code":null}}"#,
            NotFound,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            NotFound,
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}"#,
            ContentFiltered,
        ),
        (
            400,
            r#"{"error":{"message":"The prompt was filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            ContentFiltered,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid value for 'temperature'","type":"invalid_request_error","param":"temperature","code":null}}"#,
            InvalidRequest,
        ),
        (
            500,
            r#"{"error":{"message":"The server had an error while processing your request","type":"server_error"}}"#,
            ServerError,
        ),
        (
            503,
            r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error"}}"#,
            Overloaded,
        ),
    ] {
        assert_eq!(kind(status, body), expected, "{status} {body}");
    }
}

#[test]
fn anthropic() {
    let body = |kind: &str, message: &str| {
        format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#
        )
    };
    for (status, error, message, expected) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 200251 tokens > 200000 maximum",
            ContextLengthExceeded,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 197202 + 21333 > 200000",
            ContextLengthExceeded,
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            QuotaExhausted,
        ),
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits.",
            QuotaExhausted,
        ),
        (
            400,
            "invalid_request_error",
            "messages: at least one message is required",
            InvalidRequest,
        ),
        (401, "authentication_error", "invalid x-api-key", Auth),
        (402, "billing_error", "payment required", QuotaExhausted),
        (403, "permission_error", "no access", Auth),
        (404, "not_found_error", "model: claude-9", NotFound),
        (409, "conflict_error", "conflict", ServerError),
        (
            413,
            "request_too_large",
            "Request exceeds the maximum size",
            InvalidRequest,
        ),
        (
            429,
            "rate_limit_error",
            "Number of request tokens has exceeded your rate limit",
            Throttled,
        ),
        (500, "api_error", "Internal server error", ServerError),
        (504, "timeout_error", "Request timed out", Timeout),
        (529, "overloaded_error", "Overloaded", Overloaded),
    ] {
        assert_eq!(
            kind(status, &body(error, message)),
            expected,
            "{status} {error} {message}"
        );
    }
    let spent = r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(kind(429, spent), QuotaExhausted, "no wait cures it");
}

#[test]
fn gemini() {
    for (status, body, expected) in [
        (
            400,
            r#"{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","errors":[{"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","domain":"global","reason":"badRequest"}],"status":"INVALID_ARGUMENT"}}"#,
            ContextLengthExceeded,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"The input token count exceeds the maximum number of tokens allowed 1048576.","status":"INVALID_ARGUMENT"}}]"#,
            ContextLengthExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"{\n  \"error\": {\n    \"code\": 400,\n    \"message\": \"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).\",\n    \"status\": \"INVALID_ARGUMENT\"\n  }\n}\n","code":400,"status":"Bad Request"}}"#,
            ContextLengthExceeded,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
            Auth,
        ),
        (
            400,
            r#"{"error":{"code":"invalid_request","message":"no"}}"#,
            InvalidRequest,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"User location is not supported","status":"FAILED_PRECONDITION"}}"#,
            InvalidRequest,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
            Auth,
        ),
        (
            404,
            r#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#,
            NotFound,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 23.5s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"23s"}]}}"#,
            Throttled,
        ),
        (
            500,
            r#"{"error":{"code":500,"message":"internal","status":"INTERNAL"}}"#,
            ServerError,
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            Overloaded,
        ),
        (
            504,
            r#"{"error":{"code":504,"message":"late","status":"DEADLINE_EXCEEDED"}}"#,
            Timeout,
        ),
    ] {
        assert_eq!(kind(status, body), expected, "{status} {body}");
    }
}

#[test]
fn bedrock_is_told_by_its_types_and_not_by_its_statuses() {
    for (status, error_type, message, expected) in [
        (
            400,
            "ServiceQuotaExceededException",
            "too many",
            QuotaExhausted,
        ),
        (
            400,
            "ValidationException",
            "malformed input",
            InvalidRequest,
        ),
        (
            400,
            "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum",
            ContextLengthExceeded,
        ),
        (403, "AccessDeniedException", "no", Auth),
        (
            403,
            "com.amazon.coral.service#UnrecognizedClientException",
            "no",
            Auth,
        ),
        (404, "ResourceNotFoundException", "no", NotFound),
        (408, "ModelTimeoutException", "late", Timeout),
        (424, "ModelErrorException", "failed", ServerError),
        (424, "ModelStreamErrorException", "failed", ServerError),
        (429, "ModelNotReadyException", "wait", Overloaded),
        (429, "ThrottlingException", "slow down", Throttled),
        (500, "InternalServerException", "failed", ServerError),
        (503, "ServiceUnavailableException", "failed", Overloaded),
    ] {
        let body = format!(r#"{{"message":"{message}"}}"#);
        let error = ApiError::from_bedrock(status, error_type, body.as_bytes());
        assert_eq!(
            error.failure_kind(),
            expected,
            "{status} {error_type} {message}"
        );
    }
    assert_eq!(
        kind(
            400,
            r#"{"__type":"com.amazon#ServiceQuotaExceededException","message":"x"}"#
        ),
        QuotaExhausted
    );
}

#[test]
fn servers_that_imitate_them() {
    let vllm = r#"{"object":"error","message":"This model's maximum context length is 32768 tokens. However, you requested 33077 tokens (1077 in the messages, 32000 in the completion).","type":"BadRequestError","param":null,"code":400}"#;
    let error = ApiError::from_response(400, vllm.as_bytes());
    assert_eq!(
        (error.failure_kind(), error.input_tokens()),
        (ContextLengthExceeded, Some(1_077))
    );
    assert_eq!(kind(400, r#"{"detail":"Bad Request"}"#), InvalidRequest);
    assert_eq!(kind(500, r#"{"error":"CUDA out of memory"}"#), ServerError);
    assert_eq!(
        kind(413, "<html><h1>413 Request Entity Too Large</h1></html>"),
        InvalidRequest
    );
    assert_eq!(kind(502, "<html>Bad Gateway</html>"), ServerError);
    assert_eq!(kind(524, "<html>a timeout occurred</html>"), ServerError);
    assert_eq!(kind(418, ""), InvalidRequest);
}

#[test]
fn an_empty_body_is_what_its_status_says() {
    for (status, expected) in [
        (400, InvalidRequest),
        (401, Auth),
        (402, QuotaExhausted),
        (404, NotFound),
        (408, Timeout),
        (422, InvalidRequest),
        (424, ServerError),
        (429, Throttled),
        (500, ServerError),
        (503, Overloaded),
        (529, Overloaded),
        (200, Unknown),
        (0, Unknown),
    ] {
        for body in ["", "{}", "[]", "null", "{\"error\":null}"] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }
}

#[test]
fn errors_inside_a_stream() {
    for (event, expected) in [
        (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
            Overloaded,
        ),
        (
            r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
            ServerError,
        ),
        (
            r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
            ServerError,
        ),
        (
            r#"{"error":{"message":"prompt is too long: 200251 tokens > 200000 maximum","type":"invalid_request_error"}}"#,
            ContextLengthExceeded,
        ),
        (
            r#"{"error":{"code":503,"message":"try later"}}"#,
            Overloaded,
        ),
        (
            r#"{"error":{"type":"invalid_request_error","message":"no"}}"#,
            InvalidRequest,
        ),
        (
            r#"{"error":{"status":"NOT_FOUND","message":"no"}}"#,
            NotFound,
        ),
        ("data: [DONE]", Unknown),
    ] {
        let error = ApiError::from_stream(event);
        assert_eq!(
            (error.failure_kind(), error.status()),
            (expected, 0),
            "{event}"
        );
    }
}

/// Inside a stream there is no status: the word alone decides. The words are those of the
/// providers' own documents.
#[test]
fn each_word_alone() {
    for (words, expected) in [
        (
            "context_length_exceeded model_context_window_exceeded exceed_context_size_error",
            ContextLengthExceeded,
        ),
        (
            "insufficient_quota billing_error billing_not_active billing_hard_limit_reached \
             enforced_spend_limit_reached ServiceQuotaExceededException",
            QuotaExhausted,
        ),
        (
            "API_KEY_INVALID authentication_error invalid_api_key permission_error PERMISSION_DENIED UNAUTHENTICATED \
             AccessDeniedException ExpiredTokenException UnrecognizedClientException",
            Auth,
        ),
        (
            "model_not_found not_found_error DeploymentNotFound ResourceNotFoundException NOT_FOUND",
            NotFound,
        ),
        (
            "content_filter content_policy_violation ResponsibleAIPolicyViolation",
            ContentFiltered,
        ),
        (
            "overloaded_error UNAVAILABLE ModelNotReadyException ServiceUnavailableException",
            Overloaded,
        ),
        (
            "timeout_error DEADLINE_EXCEEDED ModelTimeoutException",
            Timeout,
        ),
        (
            "rate_limit_error rate_limit_exceeded RESOURCE_EXHAUSTED ThrottlingException too_many_requests",
            Throttled,
        ),
        (
            "InternalServerException ModelErrorException ModelStreamErrorException api_error server_error INTERNAL \
             internal_error",
            ServerError,
        ),
        (
            "ValidationException invalid_request_error invalid_request INVALID_ARGUMENT FAILED_PRECONDITION \
             BadRequestError request_too_large",
            InvalidRequest,
        ),
        ("something_new", Unknown),
    ] {
        for word in words.split_whitespace() {
            for key in ["type", "code", "status", "reason", "error_code", "__type"] {
                let event = format!(r#"{{"error":{{"{key}":"{word}"}}}}"#);
                assert_eq!(
                    ApiError::from_stream(&event).failure_kind(),
                    expected,
                    "{event}"
                );
            }
        }
    }
    for message in [
        "You exceeded your current quota",
        "Your credit balance is too low",
        "This would exceed your organization's spend limit",
        "You have reached your specified API usage limits",
    ] {
        assert_eq!(
            kind(400, &format!(r#"{{"message":"{message}"}}"#)),
            QuotaExhausted,
            "{message}"
        );
    }
}

#[test]
fn a_prompt_that_is_too_long_is_the_prompts_fault() {
    assert_eq!(ContextLengthExceeded.cause(), Cause::Prompt);
    assert_eq!(RequestAboveRate.cause(), Cause::Prompt);
}

proptest! {
    #[test]
    fn any_bytes_are_read(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200), header in "\\PC{0,20}") {
        let error = ApiError::from_response(status, &body).with_retry_after(&header);
        let _ = (error.to_string(), error.message().len());
    }

    #[test]
    fn any_json_is_read(depth in 0_usize..3_000, key in "error|message|code|details|status", text in "\\PC{0,40}") {
        let open = format!("{{\"{key}\":").repeat(depth);
        let text = serde_json::to_string(&text).unwrap();
        let body = format!("{open}{text}{}", "}".repeat(depth));
        let _ = kind(400, &body);
        let _ = kind(400, &format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
    }
}

#[test]
fn an_error_is_read_in_three_arrays_and_no_deeper() {
    let nested = |n: usize| {
        let error = r#"{"code":"context_length_exceeded"}"#;
        format!("{}{error}{}", "[".repeat(n), "]".repeat(n))
    };
    assert_eq!(kind(400, &nested(3)), ContextLengthExceeded);
    assert_eq!(kind(400, &nested(4)), kind(400, ""));
}

/// JSON in a text that is too deep to be read as JSON is a message like any other.
#[test]
fn a_text_that_is_too_deep_is_a_message() {
    let message = "This model's maximum context length is 8192 tokens";
    let text = serde_json::json!({ "told": message }).to_string();
    let nested = serde_json::json!([[[text]]]).to_string();
    assert_eq!(kind(400, &nested), ContextLengthExceeded);
}

#[test]
fn a_huge_body_is_cut() {
    let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(1_000_000));
    let error = ApiError::from_response(500, body.as_bytes());
    assert_eq!((error.status(), error.failure_kind()), (500, ServerError));
    assert!(error.message().len() <= 4_096);
}
