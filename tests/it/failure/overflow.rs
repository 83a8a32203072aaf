//! Prompts that are too long, in the words of each API: the kind of failure, and the tokens of the
//! prompt. The bodies are those that users have reported.

use fusebox::failure::{ApiError, Overflow};
use fusebox::{Classify, FailureKind};

use FailureKind::{ContextLengthExceeded, InvalidRequest, ServerError, Throttled};

/// The kind and the tokens of a response.
fn read(status: u16, body: &str) -> (FailureKind, Option<u64>) {
    let error = ApiError::from_response(status, body.as_bytes());
    (error.failure_kind(), error.input_tokens())
}

/// Wordings with the tokens of the prompt and the limit that they state.
///
/// - <https://github.com/aws-samples/bedrock-chat/issues/95>
/// - <https://github.com/strands-agents/harness-sdk/pull/3722>
/// - <https://github.com/BerriAI/litellm/pull/21647>
/// - <https://github.com/cline/cline/issues/3120>
/// - <https://github.com/cohere-ai/sandbox-topically/issues/4>
/// - <https://github.com/nicknochnack/LangchainDocuments/issues/2>
/// - <https://github.com/earendil-works/pi/pull/5929>, issues 4943 and 5677 there
const WORDINGS: [(&str, Option<u64>, Option<u64>); 25] = [
    ("Input is too long for requested model.", None, None),
    (
        "The model returned the following errors: Input is too long for requested model.",
        None,
        None,
    ),
    (
        "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
        None,
        None,
    ),
    (
        "prompt tokens (1200008) exceed model maximum (1050000) for openai.gpt-5.6-terra",
        Some(1_200_008),
        Some(1_050_000),
    ),
    (
        "Prompt contains 40960 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        Some(40_960),
        Some(32_768),
    ),
    (
        "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
        Some(136_973),
        Some(131_072),
    ),
    (
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292. Try using a shorter prompt, or enabling prompt truncating.",
        Some(4_292),
        Some(4_081),
    ),
    (
        "too many tokens: total number of tokens (prompt and prediction) cannot exceed 2048 - received 6354. Try using a shorter prompt or a smaller max_tokens value.",
        None,
        Some(2_048),
    ),
    (
        "too many tokens: size limit exceeded by 713295 tokens. Try using shorter or fewer inputs. The limit for this model is 288000 tokens.",
        None,
        Some(288_000),
    ),
    (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 512 `max_new_tokens`",
        Some(4_000),
        Some(4_096),
    ),
    (
        "Input validation error: `inputs` must have less than 2048 tokens. Given: 2233",
        Some(2_233),
        Some(2_048),
    ),
    (
        "This model's maximum context length is 4097 tokens, however you requested 4171 tokens (3147 in your prompt; 1024 for the completion). Please reduce your prompt; or completion length.",
        Some(3_147),
        Some(4_097),
    ),
    (
        "This model's maximum context length is 4097 tokens, however you requested 4322 tokens (4066 in your prompt; 256 for the completion).",
        Some(4_066),
        Some(4_097),
    ),
    (
        "This model's maximum context length is 16385 tokens. However, you requested 17050 tokens (15000 in the messages, 50 in the functions, and 2000 in the completion).",
        Some(15_050),
        Some(16_385),
    ),
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens (8000 in the messages, 1000 in the functions).",
        Some(9_000),
        Some(8_192),
    ),
    (
        "This endpoint's maximum context length is 131072 tokens. However, you requested about 139521 tokens (138021 of text input, 1500 in the output).",
        Some(138_021),
        Some(131_072),
    ),
    (
        "This endpoint's maximum context length is 256000 tokens. However, you requested about 424983 tokens (358454 of text input, 56529 of tool input, 10000 in the output).",
        Some(414_983),
        Some(256_000),
    ),
    (
        "This model's maximum context length is 262144 tokens. However, your request has 1000010 input tokens. Please reduce the length of the input messages.",
        Some(1_000_010),
        Some(262_144),
    ),
    (
        "This model's maximum context length is 8192 tokens. However, you requested 4096 output tokens and your prompt contains 5000 input tokens, for a total of 9096 tokens.",
        Some(5_000),
        Some(8_192),
    ),
    // vLLM stopped counting there.
    (
        "This model's maximum context length is 8192 tokens. However, you requested 4096 output tokens and your prompt contains at least 4097 input tokens, for a total of at least 8193 tokens.",
        None,
        Some(8_192),
    ),
    (
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        None,
        None,
    ),
    (
        "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
        Some(131_393),
        Some(131_040),
    ),
    (
        "Input length (265330) exceeds model's maximum context length (262144).",
        Some(265_330),
        Some(262_144),
    ),
    (
        "Your request exceeded model token limit: 262144 (requested: 300000)",
        None,
        Some(262_144),
    ),
    (
        "Range of input length should be [1, 129024]",
        None,
        Some(129_024),
    ),
];

