//! How much worse a candidate is, from counts of events alone.
//!
//! Given that an answer was corrected, it came from the candidate with probability `q = w r / (w r + 1 - w)`, where `w` is
//! the candidate's share of the answers and `r` how many times as often it is corrected. The base rate cancels, and
//! likelihoods of strata (stage, document type, time) add up. After Lindon and Malek, "Anytime-Valid Inference for
//! Multinomial Count Data" (2022, arXiv 2011.03567): the mean likelihood over the ratios above one is an e-value against "no
//! worse", which exceeds 20 with a probability of at most 5 %, however often one looks.

use crate::evidence::{Evidence, Measure, Tally};
use crate::ratio::Ratio;

const POINTS: usize = 64;
const LARGEST: f64 = 8.0;
/// Sums that differ by no more than this share are the same, but for rounding: one correction in a billion.
const TIE: f64 = 1e-9;
/// Ratios up to this are "no worse".
const NO_WORSE: f64 = 1.02;

/// A number for each point of the grid.
type Points = [f64; POINTS];

/// Candidate and production under like conditions: one stage, one document type, one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stratum {
    pub(super) candidate: Tally,
    pub(super) stable: Tally,
}

/// Strata added up.
#[derive(Clone, Debug)]
pub(super) struct Weighed {
    candidate: Tally,
    stable: Tally,
    /// The candidate's events, each by production's share of its stratum.
    above: f64,
    /// Production's events, each by the candidate's share.
    below: f64,
    /// The candidate's events in strata that have both versions.
    candidate_events: f64,
    /// What each ratio costs: the sum of `k ln(w r + 1 - w)` over strata with `k` events.
    costs: Points,
}

