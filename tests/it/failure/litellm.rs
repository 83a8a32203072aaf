//! What the errors of `LiteLLM`'s proxy mean. The bodies are those that the proxy has sent, as its
//! users and its documentation report them; names and keys are shortened.

use std::time::Duration;

use fusebox::failure::ApiError;
use fusebox::{Classify, FailureKind};
use proptest::prelude::*;

use super::kind;
use crate::support::seconds;

use FailureKind::{
    Auth, ContentFiltered, ContextLengthExceeded, InvalidRequest, NotFound, Overloaded,
    QuotaExhausted, ServerError, Throttled, Timeout,
};

#[test]
fn a_prompt_that_is_too_long() {
    for (body, tokens) in [
        (
            r#"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: Hosted_vllmException - Input length 9000 exceeds model limit","type":null,"param":null,"code":"400"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"litellm.BadRequestError: litellm.ContextWindowExceededError: AnthropicError - {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 209303 tokens > 200000 maximum\"}}\nReceived Model Group=claude\nAvailable Model Group Fallbacks=None","type":null,"param":null,"code":"400"}}"#,
            Some(209_303),
        ),
        (
            r#"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: Vertex_ai_betaException - b'{\\n  \\\"error\\\": {\\n    \\\"code\\\": 400,\\n    \\\"message\\\": \\\"The input token count exceeds the maximum number of tokens allowed 1048576.\\\",\\n    \\\"status\\\": \\\"INVALID_ARGUMENT\\\"\\n  }\\n}\\n'","type":null,"param":null,"code":"400"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - Error code: 400 - {'error': {'message': \"This model's maximum context length is 128000 tokens. However, your messages resulted in 419624 tokens. Please reduce the length of the messages.\", 'type': 'invalid_request_error', 'param': 'messages', 'code': 'context_length_exceeded'}}","type":"invalid_request_error","param":null,"code":"400"}}"#,
            Some(419_624),
        ),
        // The proxy does not know the wording of the server behind it, and sends a plain 400.
        (
            r#"{"error":{"message":"litellm.BadRequestError: OpenAIException - request (37293 tokens) exceeds the available context size (32768 tokens), try increasing it. Received Model Group=llama\nAvailable Model Group Fallbacks=None","type":null,"param":null,"code":"400"}}"#,
            Some(37_293),
        ),
        (
            r#"{"error":{"message":"litellm.BadRequestError: AnthropicException - b'{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"input length and `max_tokens` exceed context limit: 179413 + 32768 > 200000, decrease input length or `max_tokens` and try again\"}}'. Received Model Group=claude\nAvailable Model Group Fallbacks=None","type":null,"param":null,"code":"400"}}"#,
            Some(179_413),
        ),
    ] {
        let error = ApiError::from_response(400, body.as_bytes());
        assert_eq!(error.failure_kind(), ContextLengthExceeded, "{body}");
        assert_eq!(error.input_tokens(), tokens, "{body}");
        let stream = format!("data: {body}\n\n");
        let error = ApiError::from_stream(&stream);
        assert_eq!(error.failure_kind(), ContextLengthExceeded, "{stream}");
        assert_eq!(error.input_tokens(), tokens, "{stream}");
    }
}

/// The proxy has answered with a 200 by then, and calls each such error a failed connection.
#[test]
fn a_prompt_that_is_found_too_long_inside_the_stream() {
    let event = r#"data: {"error": {"message": "litellm.ServiceUnavailableError: litellm.MidStreamFallbackError: litellm.APIConnectionError: APIConnectionError: OpenAIException - Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of 135168 tokens: 131072 tokens from the input messages and 4096 tokens for the completion.", "type": null, "param": null, "code": "503"}}"#;
    let error = ApiError::from_stream(event);
    assert_eq!(error.failure_kind(), ContextLengthExceeded);
    assert_eq!(error.input_tokens(), Some(131_072));
}

#[test]
fn a_blocked_prompt() {
    for body in [
        r#"{"error":{"message":"litellm.ContentPolicyViolationError: AzureException - The response was filtered due to the prompt triggering Azure OpenAI's content management policy...","type":null,"param":null,"code":"400","provider_specific_fields":{"innererror":{"code":"ResponsibleAIPolicyViolation"}}}}"#,
        r#"{"error":{"message":"litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: OpenAIException - Invalid prompt: your prompt was flagged.\nmodel=o. content_policy_fallback=None. fallbacks=None.","type":null,"param":null,"code":"400"}}"#,
    ] {
        assert_eq!(kind(400, body), ContentFiltered, "{body}");
    }
}

