//! What faults make of the confidences of an answer.

use super::document::{Document, ShareOf};
use super::fault::{Fault, What};
use crate::confidence::Confidence;
use crate::name::Field;
use crate::ratio::Ratio;

/// What faults make of the confidence of a field; `None` if it is omitted.
pub(super) fn distorted(
    document: Document,
    field: &Field,
    usual: Confidence,
    faults: &[&Fault],
) -> Option<Confidence> {
    let mut faults = faults.iter().filter(|fault| fault.is_of_field(field));
    faults.try_fold(usual, |score, fault| match &fault.what {
        What::OmitConfidence => None,
        What::FixConfidence(fixed) => Some(*fixed),
        What::LowerConfidence(by) => Some(score.lowered_by(*by)),
        What::SpreadConfidence(by) => {
            let room = score.min(Confidence::CERTAIN.lowered_by(score));
            let by = room.min(*by);
            Some(if document.is_among(Ratio::percent(50), ShareOf::Rise) {
                score.raised_by(by, Confidence::CERTAIN)
            } else {
                score.lowered_by(by)
            })
        }
        _ => Some(score),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden ratio spreads numbers so evenly that of n of them the share below one half is off
    /// by less than 3 ln n / n (Kuipers and Niederreiter, Uniform Distribution of Sequences,
    /// theorem 3.4): .021 of 1,000, which moves the mean by at most .021 * 2 * 0.2.
    #[test]
    fn confidences_spread_at_the_same_mean_and_not_beyond_one() {
        let (field, spread) = (
            Field::new("total").unwrap(),
            Fault::spread_confidence(Confidence::percent(20)),
        );
        let distorted = |n, usual| distorted(Document(n), &field, usual, &[&spread]).unwrap();
        let mean = |usual: Confidence| {
            let scores = (1..=1_000).map(|n| distorted(n, usual));
            scores
                .map(|score| f64::from(score.as_millionths()))
                .sum::<f64>()
                / 1e9
        };
        assert!((mean(Confidence::percent(70)) - 0.70).abs() < 0.0084);
        let near_one = Confidence::percent(95);
        assert!((mean(near_one) - 0.95).abs() < 0.0021);
        let highest = distorted(1, near_one).max(distorted(2, near_one));
        assert!(highest <= Confidence::percent(100));
    }
}
