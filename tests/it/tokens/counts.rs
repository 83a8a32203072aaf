//! P1: counts hold, whatever the text.

#[cfg(feature = "tiktoken")]
use std::sync::Arc;

#[cfg(not(feature = "tiktoken"))]
use fusebox::TokenBudget;
#[cfg(not(feature = "tiktoken"))]
use fusebox::tokens::Model;
use fusebox::tokens::{ByteBound, Encoding, Provenance, ProviderCounts, TokenCount, TokenCounter};
use proptest::prelude::*;

fn exactly(counter: &dyn TokenCounter, text: &str) -> u64 {
    let count = counter.count(text).unwrap();
    assert!(count.is_exact(), "{count:?}");
    count.lower()
}

/// The cookbook's table of the encodings of the reference implementation (openai/openai-cookbook,
/// "How to count tokens with tiktoken"): of R50K, P50K, CL100K and O200K.
#[cfg(feature = "tiktoken")]
const COOKBOOK: [(&str, [u64; 4]); 3] = [
    ("antidisestablishmentarianism", [5, 5, 6, 6]),
    ("2 + 2 = 4", [5, 5, 7, 7]),
    ("お誕生日おめでとう", [14, 14, 9, 8]),
];

#[cfg(feature = "tiktoken")]
#[test]
fn every_encoding_counts_as_the_cookbook_says() {
    let encodings = [
        Encoding::R50kBase,
        Encoding::P50kBase,
        Encoding::Cl100kBase,
        Encoding::O200kBase,
    ];
    for (text, expected) in COOKBOOK {
        for (encoding, expected) in encodings.into_iter().zip(expected) {
            assert_eq!(
                exactly(&fusebox::tokens::Tiktoken::new(encoding), text),
                expected,
                "{encoding} {text}"
            );
            assert_eq!(exactly(&*encoding.counter().unwrap(), text), expected);
        }
        // The same vocabularies with other special tokens.
        for (encoding, same_as) in [(Encoding::P50kEdit, 1), (Encoding::O200kHarmony, 3)] {
            assert_eq!(
                exactly(&*encoding.counter().unwrap(), text),
                expected[same_as]
            );
        }
    }
}

#[cfg(not(feature = "tiktoken"))]
#[test]
fn an_encoding_that_is_off_names_the_feature_to_enable() {
    let error = Encoding::P50kBase.counter().unwrap_err().to_string();
    assert!(
        error.contains("encoding: got `p50k_base`, expected ")
            && error.contains("feature `tiktoken`"),
        "{error}"
    );
    let model = Model::new("ours", 8_000)
        .unwrap()
        .with_encoding(Encoding::P50kBase);
    assert!(TokenBudget::builder().model(model.clone()).build().is_err());
    let with_counter = TokenBudget::builder()
        .model(model)
        .counter("ours", ByteBound);
    assert!(with_counter.build().is_ok());
}

#[test]
fn an_encoding_is_written_by_its_name() {
    assert_eq!(format!("{:>12}", Encoding::O200kBase), "  o200k_base");
}

/// A prompt that is a text cannot be counted; one that comes as a number need not be.
#[cfg(not(any(feature = "tiktoken", feature = "bpe")))]
#[test]
fn numbers_alone_need_no_tokenizer() {
    use fusebox::{LineUp, Pipeline, Version};

    let deployed = |version: Version| {
        let builder = Pipeline::builder(LineUp::new(version));
        let guard = TokenBudget::builder().build().unwrap();
        builder.guard(guard).build().map(|_| ())
    };
    let version = Version::new("v7", "gpt-4o").unwrap();
    let counted = version.clone().with_system_prompt_tokens(500);
    assert!(deployed(counted).is_ok());
    assert!(deployed(version.with_system_prompt("Read the total.")).is_err());
}

#[cfg(all(feature = "bpe", not(feature = "tiktoken")))]
#[test]
fn bpe_alone_has_the_two_encodings_of_current_models() {
    assert_eq!(
        exactly(&*Encoding::Cl100kBase.counter().unwrap(), "2 + 2 = 4"),
        7
    );
    assert_eq!(
        exactly(
            &*Encoding::O200kHarmony.counter().unwrap(),
            "お誕生日おめでとう"
        ),
        8
    );
}

