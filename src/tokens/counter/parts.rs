//! Counts a text part by part, up to a limit of tokens and of work. Parts end where OpenAI's
//! encodings also split a text, so that the counts of the parts add up to the count of the whole.

use super::byte_bound::byte_bounds;
use crate::tokens::count::TokenCount;

/// A part has about this size in bytes: a limit stops the count after the part that reaches it.
const PART: usize = 16 << 10;
/// The most work that a count may take. A unit of work is 5 to 20 ns where nothing else slows the
/// machine down, so a count takes less than 100 ms; but a count never depends on time, so that a
/// text always has the same one.
const MOST_WORK: usize = 4 << 20;

/// Counts `text` until there are `limit` tokens or the work is used up, and bounds the rest by its
/// length. `count` counts a part with at most the work that is left, and returns the work that it
/// took, at least 1 for each byte.
pub(super) fn count_in_parts(
    text: &str,
    limit: u64,
    digits: Digits,
    count: impl Fn(&str, usize) -> (TokenCount, usize),
) -> TokenCount {
    let (mut counted, mut rest, mut left) = (TokenCount::ZERO, text, MOST_WORK);
    while let Some((part, after)) = first_part(rest, digits, left) {
        let (tokens, work) =
            in_threes(part, digits).map_or_else(|| count(part, left), |n| (n, part.len()));
        counted = counted + tokens;
        rest = after;
        left = left.saturating_sub(work);
        // The rest, if there is one, has a token at least.
        if counted.lower() >= limit {
            break;
        }
    }
    match rest.len() {
        0 => counted,
        bytes => counted + byte_bounds(bytes),
    }
}

/// How an encoding splits a number before it merges bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// After every third digit, from its beginning.
    InThrees,
    /// Not at all.
    #[cfg_attr(
        not(feature = "tiktoken"),
        allow(dead_code, reason = "the encodings of `bpe` all split numbers")
    )]
    Whole,
}

/// The count of a part that is one number, if each three digits of it are a token.
fn in_threes(part: &str, digits: Digits) -> Option<TokenCount> {
    let is_number = digits == Digits::InThrees && part.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| TokenCount::exact(part.len().div_ceil(3) as u64))
}

/// The first part of a text, and the rest; `None` if the part is empty or longer than `most` bytes.
///
/// The encodings split a text by a regular expression before they merge bytes. No piece contains a
/// space after another character, a line feed, a full stop or a comma after a letter or digit, or a
/// letter beside a digit; so a split between the two changes no count. A text without such a place
/// stays whole.
fn first_part(text: &str, digits: Digits, most: usize) -> Option<(&str, &str)> {
    let end = cut(text, PART, digits, most)?;
    text.split_at_checked(end).filter(|_| end > 0)
}

/// The first safe place at or after `size` bytes, unless it is after `most` bytes.
fn cut(text: &str, size: usize, digits: Digits, most: usize) -> Option<usize> {
    let mut start = size;
    while start < text.len() && !text.is_char_boundary(start) {
        start += 1;
    }
    let (head, tail) = text.split_at_checked(start).unwrap_or((text, ""));
    // A part begins where a number does, or after a third digit.
    let mut in_number = head.chars().rev().take_while(|c| c.is_numeric()).count();
    let mut before = None;
    for (at, c) in tail.char_indices().map(|(at, c)| (start + at, c)) {
        if at > most {
            return None;
        }
        let is_third = digits == Digits::InThrees && in_number > 0 && in_number % 3 == 0;
        if is_third && c.is_numeric() || before.is_some_and(|before| is_safe_between(before, c)) {
            return Some(at);
        }
        in_number = if c.is_numeric() { in_number + 1 } else { 0 };
        before = Some(c);
    }
    (text.len() <= most).then_some(text.len())
}

fn is_safe_between(before: char, after: char) -> bool {
    let is_digit_beside_letter =
        |one: char, other: char| one.is_ascii_digit() && other.is_ascii_alphabetic();
    (after == ' ' && !before.is_whitespace())
        || (is_letter_or_digit(before) && ends_a_word(after))
        || is_digit_beside_letter(before, after)
        || is_digit_beside_letter(after, before)
}

