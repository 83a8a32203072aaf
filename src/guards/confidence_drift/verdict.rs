//! What the monitor says of a field.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::corrections::DriftCorrections;
use super::season::Slot;
use crate::confidence::Confidence;
use crate::event::DriftRule;
use crate::revision::Revision;
use crate::time::Timestamp;

/// Whether the confidence of one field of one document type has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftState {
    /// The threshold is raised, and the operator knows of it: no page comes until the time that the
    /// operator gave.
    Acknowledged,
    /// The window mean is not below the baseline by more than the allowed drop, and the scores are
    /// distributed like those of the baseline.
    Healthy,
    /// The window has too few documents to compare its mean with the baseline: a drift is possible.
    InsufficientData,
    /// The mean fell below the baseline, and the threshold is raised until the operator resolves
    /// the drift.
    Raised,
    /// The threshold is raised, and the mean has been near the baseline for a whole window.
    Recovering,
    /// The scores are distributed differently from those of the baseline, or their mean over 7 days
    /// is a little lower, though the window mean has not fallen by more than it may. The threshold
    /// is not raised.
    Suspected,
    /// The baseline is still being measured, or no document has arrived yet: a drift is possible.
    Warming,
}

impl fmt::Display for DriftState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acknowledged => "acknowledged",
            Self::Healthy => "healthy",
            Self::InsufficientData => "insufficient data",
            Self::Raised => "raised",
            Self::Recovering => "recovering",
            Self::Suspected => "suspected",
            Self::Warming => "warming up",
        })
    }
}

/// The baseline and the window mean of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfidenceMeans {
    /// The baseline, rounded to millionths; the mean so far while it is being measured.
    pub baseline: Option<Confidence>,
    /// The number of documents on which the baseline was measured.
    pub baseline_documents: u64,
    /// The mean over the window, rounded to millionths.
    pub window: Option<Confidence>,
    /// The number of documents in the window.
    pub window_documents: u64,
}

/// The status of one field of one document type: of the version whose threshold is raised, or else
/// of the one in production.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DriftStatus {
    /// The revision, for the next command. Commands on the field change it, and its threshold that
    /// is raised.
    pub revision: Revision,
    /// Whether the field has drifted.
    pub state: DriftState,
    /// The current acceptance threshold, before the cap of a
    /// [review capacity](super::ConfidenceDriftMonitorBuilder::review_capacity).
    pub threshold: Confidence,
    /// The generation of the thresholds: it changes whenever one of the monitor's thresholds does,
    /// and stands on the tickets of answers that were reviewed with it.
    pub generation: u64,
    /// Until when the operator has acknowledged the drift, if so.
    pub acknowledged_until: Option<Timestamp>,
    /// What reviewers found of the field's answers.
    pub corrections: DriftCorrections,
    /// The baseline and the window mean.
    pub means: ConfidenceMeans,
    /// The standard error of the window mean; `None` with fewer than two documents.
    pub standard_error: Option<Confidence>,
    /// How far the window mean may be below the baseline; more is a drift.
    pub max_drop: Confidence,
    /// How many baselines the field had, the current one included; it changes when the operator asks
    /// for a new one.
    pub baseline_number: u64,
    /// Whether the window has too few documents for its mean to say anything. A raised threshold
    /// stays raised then, and nobody knows whether the drift goes on.
    pub is_thin: bool,
    /// The smallest sudden drop that raises the threshold within about 30 minutes, at the traffic of
    /// the window; `None` if none would.
    pub detectable_drop: Option<Confidence>,
    /// The slot of the [season](super::Season) whose documents are compared, or all times while that
    /// has no baseline; `None` without a season.
    pub compared_with: Option<Slot>,
    /// The sequential test; `None` while the baseline is measured, with
    /// [`plain_mean`](super::ConfidenceDriftMonitorBuilder::plain_mean), and where the baseline is
    /// too low for a fall to be found.
    pub sequential: Option<SequentialTest>,
    /// The comparison of the distributions, whether or not they differ by enough to be reported;
    /// `None` while the baseline is measured, where only its mean was given, and without documents.
    pub shape: Option<ShapeComparison>,
}

/// The sequential test of a field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SequentialTest {
    /// The evidence for a fall: 0 without any, and never negative. At 1 the threshold rises, and
    /// the test starts anew from 0 when it is lowered again. With an average run length of `n`
    /// documents, `n` times this value is the Shiryaev-Roberts detector with a limit of `n`.
    pub value: f64,
    /// The mean below which the confidences must have fallen: the baseline less 0.01, or less two
    /// of its standard errors if that is more.
    pub mean: Confidence,
    /// The five bets of the mixture, each on its own: a confidence `x` multiplies what a bet
    /// `lambda` has gained by `1 + lambda * (mean - x)`. They are 1, 2, 4, 6 and 8 at a `mean` of
    /// 0.90, and otherwise in proportion to `1 / (1 - mean)`.
    pub lambdas: [f64; 5],
}

/// The confidences of the window beside those of the baseline, in thousandths: exact for confidences
/// with up to three decimals, and otherwise off by half a thousandth at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShapeComparison {
    /// The Kolmogorov-Smirnov distance: the largest difference between the two distribution
    /// functions, from 0 to 1.
    pub ks: f64,
    /// The probability of a distance of at least `ks` between two samples of one distribution, by
    /// Kolmogorov's limit for many documents: the chance that `sqrt(n * m / (n + m)) * ks` is
    /// exceeded, of `n` and `m` documents. Too large rather than too small where many are tied.
    pub p: f64,
    /// The Wasserstein distance: how far confidences have moved on average, from 0 to 1.
    pub distance: f64,
    /// The number of documents that are compared: those of the window, of which the oldest leave it
    /// a quarter at a time.
    pub documents: u64,
}

/// A window mean that has fallen below its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fall {
    pub(super) baseline: Confidence,
    pub(super) baseline_number: u64,
    pub(super) mean: Confidence,
    pub(super) documents: u64,
    pub(super) standard_error: Confidence,
    pub(super) rule: DriftRule,
    pub(super) threshold: Confidence,
    /// That of the thresholds since the fall.
    pub(super) generation: u64,
    pub(super) detectable_drop: Option<Confidence>,
    pub(super) compared_with: Option<Slot>,
}

impl Fall {
    /// How far the mean has fallen, in millionths.
    pub(super) fn drop(&self) -> u32 {
        let before = self.baseline.as_millionths();
        before.saturating_sub(self.mean.as_millionths())
    }
}
