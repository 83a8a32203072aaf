//! How much higher one rate of events is than another, from counts of events alone.
//!
//! Given that an event happened, the first of two versions had it with probability `q = w r / (w r +
//! 1 - w)`, where `w` is its share of the documents and `r` the ratio of its rate to the other's. The
//! base rate cancels, and the logarithms of the likelihoods of strata add up. After Lindon and Malek,
//! "Anytime-Valid Inference for Multinomial Count Data" (2022, arXiv 2011.03567): the mean likelihood
//! over the ratios above one is an e-value against "no higher", which exceeds 20 with a probability
//! of at most 5 %, however often it is evaluated.

use std::iter::Sum;

use statrs::distribution::{Continuous, Normal};

/// The number of ratios in the grid.
const POINTS: usize = 64;
const LARGEST: f64 = 8.0;
/// The relative rounding error within which two sums are equal: one event in a billion.
const TIE: f64 = 1e-9;
/// Ratios up to this are "no higher".
const NO_HIGHER: f64 = 1.02;

/// A value for each ratio of the grid.
type Points = [f64; POINTS];

/// How many documents there are, and how many of them had the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) documents: u64,
}

/// Two versions under the same conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stratum {
    pub(crate) first: Counts,
    pub(crate) second: Counts,
}

/// The events of each version, weighted with the other's share of its stratum, over all strata
/// (Mantel and Haenszel).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighted {
    first: f64,
    second: f64,
}

/// What the counts of all strata say about each ratio.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    pub(crate) first: Counts,
    pub(crate) second: Counts,
    pub(crate) weighted: Weighted,
    ln: Points,
}

/// The grid of ratios, 64 of them evenly spaced in the logarithm between 1/8 and 8, and the
/// tolerated ratio.
#[derive(Debug)]
pub(crate) struct RatioTest {
    max_ratio: f64,
    ratios: Points,
    ln_ratios: Points,
    /// The prior weight of each ratio.
    prior: Points,
    /// The first point that is not "no higher".
    first_higher: usize,
    /// The first point above the tolerated ratio.
    first_above: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        self.documents = self.documents.saturating_add(other.documents);
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Weighted {
    /// Adds a stratum.
    pub(crate) fn count(&mut self, Stratum { first, second }: Stratum) {
        if first.documents > 0 && second.documents > 0 {
            let (n, m) = (first.documents as f64, second.documents as f64);
            self.first += first.events as f64 * m / (n + m);
            self.second += second.events as f64 * n / (n + m);
        }
    }

    fn add(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }

    /// The ratio of the rates; `None` if the second version had no event.
    pub(crate) fn ratio(self) -> Option<f64> {
        (self.second > 0.0).then(|| self.first / self.second)
    }
}

impl Sum for Weighted {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let mut sum = Self::default();
        parts.for_each(|part| sum.add(part));
        sum
    }
}

impl Default for Likelihood {
    fn default() -> Self {
        Self {
            first: Counts::default(),
            second: Counts::default(),
            weighted: Weighted::default(),
            ln: [0.0; POINTS],
        }
    }
}

impl Likelihood {
    /// Adds documents without an event, which say nothing about the ratio.
    pub(crate) fn add_documents(&mut self, Stratum { first, second }: Stratum) {
        self.first.add(first);
        self.second.add(second);
    }