/// The grid of ratios, 64 of them evenly spaced in the logarithm between 1/8 and 8, and the tolerated one.
#[derive(Debug)]
pub(super) struct Judge {
    max_ratio: f64,
    ratios: Points,
    ln_ratios: Points,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Judge {
    pub(super) fn new(max_ratio: Ratio) -> Self {
        let step = 2.0 * LARGEST.ln() / (POINTS - 1) as f64;
        let ln_ratios = std::array::from_fn(|point| point as f64 * step - LARGEST.ln());
        Self {
            max_ratio: max_ratio.as_f64(),
            ratios: ln_ratios.map(f64::exp),
            ln_ratios,
        }
    }

    /// Adds strata up.
    pub(super) fn weigh(&self, strata: impl IntoIterator<Item = Stratum>) -> Weighed {
        let mut weighed = Weighed::default();
        let mut pending = Product::default();
        for stratum in strata {
            weighed.count(stratum.candidate, stratum.stable);
            let Some((above, below)) = stratum.shared_out() else {
                continue;
            };
            weighed.above += above;
            weighed.below += below;
            let (x, y) = (stratum.candidate.events, stratum.stable.events);
            weighed.candidate_events += x as f64;
            let (n, m) = (stratum.candidate.documents, stratum.stable.documents);
            let share = n as f64 / (n + m) as f64;
            let factors = self.ratios.map(|ratio| share * ratio + 1.0 - share);
            pending.multiply(factors, x.saturating_add(y), &mut weighed.costs);
        }
        pending.settle(&mut weighed.costs);
        weighed
    }

    /// Whether it happens to the candidate more than the tolerated ratio as often.
    pub(super) fn exceeds(&self, weighed: &Weighed) -> bool {
        self.is_above(weighed.above, weighed.below)
    }

    /// The same, without weighing the strata first.
    pub(super) fn exceeds_in(&self, strata: impl IntoIterator<Item = Stratum>) -> bool {
        let shares = strata
            .into_iter()
            .filter_map(|stratum| stratum.shared_out());
        let (above, below) = shares.fold((0.0, 0.0), |sums, shares| {
            (sums.0 + shares.0, sums.1 + shares.1)
        });
        self.is_above(above, below)
    }

    fn is_above(&self, above: f64, below: f64) -> bool {
        above > self.max_ratio * below * (1.0 + TIE)
    }

    /// Natural logarithm of the e-value against "no worse".
    pub(super) fn ln_e(&self, weighed: &Weighed) -> f64 {
        let worse: Vec<f64> = self
            .logs(weighed)
            .filter(|(ln_r, _)| ln_r.exp() > NO_WORSE)
            .map(|(_, log)| log)
            .collect();
        ln_sum_exp(&worse) - (worse.len() as f64).ln()
    }

    /// Probability of being above the tolerated ratio.
    pub(super) fn p_exceeds(&self, weighed: &Weighed) -> f64 {
        let all: Vec<f64> = self
            .logs(weighed)
            .map(|(ln_r, log)| log - 0.5 * ln_r * ln_r)
            .collect();
        let limit = self
            .ratios
            .iter()
            .filter(|ratio| **ratio <= self.max_ratio)
            .count();
        let above = all.get(limit..).unwrap_or_default();
        (ln_sum_exp(above) - ln_sum_exp(&all)).exp()
    }

    /// Events to expect of the candidate if it were exactly at the tolerated ratio.
    pub(super) fn information(&self, weighed: &Weighed) -> f64 {
        self.max_ratio * weighed.below
    }

    /// All that there is to say.
    pub(super) fn evidence(&self, measure: Measure, weighed: &Weighed) -> Evidence {
        Evidence {
            measure,
            candidate: weighed.candidate,
            stable: weighed.stable,
            ratio: (weighed.below > 0.0).then(|| weighed.above / weighed.below),
            ln_e: self.ln_e(weighed),
            p_exceeds: self.p_exceeds(weighed),
            information: self.information(weighed),
            exceeds: self.exceeds(weighed),
        }
    }

    /// The logarithm of each ratio with its log-likelihood.
    fn logs(&self, weighed: &Weighed) -> impl Iterator<Item = (f64, f64)> {
        let events = weighed.candidate_events;
        let costs = weighed.costs;
        let points = self.ln_ratios.into_iter().zip(costs);
        points.map(move |(ln_r, cost)| (ln_r, events * ln_r - cost))
    }
}

impl Default for Weighed {
    fn default() -> Self {
        Self {
            candidate: Tally::default(),
            stable: Tally::default(),
            above: 0.0,
            below: 0.0,
            candidate_events: 0.0,
            costs: [0.0; POINTS],
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Stratum {
    /// The candidate's events by production's share, and production's by the candidate's; `None` with only one version.
    fn shared_out(&self) -> Option<(f64, f64)> {
        let (n, m) = (
            self.candidate.documents as f64,
            self.stable.documents as f64,
        );
        let (x, y) = (self.candidate.events as f64, self.stable.events as f64);
        (n > 0.0 && m > 0.0).then(|| (x * m / (n + m), y * n / (n + m)))
    }
}

impl Weighed {
    fn count(&mut self, candidate: Tally, stable: Tally) {
        for (sum, tally) in [(&mut self.candidate, candidate), (&mut self.stable, stable)] {
            sum.documents = sum.documents.saturating_add(tally.documents);
            sum.events = sum.events.saturating_add(tally.events);
        }
    }

    /// Adds what was weighed elsewhere: another document type, another replica.
    pub(super) fn add(&mut self, other: &Self) {
        self.count(other.candidate, other.stable);
        self.above += other.above;
        self.below += other.below;
        self.candidate_events += other.candidate_events;
        for (cost, more) in self.costs.iter_mut().zip(other.costs) {
            *cost += more;
        }
    }

    /// Takes away what was added before.
    pub(super) fn remove(&mut self, other: &Self) {
        for (sum, tally) in [
            (&mut self.candidate, other.candidate),
            (&mut self.stable, other.stable),
        ] {
            sum.documents = sum.documents.saturating_sub(tally.documents);
            sum.events = sum.events.saturating_sub(tally.events);
        }
        self.above -= other.above;
        self.below -= other.below;
        self.candidate_events -= other.candidate_events;
        for (cost, less) in self.costs.iter_mut().zip(other.costs) {
            *cost -= less;
        }
    }
}

/// Powers multiplied up, so that many small strata cost one logarithm a point and not one each.
struct Product {
    points: Points,
    events: u64,
}

/// A factor lies between 1/8 and 8: so many of them stay far from the ends of the numbers.
const MOST_FACTORS: u64 = 256;

impl Default for Product {
    fn default() -> Self {
        Self {
            points: [1.0; POINTS],
            events: 0,
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Product {
    fn multiply(&mut self, mut factors: Points, events: u64, costs: &mut Points) {
        if events > MOST_FACTORS {
            for (cost, factor) in costs.iter_mut().zip(factors) {
                *cost += events as f64 * factor.ln();
            }
            return;
        }
        if self.events + events > MOST_FACTORS {
            self.settle(costs);
        }
        self.events += events;
        let mut left = events;
        while left > 0 {
            if left % 2 == 1 {
                for (point, factor) in self.points.iter_mut().zip(factors) {
                    *point *= factor;
                }
            }
            left /= 2;
            if left > 0 {
                for factor in &mut factors {
                    *factor *= *factor;
                }
            }
        }
    }

    fn settle(&mut self, costs: &mut Points) {
        if self.events > 0 {
            for (cost, point) in costs.iter_mut().zip(self.points) {
                *cost += point.ln();
            }
            *self = Self::default();
        }
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

    fn judge() -> Judge {
        Judge::new(Ratio::percent(150))
    }

    fn stratum(x: u64, n: u64, y: u64, m: u64) -> Stratum {
        Stratum {
            candidate: Tally::new(x, n),
            stable: Tally::new(y, m),
        }
    }

    fn evidence(strata: &[Stratum]) -> Evidence {
        let weighed = judge().weigh(strata.iter().copied());
        judge().evidence(Measure::Corrections, &weighed)
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

    /// The formula of the head of this file, a logarithm for each stratum and point.
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
            for (log, r) in logs.iter_mut().zip(judge().ratios) {
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
            let weighed = judge().weigh(strata.iter().copied());
            for ((_, log), plain) in judge().logs(&weighed).zip(plain_logs(&strata)) {
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
        fn strata_add_up_in_any_order_and_in_parts(mut strata in any_strata(), cut in 0_usize..40) {
            let forward = evidence(&strata);
            let (one, other) = strata.split_at(cut.min(strata.len()));
            let mut parts = judge().weigh(one.iter().copied());
            parts.add(&judge().weigh(other.iter().copied()));
            let parts = judge().evidence(Measure::Corrections, &parts);
            strata.reverse();
            let backward = evidence(&strata);
            for found in [parts, backward] {
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
