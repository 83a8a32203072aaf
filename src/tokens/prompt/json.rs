//! JSON values of any depth, without recursion: a value that is built by hand may be deeper than
//! the stack.

use serde_json::{Map, Value};

/// Deeper values are kept as text.
const MOST_LEVELS: usize = 64;

/// The bytes of a value as compact JSON.
pub(crate) fn length(value: &Value) -> u64 {
    let mut bytes = 0;
    write(value, |text| {
        bytes += text.len() as u64;
        true
    });
    bytes
}

/// The first `most` characters of a value as compact JSON.
pub(crate) fn start(value: &Value, most: usize) -> String {
    let mut start = String::new();
    let mut left = most;
    write(value, |text| {
        start.extend(text.chars().take(left));
        left = left.saturating_sub(text.chars().count());
        left > 0
    });
    start
}

/// The value with its parts below 64 levels as texts, so that it can be read, printed and dropped
/// by recursion.
pub(crate) fn flattened(mut value: Value) -> Value {
    let mut open = vec![(&mut value, 0)];
    while let Some((value, level)) = open.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if level == MOST_LEVELS => {
                let deep = std::mem::take(value);
                let mut text = String::new();
                write(&deep, |part| {
                    text.push_str(part);
                    true
                });
                discard(deep);
                *value = Value::String(text);
            }
            Value::Array(items) => open.extend(items.iter_mut().map(|item| (item, level + 1))),
            Value::Object(entries) => {
                open.extend(entries.values_mut().map(|value| (value, level + 1)));
            }
            _ => {}
        }
    }
    value
}

/// Drops a value level by level.
fn discard(value: Value) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => open.extend(entries.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// A list or an object that is being written, and whether nothing of it is written yet.
enum Open<'a> {
    List(std::slice::Iter<'a, Value>, bool),
    Object(serde_json::map::Iter<'a>, bool),
}

impl<'a> Open<'a> {
    fn list(items: &'a [Value]) -> Self {
        Self::List(items.iter(), true)
    }

    fn object(entries: &'a Map<String, Value>) -> Self {
        Self::Object(entries.iter(), true)
    }
}

/// Writes a value as compact JSON, piece by piece, until `put` returns false.
fn write(value: &Value, mut put: impl FnMut(&str) -> bool) {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value);
    loop {
        let goes_on = match next.take() {
            Some(Value::Array(items)) => {
                open.push(Open::list(items));
                put("[")
            }
            Some(Value::Object(entries)) => {
                open.push(Open::object(entries));
                put("{")
            }
            Some(plain) => put(&plain.to_string()),
            None => true,
        };
        let Some(top) = open.last_mut().filter(|_| goes_on) else {
            return;
        };
        let goes_on = match top {
            Open::List(items, is_first) => {
                if let Some(item) = items.next() {
                    next = Some(item);
                    std::mem::take(is_first) || put(",")
                } else {
                    open.pop();
                    put("]")
                }
            }
            Open::Object(entries, is_first) => {
                if let Some((key, value)) = entries.next() {
                    next = Some(value);
                    let key = Value::from(key.as_str());
                    (std::mem::take(is_first) || put(",")) && put(&format!("{key}:"))
                } else {
                    open.pop();
                    put("}")
                }
            }
        };
        if !goes_on {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// Lists in lists, around a number.
    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(7), |inner, _| Value::Array(vec![inner]))
    }

    proptest! {
        #[test]
        fn a_value_is_written_as_its_own_crate_writes_it(value in value(), most in 0_usize..90) {
            let text = value.to_string();
            prop_assert_eq!(length(&value), text.len() as u64);
            prop_assert_eq!(start(&value, usize::MAX), text.clone());
            prop_assert_eq!(start(&value, most), text.chars().take(most).collect::<String>());
            prop_assert_eq!(flattened(value.clone()), value);
        }
    }

    #[test]
    fn what_is_too_deep_becomes_text() {
        let depth = 64;
        assert_eq!(flattened(nested(depth)), nested(depth));
        let as_text = (0..depth).fold(json!("[[7]]"), |inner, _| json!([inner]));
        assert_eq!(flattened(nested(depth + 2)), as_text);
        let as_text = (0..depth).fold(json!(r#"{"a":[7]}"#), |inner, _| json!({ "a": inner }));
        let objects = (0..=depth).fold(json!([7]), |inner, _| json!({ "a": inner }));
        assert_eq!(flattened(objects), as_text);
    }

    /// A test's thread has a stack of 2 MB, of which 20,000 levels would take more.
    #[test]
    fn twenty_thousand_levels_take_no_stack() {
        let deep = nested(20_000);
        assert_eq!(length(&deep), 40_001);
        assert_eq!(start(&deep, 5), "[[[[[");
        let flat = flattened(deep);
        assert_eq!(length(&flat), 40_001 + 2);
    }
}