#[test]
fn a_budget_that_is_used_up() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 9.767697499999997, Max budget: 9.751000000000001","type":"budget_exceeded","param":null,"code":"400"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"Budget has been exceeded! Key=analytics-team (sk-...W8TA) Current cost: 0.06, Max budget: 0.05","type":"budget_exceeded","param":null,"code":"429"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"LiteLLM User: engineer-1, exceeded budget for model=claude-opus-4-8","type":"budget_exceeded","param":null,"code":"429"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 0.0010747, Max budget: 0.0","type":"auth_error","param":null,"code":400}}"#,
        ),
        (
            401,
            r#"{"error":{"message":"Budget has been exceeded: User ishaan3 has exceeded their budget. Current spend: 0.0008869999999999999; Max Budget: 0.0001","type":"auth_error","param":"None","code":401}}"#,
        ),
        (
            401,
            r#"{"error":{"message":"Authentication Error, ExceededBudget: User ishaan3 has exceeded their budget. Current spend: 0.0008869999999999999; Max Budget: 0.0001","type":"auth_error","param":"None","code":401}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"ExceededBudget: End User=ishaan3 over budget. Spend=0.0008869999999999999, Budget=0.0001","type":"auth_error","param":"None","code":400}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"No deployments available - crossed budget: Exceeded budget for deployment model_name: gpt-4o, litellm_params.model: openai/gpt-4o, model_id: dbe80f2f: 0.00015250000000000002 >= 1e-12","type":"None","param":"None","code":"429"}}"#,
        ),
        // A second proxy in front of the first.
        (
            400,
            r#"{"error":{"message":"litellm.BadRequestError: OpenAIException - Budget has been exceeded! Current cost: 114.2, Max budget: 100. Received Model Group=meta.llama3\nAvailable Model Group Fallbacks=None","type":null,"param":null,"code":"400"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"litellm.BudgetExceededError: Budget has been exceeded"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing details.","type":"throttling_error","param":null,"code":"429"}}"#,
        ),
    ] {
        assert_eq!(kind(status, body), QuotaExhausted, "{body}");
    }
}

#[test]
fn a_model_that_the_proxy_does_not_have() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=mistral-small-24b. Call `/v1/models` to view available models for your key.","type":"None","param":"None","code":"400"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"{'error': '/chat/completions: Invalid model name passed in model=gpt-4o. Call `/v1/models` to view available models for your key.'}","type":"None","param":"None","code":"400"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"400: {'error': 'anthropic_messages: Invalid model name passed in model=xai/grok.'}","type":"None","param":"None","code":"400"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"litellm.BadRequestError: You passed in model=glm-5.1. There are no healthy deployments for this model\nNo fallback model group found for original model_group=glm-5.1","type":null,"param":null,"code":"400"}}"#,
        ),
        (
            404,
            r#"{"error":{"message":"litellm.NotFoundError: AnthropicException - {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: claude-9\"}}","type":null,"param":null,"code":"404"}}"#,
        ),
    ] {
        assert_eq!(kind(status, body), NotFound, "{body}");
    }
}

/// The proxy answers Anthropic's 529 with a 500.
#[test]
fn an_overloaded_provider() {
    for (status, body) in [
        (
            500,
            r#"{"error":{"message":"litellm.InternalServerError: AnthropicException - Overloaded. Handle with `litellm.InternalServerError`.","type":"internal_server_error","param":null,"code":"500"}}"#,
        ),
        (
            500,
            r#"{"error":{"message":"litellm.InternalServerError: AnthropicError - {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}. Received Model Group=claude","type":null,"param":null,"code":"500"}}"#,
        ),
        (
            500,
            r#"{"error":{"message":"litellm.InternalServerError: AnthropicException - b'{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}'. Handle with `litellm.InternalServerError`.","type":null,"param":null,"code":"500"}}"#,
        ),
        (
            503,
            r#"{"error":{"message":"litellm.ServiceUnavailableError: BedrockException - {\"message\":\"Too many connections\"}","type":null,"param":null,"code":"503"}}"#,
        ),
        // Anthropic itself.
        (
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"Overloaded"},"request_id":null}"#,
        ),
    ] {
        assert_eq!(kind(status, body), Overloaded, "{body}");
        let event = format!("data: {body}\n\n");
        let error = ApiError::from_stream(&event);
        assert_eq!(error.failure_kind(), Overloaded, "{event}");
    }
}

