//! Where two texts differ, word by word or character by character.

use maud::{Markup, html};
use similar::{ChangeTag, DiffableStr, TextDiff};

use crate::adapters::report::numbers::count;
use crate::adapters::report::visible::marked;

/// Longer texts are compared by word.
const LONGEST_BY_CHARACTER: usize = 120;
/// The least similarity of short texts, from 0 to 1, at which single characters are marked.
const LEAST_ALIKE: f32 = 0.6;
/// The number of words, and of gaps between them, up to which two texts are compared: in the worst
/// case the time grows with its square. It does not depend on a clock, so that a page is the same on
/// every machine.
const MOST_WORDS: usize = 1_000;
/// A longer text is not split into words at all.
const LONGEST_BY_WORD: usize = 30_000;
/// Equal text between two changes is left out above this number of characters ..
const LONGEST_EQUAL: usize = 240;
/// .. but for these on each side.
const CONTEXT: usize = 80;

/// Both texts with what differs marked, each with at most `longest` characters.
pub(super) fn sides(production: &str, candidate: &str, longest: usize) -> (Markup, Markup) {
    let (before, after) = parts(production, candidate);
    let show = |parts: Vec<DiffPart>, side| shown(&shortened(parts, longest), side);
    (show(before, Side::Production), show(after, Side::Candidate))
}

/// A text that the other side does not have.
pub(super) fn alone(text: &str, side: Side, longest: usize) -> Markup {
    shown(&shortened(vec![DiffPart::changed(text)], longest), side)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Production,
    Candidate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DiffPart {
    Equal(String),
    Changed(String),
    /// This number of characters is left out.
    Equally(usize),
    /// The rest, of this number of characters, is left out.
    Rest(usize),
}

impl DiffPart {
    fn changed(text: &str) -> Self {
        Self::Changed(text.to_owned())
    }
}

fn parts(production: &str, candidate: &str) -> (Vec<DiffPart>, Vec<DiffPart>) {
    let (start, end) = common(production, candidate);
    let middle = |text: &str| {
        let middle = text.get(start..text.len().saturating_sub(end));
        middle.unwrap_or_default().to_owned()
    };
    let is_short = production.len().max(candidate.len()) <= LONGEST_BY_CHARACTER;
    let fits = |text: &str| {
        text.len() <= LONGEST_BY_WORD && text.tokenize_unicode_words().len() <= MOST_WORDS
    };
    if is_short {
        let diff = TextDiff::from_graphemes(production, candidate);
        // Texts with little in common read better whole than as scattered letters.
        if diff.ratio() >= LEAST_ALIKE {
            return collect(&diff);
        }
        return (
            vec![DiffPart::changed(production)],
            vec![DiffPart::changed(candidate)],
        );
    }
    if fits(production) && fits(candidate) {
        return collect(&TextDiff::from_unicode_words(production, candidate));
    }
    let (before, after) = (middle(production), middle(candidate));
    let (before, after) = if fits(&before) && fits(&after) {
        collect(&TextDiff::from_unicode_words(&before[..], &after[..]))
    } else {
        (
            vec![DiffPart::Changed(before)],
            vec![DiffPart::Changed(after)],
        )
    };
    let around = |parts: Vec<DiffPart>| {
        let text = |text: Option<&str>| DiffPart::Equal(text.unwrap_or_default().to_owned());
        let first = text(production.get(..start));
        let last = text(production.get(production.len().saturating_sub(end)..));
        let mut all = vec![first];
        all.extend(parts);
        all.push(last);
        all.retain(
            |part| !matches!(part, DiffPart::Equal(text) | DiffPart::Changed(text) if text.is_empty()),
        );
        all
    };
    (around(before), around(after))
}

/// The bytes with which both texts begin, and those with which both end, in whole characters.
fn common(one: &str, other: &str) -> (usize, usize) {
    let start: usize = one
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    let rest = |text: &str| text.get(start..).unwrap_or_default().to_owned();
    let (one, other) = (rest(one), rest(other));
    let end = one
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    (start, end)
}

fn collect(diff: &TextDiff<'_, '_, str>) -> (Vec<DiffPart>, Vec<DiffPart>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut before, change.value(), false);
                push(&mut after, change.value(), false);
            }
            ChangeTag::Delete => push(&mut before, change.value(), true),
            ChangeTag::Insert => push(&mut after, change.value(), true),
        }
    }
    (before, after)
}