/// Every counter that was compiled in.
fn counters() -> Vec<Box<dyn TokenCounter>> {
    let bytes: [Box<dyn TokenCounter>; 1] = [Box::new(ByteBound)];
    let all = bytes.into_iter();
    #[cfg(feature = "tiktoken")]
    let all = all.chain(
        [Encoding::Cl100kBase, Encoding::O200kBase]
            .map(|encoding| Box::new(fusebox::tokens::Tiktoken::new(encoding)) as _),
    );
    #[cfg(feature = "bpe")]
    let all = all.chain(
        [Encoding::Cl100kBase, Encoding::O200kBase]
            .map(|encoding| Box::new(fusebox::tokens::Bpe::new(encoding).unwrap()) as _),
    );
    all.collect()
}

/// Texts that crash tokenizers, or that take them long: `tiktoken-rs` panics in its convenience
/// functions on a megabyte of spaces, because its regular expression overflows.
fn hostile(bytes: usize) -> Vec<(&'static str, String)> {
    let repeated = |text: &str| text.repeat(bytes / text.len());
    let mut state = 7_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    vec![
        ("spaces", repeated(" ")),
        ("spaces, then a letter", repeated(" ") + "a"),
        ("line feeds", repeated("\n")),
        ("spaces and line feeds", repeated(" \n")),
        ("one letter", repeated("a")),
        ("equals signs", repeated("=")),
        ("dashes", repeated("-")),
        ("lines of dashes", repeated(&("-".repeat(100) + "\n"))),
        (
            "dashes of two kinds",
            repeated(&("-".repeat(5_000) + &"=".repeat(5_000))),
        ),
        (
            "runs of 2,049",
            repeated(&("-".repeat(2_049) + &"=".repeat(2_049))),
        ),
        ("carets", repeated("^")),
        ("underscores", repeated("_")),
        ("digits", repeated("7")),
        ("one ideograph", repeated("漢")),
        ("combining marks", repeated("e\u{301}\u{302}")),
        ("emoji", repeated("👩‍👩‍👧")),
        ("special tokens", repeated("<|endoftext|>")),
        (
            "lone surrogates in JSON escapes",
            repeated(r#"{"a":"\ud800"}"#),
        ),
        ("random letters", (0..bytes).map(|_| letter()).collect()),
        ("controls", repeated("\u{0}\u{1b}[31m\u{200b}")),
    ]
}

#[test]
fn a_megabyte_of_anything_is_counted_or_bounded() {
    for (name, text) in hostile(1_000_001) {
        for counter in counters() {
            let count = counter.count(&text).unwrap();
            let upper = count.upper().unwrap();
            assert!(
                count.lower() <= upper && upper <= text.len() as u64,
                "{name} {counter:?}"
            );
            let few = counter.count_up_to(&text, 1_000).unwrap();
            assert!(few.lower() <= upper, "{name} {counter:?}");
            let is_over = few.lower() > 1_000 || few.upper().unwrap() > 1_000;
            assert!(is_over, "{name} {counter:?}: {few}");
        }
    }
}

/// There is work for 800 KB of prose and more. The reference implementation counts it line by line,
/// cut before a space.
#[cfg(feature = "tiktoken")]
#[test]
fn prose_of_800_kb_is_counted_exactly() {
    let line = "The invoice of March is still open, and the supplier asks for 312.40 EUR.";
    let lines = 800_000 / (line.len() + 1);
    let text = format!("{line} ").repeat(lines);
    for (encoding, reference) in [
        (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
        (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
    ] {
        let tokens = |text: &str| {
            let none = std::collections::HashSet::new();
            reference.count(text, &none).unwrap() as u64
        };
        let (first, next, last) = (tokens(line), tokens(&format!(" {line}")), tokens(" "));
        let expected = first + next * (lines as u64 - 1) + last;
        assert_eq!(
            exactly(&fusebox::tokens::Tiktoken::new(encoding), &text),
            expected
        );
        assert_eq!(exactly(&*encoding.counter().unwrap(), &text), expected);
    }
}

/// The reference implementation counts each number of up to three digits as one token, so a longer
/// one needs no tokenizer.
#[cfg(feature = "tiktoken")]
#[test]
fn three_digits_are_a_token() {
    for reference in [
        tiktoken_rs::cl100k_base_singleton(),
        tiktoken_rs::o200k_base_singleton(),
        tiktoken_rs::o200k_harmony_singleton(),
    ] {
        for width in 1..=3_usize {
            for number in 0..10_u32.pow(width.try_into().unwrap()) {
                let digits = format!("{number:0width$}");
                assert_eq!(reference.count_ordinary(&digits), 1, "{digits}");
            }
        }
    }
    for (digits, tokens) in [("7", 1), ("1234567", 3), (&"31".repeat(25_000), 16_667)] {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let tiktoken = fusebox::tokens::Tiktoken::new(encoding);
            assert_eq!(exactly(&tiktoken, digits), tokens);
            assert_eq!(exactly(&*encoding.counter().unwrap(), digits), tokens);
        }
    }
}

/// What would take seconds and gigabytes: 4,194,304 bytes are the most that there is work for. The
/// rest is bounded by its length, and the count of a text is always the same.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn past_the_limit_of_work_the_length_bounds_a_text() {
    let slow = ["random letters", "runs of 2,049", "spaces", "one letter"];
    let texts = hostile(4_200_000).into_iter();
    for (name, text) in texts.filter(|(name, _)| slow.contains(name)) {
        let of_o200k = counters().into_iter();
        for counter in of_o200k.filter(|counter| counter.name() == "o200k_base") {
            let count = counter.count(&text).unwrap();
            assert!(!count.is_exact(), "{name} {counter:?}");
            assert_eq!(count.upper(), Some(text.len() as u64), "{name}");
            let limit = text.len() as u64 - 1;
            let limited = counter.count_up_to(&text, limit).unwrap();
            assert_eq!(limited, count, "{name} {counter:?}");
        }
    }
}

#[test]
fn what_looks_like_a_special_token_is_ordinary_text() {
    // The reference implementation gives 6,001 ordinary tokens for a thousand of them, and 1,000
    // special ones.
    for counter in counters() {
        if counter.name() == "o200k_base" {
            assert_eq!(exactly(&*counter, &"<|endoftext|>".repeat(1_000)), 6_001);
        }
    }
}

#[test]
fn bytes_bound_tokens_from_above() {
    assert_eq!(ByteBound.count("äöü").unwrap(), TokenCount::at_most(6));
    assert_eq!(ByteBound.count("").unwrap().upper(), Some(0));
}

/// Text as documents have it, with all that tokenizers split at.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zA-Z]{1,12}",
        4 => "[0-9]{1,9}([.,][0-9]{2})?",
        4 => "[ \t\r\n]{1,4}",
        3 => "[.,;:!?'\"(){}\\[\\]<>|/\\\\=_+*^%$#@~`-]{1,5}",
        2 => "[一-龥ぁ-んァ-ヶ가-힣，。、]{1,6}",
        2 => "[À-ÿА-яΑ-ωא-ת\u{0600}-\u{06ff}]{1,6}",
        1 => "\\PC{1,4}",
        1 => any::<char>().prop_map(String::from),
        1 => Just("'ll don't I'M <|endoftext|>".to_owned()),
    ];
    prop::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

