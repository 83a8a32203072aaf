//! Exact counts with OpenAI's encodings in linear time, by the crate `bpe-openai`.

use std::fmt;

use super::byte_bound::byte_bounds;
use super::vocabulary::Vocabulary;
use super::{LONGEST_COUNTED, TokenCounter};
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

/// Counts exactly with one of OpenAI's encodings. The time depends on the length of the text and
/// not on its content: a megabyte of spaces takes a few milliseconds. The counts equal those of
/// [`Tiktoken`](crate::tokens::Tiktoken); it is faster, and stops at a limit.
///
/// Always counts ordinary tokens. Texts above 16 MB are only bounded. Loading an encoding takes 40
/// to 80 ms and 34 to 70 MB, once per process; [`new`](Self::new) does it.
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
        if text.len() > LONGEST_COUNTED {
            return Ok(self.bounds(text));
        }
        Ok(TokenCount::exact(self.vocabulary.count(text) as u64))
    }

    fn bounds(&self, text: &str) -> TokenCount {
        byte_bounds(text.len())
    }

    fn count_up_to(&self, text: &str, limit: u64) -> Result<TokenCount, Error> {
        let bounds = self.bounds(text);
        if bounds.fits(limit) || bounds.lower() > limit || text.len() > LONGEST_COUNTED {
            return Ok(bounds);
        }
        let stop = usize::try_from(limit).unwrap_or(usize::MAX);
        let counted = self.vocabulary.count_up_to(text, stop);
        Ok(counted.map_or(
            TokenCount::between(limit + 1, text.len() as u64),
            |tokens| TokenCount::exact(tokens as u64),
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
