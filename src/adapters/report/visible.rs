//! Hostile text, made visible: every character that a reader would not see has a mark.

use std::borrow::Cow;
use std::fmt::Write;

use maud::{Markup, html};

/// Text as a page shows it: isolated from the direction of what surrounds it, with a mark for each
/// character that has no picture of its own.
pub(super) fn isolated(text: &str) -> Markup {
    html! { bdi { (marked(text)) } }
}

/// The same without the isolation, for a part of an isolated text.
pub(super) fn marked(text: &str) -> Markup {
    html! {
        @for piece in pieces(text) {
            @match piece {
                Piece::Plain(text) => (text),
                Piece::Hidden(c) => span.sign title=(code_point(c)) { (sign(c)) },
            }
        }
    }
}

/// Text where no markup can stand, as in a title or an option.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text
        .chars()
        .all(|c| !is_hidden(c) && c != '\n' && c != '\t')
    {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => shown.push_str(&text.replace(['\n', '\t'], " ")),
            Piece::Hidden(c) => shown.push_str(&sign(c)),
        }
    }
    Cow::Owned(shown)
}

/// JSON whose texts hold no character that a reader would not see, nor one that means something in
/// HTML. It has the same meaning as before: such characters occur in texts only.
pub(super) fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) || matches!(c, '<' | '>' | '&') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

enum Piece<'a> {
    Plain(&'a str),
    Hidden(char),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let after = characters.peek().map(|(_, after)| *after);
        if is_hidden(c) && !joins_emoji(before, c, after) {
            pieces.extend(
                text.get(start..at)
                    .filter(|plain| !plain.is_empty())
                    .map(Piece::Plain),
            );
            pieces.push(Piece::Hidden(c));
            start = at + c.len_utf8();
        }
        before = Some(c);
    }
    pieces.extend(
        text.get(start..)
            .filter(|plain| !plain.is_empty())
            .map(Piece::Plain),
    );
    pieces
}

/// Whether a character that has no picture makes one of its neighbours': a family of emoji is
/// joined by them.
fn joins_emoji(before: Option<char>, c: char, after: Option<char>) -> bool {
    let is_emoji = |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
    match c {
        '\u{200d}' => {
            before.is_some_and(|c| is_emoji(c) || c == '\u{fe0f}') && after.is_some_and(is_emoji)
        }
        '\u{fe0f}' => before.is_some_and(|c| is_emoji(c) || matches!(c, '0'..='9' | '#' | '*')),
        _ => false,
    }
}

/// Whether a reader would not see the character, or not for what it is: controls other than a line
/// feed and a tab, white space that is no plain space, noncharacters, and what the Unicode standard
/// lists as `Default_Ignorable_Code_Point` and `Bidi_Control` (UAX 44; both lists are closed under
/// later versions for the ranges below).
pub(super) fn is_hidden(c: char) -> bool {
    if matches!(c, ' ' | '\n' | '\t') {
        return false;
    }
    c.is_control()
        || c.is_whitespace()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The name of an ASCII control, or the number of the character. Unicode's pictures of controls are
/// missing in many fonts.
fn sign(c: char) -> String {
    let name = usize::try_from(u32::from(c))
        .ok()
        .and_then(|code| CONTROLS.get(code));
    match name {
        Some(name) if c.is_control() => (*name).to_owned(),
        _ if c == '\u{7f}' => "DEL".to_owned(),
        _ => code_point(c),
    }
}

const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
];

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// The lists of the Unicode database, as the crate `regex` has them.
    #[test]
    fn every_character_that_unicode_calls_ignorable_or_a_control_is_hidden() {
        let hidden = r"^[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Cf}\p{White_Space}\p{Noncharacter_Code_Point}]$";
        let hidden = Regex::new(hidden).unwrap();
        let shows = Regex::new(r"^[\p{Prepended_Concatenation_Mark}\x{13430}-\x{1343f}]$").unwrap();
        let mut wrong = Vec::new();
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let text = c.to_string();
            let expected = (hidden.is_match(&text) && !shows.is_match(&text)) || c == '\u{2800}';
            let is_plain = matches!(c, ' ' | '\n' | '\t');
            if is_hidden(c) != (expected && !is_plain) {
                wrong.push(code_point(c));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_hidden_character_shows_its_name_or_its_number() {
        assert_eq!(plain("a\0b"), "aNULb");
        assert_eq!(plain("\u{7f}\r\u{1f}"), "DELCRUS");
        assert_eq!(plain("abc\u{202e}fdp"), "abcU+202Efdp");
        assert_eq!(plain("1\u{a0}000\u{e0041}"), "1U+00A0000U+E0041");
        assert_eq!(plain("two\nlines"), "two lines");
    }

    #[test]
    fn emoji_stay_whole_and_a_joiner_elsewhere_shows() {
        for emoji in ["👩‍👩‍👧", "❤️", "🏳️‍🌈", "1️⃣"] {
            assert_eq!(plain(emoji), emoji);
        }
        assert_eq!(plain("pay\u{200d}pal"), "payU+200Dpal");
        assert_eq!(plain("👩\u{200d}"), "👩U+200D");
        assert_eq!(plain("a\u{fe0f}"), "aU+FE0F");
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_meaning_and_nothing_hidden(text in "\\PC*|[\\x00-\\x{2100}<>&\\u{e0001}]*") {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escaped_json(&json);
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
            prop_assert!(!escaped.chars().any(|c| is_hidden(c) || matches!(c, '<' | '>' | '&')));
        }

        #[test]
        fn text_without_hidden_characters_is_shown_as_it_is(text in "[a-zA-Z0-9äöüßéàñ文書العربيةעברית .,:;<>&'\"-]*") {
            prop_assert_eq!(plain(&text), &text[..]);
        }
    }
}