/// Appends a text to the last part, if that is of the same kind.
fn push(parts: &mut Vec<DiffPart>, text: &str, is_changed: bool) {
    match parts.last_mut() {
        Some(DiffPart::Changed(last)) if is_changed => last.push_str(text),
        Some(DiffPart::Equal(last)) if !is_changed => last.push_str(text),
        _ if is_changed => parts.push(DiffPart::changed(text)),
        _ => parts.push(DiffPart::Equal(text.to_owned())),
    }
}

/// The parts without long equal texts, and cut after `longest` characters.
fn shortened(parts: Vec<DiffPart>, longest: usize) -> Vec<DiffPart> {
    let last = parts.len().saturating_sub(1);
    let mut short = Vec::with_capacity(parts.len());
    for (place, part) in parts.into_iter().enumerate() {
        match part {
            DiffPart::Equal(text) if last > 0 && text.chars().count() > LONGEST_EQUAL => {
                let characters = text.chars().count();
                let (mut left_out, mut tail) = (characters, None);
                if place > 0 {
                    short.push(DiffPart::Equal(text.chars().take(CONTEXT).collect()));
                    left_out = left_out.saturating_sub(CONTEXT);
                }
                if place < last {
                    tail = Some(
                        text.chars()
                            .skip(characters.saturating_sub(CONTEXT))
                            .collect(),
                    );
                    left_out = left_out.saturating_sub(CONTEXT);
                }
                short.push(DiffPart::Equally(left_out));
                short.extend(tail.map(DiffPart::Equal));
            }
            part => short.push(part),
        }
    }
    cut(short, longest)
}

fn cut(parts: Vec<DiffPart>, longest: usize) -> Vec<DiffPart> {
    let (mut room, mut rest) = (longest, 0_usize);
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            DiffPart::Equally(characters) | DiffPart::Rest(characters) if room == 0 => {
                rest += characters;
            }
            DiffPart::Equally(_) | DiffPart::Rest(_) => kept.push(part),
            DiffPart::Equal(ref text) | DiffPart::Changed(ref text) => {
                let characters = text.chars().count();
                let taken = characters.min(room);
                room -= taken;
                rest += characters - taken;
                if taken == characters {
                    kept.push(part);
                } else if taken > 0 {
                    let head = text.chars().take(taken).collect();
                    let is_changed = matches!(part, DiffPart::Changed(_));
                    kept.push(if is_changed {
                        DiffPart::Changed(head)
                    } else {
                        DiffPart::Equal(head)
                    });
                }
            }
        }
    }
    if rest > 0 {
        kept.push(DiffPart::Rest(rest));
    }
    kept
}

fn shown(parts: &[DiffPart], side: Side) -> Markup {
    html! {
        @for part in parts {
            @match (part, side) {
                (DiffPart::Equal(text), _) => (marked(text)),
                (DiffPart::Changed(text), Side::Production) => del { (changed(text)) },
                (DiffPart::Changed(text), Side::Candidate) => ins { (changed(text)) },
                (DiffPart::Equally(characters), _) => {
                    span.cut { "[" (count(*characters)) " equal characters left out]" }
                }
                (DiffPart::Rest(characters), _) => {
                    span.cut { "[" (count(*characters)) " more characters left out]" }
                }
            }
        }
    }
}

