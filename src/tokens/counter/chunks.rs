//! Splits a text where OpenAI's encodings also split it, so that the counts of the parts add up to
//! the count of the whole.

/// Parts of a text of about `size` bytes.
///
/// The encodings split a text by a regular expression before they merge bytes, and no piece
/// contains a letter or digit followed by a space, a line feed, a full stop or a comma; so a split
/// between the two changes no count. A text without such a place stays whole.
pub(super) fn chunks(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (chunk, after) = rest.split_at_checked(cut(rest, size)).unwrap_or((rest, ""));
        rest = after;
        Some(chunk)
    })
}

/// The first safe place at or after `size` bytes.
fn cut(text: &str, size: usize) -> usize {
    let mut start = size;
    while start < text.len() && !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = text.get(start..).unwrap_or_default();
    let mut before = None;
    for (at, c) in tail.char_indices() {
        if before.is_some_and(is_letter_or_digit) && ends_a_word(c) {
            return start + at;
        }
        before = Some(c);
    }
    text.len()
}

/// Characters of the most common scripts that Unicode classifies as letters or digits.
fn is_letter_or_digit(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c,
            'А'..='я' | 'Α'..='Ρ' | 'α'..='ω' | 'א'..='ת' | 'ء'..='غ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='\u{9fa5}' | '가'..='힣')
}

fn ends_a_word(c: char) -> bool {
    matches!(c, ' ' | '\n' | '.' | ',' | '。' | '，' | '、')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_only_between_a_letter_and_what_ends_a_word() {
        let cut: Vec<_> = chunks("don't stop, 12.50 EUR  now", 1).collect();
        assert_eq!(cut, ["don't", " stop", ", 12", ".50", " EUR", "  now"]);
        let cut: Vec<_> = chunks("你好，世界。", 1).collect();
        assert_eq!(cut, ["你好", "，世界", "。"]);
        let spaces = " ".repeat(100);
        assert_eq!(chunks(&spaces, 10).count(), 1);
        assert_eq!(chunks("", 10).count(), 0);
    }
}
