//! An encoding of `bpe-openai`, with shortcuts that change no count. Most words of a text are one
//! token, and looking them up is faster than merging their bytes. Of a long run of one character,
//! only the ends need to be encoded.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use bpe_openai::Tokenizer;
use foldhash::fast::FixedState;

use super::byte_bound::byte_bounds;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

/// Longer words are rarely one token, nor are words of other scripts: looking them up costs more
/// than it saves.
const LONGEST_WORD: usize = 15;
/// In longer runs of one byte, the tokenizer's own search tries many tokens at each byte; merging
/// is faster.
const RUN: usize = 64;
/// Longer runs of one character, in bytes, are shortened.
const LONG_RUN: usize = 2_048;

/// The work of a piece, in addition to its bytes.
const PIECE: usize = 4;
/// The work for each byte of a piece that is merged: in ASCII, with other characters, or with a run
/// of one byte.
const ASCII_BYTE: usize = 11;
const OTHER_BYTE: usize = 2;
const RUN_BYTE: usize = 20;

static CL100K_BASE: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::of(bpe_openai::cl100k_base()));
static O200K_BASE: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::of(bpe_openai::o200k_base()));

pub(super) struct Vocabulary {
    tokenizer: &'static Tokenizer,
    /// The short ASCII tokens, packed.
    words: HashSet<u128, FixedState>,
    /// The bytes of the longest token.
    longest: usize,
}

impl Vocabulary {
    /// The vocabulary of an encoding, loaded at first use; `None` if the crate does not have it.
    pub(super) fn load(encoding: Encoding) -> Option<&'static Self> {
        match encoding {
            Encoding::Cl100kBase => Some(&CL100K_BASE),
            Encoding::O200kBase | Encoding::O200kHarmony => Some(&O200K_BASE),
            _ => None,
        }
    }

    fn of(tokenizer: &'static Tokenizer) -> Self {
        // The first use compiles the regular expression.
        tokenizer.count("warm up");
        let number = u32::try_from(tokenizer.bpe.num_tokens()).unwrap_or(u32::MAX);
        let tokens = (0..number).map(|token| tokenizer.bpe.token_bytes(token));
        let longest = tokens.clone().map(<[u8]>::len).max();
        let words = tokens.filter_map(packed);
        Self {
            tokenizer,
            words: words.collect(),
            longest: longest.unwrap_or(0),
        }
    }

    /// The count of a text, and its work in bytes of prose. Pieces that would take more than `most`
    /// together are bounded by their length.
    pub(super) fn count(&self, text: &str, most: usize) -> (TokenCount, usize) {
        let (mut tokens, mut bounded, mut work) = (0, 0, 0);
        for piece in self.tokenizer.split(text).map(str::as_bytes) {
            work += PIECE + piece.len();
            if self.is_token(piece) {
                tokens += 1;
            } else if let Some((counted, more)) = self.merge(piece, most.saturating_sub(work)) {
                tokens += counted;
                work += more;
            } else {
                bounded += piece.len();
            }
        }
        let counted = TokenCount::exact(tokens as u64);
        let count = match bounded {
            0 => counted,
            bytes => counted + byte_bounds(bytes),
        };
        (count, work)
    }

    /// The count of a piece that is not one token, and its work, unless that is more than `most`.
    fn merge(&self, piece: &[u8], most: usize) -> Option<(usize, usize)> {
        if has_run(piece) {
            return self.merge_with_run(piece, most);
        }
        let each = if piece.is_ascii() {
            ASCII_BYTE
        } else {
            OTHER_BYTE
        };
        let work = each * piece.len();
        (work <= most).then(|| (self.tokenizer.bpe.count(piece), work))
    }

    #[cold]
    fn merge_with_run(&self, piece: &[u8], most: usize) -> Option<(usize, usize)> {
        let run = longest_run(piece);
        if run.len() > LONG_RUN {
            let work = RUN_BYTE * (piece.len() - run.len() + 2 * self.kept());
            if work <= most {
                if let Some(tokens) = self.count_with_run(piece, &run) {
                    return Some((tokens, work));
                }
            }
        }
        let work = RUN_BYTE * piece.len();
        let bpe = &self.tokenizer.bpe;
        (work <= most).then(|| (bpe.encode_via_bitfield(piece).len(), work))
    }

    /// The bytes that are left of a long run.
    fn kept(&self) -> usize {
        4 * self.longest
    }

    /// The count of a piece with a long run of one byte: the count of the same piece with a shorter
    /// run, plus the tokens that were left out.
    ///
    /// A sequence of tokens is the encoding of a text if and only if every two neighbours are the
    /// encoding of their own text (<https://github.com/github/rust-gems/tree/main/crates/bpe>). So
    /// where a token follows itself, any number of copies can be inserted.
    fn count_with_run(&self, piece: &[u8], run: &Range<usize>) -> Option<usize> {
        let bpe = &self.tokenizer.bpe;
        let kept = self.kept();
        let token = *bpe
            .encode_via_bitfield(piece.get(run.clone())?.get(..kept)?)
            .first()?;
        let length = bpe.token_len(token);
        let left_out = (run.len() - kept) / length;
        let end = run.end - left_out * length;
        let shorter = [piece.get(..end)?, piece.get(run.end..)?].concat();
        let tokens = bpe.encode_via_bitfield(&shorter);
        let mut at = 0;
        let stands_beside_itself = tokens.windows(2).any(|pair| {
            let start = at;
            at += pair.first().map_or(0, |token| bpe.token_len(*token));
            pair == [token, token] && start >= run.start
        });
        stands_beside_itself.then_some(tokens.len() + left_out)
    }

    fn is_token(&self, piece: &[u8]) -> bool {
        packed(piece).is_some_and(|word| self.words.contains(&word))
    }
}

