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

/// Known wordings of OpenAI, Azure, vLLM, `SGLang`, llama.cpp, Anthropic, Bedrock and Gemini: the
/// words that identify the message, the words before the number of tokens, and the words before the
/// limit.
const WORDINGS: [(&str, &[&str], &str); 10] = [
    (
        "prompt is too long",
        &["prompt is too long: "],
        " tokens > ",
    ),
    (
        "maximum context length is",
        &["however, you requested ", "resulted in ", "requested "],
        "maximum context length is ",
    ),
    (
        "exceed the configured limit",
        &["resulted in "],
        "configured limit of ",
    ),
    (
        "input token count",
        &["input token count (", "input token count "],
        "tokens allowed ",
    ),
    (
        "is longer than the model's context length",
        &["input ("],
        "context length (",
    ),
    (
        "requested token count exceeds the model's maximum context length of",
        &[" tokens: "],
        "maximum context length of ",
    ),
    (
        "exceeds the available context size",
        &["request ("],
        "available context size (",
    ),
    (
        "prompt token count of",
        &["prompt token count of "],
        "exceeds the limit of ",
    ),
    ("exceed context limit", &["exceed context limit: "], " > "),
    ("context_length_exceeded", &[], "maximum context length is "),
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
        let (_, before_tokens, before_limit) =
            WORDINGS.iter().find(|(words, _, _)| text.contains(words))?;
        let in_messages = number_before(&text, " in the messages");
        let mut counted = before_tokens.iter();
        Some(Self {
            prompt_tokens: in_messages
                .or_else(|| counted.find_map(|words| number_after(&text, words))),
            limit: number_after(&text, before_limit),
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
