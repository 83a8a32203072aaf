//! The events of confidence drift monitors, as data and as one line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::also::Also;
use crate::confidence::Confidence;
use crate::name::{DocumentId, DocumentType, Field, VersionId};
use crate::ratio::Ratio;
use crate::time::Timestamp;

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

/// A document type whose share of the documents changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TypeShare {
    /// The type.
    pub document_type: DocumentType,
    /// Its share of the documents of the reference.
    pub before: Ratio,
    /// Its share of the documents in the window.
    pub now: Ratio,
    /// The mean confidence of its documents in the window, or of the reference if it has none in
    /// the window.
    pub mean: Option<Confidence>,
}

impl fmt::Display for TypeShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            document_type,
            before,
            now,
            mean,
        } = self;
        write!(f, "{document_type} from {before} to {now}")?;
        mean.map_or(Ok(()), |mean| write!(f, " (mean {mean})"))
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
    /// An answer was accepted because the review capacity is used up, although the raised threshold
    /// of a drifted field should have sent it to human review.
    AcceptedUnreviewed {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
    },
    /// A threshold is still raised although the time has passed until which `who` had acknowledged
    /// the drift.
    AcknowledgementExpired {
        document_type: DocumentType,
        field: Field,
        baseline: Confidence,
        mean: Confidence,
        documents: u64,
        threshold: Confidence,
        who: String,
        note: String,
    },
    /// The operator asked for a new baseline; the acceptance threshold is at its normal value.
    /// `before` and `after` are the state and the threshold around a command, in words.
    BaselineRestarted {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        #[serde(default)]
        generation: u64,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// The operator took a new baseline back: the one before it counts again.
    BaselineRestored {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        generation: u64,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
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
    /// The operator knows of a drift: until then no page comes for it. The threshold stays raised.
    DriftAcknowledged {
        document_type: DocumentType,
        field: Field,
        until: Timestamp,
        who: String,
        note: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// The confidence of a field fell below its baseline, so the monitor raised the acceptance
    /// threshold. `mean` and its standard error are those of the window. `also` names up to nine
    /// other fields that fell in the same 5 minutes, `more` is the number of further ones.
    /// `detectable_drop` is the smallest sudden drop that the traffic of the field reveals within
    /// about 30 minutes. `compared_with` is the slot of the season, where the monitor has one.
    DriftDetected {
        document_type: DocumentType,
        field: Field,
        #[serde(default)]
        version: Option<VersionId>,
        rule: DriftRule,
        baseline: Confidence,
        baseline_number: u64,
        mean: Confidence,
        standard_error: Confidence,
        documents: u64,
        threshold: Confidence,
        #[serde(default)]
        generation: u64,
        #[serde(default)]
        detectable_drop: Option<Confidence>,
        #[serde(default)]
        compared_with: Option<String>,
        #[serde(default)]
        also: Vec<String>,
        #[serde(default)]
        more: u64,
    },
    /// A mean was near its baseline again for a whole window, so the monitor lowered the acceptance
    /// threshold by a step, as it was configured to.
    DriftRecovered {
        document_type: DocumentType,
        field: Field,
        #[serde(default)]
        version: Option<VersionId>,
        baseline: Confidence,
        mean: Confidence,
        documents: u64,
        threshold: Confidence,
        #[serde(default)]
        generation: u64,
    },
    /// The operator resolved a drift; the acceptance threshold is back at its normal value.
    DriftResolved {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        #[serde(default)]
        generation: u64,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// What reviewers found of a field since its drift was found, beside what they found before:
    /// `confirmed` if they correct it more often, so that the drift is real, and not if they have
    /// seen 100 documents and do not.
    DriftReviewed {
        document_type: DocumentType,
        field: Field,
        confirmed: bool,
        reviewed_before: u64,
        corrected_before: u64,
        reviewed_since: u64,
        corrected_since: u64,
    },
    /// A confidence was not a number from 0 to 1; the answer goes to human review.
    InvalidConfidence {
        document: DocumentId,
        document_type: DocumentType,
        field: Field,
    },
    /// The mean over all documents of a version fell below that of the reference, because the
    /// shares of document types changed. The fall has two parts: `by_mix` comes from the shares,
    /// and `within_types` from types whose own mean fell; a part is negative where it made the mean
    /// rise. `types` are up to five whose shares changed most. The acceptance threshold stays as it
    /// is.
    MixShift {
        version: VersionId,
        before: Confidence,
        mean: Confidence,
        by_mix: f64,
        within_types: f64,
        documents: u64,
        types: Vec<TypeShare>,
    },
    /// A threshold stays raised, but for two windows too few documents have come to see whether the
    /// drift goes on.
    RaisedWithoutData {
        document_type: DocumentType,
        field: Field,
        documents: u64,
        threshold: Confidence,
    },
    /// More documents of a type should go to human review than the configured capacity allows:
    /// `wanted` of the latest `documents`. `accepted` were accepted instead, that only a drifted field
    /// would have sent there.
    ReviewCapacityReached {
        document_type: DocumentType,
        version: VersionId,
        capacity: Ratio,
        wanted: u64,
        documents: u64,
        accepted: u64,
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
    /// The mean confidence of a field over 7 days is below its baseline: by less than what raises
    /// the acceptance threshold, but for long. The threshold stays as it is.
    SlowDrift {
        document_type: DocumentType,
        field: Field,
        baseline: Confidence,
        baseline_number: u64,
        mean: Confidence,
        standard_error: Confidence,
        documents: u64,
    },
    /// The drift of a field has become deeper, so the monitor raised its threshold further, to hold
    /// the expected error of accepted answers.
    ThresholdRaised {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
        generation: u64,
    },
}

impl DriftEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AcceptedUnreviewed { .. } => "accepted_unreviewed",
            Self::AcknowledgementExpired { .. } => "acknowledgement_expired",
            Self::BaselineRestarted { .. } => "baseline_restarted",
            Self::BaselineRestored { .. } => "baseline_restored",
            Self::ConfidenceConstant { .. } => "confidence_constant",
            Self::ConfidenceMissing { .. } => "confidence_missing",
            Self::DriftAcknowledged { .. } => "drift_acknowledged",
            Self::DriftDetected { .. } => "drift_detected",
            Self::DriftRecovered { .. } => "drift_recovered",
            Self::DriftResolved { .. } => "drift_resolved",
            Self::DriftReviewed { .. } => "drift_reviewed",
            Self::InvalidConfidence { .. } => "invalid_confidence",
            Self::MixShift { .. } => "mix_shift",
            Self::RaisedWithoutData { .. } => "raised_without_data",
            Self::ReviewCapacityReached { .. } => "review_capacity_reached",
            Self::ShapeChanged { .. } => "shape_changed",
            Self::SlowDrift { .. } => "slow_drift",
            Self::ThresholdRaised { .. } => "threshold_raised",
        }
    }
}

impl fmt::Display for DriftEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaselineRestarted { .. }
            | Self::BaselineRestored { .. }
            | Self::DriftAcknowledged { .. }
            | Self::DriftResolved { .. } => write!(f, "{}", Commanded(self)),
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
            Self::InvalidConfidence {
                document, field, ..
            } => {
                write!(
                    f,
                    "confidence of {field} in {document} is not a number from 0 to 1: the answer \
                     goes to human review"
                )
            }
            Self::AcceptedUnreviewed { .. } | Self::ReviewCapacityReached { .. } => {
                write!(f, "{}", Full(self))
            }
            Self::AcknowledgementExpired { .. }
            | Self::DriftDetected { .. }
            | Self::DriftRecovered { .. }
            | Self::RaisedWithoutData { .. }
            | Self::ThresholdRaised { .. } => write!(f, "{}", Responded(self)),
            Self::DriftReviewed { .. }
            | Self::MixShift { .. }
            | Self::ShapeChanged { .. }
            | Self::SlowDrift { .. } => write!(f, "{}", Found(self)),
        }
    }
}

