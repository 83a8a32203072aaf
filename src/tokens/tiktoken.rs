//! Exact counts with OpenAI's tokenizers, by the crate `tiktoken-rs`.

use std::collections::HashSet;
use std::fmt;

use tiktoken_rs::CoreBPE;

use crate::call::TokenCount;
use crate::error::Error;
use crate::tokens::TokenCounter;

/// Counts exactly with one of OpenAI's encodings.
///
/// Counts ordinary tokens always. Where the tokenizer gives up (its regular expression overflows on a megabyte of
/// spaces), the count is an upper bound: the number of bytes.
///
/// Loading an encoding takes up to a few tenths of a second, once in a process; the constructors do it, so that the
/// first call does not.
///
/// ```
/// use fusebox::tokens::{Tiktoken, TokenCounter};
///
/// let counter = Tiktoken::o200k_base();
/// assert_eq!(counter.count("お誕生日おめでとう")?.upper(), 8);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Tiktoken {
    encoding: &'static str,
    bpe: &'static CoreBPE,
}

impl Tiktoken {
    /// The encoding of GPT-4o, GPT-4.1, GPT-5 and the o models.
    pub fn o200k_base() -> Self {
        Self {
            encoding: "o200k_base",
            bpe: tiktoken_rs::o200k_base_singleton(),
        }
    }

    /// The encoding of GPT-4 and GPT-3.5.
    pub fn cl100k_base() -> Self {
        Self {
            encoding: "cl100k_base",
            bpe: tiktoken_rs::cl100k_base_singleton(),
        }
    }
}

impl TokenCounter for Tiktoken {
    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        let counted = self.bpe.count(text, &HashSet::new());
        Ok(
            counted.map_or(TokenCount::at_most(text.len() as u64), |tokens| {
                TokenCount::exact(tokens as u64)
            }),
        )
    }
}

impl fmt::Debug for Tiktoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiktoken")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
