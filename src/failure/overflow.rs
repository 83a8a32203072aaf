//! Parses the message of an API that refuses a prompt as too long; it often has the exact token
//! count.

/// The numbers in an error message about a prompt that is too long.
///
/// The number of tokens is an exact count at no cost: pass it to
/// [`Permit::fail_with`](crate::Permit::fail_with), or return it from
/// [`Classify::input_tokens`](crate::Classify::input_tokens). Parse only messages with a status of
/// 400, 413 or 422, or from inside a stream, because a document can quote such a message.
///
/// ```
/// use fusebox::failure::Overflow;
///
/// let overflow = Overflow::parse("prompt is too long: 200251 tokens > 200000 maximum").unwrap();
/// assert_eq!(overflow.prompt_tokens(), Some(200_251));
/// assert_eq!(overflow.limit(), Some(200_000));
/// assert_eq!(Overflow::parse("Invalid value for `temperature`"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    prompt_tokens: Option<u64>,
    limit: Option<u64>,
}

/// The words that identify a message, all of them; the words before the number of tokens; the words
/// before the limit.
type Wording = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// Known wordings of Anthropic, OpenAI, Azure, vLLM, Gemini, `SGLang`, llama.cpp, GitHub, Mistral,
/// xAI, Cohere, text-generation-inference, Bedrock with Nova and with OpenAI's models, `OpenRouter`,
/// Moonshot and Alibaba. A number that includes the answer is not the prompt's, so Cohere's "prompt
/// and prediction" and Moonshot's "requested" give none.
const WORDINGS: &[Wording] = &[
    (
        &["prompt is too long"],
        &["prompt is too long: "],
        &[" tokens > "],
    ),
    (
        &["maximum context length is"],
        &["resulted in ", "your prompt contains ", "your request has "],
        &["maximum context length is "],
    ),
    (
        &["exceed the configured limit"],
        &["resulted in "],
        &["configured limit of "],
    ),
    (
        &["input token count"],
        &["input token count (", "input token count "],
        &["tokens allowed "],
    ),
    (
        &["is longer than the model's context length"],
        &["input ("],
        &["context length ("],
    ),
    (
        &["requested token count exceeds the model's maximum context length of"],
        &[" tokens: "],
        &["maximum context length of "],
    ),
    (
        &["exceeds the available context size"],
        &["request ("],
        &["available context size ("],
    ),
    (
        &["prompt token count of"],
        &["prompt token count of "],
        &["exceeds the limit of "],
    ),
    (
        &["exceed context limit"],
        &["exceed context limit: "],
        &[" > "],
    ),
    (
        &["prompt contains ", "too large for model with "],
        &["prompt contains "],
        &["too large for model with "],
    ),
    (
        &["this model's maximum prompt length is "],
        &["request contains "],
        &["maximum prompt length is "],
    ),
    (
        &["total number of tokens in the prompt cannot exceed "],
        &[" - received "],
        &["cannot exceed "],
    ),
    (
        &["total number of tokens (prompt and prediction) cannot exceed "],
        &[],
        &["cannot exceed "],
    ),
    (
        &["too many tokens: size limit exceeded by "],
        &[],
        &["limit for this model is "],
    ),
    (
        &["`inputs` tokens + `max_new_tokens` must be <= "],
        &["given: "],
        &["must be <= "],
    ),
    (
        &["`inputs` must have less than ", " tokens. given: "],
        &[" tokens. given: "],
        &["must have less than "],
    ),
    (&["input is too long for requested model"], &[], &[]),
    (&["number of input tokens exceeds maximum length"], &[], &[]),
    (
        &["prompt tokens (", ") exceed model maximum ("],
        &["prompt tokens ("],
        &["model maximum ("],
    ),
    (
        &["your input exceeds the context window of this model"],
        &[],
        &[],
    ),
    (
        &["exceeds the maximum allowed input length of "],
        &["input length "],
        &["allowed input length of "],
    ),
    (
        &["input length (", "maximum context length ("],
        &["input length ("],
        &["maximum context length ("],
    ),
    (
        &["exceeded model token limit: "],
        &[],
        &["exceeded model token limit: "],
    ),
    (
        &["range of input length should be "],
        &[],
        &["input length should be [1, "],
    ),
    (
        &["context_length_exceeded"],
        &[],
        &["maximum context length is "],
    ),
];
/// The words after the numbers of a split such as "(3147 in your prompt; 1024 for the completion)".
/// Functions and tools are part of the prompt.
const PARTS: [&str; 5] = [
    " in the messages",
    " in the functions",
    " in your prompt",
    " of text input",
    " of tool input",
];
/// The characters of a message that are read. No relevant message is longer.
const READ: usize = 4_096;

impl Overflow {
    /// Reads a message; `None` if it is about something else.
    pub fn parse(message: &str) -> Option<Self> {
        let text: String = message
            .chars()
            .take(READ)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let is_worded = |(signs, _, _): &&Wording| signs.iter().all(|sign| text.contains(sign));
        let (_, before_tokens, before_limit) = WORDINGS.iter().find(is_worded)?;
        let first = |words: &[&str]| words.iter().find_map(|words| number_after(&text, words));
        let parts = PARTS.iter().filter_map(|words| number_before(&text, words));
        let split = parts.reduce(u64::saturating_add);
        Some(Self {
            prompt_tokens: split.or_else(|| first(before_tokens)),
            limit: first(before_limit),
        })
    }

    /// The number of tokens in the prompt, if the message states it.
    pub fn prompt_tokens(self) -> Option<u64> {
        self.prompt_tokens
    }

    /// The token limit of the model, if the message states it.
    pub fn limit(self) -> Option<u64> {
        self.limit
    }
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, after) = text.split_once(words)?;
    let after = after.trim_start_matches('(');
    let end = after
        .find(|c: char| !c.is_ascii_digit() && c != ',')
        .unwrap_or(after.len());
    number(after.get(..end)?)
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let (before, _) = text.split_once(words)?;
    let start = before
        .rfind(|c: char| !c.is_ascii_digit() && c != ',')
        .map_or(0, |at| at + 1);
    number(before.get(start..)?)
}

fn number(digits: &str) -> Option<u64> {
    digits.replace(',', "").parse().ok()
}
