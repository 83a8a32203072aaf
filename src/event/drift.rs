//! The events of confidence drift monitors, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::name::{DocumentId, DocumentType, Field};

/// The events of a [`ConfidenceDriftMonitor`](crate::ConfidenceDriftMonitor).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum DriftEvent {
    /// The operator asked for a new baseline; the acceptance threshold is at its normal value.
    BaselineRestarted {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        who: String,
        why: String,
    },
    /// The mean confidence of a field fell below its baseline, so the monitor raised the acceptance
    /// threshold.
    DriftDetected {
        document_type: DocumentType,
        field: Field,
        baseline: Confidence,
        mean: Confidence,
        documents: u64,
        threshold: Confidence,
    },
    /// The operator resolved a drift; the acceptance threshold is back at its normal value.
    DriftResolved {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        who: String,
        why: String,
    },
    /// A confidence was not a number from 0 to 1; the answer goes to human review.
    InvalidConfidence {
        document: DocumentId,
        document_type: DocumentType,
        field: Field,
    },
}

impl DriftEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BaselineRestarted { .. } => "baseline_restarted",
            Self::DriftDetected { .. } => "drift_detected",
            Self::DriftResolved { .. } => "drift_resolved",
            Self::InvalidConfidence { .. } => "invalid_confidence",
        }
    }
}

impl fmt::Display for DriftEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaselineRestarted {
                document_type,
                field,
                threshold,
                who,
                why,
            } => write!(
                f,
                "{who} asked for a new baseline of {document_type}.{field}: answers below \
                 {threshold} go to human review ({why})"
            ),
            Self::DriftDetected {
                document_type,
                field,
                baseline,
                mean,
                documents,
                threshold,
            } => write!(
                f,
                "mean confidence of {document_type}.{field} fell from {baseline} to {mean} over \
                 {documents} documents; answers below {threshold} now go to human review"
            ),
            Self::DriftResolved {
                document_type,
                field,
                threshold,
                who,
                why,
            } => write!(
                f,
                "{who} resolved the drift of {document_type}.{field}: answers below {threshold} go \
                 to human review again ({why})"
            ),
            Self::InvalidConfidence {
                document, field, ..
            } => {
                write!(
                    f,
                    "confidence of {field} in {document} is not a number from 0 to 1: the answer \
                     goes to human review"
                )
            }
        }
    }
}
