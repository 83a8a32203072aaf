//! The settings of the comparison, and the threshold that a field has now.

use crate::confidence::Confidence;
use crate::ratio::Ratio;
use crate::stats::Span;

/// The settings with which answers and scores are compared.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) threshold: Confidence,
    pub(super) raised: Confidence,
    pub(super) max_drop: Confidence,
    pub(super) exit_drop: Confidence,
    pub(super) shape_distance: Confidence,
    pub(super) span: Span,
    pub(super) min_documents: u64,
    pub(super) baseline_documents: u64,
    pub(super) false_alarms: Ratio,
    /// Only the mean over the window counts, with as many documents as `min_documents`.
    pub(super) plain_mean: bool,
    pub(super) restores: bool,
}

impl Settings {
    /// The threshold of a field: raised while its drift is not resolved.
    pub(super) fn threshold(&self, is_raised: bool) -> Confidence {
        if is_raised {
            self.raised
        } else {
            self.threshold
        }
    }
}