    /// Adds the likelihood of other strata.
    pub(crate) fn add(&mut self, other: &Self) {
        self.first.add(other.first);
        self.second.add(other.second);
        self.weighted.add(other.weighted);
        for (ln, more) in self.ln.iter_mut().zip(other.ln) {
            *ln += more;
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl RatioTest {
    /// `max_ratio`: the tolerated ratio, above 1.02 and below 8.
    pub(crate) fn new(max_ratio: f64) -> Self {
        let step = 2.0 * LARGEST.ln() / (POINTS - 1) as f64;
        let ln_ratios: Points = std::array::from_fn(|point| point as f64 * step - LARGEST.ln());
        let ratios = ln_ratios.map(f64::exp);
        let normal = Normal::standard();
        let up_to = |limit: f64| ratios.iter().filter(|ratio| **ratio <= limit).count();
        Self {
            max_ratio,
            ratios,
            ln_ratios,
            prior: ln_ratios.map(|ln_ratio| normal.pdf(ln_ratio)),
            first_higher: up_to(NO_HIGHER),
            first_above: up_to(max_ratio),
        }
    }

    pub(crate) fn add_up(&self, strata: impl IntoIterator<Item = Stratum>) -> Likelihood {
        let mut sum = Likelihood::default();
        for stratum in strata {
            sum.add_documents(stratum);
            let Stratum { first, second } = stratum;
            let events = first.events.saturating_add(second.events);
            if first.documents == 0 || second.documents == 0 || events == 0 {
                continue;
            }
            sum.weighted.count(stratum);
            let (n, m) = (first.documents as f64, second.documents as f64);
            let (share, events) = (n / (n + m), events as f64);
            let costs = self.ratios.map(|ratio| (share * ratio + 1.0 - share).ln());
            for (ln, (cost, ln_ratio)) in sum.ln.iter_mut().zip(costs.iter().zip(self.ln_ratios)) {
                *ln += first.events as f64 * ln_ratio - events * cost;
            }
        }
        sum
    }

    /// Whether the first version's rate is above the tolerated ratio to the second's.
    pub(crate) fn exceeds(&self, weighted: Weighted) -> bool {
        weighted.first > self.max_ratio * weighted.second * (1.0 + TIE)
    }

    /// The number of events that the first version would have at exactly the tolerated ratio.
    pub(crate) fn information(&self, weighted: Weighted) -> f64 {
        self.max_ratio * weighted.second
    }

    /// An upper bound of the e-value of so many events of the first version: at no ratio of the grid
    /// is one of them likelier than at no difference by more than that ratio.
    pub(crate) fn largest_e_value(events: u32) -> f64 {
        LARGEST.powi(i32::try_from(events).unwrap_or(i32::MAX))
    }

    /// Natural logarithm of the e-value against "no higher".
    pub(crate) fn ln_e(&self, likelihood: &Likelihood) -> f64 {
        let higher = likelihood.ln.get(self.first_higher..).unwrap_or_default();
        let largest = largest(higher);
        let sum: f64 = higher.iter().map(|ln| (ln - largest).exp()).sum();
        (sum / higher.len() as f64).ln() + largest
    }

    /// The probability that the ratio is above the tolerated one, with a prior that is normal in the
    /// logarithm of the ratio.
    pub(crate) fn p_exceeds(&self, likelihood: &Likelihood) -> f64 {
        let largest = largest(&likelihood.ln);
        let (mut all, mut above) = (0.0, 0.0);
        for (point, (ln, prior)) in likelihood.ln.iter().zip(self.prior).enumerate() {
            let weight = prior * (ln - largest).exp();
            all += weight;
            if point >= self.first_above {
                above += weight;
            }
        }
        above / all
    }
}

/// The largest value, with four comparisons at a time.
fn largest(values: &[f64]) -> f64 {
    let larger = |one, other| if other > one { other } else { one };
    let mut lanes = [f64::NEG_INFINITY; 4];
    for chunk in values.chunks(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *value);
        }
    }
    lanes.into_iter().fold(f64::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the tests look at.
    #[derive(Debug)]
    struct Found {
        likelihood: Likelihood,
        ln_e: f64,
        p_exceeds: f64,
        information: f64,
        exceeds: bool,
    }

    fn ratio_test() -> RatioTest {
        RatioTest::new(1.5)
    }

    fn stratum(x: u64, n: u64, y: u64, m: u64) -> Stratum {
        Stratum {
            first: Counts {
                events: x,
                documents: n,
            },
            second: Counts {
                events: y,
                documents: m,
            },
        }
    }

    fn evidence(strata: &[Stratum]) -> Found {
        found(ratio_test().add_up(strata.iter().copied()))
    }

    fn found(likelihood: Likelihood) -> Found {
        let ratio_test = ratio_test();
        Found {
            ln_e: ratio_test.ln_e(&likelihood),
            p_exceeds: ratio_test.p_exceeds(&likelihood),
            information: ratio_test.information(likelihood.weighted),
            exceeds: ratio_test.exceeds(likelihood.weighted),
            likelihood,
        }
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
        assert!((found.likelihood.weighted.ratio().unwrap() - 1.0).abs() < 1e-12);
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

    /// A hundred strata with a hundred events each, all of them the first version's: the likelihoods
    /// themselves would overflow.
    #[test]
    fn many_strata_with_few_events_each_add_up() {
        let one = ratio_test().add_up([stratum(100, 125, 0, 2_375)]);
        let mut all = Likelihood::default();
        for _ in 0..100 {
            all.add(&one);
        }
        let at_once = evidence(&[stratum(10_000, 12_500, 0, 237_500)]);
        let parts = found(all);
        assert!((parts.ln_e / at_once.ln_e - 1.0).abs() < 1e-9, "{parts:?}");
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
            let (n, m) = (stratum.first.documents, stratum.second.documents);
            if n == 0 || m == 0 {
                continue;
            }
            let w = n as f64 / (n + m) as f64;
            for (log, r) in logs.iter_mut().zip(ratio_test().ratios) {
                let q = w * r / (w * r + 1.0 - w);
                *log += stratum.first.events as f64 * (q / w).ln()
                    + stratum.second.events as f64 * ((1.0 - q) / (1.0 - w)).ln();
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
        fn the_sum_is_the_formula(strata in any_strata()) {
            let likelihood = ratio_test().add_up(strata.iter().copied());
            for (log, plain) in likelihood.ln.into_iter().zip(plain_logs(&strata)) {
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
            strata[0].first.events += 1;
            prop_assert!(evidence(&strata).exceeds);
        }

        #[test]
        fn no_e_value_is_above_the_largest(strata in any_strata()) {
            let events: u64 = strata.iter().map(|stratum| stratum.first.events).sum();
            let largest = RatioTest::largest_e_value(u32::try_from(events).unwrap());
            prop_assert!(evidence(&strata).ln_e <= largest.ln() + 1e-9);
        }

        #[test]
        fn strata_add_up_in_any_order_and_in_parts(mut strata in any_strata(), cut in 0_usize..40) {
            let forward = evidence(&strata);
            let (one, other) = strata.split_at(cut.min(strata.len()));
            let mut parts = ratio_test().add_up(one.iter().copied());
            parts.add(&ratio_test().add_up(other.iter().copied()));
            let parts = found(parts);
            strata.reverse();
            let backward = evidence(&strata);
            for found in [parts, backward] {
                prop_assert!((forward.ln_e - found.ln_e).abs() < 1e-6);
                prop_assert!((forward.p_exceeds - found.p_exceeds).abs() < 1e-9);
                let counts = |found: &Found| (found.likelihood.first, found.likelihood.second);
                prop_assert_eq!(counts(&forward), counts(&found));
            }
        }

        #[test]
        fn one_more_of_the_candidate_s_never_looks_better(strata in any_strata(), at in 0_usize..40) {
            let before = evidence(&strata);
            let mut more = strata.clone();
            if at >= strata.len() {
                return Ok(());
            }
            more[at].first.events += 1;
            let after = evidence(&more);
            prop_assert!(after.p_exceeds >= before.p_exceeds - 1e-12);
            let ratio = |found: &Found| found.likelihood.weighted.ratio();
            prop_assert!(ratio(&after) >= ratio(&before));
            more[at].first.events -= 1;
            more[at].second.events += 1;
            prop_assert!(evidence(&more).p_exceeds <= before.p_exceeds + 1e-12);
        }
    }
}
