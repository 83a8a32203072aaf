//! A sequential test for a mean that falls, whose false alarms are bounded whatever the
//! distribution.

use serde::{Deserialize, Serialize};

/// Stakes, as parts of the largest that a score of 1 cannot ruin: the small ones find small falls,
/// the large ones find large falls early. With a mean of 0.9 they are 1, 2, 4, 6 and 8.
const STAKES: [f64; 5] = [0.1, 0.2, 0.4, 0.6, 0.8];

/// What the five bets multiply the distance below the mean by.
pub(crate) type Lambdas = [f64; STAKES.len()];

/// The Shiryaev-Roberts e-detector of Shin, Ramdas and Rinaldo (2024, "E-detectors: a nonparametric
/// framework for sequential change detection"), as a mixture of five stakes.
///
/// Each score multiplies a sum of bets by `1 + lambda * (mean - score)`, after a new bet of `weight`
/// was added to it. While scores from 0 to 1 have at least `mean` as their expected value, given the
/// scores before them, no factor is above 1 in expectation, so the sum is expected to be at most the
/// weights that went into it. It reaches 1 no more often, in expectation, than the weights add up to
/// 1: this holds for any distribution and any number of scores, and if the detector starts anew
/// after each alarm. The weight may depend on all that came before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 5]", into = "[f64; 5]")]
pub(crate) struct EDetector {
    sums: [f64; STAKES.len()],
}

impl EDetector {
    /// Adds a bet, and bets all on this score being `below` the mean, with each of these lambdas.
    pub(crate) fn observe(&mut self, lambdas: &Lambdas, below: f64, weight: f64) {
        for (sum, lambda) in self.sums.iter_mut().zip(lambdas) {
            *sum = (*sum + weight) * (1.0 + lambda * below);
        }
    }

    /// The evidence for a fall; an alarm from 1 on.
    pub(crate) fn value(&self) -> f64 {
        self.sums.iter().sum::<f64>() / float_len()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds the bets of a detector that saw other scores. The sum of both is bounded as each is.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, of_other) in self.sums.iter_mut().zip(other.sums) {
            *sum += of_other;
        }
    }
}

/// By how much a document that lies `below` the mean on average lets the evidence grow, as a
/// logarithm, with the best of the lambdas; `variance` is that of the scores. To the second order.
pub(crate) fn growth(lambdas: &Lambdas, below: f64, variance: f64) -> f64 {
    let of_each = lambdas.iter().map(|lambda| {
        let factor = 1.0 + lambda * below;
        factor.ln() - lambda * lambda * variance / (2.0 * factor * factor)
    });
    of_each.fold(f64::NEG_INFINITY, f64::max)
}

/// What each of the stakes multiplies the distance below `mean`, which is below 1, by.
pub(crate) fn lambdas(mean: f64) -> Lambdas {
    STAKES.map(|stake| stake * most(mean))
}

/// These lambdas, each at most the one with which a score of 1 ruins a bet.
pub(crate) fn at_most_ruinous(lambdas: Lambdas, mean: f64) -> Lambdas {
    lambdas.map(|lambda| lambda.min(most(mean)))
}

fn most(mean: f64) -> f64 {
    1.0 / (1.0 - mean)
}

#[allow(clippy::cast_precision_loss, reason = "five")]
fn float_len() -> f64 {
    STAKES.len() as f64
}

impl TryFrom<[f64; 5]> for EDetector {
    type Error = String;

    fn try_from(sums: [f64; 5]) -> Result<Self, String> {
        if sums.iter().any(|sum| !sum.is_finite() || *sum < 0.0) {
            return Err(format!("{sums:?} are no sums of bets"));
        }
        Ok(Self { sums })
    }
}

impl From<EDetector> for [f64; 5] {
    fn from(detector: EDetector) -> Self {
        detector.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `R = (1 + R) * (1 + stake * (0.9 - score))` for the stakes 1, 2, 4, 6 and 8, by hand:
    /// 0.8 multiplies by 1.1, 1.2, 1.4, 1.6 and 1.8; 0.9 by 1; 1.0 by 0.9, 0.8, 0.6, 0.4 and 0.2.
    #[test]
    fn the_recursion_gives_the_values_that_it_gives_by_hand() {
        let mut detector = EDetector::default();
        for (score, sums, value) in [
            (0.8, [1.1, 1.2, 1.4, 1.6, 1.8], 1.42),
            (0.8, [2.31, 2.64, 3.36, 4.16, 5.04], 3.502),
            (0.9, [3.31, 3.64, 4.36, 5.16, 6.04], 4.502),
            (1.0, [3.879, 3.712, 3.216, 2.464, 1.408], 2.935_8),
        ] {
            detector.observe(&lambdas(0.9), 0.9 - score, 1.0);
            for (found, expected) in detector.sums.iter().zip(sums) {
                assert!((found - expected).abs() < 1e-12, "{detector:?}");
            }
            assert!((detector.value() - value).abs() < 1e-12, "{detector:?}");
        }
        detector.clear();
        assert_eq!(detector, EDetector::default());
    }

    /// A weight of 1/1000 instead of 1 makes a limit of 1 out of a limit of 1000.
    #[test]
    fn weights_are_a_scale() {
        let (mut one, mut other) = (EDetector::default(), EDetector::default());
        for score in [0.7, 0.95, 0.2, 1.0, 0.88] {
            one.observe(&lambdas(0.9), 0.9 - score, 1.0);
            other.observe(&lambdas(0.9), 0.9 - score, 0.001);
        }
        assert!((one.value() / other.value() - 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn the_sum_of_two_is_what_both_have() {
        let (mut one, mut other) = (EDetector::default(), EDetector::default());
        one.observe(&lambdas(0.9), 0.4, 1.0);
        other.observe(&lambdas(0.9), 0.3, 1.0);
        let values = one.value() + other.value();
        one.merge(&other);
        assert!((one.value() - values).abs() < 1e-12);
    }

    /// ln(1 + 8 * 0.14) - 64 * 0.0043 / (2 * 2.12^2), by hand 0.7208.
    #[test]
    fn evidence_grows_by_the_best_stake() {
        let found = growth(&lambdas(0.9), 0.14, 0.004_3);
        assert!((found - 0.720_800).abs() < 1e-4, "{found}");
        assert!(
            growth(&lambdas(0.9), 0.0, 0.004_3) < 0.0,
            "no fall, no growth"
        );
    }

    /// 1 / (1 - 0.75) is 4.
    #[test]
    fn no_bet_is_worse_than_ruined() {
        let lambdas = at_most_ruinous([1.0, 2.0, 4.0, 6.0, 8.0], 0.75);
        let mut detector = EDetector::default();
        detector.observe(&lambdas, 0.75 - 1.0, 1.0);
        for (at, (lambda, sum)) in [(1.0, 0.75), (2.0, 0.5), (4.0, 0.0), (4.0, 0.0), (4.0, 0.0)]
            .into_iter()
            .enumerate()
        {
            assert!((lambdas[at] - lambda).abs() < 1e-12, "{lambdas:?}");
            assert!((detector.sums[at] - sum).abs() < 1e-12, "{detector:?}");
        }
    }

    #[test]
    fn sums_that_cannot_be_are_not_read() {
        assert!(serde_json::from_str::<EDetector>("[1,2,3,4,-1]").is_err());
        assert!(serde_json::from_str::<EDetector>("[1,2,3,4,5]").is_ok());
    }
}
