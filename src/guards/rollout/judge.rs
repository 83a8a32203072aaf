//! How much worse a candidate is, from counts of corrected answers alone.
//!
//! Given that an answer was corrected, it came from the candidate with probability `q = w r / (w r + 1 - w)`, where `w` is
//! the candidate's share of the answers and `r` how many times as often it is corrected. The base rate cancels, and
//! likelihoods of strata (stage, document type) add up. After Lindon and Malek, "Anytime-Valid Inference for Multinomial
//! Count Data" (2022, arXiv 2011.03567): the mean likelihood over the ratios above one is an e-value against "no worse", which
//! exceeds 20 with a probability of at most 5 %, however often one looks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ratio::Ratio;

const POINTS: u32 = 64;
const LARGEST: f64 = 8.0;
/// Sums that differ by no more than this share are the same, but for rounding: one correction in a billion.
const TIE: f64 = 1e-9;
/// Ratios up to this are "no worse".
const NO_WORSE: f64 = 1.02;

/// Answers of one version, and how many of them people corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arm {
    pub(super) answered: u64,
    pub(super) corrected: u64,
}

impl Arm {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            answered: self.answered.saturating_add(other.answered),
            corrected: self.corrected.saturating_add(other.corrected),
        }
    }
}

/// Candidate and production under like conditions: one stage, one document type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stratum {
    pub(super) candidate: Arm,
    pub(super) stable: Arm,
}

/// What the corrections say about a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// Answers of the candidate.
    pub candidate_answered: u64,
    /// Those that people corrected.
    pub candidate_corrected: u64,
    /// Answers of production at the same time.
    pub stable_answered: u64,
    /// Those that people corrected.
    pub stable_corrected: u64,
    /// How many times as often the candidate is corrected: Mantel-Haenszel over stages and document types. `None` when
    /// production was not corrected at all.
    pub ratio: Option<f64>,
    /// Natural logarithm of the e-value against "no worse than production".
    pub ln_e: f64,
    /// Probability that the ratio is above the tolerated one, for a prior that is normal in the logarithm.
    pub p_exceeds: f64,
    /// Corrections to expect of the candidate if it were exactly at the tolerated ratio: how much the counts can tell.
    pub information: f64,
    /// Whether the ratio is above the tolerated one.
    pub exceeds: bool,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "corrected {} of {} against {} of {}",
            self.candidate_corrected,
            self.candidate_answered,
            self.stable_corrected,
            self.stable_answered
        )?;
        match self.ratio {
            Some(ratio) => write!(f, ", {ratio:.2} times as often")?,
            None => f.write_str(", no ratio yet")?,
        }
        write!(
            f,
            " (e-value {:.3}, {:.1} % above the limit)",
            self.ln_e.exp(),
            self.p_exceeds * 100.0
        )
    }
}

/// Weighs all strata against a tolerated ratio.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
pub(super) fn weigh<'a>(
    strata: impl IntoIterator<Item = &'a Stratum>,
    max_ratio: Ratio,
) -> Evidence {
    let (mut candidate, mut stable) = (Arm::default(), Arm::default());
    let (mut above, mut below) = (0.0, 0.0);
    let mut likelihood = Likelihood::flat();
    for stratum in strata {
        candidate = candidate.plus(stratum.candidate);
        stable = stable.plus(stratum.stable);
        let (n, m) = (
            stratum.candidate.answered as f64,
            stratum.stable.answered as f64,
        );
        if n == 0.0 || m == 0.0 {
            continue;
        }
        let (x, y) = (
            stratum.candidate.corrected as f64,
            stratum.stable.corrected as f64,
        );
        above += x * m / (n + m);
        below += y * n / (n + m);
        likelihood.add(x, y, n / (n + m));
    }
    Evidence {
        candidate_answered: candidate.answered,
        candidate_corrected: candidate.corrected,
        stable_answered: stable.answered,
        stable_corrected: stable.corrected,
        ratio: (below > 0.0).then(|| above / below),
        ln_e: likelihood.ln_e(),
        p_exceeds: likelihood.p_exceeds(max_ratio.as_f64()),
        information: max_ratio.as_f64() * below,
        exceeds: above > max_ratio.as_f64() * below * (1.0 + TIE),
    }
}

/// Log-likelihood at 64 ratios, evenly spaced in the logarithm between 1/8 and 8.
struct Likelihood(Vec<(f64, f64)>);

impl Likelihood {
    fn flat() -> Self {
        let step = 2.0 * LARGEST.ln() / f64::from(POINTS - 1);
        Self(
            (0..POINTS)
                .map(|j| (f64::from(j) * step - LARGEST.ln(), 0.0))
                .collect(),
        )
    }

    fn add(&mut self, x: f64, y: f64, w: f64) {
        for (ln_r, log) in &mut self.0 {
            let scaled = w * ln_r.exp();
            let q = scaled / (scaled + 1.0 - w);
            *log += x * (q / w).ln() + y * ((1.0 - q) / (1.0 - w)).ln();
        }
    }

    fn ln_e(&self) -> f64 {
        let worse: Vec<f64> = self
            .0
            .iter()
            .filter(|(ln_r, _)| ln_r.exp() > NO_WORSE)
            .map(|(_, log)| *log)
            .collect();
        let points = f64::from(u32::try_from(worse.len()).unwrap_or(u32::MAX));
        ln_sum_exp(&worse) - points.ln()
    }