/// A changed text, in which line feeds and tabs have marks too.
fn changed(text: &str) -> Markup {
    html! {
        @for (number, line) in text.split('\n').enumerate() {
            @if number > 0 { span.sign title="line feed" { "↵" } "\n" }
            @for (number, cell) in line.split('\t').enumerate() {
                @if number > 0 { span.sign title="tab" { "⇥" } "\t" }
                (marked(cell))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(parts: &[DiffPart], wanted: fn(&DiffPart) -> bool) -> String {
        let texts = parts.iter().filter(|part| wanted(part));
        texts
            .map(|part| match part {
                DiffPart::Equal(text) | DiffPart::Changed(text) => &text[..],
                DiffPart::Equally(_) | DiffPart::Rest(_) => "",
            })
            .collect()
    }

    fn is_equal(part: &DiffPart) -> bool {
        matches!(part, DiffPart::Equal(_))
    }

    #[test]
    fn a_short_text_is_compared_by_character() {
        let (before, after) = parts("1,250.00", "1,205.00");
        assert_eq!(text(&before, |_| true), "1,250.00");
        assert!(before.len() > 1 && after.len() > 1, "{before:?} {after:?}");
        assert!(text(&before, is_equal).starts_with("1,2"));
        assert!(text(&after, is_equal).ends_with(".00"));
    }

    #[test]
    fn texts_with_little_in_common_are_marked_whole() {
        let (before, after) = parts("Northwind", "Globex AG");
        assert_eq!(before, [DiffPart::changed("Northwind")]);
        assert_eq!(after, [DiffPart::changed("Globex AG")]);
    }

    #[test]
    fn a_long_text_is_compared_by_word() {
        let words =
            "the buyer pays the price within thirty days of the date of the invoice, ".repeat(3);
        let (before, after) = parts(&format!("{words}30 days"), &format!("{words}60 days"));
        assert_eq!(
            before,
            [
                DiffPart::Equal(words.clone()),
                DiffPart::changed("30"),
                DiffPart::Equal(" days".into())
            ]
        );
        assert_eq!(
            after,
            [
                DiffPart::Equal(words),
                DiffPart::changed("60"),
                DiffPart::Equal(" days".into())
            ]
        );
    }

    #[test]
    fn equal_text_around_a_change_is_left_out_and_counted() {
        let long = "x".repeat(50_000);
        let (before, _) = parts(&format!("{long}A{long}"), &format!("{long}B{long}"));
        let short = shortened(before, 4_000);
        let (context, left_out) = ("x".repeat(80), 50_000 - 80);
        assert_eq!(
            short,
            [
                DiffPart::Equally(left_out),
                DiffPart::Equal(context.clone()),
                DiffPart::changed("A"),
                DiffPart::Equal(context),
                DiffPart::Equally(left_out),
            ]
        );
    }

    #[test]
    fn a_text_is_cut_after_the_longest_and_the_rest_is_counted() {
        let whole = |characters| shortened(vec![DiffPart::Changed("é".repeat(characters))], 400);
        assert_eq!(whole(400), [DiffPart::Changed("é".repeat(400))]);
        assert_eq!(
            whole(401),
            [DiffPart::Changed("é".repeat(400)), DiffPart::Rest(1)]
        );
    }

    #[test]
    fn a_changed_line_feed_and_tab_are_seen() {
        let (before, after) = sides("a\tb", "a\nb", 400);
        assert!(before.into_string().contains("⇥"));
        assert!(after.into_string().contains("↵"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Either side is its text, and what is not marked is the same on both.
        #[test]
        fn the_parts_are_the_texts_and_their_equal_parts_agree(
            common in "[ab \u{e9}\u{1f600}]{0,200}", one in "[abc ]{0,80}", other in "[abc ]{0,80}", repeat in 1_usize..80,
        ) {
            let one = format!("{}{one}{common}", common.repeat(repeat));
            let other = format!("{}{other}{common}", common.repeat(repeat));
            let (before, after) = parts(&one, &other);
            prop_assert_eq!(text(&before, |_| true), one);
            prop_assert_eq!(text(&after, |_| true), other);
            prop_assert_eq!(text(&before, is_equal), text(&after, is_equal));
        }

        /// However long the texts are, no more than the longest and the context are shown.
        #[test]
        fn a_side_is_never_longer_than_allowed(one in "[ab]{0,3000}", other in "[ab]{0,3000}") {
            let (before, _) = parts(&one, &other);
            let shown = text(&shortened(before, 500), |_| true);
            prop_assert!(shown.chars().count() <= 500);
        }
    }
}
