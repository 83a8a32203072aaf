//! How a candidate's answer compares with production's, and how a document ended in a shadow run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::FailureKind;
use crate::name::{Field, VersionId};

/// How a candidate's answer compares with production's answer to the same document.
///
/// ```
/// use fusebox::Field;
/// use fusebox::call::{Comparison, Difference};
///
/// let total = Difference::changed(Field::new("/total")?).between("12.50", "1250");
/// let comparison = Comparison::Diverged(vec![total]);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum Comparison {
    /// The answers differ in a way that counts, in these fields; the list is empty when they differ
    /// as a whole.
    Diverged(Vec<Difference>),
    /// The answers differ only in fields whose differences do not count.
    Ignored(Vec<Difference>),
    /// The answers agree.
    Match,
    /// The answers cannot be compared, or a judge could not decide, for this reason.
    NotComparable(String),
}

/// A field in which a candidate's answer differs from production's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// The field: a name of your own, or the JSON pointer of a value (`/lines/0/amount`).
    pub field: Field,
    /// In which way it differs.
    pub kind: DifferenceKind,
    /// Whether the difference makes the document diverge.
    pub critical: bool,
    /// Production's value as text; `None` if it has none, or if it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<String>,
    /// The candidate's value as text; `None` if it has none, or if it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// What of the candidate's value can be compared with a value that people settle on. It is never
    /// written.
    #[serde(skip)]
    pub(crate) comparable: Option<Comparable>,
}

/// A candidate's value, for a comparison with another one later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparable {
    /// The form that all equal values share.
    Form(String),
    /// The value itself, where there is no such form and it is neither an object nor an array.
    Value(Value),
}

/// In which way a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Only the candidate has it.
    Added,
    /// The values differ.
    Changed,
    /// Only production has it.
    Missing,
    /// The values have different types, such as a text and a number.
    TypeChanged,
}

impl Difference {
    /// A field that both answers have, with different values.
    pub fn changed(field: Field) -> Self {
        Self::new(field, DifferenceKind::Changed)
    }

    /// A field that differs in this way. It is critical, and has no values.
    pub fn new(field: Field, kind: DifferenceKind) -> Self {
        Self {
            field,
            kind,
            critical: true,
            production: None,
            candidate: None,
            comparable: None,
        }
    }

    /// The same with both values as text, for the review.
    pub fn between(mut self, production: impl Into<String>, candidate: impl Into<String>) -> Self {
        self.production = Some(production.into());
        self.candidate = Some(candidate.into());
        self
    }

    /// The same as a difference that does not make the document diverge.
    pub fn not_critical(mut self) -> Self {
        self.critical = false;
        self
    }
}

impl From<Field> for Difference {
    fn from(field: Field) -> Self {
        Self::changed(field)
    }
}

/// How a document ended in a shadow run, in which a candidate works on it beside production.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShadowEnd {
    /// The candidate's call was dropped before it ended, together with production's.
    Cancelled,
    /// The candidate failed. It counts as diverged, because a missing answer is not agreement.
    CandidateFailed(FailureKind),
    /// The candidate's code panicked; counts as diverged.
    CandidatePanicked,
    /// The comparator panicked; counts as diverged.
    ComparatorPanicked,
    /// Both answered, and the answers were compared.
    Compared(Comparison),
    /// Production gave no answer to compare with.
    ProductionFailed,
    /// The candidate did not answer in time; counts as diverged.
    TimedOut,
}

impl From<Comparison> for ShadowEnd {
    fn from(comparison: Comparison) -> Self {
        Self::Compared(comparison)
    }
}

/// How a document ended in the shadow run of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShadowResult {
    /// The version that ran beside production.
    pub candidate: VersionId,
    /// Whether production's own version ran a second time, to measure how often it differs from
    /// itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// How it ended.
    pub end: ShadowEnd,
    /// The tokens that the run has used; 0 if it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

impl ShadowResult {
    /// The candidate's run ended so.
    pub fn new(candidate: VersionId, end: impl Into<ShadowEnd>) -> Self {
        Self {
            candidate,
            baseline: false,
            end: end.into(),
            tokens: 0,
        }
    }

    /// The second run of production's own version ended so, in the shadow run of this candidate.
    pub fn of_baseline(candidate: VersionId, end: impl Into<ShadowEnd>) -> Self {
        Self {
            baseline: true,
            ..Self::new(candidate, end)
        }
    }
    /// The same for a run that has used this many tokens.
    pub fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }
}
