//! What is said about an answer later: what a reviewer corrected, how a shadow run compared.

use serde::{Deserialize, Serialize};

use crate::failure::FailureKind;
use crate::name::{BatchKey, CorrectionId, Field};

/// A field of an answer that a person corrected.
///
/// One correction may be told more than once: a document, a field and an id are one correction. Without an id every
/// correction of a field of a document is the same one. Corrections of one batch are one fact, however many documents it
/// has: somebody who puts 20 invoices of one supplier right has found one mistake.
///
/// ```
/// use fusebox::{Correction, Field};
/// use fusebox::name::{BatchKey, CorrectionId};
///
/// let correction = Correction::new(Field::new("total")?)
///     .with_id(CorrectionId::new("review-4711")?)
///     .in_batch(BatchKey::new("supplier-22/2026-03-13")?);
/// assert_eq!(*correction.field(), "total");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Correction {
    field: Field,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<CorrectionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<BatchKey>,
}

impl Correction {
    /// A correction of this field, without an id, by itself.
    pub fn new(field: Field) -> Self {
        Self {
            field,
            id: None,
            batch: None,
        }
    }

    /// The same with the id that your review tool gave it.
    pub fn with_id(mut self, id: CorrectionId) -> Self {
        self.id = Some(id);
        self
    }

    /// The same as part of a batch: a supplier, an upload, the session of a reviewer.
    pub fn in_batch(mut self, batch: BatchKey) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Its id, if it has one.
    pub fn id(&self) -> Option<&CorrectionId> {
        self.id.as_ref()
    }

    /// Its batch, if it is part of one.
    pub fn batch(&self) -> Option<&BatchKey> {
        self.batch.as_ref()
    }
}

impl From<Field> for Correction {
    fn from(field: Field) -> Self {
        Self::new(field)
    }
}

/// What came of comparing a candidate's answer with production's in a shadow run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Comparison {
    /// The candidate failed or did not answer in time. It counts as diverged: silence is not agreement.
    CandidateFailed(FailureKind),
    /// They differ in these fields (in none by name, if the whole differs).
    Diverged(Vec<Field>),
    /// They agree.
    Match,
    /// They cannot be compared: production itself failed, or the answer was a tool call.
    NotComparable,
}

/// What the application says about an answer after it was given, with
/// [`Pipeline::observe`](crate::Pipeline::observe) and the ticket of the call.
///
/// ```
/// use fusebox::{Feedback, Field};
///
/// let feedback = Feedback::corrected(Field::new("total")?);
/// assert_eq!(serde_json::to_string(&feedback)?, r#"{"corrected":{"field":"total"}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Feedback {
    /// A shadow run was compared with production's answer.
    Compared(Comparison),
    /// A reviewer corrected a field.
    Corrected(Correction),
    /// A correction was taken back: the answer was right. It is found by its ticket, its field and its id.
    Retracted(Correction),
    /// A reviewer looked at the answer. Fields that were wrong are reported separately, as corrections.
    Reviewed,
}

impl Feedback {
    /// A reviewer corrected a field: give the [`Field`], or a [`Correction`] that says more.
    pub fn corrected(correction: impl Into<Correction>) -> Self {
        Self::Corrected(correction.into())
    }

    /// A reviewer took a correction back.
    pub fn retracted(correction: impl Into<Correction>) -> Self {
        Self::Retracted(correction.into())
    }
}
