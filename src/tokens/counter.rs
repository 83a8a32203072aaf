//! Counting the tokens of a text: the trait, and the bundled counters.

#[cfg(feature = "bpe")]
pub(crate) mod bpe;
pub(crate) mod byte_bound;
#[cfg(feature = "tiktoken")]
mod chunks;
pub(crate) mod provider;
pub(crate) mod select;
#[cfg(feature = "tiktoken")]
pub(crate) mod tiktoken;
#[cfg(feature = "bpe")]
mod vocabulary;

use std::fmt;

use super::count::TokenCount;
use crate::error::Error;

/// Longer texts are only bounded, not counted: 16 MB.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
const LONGEST_COUNTED: usize = 16 << 20;

/// Counts the tokens of a text for one tokenizer, or bounds their number.
///
/// A result must hold: never too small, and never exact if it is a guess. Return an error if the
/// text cannot be counted; the call is then unmeasured, and the document goes to human review.
///
/// ```
/// use fusebox::Error;
/// use fusebox::tokens::{TokenCount, TokenCounter};
///
/// /// One token for each character, as some character-level models read.
/// #[derive(Debug)]
/// struct Characters;
///
/// impl TokenCounter for Characters {
///     fn name(&self) -> &str { "characters" }
///     fn count(&self, text: &str) -> Result<TokenCount, Error> {
///         Ok(TokenCount::exact(text.chars().count() as u64))
///     }
///     fn bounds(&self, text: &str) -> TokenCount {
///         TokenCount::between(text.len() as u64 / 4, text.len() as u64)
///     }
/// }
/// ```
pub trait TokenCounter: fmt::Debug + Send + Sync {
    /// The name of the tokenizer: two counters with one name must give the same counts.
    fn name(&self) -> &str;

    /// The tokens of `text` as ordinary text: special tokens in a document do not count as such.
    fn count(&self, text: &str) -> Result<TokenCount, Error>;

    /// Bounds from the length of `text` alone, without counting (default: none).
    fn bounds(&self, _text: &str) -> TokenCount {
        TokenCount::at_least(0)
    }

    /// Like [`count`](Self::count), but may stop as soon as it is certain whether there are more
    /// than `limit` tokens: the result is certainly at most `limit`, or its lower end is above it,
    /// or it is the full count.
    fn count_up_to(&self, text: &str, limit: u64) -> Result<TokenCount, Error> {
        let bounds = self.bounds(text);
        if bounds.fits(limit) || bounds.lower() > limit {
            return Ok(bounds);
        }
        self.count(text)
    }
}

impl<C: TokenCounter + ?Sized> TokenCounter for std::sync::Arc<C> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        (**self).count(text)
    }

    fn bounds(&self, text: &str) -> TokenCount {
        (**self).bounds(text)
    }

    fn count_up_to(&self, text: &str, limit: u64) -> Result<TokenCount, Error> {
        (**self).count_up_to(text, limit)
    }
}
