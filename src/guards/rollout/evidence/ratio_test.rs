//! How much worse a candidate is, from counts of events alone.
//!
//! Given that an answer was corrected, the candidate gave it with probability `q = w r / (w r + 1 -
//! w)`, where `w` is the candidate's share of the answers and `r` the ratio of its correction rate
//! to production's. The base rate cancels, and the logarithms of the likelihoods of strata (stage,
//! document type, time slice) add up. After Lindon and Malek, "Anytime-Valid Inference for
//! Multinomial Count Data" (2022, arXiv 2011.03567): the mean likelihood over the ratios above one
//! is an e-value against "no worse", which exceeds 20 with a probability of at most 5 %, however
//! often it is evaluated.

use statrs::distribution::{Continuous, Normal};

use super::likelihood::{Likelihood, POINTS, Points, Stratum, power};
use crate::event::{Evidence, Measure};
use crate::ratio::Ratio;

const LARGEST: f64 = 8.0;
/// The relative rounding error within which two sums are equal: one correction in a billion.
const TIE: f64 = 1e-9;
/// Ratios up to this are "no worse".
const NO_WORSE: f64 = 1.02;

/// The grid of ratios, 64 of them evenly spaced in the logarithm between 1/8 and 8, and the
/// tolerated ratio.
#[derive(Debug)]
pub(crate) struct RatioTest {
    max_ratio: f64,
    ratios: Points,
    ln_ratios: Points,
    /// The prior weight of each ratio.
    prior: Points,
    /// The first point that is not "no worse".
    first_worse: usize,
    /// The first point above the tolerated ratio.
    first_above: usize,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl RatioTest {
    pub(crate) fn new(max_ratio: Ratio) -> Self {
        let step = 2.0 * LARGEST.ln() / (POINTS - 1) as f64;
        let ln_ratios: Points = std::array::from_fn(|point| point as f64 * step - LARGEST.ln());
        let ratios = ln_ratios.map(f64::exp);
        let normal = Normal::standard();
        let max_ratio = max_ratio.as_f64();
        let up_to = |limit: f64| ratios.iter().filter(|ratio| **ratio <= limit).count();
        Self {
            max_ratio,
            ratios,
            ln_ratios,
            prior: ln_ratios.map(|ln_ratio| normal.pdf(ln_ratio)),
            first_worse: up_to(NO_WORSE),
            first_above: up_to(max_ratio),
        }
    }

    pub(crate) fn add_up(&self, strata: impl IntoIterator<Item = Stratum>) -> Likelihood {
        let mut likelihood = Likelihood::default();
        for stratum in strata {
            likelihood.count(stratum.candidate, stratum.stable);
            let (x, y) = (stratum.candidate.events, stratum.stable.events);
            let shares = stratum.mantel_haenszel().filter(|_| x + y > 0);
            let Some((above, below)) = shares else {
                continue;
            };
            likelihood.above += above;
            likelihood.below += below;
            likelihood.candidate_events += x;
            let (n, m) = (stratum.candidate.documents, stratum.stable.documents);
            let share = n as f64 / (n + m) as f64;
            let factors = self.ratios.map(|ratio| share * ratio + 1.0 - share);
            likelihood.multiply(&factors, x.saturating_add(y));
        }
        likelihood
    }

    /// Whether the candidate's rate is above the tolerated ratio to production's.
    pub(crate) fn exceeds(&self, likelihood: &Likelihood) -> bool {
        self.is_above(likelihood.above, likelihood.below)
    }

    /// The same for strata that are not added up yet.
    pub(crate) fn exceeds_in(&self, strata: impl IntoIterator<Item = Stratum>) -> bool {
        let shares = strata
            .into_iter()
            .filter_map(|stratum| stratum.mantel_haenszel());
        let (above, below) = shares.fold((0.0, 0.0), |sums, shares| {
            (sums.0 + shares.0, sums.1 + shares.1)
        });
        self.is_above(above, below)
    }

    fn is_above(&self, above: f64, below: f64) -> bool {
        above > self.max_ratio * below * (1.0 + TIE)
    }

    /// Natural logarithm of the e-value against "no worse".
    pub(crate) fn ln_e(&self, likelihood: &Likelihood) -> f64 {
        let (likelihoods, scale) = self.likelihoods(likelihood, self.first_worse);
        self.mean_of_worse(&likelihoods).ln() + scale
    }

    fn mean_of_worse(&self, likelihoods: &Points) -> f64 {
        let worse = likelihoods.get(self.first_worse..).unwrap_or_default();
        worse.iter().sum::<f64>() / worse.len() as f64
    }

    pub(crate) fn evidence(&self, measure: Measure, likelihood: &Likelihood) -> Evidence {
        let (likelihoods, scale) = self.likelihoods(likelihood, 0);
        let mean_of_worse = self.mean_of_worse(&likelihoods);
        let mut posterior = likelihoods;
        for (weight, prior) in posterior.iter_mut().zip(self.prior) {
            *weight *= prior;
        }
        let above = posterior.get(self.first_above..).unwrap_or_default();
        Evidence {
            measure,
            candidate: likelihood.candidate,
            stable: likelihood.stable,
            ratio: (likelihood.below > 0.0).then(|| likelihood.above / likelihood.below),
            ln_e: if mean_of_worse > f64::MIN_POSITIVE {
                mean_of_worse.ln() + scale
            } else {
                self.ln_e(likelihood)
            },
            p_exceeds: above.iter().sum::<f64>() / posterior.iter().sum::<f64>(),
            information: self.max_ratio * likelihood.below,
            exceeds: self.exceeds(likelihood),
        }
    }

    /// The likelihood of each ratio, and the logarithm of their common scale: if they are scaled,
    /// the largest from `first` on is 1.
    fn likelihoods(&self, likelihood: &Likelihood, first: usize) -> (Points, f64) {
        if likelihood.ln_cost.is_none() {
            let mut likelihoods = power(self.ratios, likelihood.candidate_events);
            for (likelihood, cost) in likelihoods.iter_mut().zip(likelihood.cost.points) {
                *likelihood /= cost;
            }
            return (likelihoods, 0.0);
        }
        let logs = self.logs(likelihood);
        let scale = logs.iter().skip(first);
        let scale = scale.copied().fold(f64::NEG_INFINITY, f64::max);
        (logs.map(|log| (log - scale).exp()), scale)
    }

    fn logs(&self, likelihood: &Likelihood) -> Points {
        let events = likelihood.candidate_events as f64;
        let mut logs = self.ln_ratios.map(|ln_ratio| events * ln_ratio);
        for (log, cost) in logs.iter_mut().zip(likelihood.cost.points) {
            *log -= cost.ln();
        }
        for (log, cost) in logs
            .iter_mut()
            .zip(likelihood.ln_cost.iter().flat_map(|cost| **cost))
        {
            *log -= cost;
        }
        logs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Tally;

    fn ratio_test() -> RatioTest {
        RatioTest::new(Ratio::percent(150))
    }

    fn stratum(x: u64, n: u64, y: u64, m: u64) -> Stratum {
        Stratum {
            candidate: Tally::new(x, n),
            stable: Tally::new(y, m),
        }
    }

    fn evidence(strata: &[Stratum]) -> Evidence {
        let likelihood = ratio_test().add_up(strata.iter().copied());
        ratio_test().evidence(Measure::Corrections, &likelihood)
    }

    /// Computed independently with numpy and scipy for this grid and prior.
    #[test]
    fn grid_agrees_with_numpy() {
        let twentieth = |x, y| stratum(x, 1_000, y, 19_000);
        let quarter = |x, y| stratum(x, 1_000, y, 3_000);
        for (strata, ln_e, p) in [
            (&[twentieth(0, 0)][..], 0.0, 0.340_473),
            (&[twentieth(1, 0)], 1.076_601, 0.658_124),
            (&[twentieth(0, 20)], -1.240_440, 0.085_300),
            (&[twentieth(3, 28)], 0.057_781, 0.537_852),
            (&[twentieth(6, 114)], -1.484_209, 0.119_585),
            (&[twentieth(12, 114)], 1.132_707, 0.758_605),
            (&[twentieth(30, 570)], -2.240_113, 0.009_448),
            (&[twentieth(45, 570)], 1.360_269, 0.482_553),
            (&[twentieth(60, 570)], 9.026_389, 0.977_636),
            (&[quarter(20, 30)], 1.628_891, 0.800_652),
            (&[quarter(10, 30)], -1.570_449, 0.108_803),
            (&[twentieth(6, 114), quarter(10, 30)], -1.857_939, 0.053_533),
            (&[twentieth(5, 0)], 6.946_864, 0.996_867),
        ] {
            let found = evidence(strata);
            assert!((found.ln_e - ln_e).abs() < 1e-6, "{strata:?}: {found:?}");
            assert!((found.p_exceeds - p).abs() < 1e-6, "{strata:?}: {found:?}");
        }
    }

    /// With much data the prior has little weight: the closed form `1 - I_z(x + 1/2, y + 1/2)` with
    /// `z = 1.5 n / (1.5 n + m)`, by scipy's `betainc`, is close.
    #[test]
    fn much_data_agrees_with_the_closed_form() {
        for (strata, p) in [
            (stratum(60, 1_000, 570, 19_000), 0.9803),
            (stratum(30, 1_000, 570, 19_000), 0.0113),
            (stratum(300, 5_000, 2_850, 95_000), 1.0),
        ] {
            let found = evidence(&[strata]).p_exceeds;
            assert!((found - p).abs() < 0.004, "{strata:?}: {found}");
        }
    }

    /// Pooled, the candidate looks 1.67 times worse; in each stage the rates are the same.
    #[test]
    fn a_mix_that_changes_over_the_stages_is_not_taken_for_a_regression() {
        let found = evidence(&[stratum(5, 500, 95, 9_500), stratum(200, 2_500, 600, 7_500)]);
        assert!((found.ratio.unwrap() - 1.0).abs() < 1e-12);
        assert!(!found.exceeds);
    }

    #[test]
    fn a_ratio_of_exactly_one_and_a_half_does_not_exceed_it() {
        assert!(!evidence(&[stratum(45, 1_000, 570, 19_000)]).exceeds);
        assert!(evidence(&[stratum(46, 1_000, 570, 19_000)]).exceeds);
    }

    #[test]
    fn no_corrections_give_finite_numbers() {
        for stratum in [
            stratum(0, 0, 0, 0),
            stratum(0, 10, 0, 10),
            stratum(5, 100, 0, 1_900),
            stratum(0, 0, 5, 5),
            stratum(1_000_000, 1_000_000, 0, 1_000_000),
        ] {
            let found = evidence(&[stratum]);
            assert!(
                found.ln_e.is_finite()
                    && found.p_exceeds.is_finite()
                    && found.information.is_finite(),
                "{found:?}"
            );
        }
    }

    /// A hundred types with a hundred events each, all of them the candidate's: a single product of
    /// all factors would overflow.
    #[test]
    fn many_types_with_few_events_each_add_up() {
        let one = ratio_test().add_up([stratum(100, 125, 0, 2_375)]);
        let mut all = Likelihood::default();
        for _ in 0..100 {
            all.add(&one);
        }
        let found = ratio_test().evidence(Measure::Corrections, &all);
        let at_once = evidence(&[stratum(10_000, 12_500, 0, 237_500)]);
        assert!((found.ln_e / at_once.ln_e - 1.0).abs() < 1e-9, "{found:?}");
        for _ in 0..99 {
            all.remove(&one);
        }
        let found = ratio_test().evidence(Measure::Corrections, &all);
        let alone = ratio_test().evidence(Measure::Corrections, &one);
        assert!(
            (found.ln_e - alone.ln_e).abs() < 1e-6,
            "{found:?} {alone:?}"
        );
    }

    /// The likelihoods of all ratios above one underflow: 2,000 against 200,000 corrections at a
    /// share of one half.
    #[test]
    fn evidence_that_a_candidate_is_better_is_finite() {
        let strata = [stratum(2_000, 500_000, 200_000, 500_000)];
        let found = evidence(&strata).ln_e;
        let first_worse = plain_logs(&strata)[32];
        assert!(found.is_finite() && found < -700.0, "{found}");
        assert!(
            (found - (first_worse - 32_f64.ln())).abs() < 1e-3,
            "{found} {first_worse}"
        );
    }

    /// The formula at the head of this file, with a logarithm for each stratum and point.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of documents are far below 2^53"
    )]
    fn plain_logs(strata: &[Stratum]) -> Points {
        let mut logs = [0.0; POINTS];
        for stratum in strata {
            let (n, m) = (stratum.candidate.documents, stratum.stable.documents);
            if n == 0 || m == 0 {
                continue;
            }
            let w = n as f64 / (n + m) as f64;
            for (log, r) in logs.iter_mut().zip(ratio_test().ratios) {
                let q = w * r / (w * r + 1.0 - w);
                *log += stratum.candidate.events as f64 * (q / w).ln()
                    + stratum.stable.events as f64 * ((1.0 - q) / (1.0 - w)).ln();
            }
        }
        logs
    }

