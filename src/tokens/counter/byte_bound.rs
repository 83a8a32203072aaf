//! The bounds that need no tokenizer.

use super::TokenCounter;
use crate::error::Error;
use crate::tokens::count::TokenCount;

/// The longest token of OpenAI's encodings, in bytes.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
const LONGEST_TOKEN: u64 = 128;

/// At most as many tokens as bytes.
///
/// True of every tokenizer that works on bytes, OpenAI's among them, because a token has at least one byte. Costs nothing
/// and overstates prose about four times.
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

/// Between one token for each 128 bytes and one for each byte, for OpenAI's encodings.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
pub(super) fn byte_bounds(bytes: usize) -> TokenCount {
    let bytes = bytes as u64;
    TokenCount::between(bytes.div_ceil(LONGEST_TOKEN), bytes)
}