#[cfg(feature = "tiktoken")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Texts are counted in parts, cut where the encodings cut; the sum is what the tokenizer
    /// itself says of the whole.
    #[test]
    fn counting_in_parts_changes_nothing(text in text(), times in 1_usize..40) {
        let text = text.repeat(times);
        for (encoding, whole) in [
            (Encoding::R50kBase, tiktoken_rs::r50k_base_singleton()),
            (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
            (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
        ] {
            let whole = whole.count(&text, &std::collections::HashSet::new()).unwrap() as u64;
            prop_assert_eq!(exactly(&fusebox::tokens::Tiktoken::new(encoding), &text), whole);
            prop_assert_eq!(exactly(&*encoding.counter().unwrap(), &text), whole);
        }
    }

    /// The same for what has few places to cut.
    #[test]
    fn counting_codes_in_parts_changes_nothing(
        codes in prop::collection::vec("[a-z]{1,3}[0-9]{1,7}|[A-Z]{1,4}'s?|[0-9]{1,5}|_|é|½|\\+/", 1..60),
        times in 100_usize..400,
    ) {
        let text = codes.concat().repeat(times);
        for (encoding, whole) in [
            (Encoding::R50kBase, tiktoken_rs::r50k_base_singleton()),
            (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
            (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
        ] {
            let whole = whole.count(&text, &std::collections::HashSet::new()).unwrap() as u64;
            let tiktoken: Arc<dyn TokenCounter> = Arc::new(fusebox::tokens::Tiktoken::new(encoding));
            for counter in [tiktoken, encoding.counter().unwrap()] {
                let counted = counter.count(&text).unwrap();
                prop_assert!(counted.lower() <= whole && counted.upper() >= Some(whole));
                prop_assert!(counted.is_exact() || text.len() > 60_000);
                prop_assert!(!counted.is_exact() || counted.lower() == whole);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bounds_always_hold(text in text()) {
        for counter in counters() {
            let (bounds, count) = (counter.bounds(&text), counter.count(&text).unwrap());
            prop_assert!(bounds.lower() <= count.lower() && count.upper() <= bounds.upper());
        }
    }

    #[test]
    fn a_limit_decides_as_the_full_count_does(text in text(), times in 1_usize..40, limit in 0_u64..9_000) {
        let text = text.repeat(times);
        for counter in counters() {
            let full = counter.count(&text).unwrap();
            let limited = counter.count_up_to(&text, limit).unwrap();
            prop_assert_eq!(limited.fits(limit), full.fits(limit), "{:?} {} {}", counter, limited, full);
            prop_assert!(limited.lower() <= full.upper().unwrap() && full.lower() <= limited.upper().unwrap());
            prop_assert!(limited.fits(limit) || limited.lower() > limit || limited == full);
        }
    }
}

#[cfg(all(feature = "tiktoken", feature = "bpe"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bpe_and_tiktoken_give_the_same_counts(text in text()) {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let (bpe, tiktoken) = (fusebox::tokens::Bpe::new(encoding).unwrap(), fusebox::tokens::Tiktoken::new(encoding));
            prop_assert_eq!(bpe.count(&text).unwrap(), tiktoken.count(&text).unwrap());
        }
    }
}

#[cfg(all(feature = "tiktoken", feature = "bpe"))]
#[test]
fn bpe_and_tiktoken_agree_on_hostile_text() {
    for (name, text) in hostile(20_000) {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let bpe = fusebox::tokens::Bpe::new(encoding).unwrap();
            let tiktoken = fusebox::tokens::Tiktoken::new(encoding);
            assert_eq!(exactly(&bpe, &text), exactly(&tiktoken, &text), "{name}");
        }
    }
}

#[test]
fn counts_add_up_as_intervals_of_the_less_sure_kind() {
    let sum = TokenCount::exact(10) + TokenCount::by_provider(5) + TokenCount::between(7, 3);
    assert_eq!((sum.lower(), sum.upper()), (18, Some(22)));
    assert_eq!(sum.provenance(), Provenance::Bound);
    let open = TokenCount::exact(10) + TokenCount::at_least(4);
    assert_eq!(
        (open.lower(), open.upper(), open.fits(u64::MAX)),
        (14, None, false)
    );
    let most = TokenCount::exact(u64::MAX) + TokenCount::exact(1);
    assert_eq!(most.upper(), Some(u64::MAX));
    for (count, text) in [
        (TokenCount::exact(3), "3 tokens"),
        (TokenCount::at_most(3), "at most 3 tokens"),
        (TokenCount::between(2, 3), "2 to 3 tokens"),
        (TokenCount::at_least(2), "at least 2 tokens"),
    ] {
        assert_eq!(count.to_string(), text);
    }
}

#[tokio::test]
async fn a_provider_is_asked_once_for_a_text() {
    let counts = ProviderCounts::new("claude-sonnet-5");
    assert_eq!(counts.name(), "claude-sonnet-5");
    assert_eq!(counts.count("seven").unwrap(), TokenCount::at_most(5));
    let refused = counts.ask("seven", async || Err::<u64, _>("busy")).await;
    assert_eq!(refused, Err("busy"));
    assert_eq!(counts.known("seven"), None);
    let answered = counts.ask("seven", async || Ok::<_, &str>(3)).await;
    assert_eq!(answered, Ok(TokenCount::by_provider(3)));
    let again = counts
        .ask("seven", async || Err::<u64, _>("not asked again"))
        .await;
    assert_eq!(again, answered);
    assert_eq!(
        counts.count("seven").unwrap().provenance(),
        Provenance::Provider
    );
    for n in 0..10_000 {
        counts.learn(&n.to_string(), n);
    }
    assert_eq!(
        counts.known("seven"),
        None,
        "the oldest of more than 10,000 is forgotten"
    );
    assert_eq!(counts.known("0"), Some(TokenCount::by_provider(0)));
}
