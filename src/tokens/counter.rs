//! Counting the tokens of a text: the seam, and the counters that come with the crate.

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

/// Texts longer than this are judged by their bounds alone: 16 MB.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
const LONGEST_COUNTED: usize = 16 << 20;

/// Counts the tokens of a text for one tokenizer, or says between which bounds they lie.
///
/// An answer must hold: never a number that is too small, never a guess that looks exact. Where it cannot count, it gives
/// an error; the call is then unmeasured, and the document goes to a person.
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
    /// Which tokenizer: counts of two counters with one name are taken to be the same.
    fn name(&self) -> &str;

    /// The tokens of `text` as ordinary text: what looks like a special token in a document is not one.
    fn count(&self, text: &str) -> Result<TokenCount, Error>;

    /// What the length of `text` alone says, at no cost (nothing, by default).
    fn bounds(&self, _text: &str) -> TokenCount {
        TokenCount::at_least(0)
    }

    /// As [`count`](Self::count), but it may stop as soon as it is known whether there are more than `limit` tokens: the
    /// answer is either certain to be at most `limit`, or its lower end is above it, or it is the full count.
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
