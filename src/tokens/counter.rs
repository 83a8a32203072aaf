//! Counting the tokens of a text: the trait, and the bundled counters.

#[cfg(feature = "bpe")]
pub(crate) mod bpe;
pub(crate) mod byte_bound;
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
mod parts;
pub(crate) mod provider;
pub(crate) mod select;
#[cfg(feature = "tiktoken")]
pub(crate) mod tiktoken;
#[cfg(feature = "bpe")]
mod vocabulary;

use std::fmt;

use super::count::TokenCount;
use crate::error::Error;

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
        if is_decided(bounds, limit) {
            return Ok(bounds);
        }
        self.count(text)
    }
}

/// Whether bounds show that there are at most `limit` tokens, or more.
fn is_decided(bounds: TokenCount, limit: u64) -> bool {
    bounds.fits(limit) || bounds.lower() > limit
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// 10 to 100 tokens by its bounds, 50 when it is asked.
    #[derive(Debug, Default)]
    struct Fifty(AtomicU64);

    impl TokenCounter for Fifty {
        fn name(&self) -> &'static str {
            "fifty"
        }

        fn count(&self, _: &str) -> Result<TokenCount, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(TokenCount::exact(50))
        }

        fn bounds(&self, _: &str) -> TokenCount {
            TokenCount::between(10, 100)
        }
    }

    #[test]
    fn a_text_is_counted_only_where_its_bounds_do_not_decide() {
        let (bounds, full) = (TokenCount::between(10, 100), TokenCount::exact(50));
        for (limit, answer) in [
            (0, bounds),
            (9, bounds),
            (10, full),
            (49, full),
            (50, full),
            (99, full),
            (100, bounds),
            (u64::MAX, bounds),
        ] {
            let counter = Fifty::default();
            assert_eq!(counter.count_up_to("", limit).unwrap(), answer, "{limit}");
            let asked = counter.0.load(Ordering::Relaxed);
            assert_eq!(asked, u64::from(answer == full), "{limit}");
        }
    }

    #[test]
    fn a_counter_without_bounds_says_nothing_of_a_length() {
        #[derive(Debug)]
        struct Seven;

        impl TokenCounter for Seven {
            fn name(&self) -> &'static str {
                "seven"
            }

            fn count(&self, _: &str) -> Result<TokenCount, Error> {
                Ok(TokenCount::exact(7))
            }
        }

        assert_eq!(Seven.bounds("text"), TokenCount::at_least(0));
        assert_eq!(Seven.count_up_to("text", 9).unwrap(), TokenCount::exact(7));
    }

    #[test]
    fn a_shared_counter_answers_as_itself() {
        #[derive(Debug)]
        struct FourAnswers;

        impl TokenCounter for FourAnswers {
            fn name(&self) -> &'static str {
                "four"
            }

            fn count(&self, _: &str) -> Result<TokenCount, Error> {
                Ok(TokenCount::exact(1))
            }

            fn bounds(&self, _: &str) -> TokenCount {
                TokenCount::exact(2)
            }

            fn count_up_to(&self, _: &str, _: u64) -> Result<TokenCount, Error> {
                Ok(TokenCount::exact(3))
            }
        }

        let shared = Arc::new(FourAnswers);
        assert_eq!(TokenCounter::name(&shared), "four");
        assert_eq!(shared.count("").unwrap(), TokenCount::exact(1));
        assert_eq!(shared.bounds(""), TokenCount::exact(2));
        let limited = TokenCounter::count_up_to(&shared, "", 0).unwrap();
        assert_eq!(limited, TokenCount::exact(3));
    }

    #[test]
    fn bytes_are_their_own_bound_and_count() {
        let counter = byte_bound::ByteBound;
        assert_eq!(counter.name(), "bytes");
        for limit in [0, 5, 6, 7] {
            let answer = counter.count_up_to("äöü", limit).unwrap();
            assert_eq!(answer, TokenCount::at_most(6));
        }
    }

    /// Tokenizers of OpenAI's encodings, and what must hold for each of them.
    #[cfg(any(feature = "tiktoken", feature = "bpe"))]
    mod of_openai {
        use super::*;
        use crate::tokens::model::Encoding;

        /// The cookbook's counts with `o200k_base` (openai/openai-cookbook, "How to count tokens
        /// with tiktoken").
        const COOKBOOK: [(&str, u64); 3] = [
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 8),
        ];

        fn o200k_base() -> Vec<Box<dyn TokenCounter>> {
            let encoding = Encoding::O200kBase;
            vec![
                #[cfg(feature = "tiktoken")]
                Box::new(tiktoken::Tiktoken::new(encoding)),
                #[cfg(feature = "bpe")]
                Box::new(bpe::Bpe::new(encoding).unwrap()),
            ]
        }

        #[cfg(feature = "tiktoken")]
        #[test]
        fn tiktoken_has_the_names_that_openai_gives() {
            for (encoding, name) in [
                (Encoding::Cl100kBase, "cl100k_base"),
                (Encoding::O200kBase, "o200k_base"),
                (Encoding::O200kHarmony, "o200k_harmony"),
                (Encoding::P50kBase, "p50k_base"),
                (Encoding::P50kEdit, "p50k_edit"),
                (Encoding::R50kBase, "r50k_base"),
            ] {
                let counter = tiktoken::Tiktoken::new(encoding);
                assert_eq!(counter.name(), name);
                let printed = format!("{counter:?}");
                assert_eq!(
                    printed,
                    format!("Tiktoken {{ encoding: {encoding:?}, .. }}")
                );
            }
        }

        #[cfg(feature = "bpe")]
        #[test]
        fn bpe_has_the_names_that_openai_gives() {
            for (encoding, name) in [
                (Encoding::Cl100kBase, "cl100k_base"),
                (Encoding::O200kBase, "o200k_base"),
                (Encoding::O200kHarmony, "o200k_harmony"),
            ] {
                let counter = bpe::Bpe::new(encoding).unwrap();
                assert_eq!(counter.name(), name);
                let printed = format!("{counter:?}");
                assert_eq!(printed, format!("Bpe {{ encoding: {encoding:?}, .. }}"));
            }
            assert!(bpe::Bpe::new(Encoding::R50kBase).is_err());
        }

        #[test]
        fn a_limit_is_met_to_the_token() {
            for counter in o200k_base() {
                for (text, tokens) in COOKBOOK {
                    assert_eq!(counter.count(text).unwrap(), TokenCount::exact(tokens));
                    for limit in tokens..text.len() as u64 {
                        let answer = counter.count_up_to(text, limit).unwrap();
                        assert_eq!(answer, TokenCount::exact(tokens), "{text} {limit}");
                    }
                    for limit in 0..tokens {
                        let answer = counter.count_up_to(text, limit).unwrap();
                        assert!(answer.lower() > limit, "{text} {limit}: {answer}");
                        assert!(answer.lower() <= tokens && !answer.fits(tokens - 1));
                    }
                }
            }
        }

        /// At most a token a byte, at least one for 128 bytes.
        #[test]
        fn a_text_whose_length_decides_is_not_counted() {
            let text = "2 + 2 = 4";
            let long = "a".repeat(10 * 128 + 1);
            for counter in o200k_base() {
                for limit in [9, 10, u64::MAX - 1] {
                    let answer = counter.count_up_to(text, limit).unwrap();
                    assert_eq!(answer, TokenCount::between(1, 9), "{limit}");
                }
                for limit in [0, 10] {
                    let answer = counter.count_up_to(&long, limit).unwrap();
                    assert_eq!(answer, TokenCount::between(11, 1_281), "{limit}");
                }
                let counted = counter.count_up_to(&long, 11).unwrap();
                assert!(counted.lower() > 11, "{counted}");
            }
        }

        /// " a" is one token, so there are 240,000 of them.
        #[test]
        fn a_limit_stops_the_count() {
            let text = " a".repeat(240_000);
            for counter in o200k_base() {
                let answer = counter.count_up_to(&text, 10_000).unwrap();
                assert!(answer.lower() > 10_000, "{answer}");
                assert!(answer.upper() > Some(240_000), "{answer}: to the end");
                let full = counter.count_up_to(&text, 240_000).unwrap();
                assert_eq!(full, TokenCount::exact(240_000));
            }
        }

        /// The first cut at or after 16,384 bytes is between the letter and the space that follow:
        /// 8,193 tokens. The other 983,614 bytes are as many tokens at most, and 7,685 at least,
        /// one for 128 bytes.
        #[test]
        fn a_count_stops_after_the_part_that_reaches_the_limit() {
            let text = " a".repeat(500_000);
            for counter in o200k_base() {
                for limit in [8_000, 8_193] {
                    let answer = counter.count_up_to(&text, limit).unwrap();
                    let expected = TokenCount::between(8_193 + 7_685, 8_193 + 983_614);
                    assert_eq!(answer, expected, "{limit}");
                }
                let answer = counter.count_up_to(&text, 8_194).unwrap();
                assert!(answer.lower() > 2 * 8_193, "{answer}: two parts");
            }
        }

        /// Parts of 8,193 tokens, 2 bytes each. With `tiktoken` a part is 8,193 * (2 + 15) =
        /// 139,281 of 4,194,304 units of work: after 30 there is no work left for 16,000 bytes.
        /// With `bpe` it is 8,193 * (2 + 4) = 49,158: the same after 85.
        #[test]
        fn a_text_is_counted_until_the_work_is_used_up_and_then_bounded() {
            let parts = vec![
                #[cfg(feature = "tiktoken")]
                30,
                #[cfg(feature = "bpe")]
                85,
            ];
            for (counter, parts) in o200k_base().into_iter().zip(parts) {
                let tokens = 8_193 * parts;
                let mut text = " a".repeat(usize::try_from(tokens).unwrap());
                assert_eq!(counter.count(&text).unwrap(), TokenCount::exact(tokens));
                text.push_str(&" a".repeat(8_000));
                let bounds = TokenCount::between(tokens + 16_000 / 128, tokens + 16_000);
                assert_eq!(counter.count(&text).unwrap(), bounds);
                for limit in [tokens + 1, tokens + 500] {
                    let answer = counter.count_up_to(&text, limit).unwrap();
                    assert_eq!(answer, bounds, "the same as without a limit");
                }
            }
        }

        /// Letters without a word's end: `tiktoken` counts 64 KB, and `bpe` as many bytes as there
        /// is work for, 4 + 349,525 * (1 + 11) = 4,194,304 units.
        #[test]
        fn a_long_word_is_counted_only_if_there_is_work_for_all_of_it() {
            let longest = vec![
                #[cfg(feature = "tiktoken")]
                65_536,
                #[cfg(feature = "bpe")]
                349_525,
            ];
            for (counter, longest) in o200k_base().into_iter().zip(longest) {
                let word = "xz".repeat(longest / 2 + 1);
                let count = |bytes: usize| counter.count(word.get(..bytes).unwrap()).unwrap();
                assert!(count(longest).is_exact(), "{counter:?}");
                let bytes = longest as u64 + 1;
                let bounds = TokenCount::between(bytes.div_ceil(128), bytes);
                assert_eq!(count(longest + 1), bounds, "{counter:?}");
            }
        }
    }
}
