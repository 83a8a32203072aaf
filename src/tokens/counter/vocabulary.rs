//! An encoding of `bpe-openai`, with two shortcuts that change no count. Most words of a text are
//! one token, and looking them up is faster than merging their bytes. Of a long run of one
//! character, only the ends need to be encoded.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use bpe_openai::Tokenizer;
use foldhash::fast::FixedState;

use crate::tokens::model::Encoding;

/// How far past a limit a piece is counted: the tokenizer's early exit may come a few tokens before
/// its limit.
const PAST_LIMIT: usize = 16;

/// Longer words are rarely one token, nor are words of other scripts: looking them up costs more
/// than it saves.
const LONGEST_WORD: usize = 16;
/// Longer runs of one character, in bytes, are shortened.
const LONG_RUN: usize = 2_048;

static CL100K_BASE: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::of(bpe_openai::cl100k_base()));
static O200K_BASE: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::of(bpe_openai::o200k_base()));

pub(super) struct Vocabulary {
    tokenizer: &'static Tokenizer,
    /// The short ASCII tokens.
    words: HashSet<&'static [u8], FixedState>,
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
        let words = tokens.filter(|token| token.len() <= LONGEST_WORD && token.is_ascii());
        Self {
            tokenizer,
            words: words.collect(),
            longest: longest.unwrap_or(0),
        }
    }

    pub(super) fn count(&self, text: &str) -> usize {
        let pieces = self.tokenizer.split(text).map(str::as_bytes);
        pieces
            .map(|piece| {
                let known = self.count_at_once(piece);
                known.unwrap_or_else(|| self.tokenizer.bpe.count(piece))
            })
            .sum()
    }

    /// The count, or `None` as soon as it exceeds `limit`.
    pub(super) fn count_up_to(&self, text: &str, limit: usize) -> Option<usize> {
        let mut counted: usize = 0;
        for piece in self.tokenizer.split(text).map(str::as_bytes) {
            counted += if let Some(tokens) = self.count_at_once(piece) {
                tokens
            } else {
                let stop = (limit - counted).saturating_add(PAST_LIMIT);
                self.tokenizer.bpe.count_till_limit(piece, stop)?
            };
            if counted > limit {
                return None;
            }
        }
        Some(counted)
    }

    fn count_at_once(&self, piece: &[u8]) -> Option<usize> {
        if piece.len() <= LONG_RUN {
            return self.is_token(piece).then_some(1);
        }
        self.count_with_run(piece, longest_run(piece))
    }

    /// The count of a piece with a long run of one byte: the count of the same piece with a shorter
    /// run, plus the tokens that were left out.
    ///
    /// A sequence of tokens is the encoding of a text if and only if every two neighbours are the
    /// encoding of their own text (<https://github.com/github/rust-gems/tree/main/crates/bpe>). So
    /// where a token follows itself, any number of copies can be inserted.
    fn count_with_run(&self, piece: &[u8], run: Range<usize>) -> Option<usize> {
        let bpe = &self.tokenizer.bpe;
        let kept = 4 * self.longest;
        let token = *bpe
            .encode_via_backtracking(piece.get(run.clone())?.get(..kept)?)
            .first()?;
        let length = bpe.token_len(token);
        let left_out = (run.len() - kept) / length;
        let end = run.end - left_out * length;
        let shorter = [piece.get(..end)?, piece.get(run.end..)?].concat();
        let tokens = bpe.encode_via_backtracking(&shorter);
        let mut at = 0;
        let stands_beside_itself = tokens.windows(2).any(|pair| {
            let start = at;
            at += pair.first().map_or(0, |token| bpe.token_len(*token));
            pair == [token, token] && start >= run.start
        });
        stands_beside_itself.then_some(tokens.len() + left_out)
    }

    fn is_token(&self, piece: &[u8]) -> bool {
        piece.len() <= LONGEST_WORD && piece.is_ascii() && self.words.contains(piece)
    }
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
                let counted = vocabulary.count_with_run(piece, longest_run(piece));
                prop_assert_eq!(counted, Some(vocabulary.tokenizer.bpe.count(piece)));
                prop_assert_eq!(vocabulary.count_at_once(piece), counted);
            }
        }

        /// The encoder of the crate itself says how many tokens there are.
        #[test]
        fn a_limit_is_met_to_the_token(text in "([a-zA-Z]{1,40}|[-=*#.]{1,40}|[0-9]{1,9}| ){1,40}") {
            for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
                let vocabulary = Vocabulary::load(encoding).unwrap();
                let tokens = vocabulary.tokenizer.count(&text);
                prop_assert_eq!(vocabulary.count(&text), tokens);
                for enough in [tokens, tokens + 1, usize::MAX] {
                    prop_assert_eq!(vocabulary.count_up_to(&text, enough), Some(tokens));
                }
                for too_few in [0, tokens / 2, tokens - 1] {
                    prop_assert_eq!(vocabulary.count_up_to(&text, too_few), None);
                }
            }
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
                let is_short = token.is_ascii() && token.len() <= 16;
                assert_eq!(vocabulary.words.contains(token), is_short, "{token:?}");
                assert_eq!(vocabulary.is_token(token), is_short, "{token:?}");
            }
            assert_eq!(vocabulary.count_at_once(b" the"), Some(1));
            assert_eq!(vocabulary.count_at_once(b"antidisestablish"), None);
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
            assert_eq!(vocabulary.count_with_run(piece.as_bytes(), not_a_run), None);
        }
    }

    #[test]
    fn of_stretches_of_equal_length_the_first_is_taken() {
        assert_eq!(longest_run(b"aabb"), 0..2);
        assert_eq!(longest_run(b"abbccd"), 1..3);
    }

    #[test]
    fn a_piece_without_a_long_run_is_not_shortened() {
        let vocabulary = Vocabulary::load(Encoding::O200kBase).unwrap();
        let piece = "ab".repeat(LONG_RUN);
        assert_eq!(vocabulary.count_at_once(piece.as_bytes()), None);
        assert_eq!(longest_run(b"abbbcc"), 1..4);
        assert_eq!(longest_run(b""), 0..0);
    }
}
