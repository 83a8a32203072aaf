//! P6: what a shadow run calls a difference.

use fusebox::call::{Comparison, Difference, DifferenceKind};
use fusebox::shadow::compare::{Compare, JsonFields, JsonFieldsBuilder};
use serde_json::Value;

mod deep;
mod fields;
mod laws;
mod limits;
mod patch;
mod settings;
mod text;
mod tolerance;
mod unordered;

/// A comparison in short: `=` for a match, `?` for not comparable, else the differences.
fn told(comparison: &Comparison) -> Vec<String> {
    match comparison {
        Comparison::Match => vec!["=".to_owned()],
        Comparison::NotComparable(why) => vec![format!("? {why}")],
        Comparison::Diverged(differences) => {
            assert!(differences.iter().any(|difference| difference.critical));
            differences.iter().map(short).collect()
        }
        Comparison::Ignored(differences) => {
            assert!(!differences.iter().any(|difference| difference.critical));
            differences.iter().map(short).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A difference in short: `/a: 1 -> 2`, or `/a: 1 -> "1" (type)`, with `-` for a value that is not
/// there, and in brackets unless it is critical.
fn short(difference: &Difference) -> String {
    let [one, other] = [&difference.production, &difference.candidate]
        .map(|value| value.as_deref().unwrap_or("-"));
    match difference.kind {
        DifferenceKind::Added => assert!(difference.production.is_none()),
        DifferenceKind::Missing => assert!(difference.candidate.is_none()),
        _ => assert!(difference.production.is_some() && difference.candidate.is_some()),
    }
    let kind = match difference.kind {
        DifferenceKind::TypeChanged => " (type)",
        _ => "",
    };
    let text = format!("{}: {one} -> {other}{kind}", difference.field);
    if difference.critical {
        text
    } else {
        format!("[{text}]")
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn compared(fields: &JsonFields, production: &str, candidate: &str) -> Vec<String> {
    told(&fields.compare(&json(production), &json(candidate)))
}

/// Whether each pair of answers, as JSON, compares as expected.
fn check(fields: JsonFieldsBuilder, rows: &[(&str, &str, &[&str])]) {
    let fields = fields.build().unwrap();
    for (production, candidate, expected) in rows {
        let found = compared(&fields, production, candidate);
        assert_eq!(found, *expected, "{production} against {candidate}");
    }
}