/// What raises no threshold.
struct Found<'a>(&'a DriftEvent);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DriftEvent::DriftReviewed {
                document_type,
                field,
                confirmed,
                reviewed_before,
                corrected_before,
                reviewed_since,
                corrected_since,
            } => {
                let verdict = if *confirmed {
                    "the drift is real"
                } else {
                    "its answers are as good as before"
                };
                write!(
                    f,
                    "reviewers corrected {field} in {corrected_since} of {reviewed_since} documents \
                     of {document_type} since its confidence fell, and in {corrected_before} of \
                     {reviewed_before} before: {verdict}"
                )
            }
            DriftEvent::MixShift {
                version,
                before,
                mean,
                by_mix,
                within_types,
                documents,
                types,
            } => {
                write!(
                    f,
                    "mean confidence of {version} over {documents} documents of all types fell \
                     from {before} to {mean}: {by_mix:.3} by the mix of types, {within_types:.3} \
                     within types"
                )?;
                types.iter().try_for_each(|share| write!(f, "; {share}"))
            }
            DriftEvent::ShapeChanged {
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
            DriftEvent::SlowDrift {
                document_type,
                field,
                baseline,
                mean,
                documents,
                ..
            } => write!(
                f,
                "mean confidence of {document_type}.{field} over 7 days is {mean}, below \
                 {baseline}, in {documents} documents: the threshold stays as it is"
            ),
            _ => Ok(()),
        }
    }
}

