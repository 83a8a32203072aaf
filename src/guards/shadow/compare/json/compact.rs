//! Values as text for a review page: one line, cut after so many characters.

use serde_json::{Value, map};

use crate::guards::shadow::compare::excerpt::{Excerpt, excerpt};

/// A value as a reviewer reads it: a text as it is, anything else as compact JSON.
pub(super) fn readable(value: &Value, chars: usize) -> String {
    match value {
        Value::String(text) => excerpt(text, chars),
        value => compact(value, chars),
    }
}

enum Open<'a> {
    Array(std::slice::Iter<'a, Value>),
    Object(map::Iter<'a>),
}

/// A value as compact JSON. It does not recurse, because a value can be nested deeper than the
/// stack.
pub(super) fn compact(value: &Value, chars: usize) -> String {
    let mut text = Excerpt::of_at_most(chars);
    let mut open = Vec::new();
    begin(&mut text, value, &mut open);
    let mut is_first = true;
    while let Some(innermost) = open.last_mut() {
        let (key, value, end) = match innermost {
            Open::Array(elements) => (None, elements.next(), "]"),
            Open::Object(members) => match members.next() {
                Some((key, value)) => (Some(key), Some(value), "}"),
                None => (None, None, "}"),
            },
        };
        let Some(value) = value else {
            text.push(end);
            open.pop();
            is_first = false;
            continue;
        };
        if !is_first {
            text.push(",");
        }
        if let Some(key) = key {
            text.push(&quoted(key));
            text.push(":");
        }
        is_first = begin(&mut text, value, &mut open);
    }
    text.finish()
}

/// Writes a value, or only its opening bracket; whether something was opened.
fn begin<'a>(text: &mut Excerpt, value: &'a Value, open: &mut Vec<Open<'a>>) -> bool {
    match value {
        Value::Null => text.push("null"),
        Value::Bool(value) => text.push(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push(&number.to_string()),
        Value::String(string) => text.push(&quoted(string)),
        Value::Array(elements) => {
            text.push("[");
            open.push(Open::Array(elements.iter()));
            return true;
        }
        Value::Object(members) => {
            text.push("{");
            open.push(Open::Object(members.iter()));
            return true;
        }
    }
    false
}

fn quoted(text: &str) -> String {
    // Writing a text as JSON fails only if memory does.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_values_are_written_in_one_line() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([[], {}, [1, [2]], "a\"\n"]),
            json!({"a": {"b": [1, {"c": true}], "d": null}, "e/f": -0.5}),
        ] {
            assert_eq!(compact(&value, 1_000), value.to_string());
        }
    }

    proptest! {
        #[test]
        fn an_array_of_numbers_is_written_as_serde_json_writes_it(
            numbers in prop::collection::vec(any::<i64>(), 0..20),
            chars in 0_usize..50,
        ) {
            let written = json!(numbers).to_string();
            let shown = compact(&json!(numbers), chars);
            if written.len() <= chars {
                prop_assert_eq!(shown, written);
            } else {
                let cut = written.len() - chars;
                prop_assert_eq!(shown, format!("{}… ({cut} more characters)", &written[..chars]));
            }
        }
    }
}
