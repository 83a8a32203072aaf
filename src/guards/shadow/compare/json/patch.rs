//! The differences as a JSON patch.

use serde_json::{Value, json};

use super::pointer::{Segment, pointer};
use super::rules::Scope;
use super::walk::{Found, LEVELS, Sink, Stop, walk};
use crate::call::DifferenceKind;

/// The operations of RFC 6902 that turn production's value into the candidate's, as far as they
/// differ; `None` if that cannot be found out.
pub(super) fn patch(production: &Value, candidate: &Value, scope: &Scope<'_>) -> Option<Value> {
    let mut operations = Operations::default();
    walk(production, candidate, scope, &mut operations).ok()?;
    // From the end, so that no removal moves an element that another one means.
    let removals = operations.removals.into_iter().rev();
    Some(operations.edits.into_iter().chain(removals).collect())
}

#[derive(Default)]
struct Operations {
    edits: Vec<Value>,
    removals: Vec<Value>,
}

impl<'a> Sink<'a> for Operations {
    fn found(&mut self, found: Found<'_, 'a>) -> Result<(), Stop> {
        let path = match (found.kind, found.path.split_last()) {
            // Whatever the index is in the candidate's array, here the array may be shorter.
            (DifferenceKind::Added, Some((Segment::Index(_), array))) => pointer(array) + "/-",
            _ => pointer(found.path),
        };
        let Some(value) = found.candidate else {
            self.removals.push(json!({"op": "remove", "path": path}));
            return Ok(());
        };
        if !is_within(value, LEVELS) {
            return Err(Stop::TooDeep);
        }
        let op = match found.kind {
            DifferenceKind::Added => "add",
            _ => "replace",
        };
        self.edits
            .push(json!({"op": op, "path": path, "value": value.clone()}));
        Ok(())
    }
}

/// Whether a value is nested at most so many levels deep, so that it can be copied.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(elements) => levels
            .checked_sub(1)
            .is_some_and(|levels| elements.iter().all(|value| is_within(value, levels))),
        Value::Object(members) => levels
            .checked_sub(1)
            .is_some_and(|levels| members.values().all(|value| is_within(value, levels))),
        _ => true,
    }
}
