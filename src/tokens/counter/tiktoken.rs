//! Exact counts with OpenAI's encodings, by the crate `tiktoken-rs`.

use std::collections::HashSet;
use std::fmt;

use tiktoken_rs::CoreBPE;

use super::byte_bound::byte_bounds;
use super::parts::{Digits, count_in_parts};
use super::{TokenCounter, is_decided};
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

/// The work of a byte, of a token, and of a byte in a long stretch in addition.
const BYTE: usize = 1;
const TOKEN: usize = 15;
const STRETCH_BYTE: usize = 12;
/// Letters, spaces or other characters of more bytes in a row are merged slowly.
const STRETCH: usize = 100;
/// A longer part, in which no word ends, is not counted: merging takes about 60 times its memory.
const LONGEST_PART: usize = 64 << 10;

/// Counts exactly with one of OpenAI's encodings.
///
/// Always counts ordinary tokens. A count takes a limited amount of work, which depends on the text
/// alone: it covers about 950 KB of English prose, and 200,000 tokens of most texts. The rest of a
/// text is bounded: at most one token per byte, at least one per 128 bytes. So are 64 KB in which
/// no word and no number ends.
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

    fn digits(self) -> Digits {
        match self.encoding {
            Encoding::Cl100kBase | Encoding::O200kBase | Encoding::O200kHarmony => Digits::InThrees,
            Encoding::P50kBase | Encoding::P50kEdit | Encoding::R50kBase => Digits::Whole,
        }
    }

    /// The count of a part and its work; a bound if that is more than `most`.
    fn part(self, text: &str, most: usize) -> (TokenCount, usize) {
        let work = BYTE * text.len() + STRETCH_BYTE * in_long_stretches(text, self.digits());
        let counted = if text.len() > LONGEST_PART || work > most {
            None
        } else {
            self.bpe.count(text, &HashSet::new()).ok()
        };
        counted.map_or_else(
            || (byte_bounds(text.len()), BYTE * text.len()),
            |tokens| {
                let count = TokenCount::exact(tokens as u64);
                (count, work + TOKEN * tokens)
            },
        )
    }
}

/// The bytes of a text that are in long stretches of letters and digits, of spaces, or of other
/// characters: no piece of the encoding is longer than a stretch and a few bytes.
fn in_long_stretches(text: &str, digits: Digits) -> usize {
    let is_short = |c: char| digits == Digits::InThrees && c.is_numeric();
    let kind = |c: char| (c.is_alphanumeric(), c.is_whitespace(), is_short(c));
    let (mut long, mut start, mut last) = (0, 0, None);
    let ends = text.char_indices().map(|(at, c)| (at, Some(kind(c))));
    for (at, kind) in ends.chain([(text.len(), None)]) {
        if kind != last {
            let is_short = last.is_some_and(|(_, _, is_short)| is_short);
            if at - start > STRETCH && !is_short {
                long += at - start;
            }
            (start, last) = (at, kind);
        }
    }
    long
}

impl TokenCounter for Tiktoken {
    fn name(&self) -> &'static str {
        self.encoding.name()
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(count_in_parts(
            text,
            u64::MAX,
            self.digits(),
            |part, most| self.part(part, most),
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
        Ok(count_in_parts(text, limit, self.digits(), |part, most| {
            self.part(part, most)
        }))
    }
}

impl fmt::Debug for Tiktoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiktoken")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_long_from_101_bytes() {
        for (text, long) in [
            (String::new(), 0),
            ("a".repeat(100), 0),
            ("a".repeat(101), 101),
            (" ".repeat(100) + &"-".repeat(101), 101),
            ("-".repeat(101) + &"7".repeat(150), 251),
            ("漢".repeat(33) + "。", 0),
            ("漢".repeat(34) + "。", 102),
        ] {
            assert_eq!(in_long_stretches(&text, Digits::Whole), long, "{text}");
            let without_digits = long - text.matches('7').count();
            assert_eq!(in_long_stretches(&text, Digits::InThrees), without_digits);
        }
    }
}
