//! The one text that all values share which are equal under the rules.

use std::fmt::Write;

use serde_json::Value;

use super::decimal;
use super::pointer::Segment;
use super::rules::Scope;

/// The canonical text of a value: numbers as canonical decimals, objects sorted by key, unordered
/// arrays sorted by the canonical texts of their elements, texts in their form, without what is
/// ignored. `None` if it is nested deeper than `levels`, or if a tolerance applies in it: agreeing
/// within a tolerance is not transitive, so that no such text exists.
pub(super) fn canonical(value: &Value, scope: &Scope<'_>, levels: usize) -> Option<String> {
    let mut text = String::new();
    (!scope.has_tolerance())
        .then(|| write(&mut text, value, scope, levels))
        .flatten()?;
    Some(text)
}

fn write(text: &mut String, value: &Value, scope: &Scope<'_>, levels: usize) -> Option<()> {
    if scope.is_ignored() {
        return Some(());
    }
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(&decimal::canonical(&number.to_string())),
        Value::String(string) => match scope.normalised(string) {
            Some(normalised) => text.push_str(&serde_json::to_string(&normalised).ok()?),
            None => text.push_str(&serde_json::to_string(string).ok()?),
        },
        Value::Object(members) => {
            let levels = levels.checked_sub(1)?;
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in members {
                let scope = scope.key(key);
                if !scope.is_ignored() {
                    text.push_str(&serde_json::to_string(key).ok()?);
                    text.push(':');
                    write(text, value, &scope, levels)?;
                    text.push(',');
                }
            }
            text.push('}');
        }
        Value::Array(elements) if scope.is_unordered() => {
            let (levels, scope) = (levels.checked_sub(1)?, scope.any_element());
            let mut texts = Vec::new();
            if !scope.is_ignored() {
                for element in elements {
                    let mut text = String::new();
                    write(&mut text, element, &scope, levels)?;
                    texts.push(text);
                }
            }
            texts.sort_unstable();
            text.push('[');
            for element in &texts {
                text.push_str(element);
                text.push(',');
            }
            text.push(']');
        }
        Value::Array(elements) => {
            let levels = levels.checked_sub(1)?;
            text.push('[');
            for (index, element) in (0..).zip(elements) {
                let scope = scope.step(Segment::Index(index));
                if !scope.is_ignored() {
                    // An ignored element still takes its place.
                    write!(text, "{index}:").ok()?;
                    write(text, element, &scope, levels)?;
                    text.push(',');
                }
            }
            text.push(']');
        }
    }
    Some(())
}