/// What a fall does to answers.
struct Responded<'a>(&'a DriftEvent);

impl fmt::Display for Responded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DriftEvent::AcknowledgementExpired {
                document_type,
                field,
                baseline,
                mean,
                documents,
                threshold,
                who,
                note,
            } => write!(
                f,
                "the threshold of {document_type}.{field} is still raised after the time that {who} \
                 gave it ({note}): answers below {threshold} go to human review; mean confidence \
                 {mean} over {documents} documents, baseline {baseline}"
            ),
            DriftEvent::DriftDetected {
                document_type,
                field,
                version,
                rule,
                baseline,
                mean,
                documents,
                threshold,
                compared_with,
                also,
                more,
                ..
            } => {
                let by = By(version.as_ref());
                let of_slot = compared_with.as_ref().map(|slot| format!(" ({slot})"));
                let of_slot = of_slot.unwrap_or_default();
                let fell = match rule {
                    DriftRule::Mean => "fell",
                    DriftRule::Sequential => "is falling",
                };
                write!(
                    f,
                    "mean confidence of {document_type}.{field}{by} {fell} from {baseline}{of_slot} \
                     to {mean} over {documents} documents; answers below {threshold} now go to human review{}",
                    Also(also, *more)
                )
            }
            DriftEvent::DriftRecovered {
                document_type,
                field,
                version,
                baseline,
                mean,
                documents,
                threshold,
                ..
            } => write!(
                f,
                "mean confidence of {document_type}.{field}{} is {mean} over {documents} documents, \
                 near {baseline} again: answers below {threshold} go to human review again",
                By(version.as_ref())
            ),
            DriftEvent::ThresholdRaised {
                document_type,
                field,
                threshold,
                ..
            } => write!(
                f,
                "confidence of {document_type}.{field} falls further: answers below {threshold} now \
                 go to human review"
            ),
            DriftEvent::RaisedWithoutData {
                document_type,
                field,
                documents,
                threshold,
            } => write!(
                f,
                "only {documents} documents show whether {document_type}.{field} still drifts: \
                 answers below {threshold} go to human review until the operator resolves it"
            ),
            _ => Ok(()),
        }
    }
}

/// That reviewers have no time for all that should be reviewed.
struct Full<'a>(&'a DriftEvent);

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DriftEvent::ReviewCapacityReached {
                document_type,
                version,
                capacity,
                wanted,
                documents,
                accepted,
            } => write!(
                f,
                "{wanted} of the latest {documents} documents of {document_type} by {version} should \
                 go to human review, and {capacity} may: {accepted} that only a drifted field would \
                 have sent there were accepted"
            ),
            DriftEvent::AcceptedUnreviewed {
                document, version, ..
            } => write!(
                f,
                "{document} by {version} was accepted although a drifted field should have sent it \
                 to human review: the review capacity is used up"
            ),
            _ => Ok(()),
        }
    }
}

/// Whose answers an event is about.
struct By<'a>(Option<&'a VersionId>);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |version| write!(f, " by {version}"))
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
                ..
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
                ..
            } => write!(
                f,
                "{who} resolved the drift of {document_type}.{field}: answers below {threshold} go \
                 to human review again ({why})"
            ),
            DriftEvent::BaselineRestored {
                document_type,
                field,
                threshold,
                who,
                why,
                ..
            } => write!(
                f,
                "{who} took the new baseline of {document_type}.{field} back: answers below \
                 {threshold} go to human review ({why})"
            ),
            DriftEvent::DriftAcknowledged {
                document_type,
                field,
                until,
                who,
                note,
                ..
            } => write!(
                f,
                "{who} knows that {document_type}.{field} drifts: no page until {until} ({note})"
            ),
            _ => Ok(()),
        }
    }
}