#[test]
fn a_rate_limit_with_its_wait() {
    for (body, wait) in [
        (
            r#"{"error":{"message":"No deployments available for selected model, Try again in 60 seconds. Passed model=glm-5.1. pre-call-checks=False, cooldown_list=['b9ca8bb8']","type":"None","param":"None","code":"429"}}"#,
            Some(seconds(60)),
        ),
        (
            r#"{"error":{"message":"Rate limit exceeded for api_key: b2f139a7... Limit type: requests. Current limit: 1, Remaining: 0. Limit resets at: 2026-08-27 00:15:18 UTC","type":"throttling_error","param":null,"code":"429"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for gpt-4o in organization org-abc on requests per min (RPM): Limit 3, Used 3.","type":"throttling_error","param":null,"code":"429"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"litellm.RateLimitError: VertexAIException - {\"error\": {\"code\": 429, \"message\": \"Resource exhausted. Please try again later.\", \"status\": \"RESOURCE_EXHAUSTED\", \"details\": [{\"@type\": \"type.googleapis.com/google.rpc.RetryInfo\", \"retryDelay\": \"54s\"}]}}","type":null,"param":null,"code":"429"}}"#,
            Some(seconds(54)),
        ),
        // Gemini says "quota" of a limit per minute, also in the form of Python's bytes.
        (
            r#"{"error":{"message":"litellm.RateLimitError: litellm.RateLimitError: VertexAIException - b'{\\n  \"error\": {\\n    \"code\": 429,\\n    \"message\": \"You exceeded your current quota, please check your plan and billing details.\\\\nPlease retry in 29.5s.\",\\n    \"status\": \"RESOURCE_EXHAUSTED\"\\n  }\\n}\\n'","type":null,"param":null,"code":"429"}}"#,
            Some(Duration::from_millis(29_500)),
        ),
    ] {
        let error = ApiError::from_response(429, body.as_bytes());
        assert_eq!(error.failure_kind(), Throttled, "{body}");
        assert_eq!(error.retry_after(), wait, "{body}");
        let error = ApiError::from_stream(body);
        assert_eq!(error.failure_kind(), Throttled, "{body}");
        assert_eq!(error.retry_after(), wait, "{body}");
    }
}

#[test]
fn the_other_classes_and_types() {
    for (status, body, expected) in [
        (
            401,
            r#"{"error":{"message":"litellm.AuthenticationError: OpenAIException - Incorrect API key provided: sk-1.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            Auth,
        ),
        (
            401,
            r#"{"error":{"message":"Authentication Error, Invalid proxy server token passed. key=1, not found in db.","type":"token_not_found_in_db","param":"key","code":"401"}}"#,
            Auth,
        ),
        (
            400,
            r#"{"error":{"message":"Authentication Error - Expired Key. Key Expiry time 2024-07-02 and current time 2024-07-09","type":"expired_key","param":"None","code":"400"}}"#,
            Auth,
        ),
        (
            403,
            r#"{"error":{"message":"key not allowed to access model. This key can only access models=['a']. Tried to access b","type":"key_model_access_denied","param":"model","code":"403"}}"#,
            Auth,
        ),
        (
            408,
            r#"{"error":{"message":"litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request timed out. - timeout value=240.0, time taken=240.0 seconds","type":null,"param":null,"code":"408"}}"#,
            Timeout,
        ),
        (
            500,
            r#"{"error":{"message":"litellm.InternalServerError: InternalServerError: Hosted_vllmException - Cannot connect to host vllm:8000 ssl:<ssl.SSLContext object at 0x71> [Connect call failed ('10.43.128.30', 8000)]. Received Model Group=m","type":null,"param":null,"code":"500"}}"#,
            ServerError,
        ),
        (
            500,
            r#"{"error":{"message":"Internal server error","type":"internal_server_error"}}"#,
            ServerError,
        ),
        (
            502,
            r#"{"error":{"message":"litellm.BadGatewayError: BadGatewayError: OpenAIException - error","type":null,"param":null,"code":"502"}}"#,
            ServerError,
        ),
        (
            400,
            r#"{"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: ['reasoning_effort'], for model=m.","type":"invalid_request_error"}}"#,
            InvalidRequest,
        ),
        (
            400,
            r#"{"error":{"message":"litellm.BadRequestError: Unrecognized request argument supplied: maxTokens"}}"#,
            InvalidRequest,
        ),
    ] {
        assert_eq!(kind(status, body), expected, "{status} {body}");
        let error = ApiError::from_stream(body);
        assert_eq!(error.failure_kind(), expected, "stream: {body}");
    }
}