/// A short piece of ASCII with its length, in one number: to compare it takes no other memory.
fn packed(piece: &[u8]) -> Option<u128> {
    if piece.len() > LONGEST_WORD || !piece.is_ascii() {
        return None;
    }
    let mut bytes = [0; LONGEST_WORD + 1];
    bytes.get_mut(..piece.len())?.copy_from_slice(piece);
    *bytes.last_mut()? = u8::try_from(piece.len()).ok()?;
    Some(u128::from_le_bytes(bytes))
}

/// Whether there is a run of more than [`RUN`] bytes: somewhere it crosses a multiple of that.
fn has_run(piece: &[u8]) -> bool {
    let mut neighbours = piece.chunks(RUN).zip(piece.chunks(RUN).skip(1));
    neighbours.any(|(one, next)| one.last() == next.first()) && longest_run(piece).len() > RUN
}

/// The first of the longest runs of one byte.
fn longest_run(piece: &[u8]) -> Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for run in piece.chunk_by(|one, next| one == next) {
        if run.len() > longest.len() {
            longest = start..start + run.len();
        }
        start += run.len();
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The encoder of the crate itself, on the whole piece, is what the shortcut must agree
        /// with.
        #[test]
        fn a_shortened_run_counts_as_the_whole(
            before in "[-=*ab .]{0,90}",
            run in "[-=*#_a 0]",
            times in LONG_RUN + 1..3 * LONG_RUN,
            after in "[-=*ab .]{0,90}",
        ) {
            for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
                let vocabulary = Vocabulary::load(encoding).unwrap();
                let piece = format!("{before}{}{after}", run.repeat(times));
                let piece = piece.as_bytes();
                let counted = vocabulary.count_with_run(piece, &longest_run(piece));
                prop_assert_eq!(counted, Some(vocabulary.tokenizer.bpe.count(piece)));
                let merged = vocabulary.merge(piece, usize::MAX).map(|(tokens, _)| tokens);
                prop_assert_eq!(merged, counted);
            }
        }

        /// The encoder of the crate itself says how many tokens there are.
        #[test]
        fn a_text_counts_as_the_crate_counts_it(
            text in "([a-zA-Z]{1,40}|[-=*#.]{1,40}|[-=*#]{60,70}|={120,140}|\t{50,90}|[0-9]{1,9}|[ア-ン一-三]{1,9}| ){1,40}"
        ) {
            for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
                let vocabulary = Vocabulary::load(encoding).unwrap();
                let tokens = TokenCount::exact(vocabulary.tokenizer.count(&text) as u64);
                let (counted, work) = vocabulary.count(&text, usize::MAX);
                prop_assert_eq!(counted, tokens);
                prop_assert!(work > text.len());
                prop_assert_eq!(vocabulary.count(&text, work), (tokens, work));
            }
        }
    }

    /// A piece is 4 units and 1 for each byte; where it is merged, 11 more for each byte of ASCII, 2
    /// with other characters, 20 with a run of more than 64 bytes. A run of 2,049 is shortened to
    /// twice 4 * 128 bytes.
    #[test]
    fn what_takes_longer_is_more_work() {
        let vocabulary = Vocabulary::load(Encoding::O200kBase).unwrap();
        assert_eq!(vocabulary.longest, 128);
        for (text, work) in [
            (" the".to_owned(), 4 + 4),
            (" the the".to_owned(), 2 * (4 + 4)),
            ("xzqj".to_owned(), 4 + 4 + 11 * 4),
            ("xzqé".to_owned(), 4 + 5 + 2 * 5),
            ("=".repeat(64), 4 + 64 + 11 * 64),
            ("=".repeat(65), 4 + 65 + 20 * 65),
            ("=".repeat(2_048), 4 + 2_048 + 20 * 2_048),
            ("=".repeat(2_049), 4 + 2_049 + 20 * (2 * 4 * 128)),
        ] {
            assert_eq!(vocabulary.count(&text, work).1, work, "{text}");
            assert!(vocabulary.count(&text, work).0.is_exact(), "{text}");
            let bounded = vocabulary.count(&text, work - 1).0;
            assert_eq!(bounded.is_exact(), text.starts_with(" the"), "{text}");
        }
    }

    /// The counts are the same without this, and slower.
    #[test]
    fn short_tokens_of_ascii_are_looked_up() {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let vocabulary = Vocabulary::load(encoding).unwrap();
            let bpe = &vocabulary.tokenizer.bpe;
            let tokens = (0..u32::try_from(bpe.num_tokens()).unwrap()).map(|n| bpe.token_bytes(n));
            for token in tokens {
                let is_short = token.is_ascii() && token.len() <= 15;
                assert_eq!(vocabulary.is_token(token), is_short, "{token:?}");
            }
            assert!(vocabulary.is_token(b" the"));
            assert!(!vocabulary.is_token(b" the\0"));
            assert!(!vocabulary.is_token(b"antidisestablis"));
            assert!(!vocabulary.is_token(b""));
        }
    }

    #[test]
    fn where_no_token_stands_beside_itself_nothing_is_put_in_between() {
        let vocabulary = Vocabulary::load(Encoding::O200kBase).unwrap();
        let numbers: String = (0..1_000).map(|n: u32| n.to_string()).collect();
        let piece = format!("z{numbers}y{numbers}");
        for not_a_run in [
            0..piece.len(),
            0..numbers.len(),
            numbers.len() + 1..piece.len(),
        ] {
            assert_eq!(
                vocabulary.count_with_run(piece.as_bytes(), &not_a_run),
                None
            );
        }
    }

    #[test]
    fn of_stretches_of_equal_length_the_first_is_taken() {
        assert_eq!(longest_run(b"aabb"), 0..2);
        assert_eq!(longest_run(b"abbccd"), 1..3);
    }

    #[test]
    fn a_run_is_found_wherever_it_begins() {
        for before in 0..130 {
            for (length, is_found) in [(64, false), (65, true), (200, true)] {
                let piece = "ab".repeat(before) + &"=".repeat(length) + "b";
                let piece = piece.as_bytes();
                assert_eq!(has_run(piece), is_found, "{before} {length}");
                let piece = piece.get(1..).unwrap_or_default();
                assert_eq!(has_run(piece), is_found && (before, length) != (0, 65));
            }
        }
    }

    #[test]
    fn a_text_without_a_run_has_none() {
        assert_eq!(longest_run(b"abbbcc"), 1..4);
        assert_eq!(longest_run(b""), 0..0);
    }
}
