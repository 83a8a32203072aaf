//! The differences of two values as a comparison.

use serde_json::Value;

use super::canonical::canonical;
use super::compact::{compact, readable};
use super::pointer::pointer;
use super::rules::Scope;
use super::walk::{Found, LEVELS, Sink, Stop};
use crate::call::{Comparable, Comparison, Difference, DifferenceKind};
use crate::name::Field;

/// Keeps the first differences of a walk, critical ones before others, up to a number.
pub(super) struct Collector<'a> {
    most: usize,
    seen: usize,
    critical: Vec<Kept<'a>>,
    other: Vec<Kept<'a>>,
}

struct Kept<'a> {
    place: usize,
    pointer: String,
    scope: Scope<'a>,
    kind: DifferenceKind,
    production: Option<&'a Value>,
    candidate: Option<&'a Value>,
}

impl Collector<'_> {
    pub(super) fn of_at_most(differences: usize) -> Self {
        Self {
            most: differences,
            seen: 0,
            critical: Vec::new(),
            other: Vec::new(),
        }
    }

    /// The comparison, with values of at most so many characters.
    pub(super) fn finish(self, value_chars: usize) -> Comparison {
        let is_critical = !self.critical.is_empty();
        let room = self.most.saturating_sub(self.critical.len());
        let critical = self.critical.into_iter().map(|kept| (true, kept));
        let other = self.other.into_iter().map(|kept| (false, kept));
        let mut kept: Vec<_> = critical.chain(other.take(room)).collect();
        kept.sort_unstable_by_key(|(_, kept)| kept.place);
        let differences: Vec<_> = kept
            .into_iter()
            .map(|(critical, kept)| kept.difference(critical, value_chars))
            .collect();
        if is_critical {
            Comparison::Diverged(differences)
        } else if differences.is_empty() {
            Comparison::Match
        } else {
            Comparison::Ignored(differences)
        }
    }
}

impl<'a> Sink<'a> for Collector<'a> {
    fn found(&mut self, found: Found<'_, 'a>) -> Result<(), Stop> {
        let mut sides = found.production.into_iter().chain(found.candidate);
        let is_critical = sides.any(|value| found.scope.is_critical_in(value));
        let list = if is_critical {
            &mut self.critical
        } else {
            &mut self.other
        };
        if list.len() < self.most {
            list.push(Kept {
                place: self.seen,
                pointer: pointer(found.path),
                scope: found.scope.clone(),
                kind: found.kind,
                production: found.production,
                candidate: found.candidate,
            });
            self.seen += 1;
        } else if is_critical {
            return Err(Stop::Enough);
        }
        Ok(())
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

impl Kept<'_> {
    fn difference(self, critical: bool, chars: usize) -> Difference {
        // With different types, quotes tell a text from what it looks like.
        let shown = |value: &Value| match self.kind {
            DifferenceKind::TypeChanged => compact(value, chars),
            _ => readable(value, chars),
        };
        let comparable = |value: &Value| match canonical(value, &self.scope, LEVELS) {
            Some(form) => Some(Comparable::Form(form)),
            None => is_scalar(value).then(|| Comparable::Value(value.clone())),
        };
        Difference {
            production: self.production.map(shown),
            candidate: self.candidate.map(shown),
            comparable: self.candidate.and_then(comparable),
            field: Field::new(&self.pointer).unwrap_or_else(|_| Field::whole_answer()),
            kind: self.kind,
            critical,
        }
    }
}