    fn p_exceeds(&self, ratio: f64) -> f64 {
        let weight = |(ln_r, log): &(f64, f64)| log - 0.5 * ln_r * ln_r;
        let all: Vec<f64> = self.0.iter().map(weight).collect();
        let above: Vec<f64> = self
            .0
            .iter()
            .filter(|(ln_r, _)| ln_r.exp() > ratio)
            .map(weight)
            .collect();
        (ln_sum_exp(&above) - ln_sum_exp(&all)).exp()
    }
}

fn ln_sum_exp(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest
        + logs
            .iter()
            .map(|log| (log - largest).exp())
            .sum::<f64>()
            .ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn likelihood(strata: &[(f64, f64, f64)]) -> Likelihood {
        let mut likelihood = Likelihood::flat();
        for (x, y, w) in strata {
            likelihood.add(*x, *y, *w);
        }
        likelihood
    }

    /// Computed independently with numpy and scipy for this grid and prior.
    #[test]
    fn grid_agrees_with_numpy() {
        for (strata, ln_e, p) in [
            (&[(0.0, 0.0, 0.05)][..], 0.0, 0.340_473),
            (&[(1.0, 0.0, 0.05)], 1.076_601, 0.658_124),
            (&[(0.0, 20.0, 0.05)], -1.240_440, 0.085_300),
            (&[(3.0, 28.0, 0.05)], 0.057_781, 0.537_852),
            (&[(6.0, 114.0, 0.05)], -1.484_209, 0.119_585),
            (&[(12.0, 114.0, 0.05)], 1.132_707, 0.758_605),
            (&[(30.0, 570.0, 0.05)], -2.240_113, 0.009_448),
            (&[(45.0, 570.0, 0.05)], 1.360_269, 0.482_553),
            (&[(60.0, 570.0, 0.05)], 9.026_389, 0.977_636),
            (&[(20.0, 30.0, 0.25)], 1.628_891, 0.800_652),
            (&[(10.0, 30.0, 0.25)], -1.570_449, 0.108_803),
            (
                &[(6.0, 114.0, 0.05), (10.0, 30.0, 0.25)],
                -1.857_939,
                0.053_533,
            ),
            (&[(5.0, 0.0, 0.05)], 6.946_864, 0.996_867),
        ] {
            let found = likelihood(strata);
            assert!(
                (found.ln_e() - ln_e).abs() < 1e-6,
                "{strata:?}: ln e {}",
                found.ln_e()
            );
            assert!(
                (found.p_exceeds(1.5) - p).abs() < 1e-6,
                "{strata:?}: P {}",
                found.p_exceeds(1.5)
            );
        }
    }

    fn stratum(x: u64, n: u64, y: u64, m: u64) -> Stratum {
        Stratum {
            candidate: Arm {
                answered: n,
                corrected: x,
            },
            stable: Arm {
                answered: m,
                corrected: y,
            },
        }
    }

    /// Pooled, the candidate looks 1.67 times worse; in each stage the rates are the same.
    #[test]
    fn a_mix_that_changes_over_the_stages_is_not_taken_for_a_regression() {
        let strata = [stratum(5, 500, 95, 9_500), stratum(200, 2_500, 600, 7_500)];
        let evidence = weigh(&strata, Ratio::percent(150));
        assert!((evidence.ratio.unwrap() - 1.0).abs() < 1e-12);
        assert!(!evidence.exceeds);
    }

    #[test]
    fn a_ratio_of_exactly_one_and_a_half_does_not_exceed_it() {
        assert!(!weigh(&[stratum(45, 1_000, 570, 19_000)], Ratio::percent(150)).exceeds);
        assert!(weigh(&[stratum(46, 1_000, 570, 19_000)], Ratio::percent(150)).exceeds);
    }

    #[test]
    fn no_corrections_give_finite_numbers() {
        for stratum in [
            stratum(0, 0, 0, 0),
            stratum(0, 10, 0, 10),
            stratum(5, 100, 0, 1_900),
            stratum(0, 0, 5, 5),
        ] {
            let evidence = weigh(&[stratum], Ratio::percent(150));
            assert!(
                evidence.ln_e.is_finite()
                    && evidence.p_exceeds.is_finite()
                    && evidence.information.is_finite()
            );
        }
    }

    proptest! {
        /// In each stratum the candidate is corrected exactly 1.5 times as often.
        #[test]
        fn a_tie_over_many_strata_is_a_tie(
            strata in prop::collection::vec((1_u64..200, 601_u64..90_000, 1_u64..50), 1..40),
        ) {
            let mut strata: Vec<_> = strata
                .iter()
                .map(|(k, n, times)| stratum(3 * k, *n, 2 * k * times, n * times))
                .collect();
            prop_assert!(!weigh(&strata, Ratio::percent(150)).exceeds);
            strata[0].candidate.corrected += 1;
            prop_assert!(weigh(&strata, Ratio::percent(150)).exceeds);
        }

        #[test]
        fn strata_add_up_in_any_order(
            mut strata in prop::collection::vec((0_u64..50, 1_u64..500, 0_u64..50, 1_u64..500), 1..6),
        ) {
            let weighed = |strata: &[(u64, u64, u64, u64)]| {
                let strata: Vec<_> = strata.iter().map(|(x, n, y, m)| stratum(*x, *n, *y, *m)).collect();
                weigh(&strata, Ratio::percent(150))
            };
            let forward = weighed(&strata);
            strata.reverse();
            let backward = weighed(&strata);
            prop_assert!((forward.ln_e - backward.ln_e).abs() < 1e-6);
            prop_assert!((forward.p_exceeds - backward.p_exceeds).abs() < 1e-9);
            prop_assert_eq!(forward.candidate_answered, backward.candidate_answered);
        }
    }
}
