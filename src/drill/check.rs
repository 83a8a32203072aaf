//! What became of an expectation, and of a drill.

use std::fmt;

use serde::Serialize;

/// An expectation of a drill, and what became of it. Printed as one line of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was expected, as a sentence.
    pub expected: String,
    /// What became of it.
    pub outcome: DrillOutcome,
    /// What was seen, as a sentence.
    pub seen: String,
}

/// What became of a drill, or of one of its expectations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DrillOutcome {
    /// It was as expected.
    Passed,
    /// Nothing can be said: no document arrived, no fault met a document, or nothing was expected.
    /// That is no pass.
    Blind,
    /// It was not as expected.
    Failed,
}

impl fmt::Display for DrillOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Blind => "blind",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            expected,
            outcome,
            seen,
        } = self;
        write!(f, "{outcome}: {expected}: {seen}")
    }
}
