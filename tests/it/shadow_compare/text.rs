//! Texts: equal, equal in their form, similar; and rules of one's own.

use std::sync::Arc;

use fusebox::Ratio;
use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, Exact, NormalisedText, TextSimilarity, UnicodeForm, by};
use proptest::prelude::*;

use super::told;

#[test]
fn exact_is_equality_of_any_type() {
    assert_eq!(Exact.compare("a", "a"), Comparison::Match);
    assert_eq!(Exact.compare("a", "A"), Comparison::Diverged(vec![]));
    assert_eq!(Exact.compare(&[1, 2][..], &[1, 2][..]), Comparison::Match);
    assert_eq!(Exact.compare(&Some(1), &None), Comparison::Diverged(vec![]));
    assert_eq!(
        Exact.compare(&f64::NAN, &f64::NAN),
        Comparison::Diverged(vec![])
    );
}

/// Python 3.11 (Unicode 14): `' '.join(NFC(casefold(NFD(text))).split())`, and the same of
/// `NFKC(casefold(NFKD(casefold(NFD(text)))))`.
const FORMS: [(&str, &str, &str); 21] = [
    ("STRASSE 1", "strasse 1", "strasse 1"),
    ("Stra\u{df}e\u{a0}1", "strasse 1", "strasse 1"),
    (
        "\u{39f}\u{394}\u{39f}\u{3a3}",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
    ),
    (
        "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
    ),
    ("Caf\u{e9}", "caf\u{e9}", "caf\u{e9}"),
    ("CAFE\u{301}", "caf\u{e9}", "caf\u{e9}"),
    ("\u{fb01}nance", "finance", "finance"),
    ("m\u{b2}", "m\u{b2}", "m2"),
    (
        "\u{ff11}\u{ff12}\u{ff0e}\u{ff15}\u{ff10}",
        "\u{ff11}\u{ff12}\u{ff0e}\u{ff15}\u{ff10}",
        "12.50",
    ),
    ("\u{130}stanbul", "i\u{307}stanbul", "i\u{307}stanbul"),
    ("\u{1fb3}", "\u{3b1}\u{3b9}", "\u{3b1}\u{3b9}"),
    (
        "\u{1f80}\u{345}",
        "\u{1f00}\u{3b9}\u{3b9}",
        "\u{1f00}\u{3b9}\u{3b9}",
    ),
    ("\u{149}", "\u{2bc}n", "\u{2bc}n"),
    ("\u{1e9e}", "ss", "ss"),
    ("\u{212b}", "\u{e5}", "\u{e5}"),
    ("\u{216b}", "\u{217b}", "xii"),
    ("a\u{323}\u{307}", "\u{1ea1}\u{307}", "\u{1ea1}\u{307}"),
    ("A\u{307}\u{323}", "\u{1ea1}\u{307}", "\u{1ea1}\u{307}"),
    ("\u{1c5}", "\u{1c6}", "d\u{17e}"),
    ("  tab\u{9}\u{2003}end\u{a}", "tab end", "tab end"),
    ("\u{1100}\u{1161}", "\u{ac00}", "\u{ac00}"),
];

#[test]
fn texts_are_normalised_as_the_unicode_standard_says() {
    let nfc = NormalisedText::new();
    let nfkc = nfc.form(UnicodeForm::Nfkc);
    for (text, canonical, compatible) in FORMS {
        assert_eq!(nfc.normalise(text), canonical, "{text}");
        assert_eq!(nfkc.normalise(text), compatible, "{text}");
        assert_eq!(nfc.compare(text, canonical), Comparison::Match);
        assert_eq!(nfkc.compare(text, compatible), Comparison::Match);
    }
}

#[test]
fn each_step_of_normalising_can_be_switched() {
    let all = NormalisedText::new();
    let agree = |rule: NormalisedText, one: &str, other: &str| {
        rule.compare(one, other) == Comparison::Match
    };
    assert!(agree(all, "A b", "a  B "));
    assert!(!agree(all.case_sensitive(), "A", "a"));
    assert!(agree(all.case_sensitive(), "A\n", "A"));
    assert!(!agree(all.keep_white_space(), "A ", "A"));
    assert!(agree(all.keep_white_space(), "A ", "a "));
    assert!(agree(all, "\u{e9}", "e\u{301}"));
    assert!(!agree(all.form(UnicodeForm::AsIs), "\u{e9}", "e\u{301}"));
    assert!(agree(all.form(UnicodeForm::AsIs), "\u{e9}", "\u{c9}"));
    assert!(!agree(all, "m\u{b2}", "m2"));
    assert!(agree(all.form(UnicodeForm::Nfkc), "m\u{b2}", "m2"));
    assert!(
        !agree(all, "a\u{200b}b", "a b"),
        "a zero-width space is no white space"
    );
    assert!(!agree(all, "a b", "ab"));
}

#[test]
fn a_divergence_of_texts_shows_both_as_they_were() {
    let comparison = NormalisedText::new().compare("ACME  Inc", "Apex");
    assert_eq!(told(&comparison), ["(answer): ACME  Inc -> Apex"]);
    let owned = ["a b", "A  B"].map(str::to_owned);
    assert_eq!(
        NormalisedText::new().compare(&owned[0], &owned[1]),
        Comparison::Match
    );
}

