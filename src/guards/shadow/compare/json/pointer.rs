//! Places in a JSON value: RFC 6901 pointers, and patterns of them.

use std::borrow::Cow;
use std::fmt::Write;

use crate::name::Field;

/// One step down: into an object or into an array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// The pointer of the place that these steps lead to; empty for the whole value.
pub(super) fn pointer(path: &[Segment<'_>]) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Key(key) => {
                for c in key.chars() {
                    match c {
                        '~' => pointer.push_str("~0"),
                        '/' => pointer.push_str("~1"),
                        c => pointer.push(c),
                    }
                }
            }
            Segment::Index(index) => {
                // Writing into a `String` cannot fail.
                let _ = write!(pointer, "{index}");
            }
        }
    }
    pointer
}

/// The pointer of a field that may be the name of a top-level key.
pub(super) fn of_field(field: &Field) -> Cow<'_, Field> {
    let name = field.as_str();
    if name.starts_with('/') || *field == Field::whole_answer() {
        return Cow::Borrowed(field);
    }
    Field::new(pointer(&[Segment::Key(name)])).map_or(Cow::Borrowed(field), Cow::Owned)
}

/// The segments of a pointer, unescaped; `None` if it is not one.
pub(super) fn parse(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let segments = pointer.strip_prefix('/')?.split('/');
    segments.map(unescaped).collect()
}

fn unescaped(segment: &str) -> Option<String> {
    let mut text = String::with_capacity(segment.len());
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointers_of_the_standard_are_read() {
        // The examples of RFC 6901, section 5.
        for (text, segments) in [
            ("", vec![]),
            ("/foo", vec!["foo"]),
            ("/foo/0", vec!["foo", "0"]),
            ("/", vec![""]),
            ("/a~1b", vec!["a/b"]),
            ("/c%d", vec!["c%d"]),
            ("/m~0n", vec!["m~n"]),
            ("/~01", vec!["~1"]),
        ] {
            assert_eq!(parse(text).unwrap(), segments, "{text}");
            let keys: Vec<_> = segments.iter().map(|key| Segment::Key(key)).collect();
            assert_eq!(pointer(&keys), text);
        }
        assert_eq!(pointer(&[Segment::Key("a"), Segment::Index(10)]), "/a/10");
    }

    #[test]
    fn a_text_that_is_no_pointer_is_refused() {
        for text in ["a", "a/b", "/~", "/~2", "/a~", "#/a", "$.a"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
