//! Exact counts with OpenAI's encodings, by the crate `bpe-openai`.

use std::fmt;

use super::byte_bound::byte_bounds;
use super::parts::{Digits, count_in_parts};
use super::vocabulary::Vocabulary;
use super::{TokenCounter, is_decided};
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

/// Counts exactly with one of OpenAI's encodings. The counts equal those of
/// [`Tiktoken`](crate::tokens::Tiktoken); it is faster, and counts longer texts.
///
/// Always counts ordinary tokens. A count takes a limited amount of work, which depends on the text
/// alone: it covers about 2.2 MB of English prose. The rest of a text is bounded: at most one token
/// per byte, at least one per 128 bytes. Loading an encoding takes 40 to 80 ms and 34 to 70 MB, once
/// per process; [`new`](Self::new) does it.
///
/// ```
/// use fusebox::tokens::{Bpe, Encoding, TokenCounter};
///
/// let counter = Bpe::new(Encoding::O200kBase)?;
/// assert_eq!(counter.count("お誕生日おめでとう")?.upper(), Some(8));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Bpe {
    encoding: Encoding,
    vocabulary: &'static Vocabulary,
}

impl Bpe {
    /// Loads an encoding, unless it is already loaded. Returns an error for an encoding that the
    /// crate does not have.
    pub fn new(encoding: Encoding) -> Result<Self, Error> {
        let allowed =
            "cl100k_base, o200k_base or o200k_harmony; the others need feature `tiktoken`";
        let vocabulary = Vocabulary::load(encoding);
        Ok(Self {
            encoding,
            vocabulary: vocabulary.ok_or_else(|| Error::invalid("encoding", encoding, allowed))?,
        })
    }
}

impl TokenCounter for Bpe {
    fn name(&self) -> &'static str {
        self.encoding.name()
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(count_in_parts(
            text,
            u64::MAX,
            Digits::InThrees,
            |part, most| self.vocabulary.count(part, most),
        ))
    }

    fn bounds(&self, text: &str) -> TokenCount {
        byte_bounds(text.len())
    }

    fn count_up_to(&self, text: &str, limit: u64) -> Result<TokenCount, Error> {
        let bounds = self.bounds(text);
        if is_decided(bounds, limit) {
            return Ok(bounds);
        }
        Ok(count_in_parts(
            text,
            limit,
            Digits::InThrees,
            |part, most| self.vocabulary.count(part, most),
        ))
    }
}

impl fmt::Debug for Bpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bpe")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