/// Such an event has no status but the one in its text.
#[test]
fn a_code_of_digits_in_quotes_is_a_status() {
    for (code, expected) in [
        ("400", InvalidRequest),
        ("401", Auth),
        ("404", NotFound),
        ("408", Timeout),
        ("429", Throttled),
        ("500", ServerError),
        ("503", Overloaded),
        ("529", Overloaded),
        ("42", FailureKind::Unknown),
        ("99999999", FailureKind::Unknown),
    ] {
        for key in ["code", "status"] {
            let event = format!(r#"data: {{"error": {{"message": "m", "{key}": "{code}"}}}}"#);
            let error = ApiError::from_stream(&event);
            assert_eq!(error.failure_kind(), expected, "{event}");
            assert_eq!(error.status(), 0, "{event}");
        }
    }
    let measured = r#"data: {"error": {"message": "litellm.APIConnectionError: APIConnectionError: OpenAIException - You exceeded your current quota, please check your plan and billing details.", "type": null, "param": null, "code": "500"}}"#;
    let error = ApiError::from_stream(measured);
    assert_eq!(error.failure_kind(), QuotaExhausted);
}

/// The class alone decides where the proxy sends neither a type nor a code.
#[test]
fn each_class_alone() {
    for (class, expected) in [
        ("APIConnectionError", ServerError),
        ("APIError", ServerError),
        ("AuthenticationError", Auth),
        ("BadGatewayError", ServerError),
        ("BadRequestError", InvalidRequest),
        ("BudgetExceededError", QuotaExhausted),
        ("ContentPolicyViolationError", ContentFiltered),
        ("ContextWindowExceededError", ContextLengthExceeded),
        ("InternalServerError", ServerError),
        ("NotFoundError", NotFound),
        ("PermissionDeniedError", Auth),
        ("RateLimitError", Throttled),
        ("ServiceUnavailableError", Overloaded),
        ("Timeout", Timeout),
        ("UnprocessableEntityError", InvalidRequest),
        ("UnsupportedParamsError", InvalidRequest),
    ] {
        let event = format!(r#"{{"error":{{"message":"litellm.{class}: m"}}}}"#);
        let error = ApiError::from_stream(&event);
        assert_eq!(error.failure_kind(), expected, "{event}");
    }
}

/// Providers quote the prompt, and a document can hold any text.
#[test]
fn a_name_further_on_in_the_message_decides_nothing() {
    for message in [
        "Invalid value: 'litellm.ContextWindowExceededError: x'",
        "litellm.BadRequestError: OpenAIException - Invalid value: 'ContextWindowExceededError: x'",
        "litellm.BadRequestError: OpenAIException - ContextWindowExceededError: said a document",
        "litellm.BadRequestError: ContentPolicyViolationError is no tool",
        "litellm.BadRequestError: OpenAIException - Unknown tool litellm.ContentPolicyViolationError",
        "litellm.BadRequestError: no tool 'f': {\\\"code\\\":\\\"insufficient_quota\\\"}",
        "ContextWindowExceededError: said a document",
        "Invalid value: 'Budget has been exceeded! Current cost: 1'",
        "Unknown value 'Invalid model name passed in model=a'",
        "Overloaded functions are not supported",
        "litellm.BadRequestError: OpenAIException - Overloaded functions are not supported",
        "Error: {\\\"code\\\":\\\"insufficient_quota\\\"}",
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}","code":"400"}}}}"#);
        assert_eq!(kind(400, &body), InvalidRequest, "{message}");
        let error = ApiError::from_response(400, body.as_bytes());
        assert_eq!(error.message(), message.replace('\\', ""), "{message}");
    }
}

proptest! {
    #[test]
    fn any_message_is_read(names in "(litellm\\.|[A-Z][a-z]{0,5}(Error|Exception|Timeout)|: | - |b'|\\{|\\\\x?){0,9}", rest in "\\PC{0,40}") {
        let message = serde_json::to_string(&format!("litellm.{names}{rest}")).unwrap();
        let body = format!(r#"{{"error":{{"message":{message},"code":"400"}}}}"#);
        let _ = ApiError::from_response(400, body.as_bytes()).to_string();
    }
}
