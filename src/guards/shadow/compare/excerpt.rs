//! Values as texts of bounded length, for the review.

use crate::call::Difference;
use crate::name::Field;

/// The number of characters that are kept of each value, by default.
pub(super) const VALUE_CHARS: usize = 2_000;

/// The first characters of a text that is written piece by piece, and the number of the others.
#[derive(Debug)]
pub(super) struct Excerpt {
    text: String,
    room: usize,
    cut: usize,
}

impl Excerpt {
    pub(super) fn of_at_most(chars: usize) -> Self {
        Self {
            text: String::new(),
            room: chars,
            cut: 0,
        }
    }

    pub(super) fn push(&mut self, piece: &str) {
        let chars = piece.chars().count();
        if chars <= self.room {
            self.text.push_str(piece);
            self.room -= chars;
        } else {
            self.text.extend(piece.chars().take(self.room));
            self.cut += chars - self.room;
            self.room = 0;
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.cut > 0 {
            let mark = format!("… ({} more characters)", self.cut);
            self.text.push_str(&mark);
        }
        self.text
    }
}

/// A text, cut after so many characters with a mark that counts the rest.
pub(super) fn excerpt(text: &str, chars: usize) -> String {
    let mut excerpt = Excerpt::of_at_most(chars);
    excerpt.push(text);
    excerpt.finish()
}

/// The difference of two texts that are whole answers.
pub(super) fn answers_differ(production: &str, candidate: &str) -> Difference {
    Difference::changed(Field::whole_answer()).between(
        excerpt(production, VALUE_CHARS),
        excerpt(candidate, VALUE_CHARS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_many_are_missing() {
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöü", 2), "äö… (1 more characters)");
        assert_eq!(excerpt("", 0), "");
    }

    #[test]
    fn pieces_count_together() {
        let mut excerpt = Excerpt::of_at_most(3);
        for piece in ["ab", "cd", "ef"] {
            excerpt.push(piece);
        }
        assert_eq!(excerpt.finish(), "abc… (3 more characters)");
    }
}
