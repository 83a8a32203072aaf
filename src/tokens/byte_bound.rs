//! The upper bound that needs no tokenizer.

use crate::call::TokenCount;
use crate::error::Error;
use crate::tokens::TokenCounter;

/// At most as many tokens as bytes.
///
/// True of every byte-level BPE tokenizer, OpenAI's among them, because a token has at least one byte. Costs nothing and
/// overstates prose about four times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a unit: there is nothing to add")]
pub struct ByteBound;

impl TokenCounter for ByteBound {
    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(TokenCount::at_most(text.len() as u64))
    }
}
