//! Reads the finish or stop reason of an answer: whether the model says that it is complete.

use super::FailureKind;
use crate::name::FinishWord;

use FailureKind::{
    ContentFiltered, ContextLengthExceeded, MalformedOutput, Overloaded, Refusal, ServerError,
    Timeout, Truncated,
};

/// What a finish or stop reason says of an answer.
///
/// The words of OpenAI, Azure, Anthropic, Google, Amazon Bedrock, Mistral, Cohere, `DeepSeek`,
/// Zhipu and watsonx are known, in upper or lower case, with underscores or without. Any other word
/// is unclear, and so is one that says that the turn goes on, such as Anthropic's `pause_turn`: the
/// answer goes to human review.
///
/// Where your gateway has words of its own, say what they mean:
///
/// ```
/// use fusebox::{FailureKind, Report};
/// use fusebox::failure::FinishReason;
///
/// # let stop_reason = "gateway_done";
/// let report = Report::new().finish_reason(match stop_reason {
///     "gateway_done" => FinishReason::Complete,
///     "gpu_lost" => FinishReason::Failed(FailureKind::ServerError),
///     other => FinishReason::from(other),
/// });
/// assert_eq!(report.unclear_finish(), None);
///
/// assert_eq!(FinishReason::from("STOP"), FinishReason::Complete);
/// let cut = FinishReason::Failed(FailureKind::Truncated);
/// assert_eq!(FinishReason::from("max_output_tokens"), cut);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The answer is complete; a call of a tool is one too.
    Complete,
    /// The answer is a failure of this kind, although the API said 200.
    Failed(FailureKind),
    /// The word does not say that the answer is complete.
    Unclear(FinishWord),
}

/// The words of complete answers. The last four are Amazon Titan's and AI21's.
const COMPLETE: &[&str] = &[
    "stop",
    "end_turn",
    "stop_sequence",
    "tool_use",
    "tool_calls",
    "tool_call",
    "function_call",
    "complete",
    "completed",
    "eos",
    "eos_token",
    "finish",
    "finished",
    "stop_criteria_met",
    "endoftext",
];

/// The words of answers that are failures. `model_length` is Mistral's, `error_limit` Cohere's:
/// both name the context window. `insufficient_system_resource` is `DeepSeek`'s, `sensitive` and
/// `network_error` are Zhipu's, `time_limit` and `token_limit` watsonx's.
const FAILED: &[(FailureKind, &[&str])] = &[
    (
        Truncated,
        &["length", "max_tokens", "max_output_tokens", "token_limit"],
    ),
    (
        ContextLengthExceeded,
        &[
            "model_context_window_exceeded",
            "model_length",
            "error_limit",
        ],
    ),
    (Refusal, &["refusal"]),
    (
        ContentFiltered,
        &[
            "content_filter",
            "content_filtered",
            "guardrail_intervened",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "model_armor",
            "jailbreak",
            "image_safety",
            "image_prohibited_content",
            "image_recitation",
            "error_toxic",
            "sensitive",
        ],
    ),
    (
        MalformedOutput,
        &[
            "malformed_function_call",
            "malformed_response",
            "malformed_model_output",
            "malformed_tool_use",
            "unexpected_tool_call",
        ],
    ),
    (Overloaded, &["insufficient_system_resource"]),
    (ServerError, &["error", "network_error"]),
    (Timeout, &["timeout", "time_limit"]),
];

impl From<&str> for FinishReason {
    fn from(reason: &str) -> Self {
        let reason = reason.trim();
        let has = |words: &[&str]| words.iter().any(|word| is_same(word, reason));
        if has(COMPLETE) {
            return Self::Complete;
        }
        let failed = FAILED.iter().find(|(_, words)| has(words));
        failed.map_or_else(
            || Self::Unclear(FinishWord::reported(reason)),
            |(kind, _)| Self::Failed(*kind),
        )
    }
}

impl From<&String> for FinishReason {
    fn from(reason: &String) -> Self {
        Self::from(reason.as_str())
    }
}

/// Whether two words have the same letters: `end_turn`, `END_TURN` and `EndTurn`, as SDKs print it.
fn is_same(word: &str, reason: &str) -> bool {
    let plain = |byte: &u8| *byte != b'_' && *byte != b'-';
    let lower = |byte: u8| byte.to_ascii_lowercase();
    let word = word.bytes().filter(plain).map(lower);
    word.eq(reason.bytes().filter(plain).map(lower))
}