proptest! {
    #[test]
    fn what_is_normalised_stays_as_it_is(text in "\\PC{0,12}|[aAßΣς\u{301}\u{345}\u{1f80} \n]{0,8}") {
        for form in [UnicodeForm::AsIs, UnicodeForm::Nfc, UnicodeForm::Nfkc] {
            let all = NormalisedText::new().form(form);
            for rule in [all, all.case_sensitive(), all.keep_white_space()] {
                let once = rule.normalise(&text);
                prop_assert_eq!(rule.normalise(&once), once, "{:?}", rule);
            }
        }
    }
}

#[test]
fn similar_texts_agree_from_the_threshold_on() {
    // Distances by hand: 3 of 7, 3 of 8, 2 of 4, 5 of 9, 1 of 2 characters (not bytes).
    for (one, other, edits, chars) in [
        ("kitten", "sitting", 3, 7),
        ("saturday", "sunday", 3, 8),
        ("flaw", "lawn", 2, 4),
        ("intention", "execution", 5, 9),
        ("äö", "äü", 1, 2),
    ] {
        let exactly = Ratio::new(chars - edits, chars).unwrap();
        let similar = TextSimilarity::at_least(exactly).unwrap();
        assert_eq!(similar.compare(one, other), Comparison::Match, "{one}");
        assert_eq!(similar.compare(other, one), Comparison::Match, "{one}");
        let just_above = Ratio::new((chars - edits) * 1_000 + 1, chars * 1_000).unwrap();
        let similar = TextSimilarity::at_least(just_above).unwrap();
        assert_eq!(
            told(&similar.compare(one, other)),
            [format!("(answer): {one} -> {other}")]
        );
    }
}

#[test]
fn a_hundred_percent_is_equality_and_nothing_is_similar_to_an_empty_text() {
    let similar = TextSimilarity::at_least(Ratio::ONE).unwrap();
    assert_eq!(similar.compare("", ""), Comparison::Match);
    assert_eq!(similar.compare("a", "a"), Comparison::Match);
    assert_ne!(similar.compare("a", "b"), Comparison::Match);
    let similar = TextSimilarity::at_least(Ratio::basis_points(1)).unwrap();
    assert_ne!(similar.compare("", "a"), Comparison::Match);
    let owned = ["a", "ab"].map(str::to_owned);
    assert_eq!(similar.compare(&owned[0], &owned[1]), Comparison::Match);
}

#[test]
fn texts_above_the_cap_are_not_comparable_unless_they_are_equal() {
    let similar = TextSimilarity::at_least(Ratio::percent(1)).unwrap();
    let long = |chars: usize| "ä".repeat(chars);
    assert_eq!(
        similar.compare(long(2_000).as_str(), long(1_999).as_str()),
        Comparison::Match
    );
    let why = "? a text has 2001 characters, more than the 2000 up to which similarity is computed";
    for (one, other) in [(2_001, 2_000), (2_000, 2_001), (2_001, 0)] {
        assert_eq!(
            told(&similar.compare(long(one).as_str(), long(other).as_str())),
            [why]
        );
    }
    assert_eq!(
        similar.compare(long(2_001).as_str(), long(2_001).as_str()),
        Comparison::Match
    );
    let short = similar.longest(3).unwrap();
    assert_eq!(short.compare("abc", "abd"), Comparison::Match);
    assert!(matches!(
        short.compare("abcd", "abc"),
        Comparison::NotComparable(_)
    ));
}

#[test]
fn a_similarity_of_nothing_or_of_too_much_is_refused() {
    for threshold in [Ratio::ZERO, Ratio::basis_points(10_001)] {
        let error = TextSimilarity::at_least(threshold).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("text similarity: got `{threshold}`, expected more than 0 % and at most 100 %")
        );
    }
    let error = TextSimilarity::at_least(Ratio::ONE)
        .unwrap()
        .longest(0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "longest text to compare: got `0`, expected at least 1 character"
    );
}

#[test]
fn closures_and_shared_and_boxed_comparators_compare() {
    let same_length = by::<str, _>(|production, candidate| {
        if production.is_empty() {
            Comparison::NotComparable("empty".into())
        } else if production.len() == candidate.len() {
            Comparison::Match
        } else {
            Comparison::Diverged(vec![])
        }
    });
    let all: [Arc<dyn Compare<str>>; 3] = [
        Arc::new(same_length),
        Arc::new(NormalisedText::new()),
        Arc::new(|one: &str, other: &str| Exact.compare(one, other)),
    ];
    let told = all.each_ref().map(|rule| rule.compare("ab", "AB"));
    assert_eq!(told[0], Comparison::Match);
    assert_eq!(told[1], Comparison::Match);
    assert_eq!(told[2], Comparison::Diverged(vec![]));
    assert_eq!(
        all[0].compare("", ""),
        Comparison::NotComparable("empty".into())
    );
    let boxed: Box<dyn Compare<str>> = Box::new(Exact);
    assert_eq!(boxed.compare("a", "a"), Comparison::Match);
}
