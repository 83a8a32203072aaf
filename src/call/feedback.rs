//! Feedback about an answer: corrections and reviews by a reviewer, results of a shadow run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::comparison::{ShadowEnd, ShadowResult};
use crate::name::{CorrectionId, Field, VersionId};

/// A field of an answer that a reviewer corrected.
///
/// You can report a correction more than once: corrections with the same document, field and id
/// count once. Without an id, all corrections of one field of a document are the same correction.
/// Documents that are wrong for one cause count once where the call has said that they belong
/// together ([`Call::in_batch`](crate::Call::in_batch)).
///
/// ```
/// use fusebox::{Correction, Field};
/// use fusebox::name::CorrectionId;
///
/// let correction =
///     Correction::new(Field::new("total")?).with_id(CorrectionId::new("review-4711")?);
/// assert_eq!(*correction.field(), "total");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Correction {
    field: Field,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<CorrectionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<SettledValue>,
}

/// The value that a reviewer settled on for a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SettledValue {
    /// The answer should not have the field.
    Absent,
    /// This value.
    Value(Value),
}

impl Correction {
    /// A correction of this field, without an id.
    pub fn new(field: Field) -> Self {
        Self {
            field,
            id: None,
            settled: None,
        }
    }

    /// The same correction with the id from your review tool.
    pub fn with_id(mut self, id: CorrectionId) -> Self {
        self.id = Some(id);
        self
    }

    /// The same correction with the value that the field should have had: then a shadow run can tell
    /// whether its candidate had it. The value is compared and not kept.
    ///
    /// ```
    /// use fusebox::{Correction, Feedback, Field};
    ///
    /// let corrected = Correction::new(Field::new("/total")?).settled_on("12.50");
    /// let feedback = Feedback::corrected(corrected);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn settled_on(mut self, value: impl Into<Value>) -> Self {
        self.settled = Some(SettledValue::Value(value.into()));
        self
    }

    /// The same correction of a field that the answer should not have had.
    pub fn settled_on_nothing(mut self) -> Self {
        self.settled = Some(SettledValue::Absent);
        self
    }

    /// The value that the field should have had, if it was told.
    pub fn settled(&self) -> Option<&SettledValue> {
        self.settled.as_ref()
    }

    /// The same correction under another name of its field.
    pub(crate) fn under(mut self, field: Field) -> Self {
        self.field = field;
        self
    }

    /// The same correction, without that value.
    pub(crate) fn without_value(&self) -> Self {
        Self {
            field: self.field.clone(),
            id: self.id.clone(),
            settled: None,
        }
    }

    /// The corrected field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Its id, if it has one.
    pub fn id(&self) -> Option<&CorrectionId> {
        self.id.as_ref()
    }
}

impl From<Field> for Correction {
    fn from(field: Field) -> Self {
        Self::new(field)
    }
}

/// What the application reports about an answer after the call, with
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
    /// A candidate ran on the document beside production.
    Compared(ShadowResult),
    /// A reviewer corrected a field.
    Corrected(Correction),
    /// A person has taken the document on: it was diverted, or its answer needed review. It says
    /// nothing of the answer.
    PickedUp,
    /// A reviewer retracted a correction: the answer was right. The ticket, the field and the id
    /// identify the correction.
    Retracted(Correction),
    /// A reviewer reviewed the answer. Report fields that were wrong separately, as corrections.
    Reviewed,
}

impl Feedback {
    /// A candidate ran on the document beside production: pass the
    /// [`Comparison`](crate::call::Comparison) of their answers, or how it ended otherwise.
    pub fn compared(candidate: VersionId, end: impl Into<ShadowEnd>) -> Self {
        Self::Compared(ShadowResult::new(candidate, end))
    }

    /// A reviewer corrected a field: pass the [`Field`], or a [`Correction`] with an id.
    pub fn corrected(correction: impl Into<Correction>) -> Self {
        Self::Corrected(correction.into())
    }

    /// A reviewer retracted a correction.
    pub fn retracted(correction: impl Into<Correction>) -> Self {
        Self::Retracted(correction.into())
    }
}
