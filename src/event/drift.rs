//! What drift monitors report, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::name::{DocumentId, DocumentType, Field};

/// What a [`ConfidenceDriftMonitor`](crate::ConfidenceDriftMonitor) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum DriftEvent {
    /// The confidence of a field fell, and its acceptance threshold rose.
    DriftDetected {
        document_type: DocumentType,
        field: Field,
        baseline: Confidence,
        mean: Confidence,
        documents: u64,
        threshold: Confidence,
    },
    /// A person understood a shift; the threshold is back where it was.
    DriftResolved {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
    },
    /// A confidence was not a number from 0 to 1; the answer goes to a person.
    InvalidConfidence {
        document: DocumentId,
        document_type: DocumentType,
        field: Field,
    },
}

impl DriftEvent {
    /// Which event it is, as `"event"` says in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DriftDetected { .. } => "drift_detected",
            Self::DriftResolved { .. } => "drift_resolved",
            Self::InvalidConfidence { .. } => "invalid_confidence",
        }
    }
}

impl fmt::Display for DriftEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DriftDetected {
                document_type,
                field,
                baseline,
                mean,
                documents,
                threshold,
            } => write!(
                f,
                "confidence of {document_type}.{field} fell from {baseline} to {mean} over {documents} documents; \
                 answers below {threshold} now go to people"
            ),
            Self::DriftResolved {
                document_type,
                field,
                threshold,
            } => {
                write!(
                    f,
                    "shift of {document_type}.{field} resolved; the threshold is {threshold} again"
                )
            }
            Self::InvalidConfidence {
                document, field, ..
            } => {
                write!(
                    f,
                    "the confidence of {field} in {document} is not a number from 0 to 1"
                )
            }
        }
    }
}
