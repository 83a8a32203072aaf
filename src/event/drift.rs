//! The events of confidence drift monitors, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::also::Also;
use crate::confidence::Confidence;
use crate::name::{DocumentId, DocumentType, Field};

/// Which rule found that the confidence of a field fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftRule {
    /// The mean over the window is too far below the baseline.
    Mean,
    /// The latest documents cannot have the mean of the baseline, though the mean over the window is
    /// not yet far below it.
    Sequential,
}

/// How the distribution of a field's confidences changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShapeChange {
    /// Confidences fell, as a whole or in part.
    Fell,
    /// Confidences rose, as a whole or in part.
    Rose,
    /// Some fell and others rose.
    Spread,
}

impl ShapeChange {
    /// The change, by how far confidences moved down and up on average. Four times as far in one
    /// direction as in the other is a change in that direction.
    pub(crate) fn of(down: f64, up: f64) -> Self {
        if down >= 4.0 * up {
            Self::Fell
        } else if up >= 4.0 * down {
            Self::Rose
        } else {
            Self::Spread
        }
    }
}

impl fmt::Display for ShapeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fell => "fell",
            Self::Rose => "rose",
            Self::Spread => "spread",
        })
    }
}

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
    /// A field has had the same confidence in all of the last `documents`: it says nothing.
    ConfidenceConstant {
        document_type: DocumentType,
        field: Field,
        confidence: Confidence,
        documents: u64,
    },
    /// Answers of a type no longer have a confidence of a field that they had before: in the window
    /// only `documents` of `answers`. They are accepted without one.
    ConfidenceMissing {
        document_type: DocumentType,
        field: Field,
        documents: u64,
        answers: u64,
    },
    /// The confidence of a field fell below its baseline, so the monitor raised the acceptance
    /// threshold. `mean` and its standard error are those of the window. `also` names up to nine
    /// other fields that fell with the same document, `more` is the number of further ones.
    DriftDetected {
        document_type: DocumentType,
        field: Field,
        rule: DriftRule,
        baseline: Confidence,
        baseline_number: u64,
        mean: Confidence,
        standard_error: Confidence,
        documents: u64,
        threshold: Confidence,
        #[serde(default)]
        also: Vec<String>,
        #[serde(default)]
        more: u64,
    },
    /// A mean was near its baseline again for a whole window, so the monitor lowered the acceptance
    /// threshold to its normal value, as it was configured to.
    DriftRecovered {
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
    /// A threshold stays raised, but for two windows too few documents have come to see whether the
    /// drift goes on.
    RaisedWithoutData {
        document_type: DocumentType,
        field: Field,
        documents: u64,
        threshold: Confidence,
    },
    /// The confidences of a field are distributed differently from those of the baseline: the
    /// Kolmogorov-Smirnov distance `ks`, its probability `p` by chance, and the Wasserstein
    /// `distance`. The acceptance threshold stays as it is.
    ShapeChanged {
        document_type: DocumentType,
        field: Field,
        change: ShapeChange,
        ks: Confidence,
        p: f64,
        distance: Confidence,
        documents: u64,
    },
}

impl DriftEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BaselineRestarted { .. } => "baseline_restarted",
            Self::ConfidenceConstant { .. } => "confidence_constant",
            Self::ConfidenceMissing { .. } => "confidence_missing",
            Self::DriftDetected { .. } => "drift_detected",
            Self::DriftRecovered { .. } => "drift_recovered",
            Self::DriftResolved { .. } => "drift_resolved",
            Self::InvalidConfidence { .. } => "invalid_confidence",
            Self::RaisedWithoutData { .. } => "raised_without_data",
            Self::ShapeChanged { .. } => "shape_changed",
        }
    }
}

impl fmt::Display for DriftEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaselineRestarted { .. } | Self::DriftResolved { .. } => {
                write!(f, "{}", Commanded(self))
            }
            Self::ConfidenceConstant {
                document_type,
                field,
                confidence,
                documents,
            } => write!(
                f,
                "confidence of {document_type}.{field} is {confidence} in each of {documents} \
                 documents: it says nothing"
            ),
            Self::ConfidenceMissing {
                document_type,
                field,
                documents,
                answers,
            } => write!(
                f,
                "only {documents} of {answers} answers of {document_type} have a confidence of \
                 {field}: the others are accepted without one"
            ),
            Self::DriftDetected {
                document_type,
                field,
                rule,
                baseline,
                mean,
                documents,
                threshold,
                also,
                more,
                ..
            } => {
                let fell = match rule {
                    DriftRule::Mean => "fell",
                    DriftRule::Sequential => "is falling",
                };
                write!(
                    f,
                    "mean confidence of {document_type}.{field} {fell} from {baseline} to {mean} \
                     over {documents} documents; answers below {threshold} now go to human review{}",
                    Also(also, *more)
                )
            }
            Self::DriftRecovered {
                document_type,
                field,
                baseline,
                mean,
                documents,
                threshold,
            } => write!(
                f,
                "mean confidence of {document_type}.{field} is {mean} over {documents} documents, \
                 near {baseline} again: answers below {threshold} go to human review again"
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
            Self::RaisedWithoutData {
                document_type,
                field,
                documents,
                threshold,
            } => write!(
                f,
                "only {documents} documents show whether {document_type}.{field} still drifts: \
                 answers below {threshold} go to human review until the operator resolves it"
            ),
            Self::ShapeChanged {
                document_type,
                field,
                change,
                distance,
                documents,
                ..
            } => write!(
                f,
                "confidences of {document_type}.{field} {change}: over {documents} documents they \
                 lie {distance} from the baseline on average"
            ),
        }
    }
}

/// What the operator did.
struct Commanded<'a>(&'a DriftEvent);

impl fmt::Display for Commanded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DriftEvent::BaselineRestarted {
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
            DriftEvent::DriftResolved {
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
            _ => Ok(()),
        }
    }
}