#[test]
fn each_wording_gives_its_numbers() {
    for (message, tokens, limit) in WORDINGS {
        let overflow = Overflow::parse(message).unwrap_or_else(|| panic!("{message}"));
        let numbers = (overflow.prompt_tokens(), overflow.limit());
        assert_eq!(numbers, (tokens, limit), "{message}");
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        for status in [400, 413, 422] {
            let expected = (ContextLengthExceeded, tokens);
            assert_eq!(read(status, &body), expected, "{status} {message}");
        }
        let event = ApiError::from_stream(&body);
        assert_eq!(event.failure_kind(), ContextLengthExceeded, "{message}");
    }
}

/// A document can quote any of them: with another status, the message decides nothing.
#[test]
fn a_quoted_wording_is_none() {
    for (message, _, _) in WORDINGS {
        for status in [401, 403, 404, 408, 429, 500, 503] {
            let body = serde_json::json!({ "error": { "message": message } }).to_string();
            let (found, tokens) = read(status, &body);
            assert_ne!(found, ContextLengthExceeded, "{status} {message}");
            assert_eq!(tokens, None, "{status} {message}");
        }
    }
}

/// The same APIs refuse other things in similar words.
#[test]
fn similar_messages_are_no_overflow() {
    for message in [
        "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 8192.",
        "The maximum tokens you requested exceeds the model limit of 3000. Try again with a maximum tokens value that is lower than 3000.",
        "`inputs` must have less than 8192 characters. Given: 9000",
        "Maximum prompt length is 50,000 characters",
        "Malformed input request: expected maxLength: 42000, actual: 46735, please reformat your input and try again.",
    ] {
        assert_eq!(Overflow::parse(message), None, "{message}");
        let body = serde_json::json!({ "message": message }).to_string();
        assert_eq!(read(400, &body), (InvalidRequest, None), "{message}");
    }
}

/// <https://github.com/ggml-org/llama.cpp/pull/15780>, which answered with a 500, and
/// <https://github.com/oobabooga/textgen/issues/7257>.
#[test]
fn llama_cpp_counts_in_fields() {
    let body = r#"{"error":{"code":500,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":1407,"n_ctx":256}}"#;
    assert_eq!(read(500, body), (ContextLengthExceeded, Some(1_407)));
    let body = r#"{"error":{"code":400,"message":"request (13392 tokens) exceeds the available context size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":13392,"n_ctx":8192}}"#;
    assert_eq!(read(400, body), (ContextLengthExceeded, Some(13_392)));
    // Numbers of another error say nothing of a prompt that is too long.
    let body = r#"{"error":{"code":500,"message":"failed","type":"server_error","n_prompt_tokens":13392}}"#;
    assert_eq!(read(500, body), (ServerError, None));
}

#[test]
fn bedrock_says_it_with_its_exception() {
    let body = br#"{"message":"Input is too long for requested model."}"#;
    for (status, exception) in [(400, "ValidationException"), (200, "validationException")] {
        let error = ApiError::from_bedrock(status, exception, body);
        assert_eq!(error.failure_kind(), ContextLengthExceeded, "{status}");
    }
}

/// xAI's error is a text beside its code.
#[test]
fn xai_says_it_in_a_text() {
    let body = r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}"#;
    assert_eq!(read(400, body), (ContextLengthExceeded, Some(537_812)));
}

/// The error lies in the response, as in OpenAI's reference of streaming events.
#[test]
fn a_failed_response_of_openai_has_its_error_inside() {
    let failed = |code: &str, message: &str, rest: &str| {
        let event = format!(
            "event: response.failed\ndata: {{\"type\":\"response.failed\",\"sequence_number\":3,\
             \"response\":{{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"failed\",\
             \"error\":{{\"code\":\"{code}\",\"message\":\"{message}\"}},\
             \"incomplete_details\":null{rest}}}}}\n\n"
        );
        let error = ApiError::from_stream(&event);
        (error.failure_kind(), error.message().to_owned())
    };
    let long = "Your input exceeds the context window of this model. Please adjust your input and try again.";
    let overflow = (ContextLengthExceeded, long.to_owned());
    assert_eq!(failed("context_length_exceeded", long, ""), overflow);
    assert_eq!(failed("invalid_prompt", long, ""), overflow);
    let slow = "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 22999, Requested 12528. Please try again in 11.054s.";
    assert_eq!(failed("rate_limit_exceeded", slow, "").0, Throttled);

    // What the response repeats of the prompt and of the answer is not its error.
    let quote = "prompt is too long: 5 tokens > 4 maximum";
    let answer = format!(
        ",\"message\":\"{quote}\",\"instructions\":\"{quote}\",\
         \"output\":[{{\"type\":\"message\",\"message\":\"{quote}\",\
         \"content\":[{{\"type\":\"output_text\",\"text\":\"{quote}\"}}]}}]"
    );
    assert_eq!(failed("server_error", "failed", &answer).0, ServerError);
    // Long instructions do not hide the error, and are no message where they do.
    let instructions =
        |length: usize| format!(",\"instructions\":\"{quote} {}\"", "x".repeat(length));
    let (kind, message) = failed("server_error", "failed", &instructions(200_000));
    assert_eq!((kind, &message[..]), (ServerError, "failed"));
    let (kind, message) = failed("server_error", "failed", &instructions(2_000_000));
    assert_eq!((kind, &message[..]), (FailureKind::Unknown, ""));
}
