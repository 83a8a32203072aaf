//! The differences that a reviewer accepted on the page of an earlier run.

use std::fs;
use std::path::Path;

use fusebox::report::Marks;
use fusebox::shadow::IgnoreRules;

use crate::AnyError;
use crate::run::{BEGINS, CANDIDATE};

/// The rules that follow from a file of marks; prints them.
pub(crate) fn rules(file: &Path) -> Result<IgnoreRules, AnyError> {
    let failed = |error: String| format!("{}: {error}", file.display());
    let saved = fs::read(file).map_err(|error| failed(error.to_string()))?;
    let marks = Marks::read(saved).map_err(|error| failed(error.to_string()))?;
    let candidate = marks.candidate();
    if candidate.as_str() != CANDIDATE {
        let error = format!("marks of candidate `{candidate}`, expected `{CANDIDATE}`");
        return Err(failed(error).into());
    }
    let rules = marks.ignore_rules(BEGINS)?;
    println!(
        "{} marks of {}: {} kinds of difference accepted",
        marks.marks().len(),
        // The name comes from a file, which can hold what a terminal would obey.
        marks.reviewer().escape_debug(),
        rules.len()
    );
    for rule in rules.iter() {
        println!(
            "  {} {} ({:?}), until {}",
            rule.document_type, rule.field, rule.kind, rule.expires
        );
    }
    println!();
    Ok(rules)
}