    fn any_strata() -> impl Strategy<Value = Vec<Stratum>> {
        let any = (0_u64..400, 0_u64..500, 0_u64..400, 0_u64..500);
        let stratum = any.prop_map(|(x, n, y, m)| stratum(x.min(n), n, y.min(m), m));
        prop::collection::vec(stratum, 0..40)
    }

    proptest! {
        #[test]
        fn the_product_is_the_formula(strata in any_strata()) {
            let likelihood = ratio_test().add_up(strata.iter().copied());
            for (log, plain) in ratio_test().logs(&likelihood).into_iter().zip(plain_logs(&strata)) {
                prop_assert!((log - plain).abs() < 1e-9 * (1.0 + plain.abs()), "{log} {plain}");
            }
        }

        /// In each stratum the candidate is corrected exactly 1.5 times as often.
        #[test]
        fn a_tie_over_many_strata_is_a_tie(
            strata in prop::collection::vec((1_u64..200, 601_u64..90_000, 1_u64..50), 1..40),
        ) {
            let mut strata: Vec<_> = strata
                .iter()
                .map(|(k, n, times)| stratum(3 * k, *n, 2 * k * times, n * times))
                .collect();
            prop_assert!(!evidence(&strata).exceeds);
            strata[0].candidate.events += 1;
            prop_assert!(evidence(&strata).exceeds);
        }

        #[test]
        fn strata_add_up_in_any_order_and_in_parts(mut strata in any_strata(), age_cutoff in 0_usize..40) {
            let forward = evidence(&strata);
            let (one, other) = strata.split_at(age_cutoff.min(strata.len()));
            let mut parts = ratio_test().add_up(one.iter().copied());
            parts.add(&ratio_test().add_up(other.iter().copied()));
            let mut without = parts.clone();
            without.add(&ratio_test().add_up([stratum(3, 10, 200, 300)]));
            without.remove(&ratio_test().add_up([stratum(3, 10, 200, 300)]));
            let without = ratio_test().evidence(Measure::Corrections, &without);
            let parts = ratio_test().evidence(Measure::Corrections, &parts);
            strata.reverse();
            let backward = evidence(&strata);
            for found in [parts, without, backward] {
                prop_assert!((forward.ln_e - found.ln_e).abs() < 1e-6);
                prop_assert!((forward.p_exceeds - found.p_exceeds).abs() < 1e-9);
                prop_assert_eq!((forward.candidate, forward.stable), (found.candidate, found.stable));
            }
        }

        #[test]
        fn one_more_of_the_candidate_s_never_looks_better(strata in any_strata(), at in 0_usize..40) {
            let before = evidence(&strata);
            let mut more = strata.clone();
            if at >= strata.len() {
                return Ok(());
            }
            more[at].candidate.events += 1;
            let after = evidence(&more);
            prop_assert!(after.p_exceeds >= before.p_exceeds - 1e-12);
            prop_assert!(after.ratio >= before.ratio);
            more[at].candidate.events -= 1;
            more[at].stable.events += 1;
            prop_assert!(evidence(&more).p_exceeds <= before.p_exceeds + 1e-12);
        }
    }
}
