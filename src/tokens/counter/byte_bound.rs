//! Bounds that need no tokenizer.

use super::TokenCounter;
use crate::error::Error;
use crate::tokens::count::TokenCount;

/// The longest token of OpenAI's encodings, in bytes.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
const LONGEST_TOKEN: u64 = 128;

/// A counter that bounds the tokens of a text by its bytes.
///
/// This holds for every byte-level tokenizer, including OpenAI's, because a token has at least one
/// byte. It costs nothing and overstates prose about four times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a unit: there is nothing to add")]
pub struct ByteBound;

impl TokenCounter for ByteBound {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(self.bounds(text))
    }

    fn bounds(&self, text: &str) -> TokenCount {
        TokenCount::at_most(text.len() as u64)
    }
}

/// Between one token per 128 bytes and one per byte, for OpenAI's encodings.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
pub(super) fn byte_bounds(bytes: usize) -> TokenCount {
    let bytes = bytes as u64;
    TokenCount::between(bytes.div_ceil(LONGEST_TOKEN), bytes)
}
