//! Texts in one line, of at most a number of characters.

/// The longest name of a guard, or of what is wrong, in characters.
const LONGEST_NAME: usize = 256;

/// A name that has no limit of its own, in one line.
pub(super) fn name(text: &str) -> String {
    one_line(text, LONGEST_NAME)
}

/// At most this many characters, in one line and without characters that change how text is shown.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let is_space = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    // A run of spaces is one.
    let words = text.split(is_space).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if line.len() > 4 * longest {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(longest + 1));
    }
    cut(&line, longest)
}

/// At most this many characters; the last one shows that more was there.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(longest.saturating_sub(1));
    kept.chain(std::iter::once('…')).collect()
}

/// The same in ASCII, as one that takes little else may have it.
pub(super) fn ascii(text: &str, longest: usize) -> String {
    let line = one_line(text, longest + 1).replace('…', "...");
    let plain = line.chars().map(|c| if c.is_ascii() { c } else { '?' });
    let plain: String = plain.collect();
    if plain.len() <= longest {
        return plain;
    }
    let kept = plain.chars().take(longest.saturating_sub(3));
    kept.chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character_and_shows_that_it_was() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("🔥🔥🔥🔥", 3), "🔥🔥…");
        assert_eq!(one_line(&"🔥".repeat(1_000_000), 5), "🔥🔥🔥🔥…");
        assert_eq!(ascii("abc", 3), "abc");
        assert_eq!(ascii("abcd", 3), "...");
        assert_eq!(ascii(&"ä".repeat(201), 200).len(), 200);
        assert_eq!(ascii("größer …", 200), "gr??er ...");
    }

    #[test]
    fn a_line_is_one_line() {
        let line = one_line("a\r\n\u{0}b\u{2028}\u{202e}c  \t", 10);
        assert_eq!(line, "a b c");
    }
}
