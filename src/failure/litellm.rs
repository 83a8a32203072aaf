//! Reads what `LiteLLM`'s proxy puts before the error of a provider: the names of its classes, as
//! in `litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for ..`.

use std::borrow::Cow;

use serde_json::Value;

/// A message without the names at its beginning.
pub(super) struct Unwrapped<'a> {
    /// The names of the proxy's classes; none in a message of anyone else.
    pub(super) classes: Vec<&'a str>,
    /// The text after the names, and after a route such as `/chat/completions:`.
    pub(super) text: &'a str,
}

impl<'a> Unwrapped<'a> {
    /// Only names at the beginning count: a provider may quote the prompt further on.
    pub(super) fn of(message: &'a str) -> Self {
        let mut text = message.trim_start();
        let of_litellm = text.starts_with(PREFIX);
        let mut classes = Vec::new();
        let mut before_provider = of_litellm;
        while !(text.is_empty() || of_litellm && is_body(text)) {
            let (word, after) = text.split_once(' ').unwrap_or((text, ""));
            let name = word.strip_prefix(PREFIX).unwrap_or(word);
            let name = name.strip_suffix(':').unwrap_or(name);
            let named = of_litellm && is_class(name);
            // Behind a second proxy, the names go on after the provider's.
            let again = word.starts_with(PREFIX);
            if named && word.ends_with(':') && (before_provider || again) {
                classes.push(name);
            }
            before_provider &= named;
            if !named && word != "-" && !word.ends_with(':') {
                break;
            }
            text = after.trim_start();
        }
        Self { classes, text }
    }

    /// The body of the provider's error, if the proxy passed it on: JSON, or Python's bytes that
    /// hold JSON.
    pub(super) fn body(&self) -> Option<Value> {
        if self.classes.is_empty() || !is_body(self.text) {
            return None;
        }
        let text = match self.text.strip_prefix(BYTES) {
            Some(bytes) => Cow::Owned(unescaped(bytes)),
            None => Cow::Borrowed(self.text),
        };
        let mut values = serde_json::Deserializer::from_str(&text).into_iter();
        values.next()?.ok()
    }
}

const PREFIX: &str = "litellm.";
/// The beginning of Python's bytes.
const BYTES: &str = "b'";

fn is_body(text: &str) -> bool {
    let text = text.strip_prefix(BYTES).unwrap_or(text);
    text.starts_with(['{', '['])
}

fn is_class(name: &str) -> bool {
    let ends = ["Error", "Exception", "Timeout"];
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    ends.iter().any(|end| name.ends_with(end)) && name.chars().all(plain)
}

/// The text of Python's `b'..'`; a byte such as `\xe9` becomes a question mark.
fn unescaped(bytes: &str) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut chars = bytes.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('x') => {
                    text.push('?');
                    chars.nth(1);
                }
                Some(c) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}