/// Characters of the most common scripts that Unicode classifies as letters or digits.
fn is_letter_or_digit(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c,
            'А'..='я' | 'Α'..='Ρ' | 'α'..='ω' | 'א'..='ת' | 'ء'..='غ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='\u{9fa5}' | '가'..='힣')
}

fn ends_a_word(c: char) -> bool {
    matches!(c, '\n' | '.' | ',' | '。' | '，' | '、')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a text of about `size` bytes each.
    fn parts(mut text: &str, size: usize) -> Vec<&str> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let (part, rest) = text.split_at(cut(text, size, Digits::Whole, usize::MAX).unwrap());
            parts.push(part);
            text = rest;
        }
        parts
    }

    #[test]
    fn a_number_is_cut_after_every_third_digit_from_its_beginning() {
        let mut rest = "7 a1234567890 ٣٣٣12";
        let mut parts = Vec::new();
        while let Some((part, after)) =
            cut(rest, 1, Digits::InThrees, usize::MAX).and_then(|end| rest.split_at_checked(end))
        {
            parts.push(part);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(parts, ["7 a", "123", "456", "789", "0 ٣٣٣", "12"]);
    }

    #[test]
    fn cuts_only_where_a_word_or_a_number_ends() {
        let cut = parts("don't stop, 12.50 EUR  now", 1);
        assert_eq!(cut, ["don't", " stop", ", 12", ".50", " EUR", "  now"]);
        assert_eq!(parts("你好，世界。", 1), ["你好", "，世界", "。"]);
        assert_eq!(parts("af12cdXy", 1), ["af", "12", "cdXy"]);
        assert_eq!(parts("की है -- (", 1), ["की", " है", " --", " ("]);
        assert_eq!(parts("é1 ½a _7_b", 1), ["é1", " ½a", " _7_b"]);
        assert_eq!(parts(&" ".repeat(100), 10).len(), 1);
    }

    #[test]
    fn a_part_is_at_most_as_long_as_there_is_work_left() {
        let text = "a".repeat(20_000) + " b";
        assert_eq!(first_part(&text, Digits::Whole, 19_999), None);
        assert_eq!(
            first_part(&text, Digits::Whole, 20_000),
            Some(text.split_at(20_000))
        );
        assert_eq!(first_part("a b", Digits::Whole, 2), None);
        assert_eq!(first_part("a b", Digits::Whole, 3), Some(("a b", "")));
        assert_eq!(first_part("", Digits::Whole, 3), None);
    }

    #[test]
    fn a_number_is_counted_by_its_length_where_three_digits_are_a_token() {
        let count = |text: &str, digits: Digits| {
            count_in_parts(text, u64::MAX, digits, |part, _| {
                (TokenCount::exact(1_000), part.len())
            })
        };
        let number = "1234567890".repeat(4_000);
        assert_eq!(count(&number, Digits::InThrees), TokenCount::exact(13_334));
        assert_eq!(count(&number, Digits::Whole), TokenCount::exact(1_000));
        for other in ["1234 ", "٣٣٣", "12a"] {
            assert_eq!(count(other, Digits::InThrees), TokenCount::exact(1_000));
        }
    }

    /// A first part of 16,385 bytes, and others that begin with the space before it; one token a
    /// byte.
    #[test]
    fn the_rest_is_bounded_where_the_work_ends() {
        let text = ("a".repeat(PART + 1) + " ").repeat(10);
        let work_of_three = MOST_WORK / 3 + 1;
        let count = |each: usize, limit: usize| {
            count_in_parts(&text, limit as u64, Digits::Whole, |part, _| {
                (TokenCount::exact(part.len() as u64), each)
            })
        };
        let of_parts = |parts: usize| {
            let counted = PART + 1 + (parts - 1) * (PART + 2);
            TokenCount::exact(counted as u64) + byte_bounds(text.len() - counted)
        };
        assert_eq!(count(work_of_three, usize::MAX), of_parts(3));
        assert_eq!(
            count(PART, usize::MAX),
            TokenCount::exact(text.len() as u64)
        );
        assert_eq!(count(PART, PART + 1), of_parts(1));
        assert_eq!(count(PART, PART + 2), of_parts(2));
    }
}
