//! Exact counts with OpenAI's encodings, by the crate `tiktoken-rs`.

use std::collections::HashSet;
use std::fmt;

use tiktoken_rs::CoreBPE;

use super::byte_bound::byte_bounds;
use super::chunks::chunks;
use super::{LONGEST_COUNTED, TokenCounter};
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

/// Texts are counted in parts of about this size in bytes: a limit stops the count after the part
/// that reaches it.
const PART: usize = 16 << 10;

/// Counts exactly with one of OpenAI's encodings.
///
/// Always counts ordinary tokens. If the tokenizer fails (its regular expression overflows on a
/// megabyte of spaces), and for texts above 16 MB, the count is a bound: at most one token per
/// byte, at least one per 128 bytes.
///
/// It counts English prose at about 30 MB/s. Loading an encoding takes 40 to 220 ms and 13 to 46
/// MB, once per process; [`new`](Self::new) does it, so that the first call does not have to.
///
/// ```
/// use fusebox::tokens::{Encoding, Tiktoken, TokenCounter};
///
/// let counter = Tiktoken::new(Encoding::O200kBase);
/// assert_eq!(counter.count("お誕生日おめでとう")?.upper(), Some(8));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Tiktoken {
    encoding: Encoding,
    bpe: &'static CoreBPE,
}

impl Tiktoken {
    /// Loads an encoding, unless it is already loaded.
    pub fn new(encoding: Encoding) -> Self {
        let bpe = match encoding {
            Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
            Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
            Encoding::O200kHarmony => tiktoken_rs::o200k_harmony_singleton(),
            Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
            Encoding::P50kEdit => tiktoken_rs::p50k_edit_singleton(),
            Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
        };
        // The first use also compiles the regular expression.
        let _ = bpe.count("warm up", &HashSet::new());
        Self { encoding, bpe }
    }

    fn part(self, text: &str) -> TokenCount {
        let counted = self.bpe.count(text, &HashSet::new());
        counted.map_or_else(
            |_| byte_bounds(text.len()),
            |tokens| TokenCount::exact(tokens as u64),
        )
    }
}

impl TokenCounter for Tiktoken {
    fn name(&self) -> &'static str {
        self.encoding.name()
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        self.count_up_to(text, u64::MAX)
    }

    fn bounds(&self, text: &str) -> TokenCount {
        byte_bounds(text.len())
    }

    fn count_up_to(&self, text: &str, limit: u64) -> Result<TokenCount, Error> {
        let bounds = self.bounds(text);
        let decided = limit < u64::MAX && (bounds.fits(limit) || bounds.lower() > limit);
        if decided || text.len() > LONGEST_COUNTED {
            return Ok(bounds);
        }
        let (mut counted, mut left) = (TokenCount::ZERO, text.len());
        for part in chunks(text, PART) {
            counted = counted + self.part(part);
            left -= part.len();
            // What is left, if anything, has a token at least.
            if counted.lower() >= limit {
                break;
            }
        }
        Ok(if left == 0 {
            counted
        } else {
            counted + byte_bounds(left)
        })
    }
}

impl fmt::Debug for Tiktoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiktoken")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
