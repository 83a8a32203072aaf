//! Two versions on the same documents: the documents that only one of them got wrong.
//!
//! Where both are right, or both wrong, a document says nothing about which version is better. What
//! is left are the discordant pairs: `hits`, that only the first version got wrong, and `misses`,
//! that only the second got wrong. Their split is `hits / (hits + misses)`; versions that are
//! equally good have an expected split of one half.
//!
//! McNemar, "Note on the sampling error of the difference between correlated proportions or
//! percentages", Psychometrika 12 (1947).

use std::sync::LazyLock;

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::interval::clopper_pearson;
use super::moments::float;

/// The number of lambdas in the grid of a bet.
const POINTS: usize = 64;
/// The evidence that a true hypothesis reaches in at most 5 % of runs: `1 / 0.05`.
const CONVINCING: f64 = 20.0;
/// More documents than this are never needed: the search ends.
const NEVER: f64 = 1e12;

static LN_CONVINCING: LazyLock<f64> = LazyLock::new(|| CONVINCING.ln());

/// The 90th percentile of a normal distribution, in standard deviations.
static NORMAL_90_ONE_SIDED: LazyLock<f64> = LazyLock::new(|| Normal::standard().inverse_cdf(0.9));

/// The p-values of McNemar's exact test, for one look at the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct McNemar {
    /// How likely so many hits or more are if the expected split is at most one half.
    pub(crate) one_sided: f64,
    /// How likely a split is that lies as far from one half or farther, on either side.
    pub(crate) two_sided: f64,
}

impl McNemar {
    /// The exact test: hits are binomial, with probability one half.
    pub(crate) fn exact(hits: u64, misses: u64) -> Self {
        let at_least = |count| at_least_half_split(count, hits.saturating_add(misses));
        let one_sided = at_least(hits);
        let two_sided = (2.0 * one_sided.min(at_least(misses))).min(1.0);
        Self {
            one_sided,
            two_sided,
        }
    }
}

/// The probability of `count` heads or more of `whole` tosses.
fn at_least_half_split(count: u64, whole: u64) -> f64 {
    match (count.checked_sub(1), Binomial::new(0.5, whole)) {
        (Some(below), Ok(binomial)) => binomial.sf(below),
        _ => 1.0,
    }
}

/// A bet that the ratio of the first version's rate of mistakes to the second's is above a limit,
/// which can be looked at after every document.
///
/// Each document pays `wrong1 - limit * wrong2`, where a version that gets it wrong counts as 1: what
/// both get wrong pays `1 - limit`, a hit 1, a miss `-limit`, and all else nothing. While the first
/// version's chance of a mistake is at most `limit` times the second's, given all documents before,
/// nothing is expected to be paid. A bet of the part `lambda` of all that one has then multiplies by
/// `1 + lambda * paid`, which is at most 1 in expectation. The evidence is the mean over a fixed grid
/// of lambdas between 0 and the ruinous `1 / limit`: a test supermartingale, which by Ville's
/// inequality ever reaches 20 in at most 5 % of runs, however often it is looked at. Waudby-Smith and
/// Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024); the mixture
/// after Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
/// Stat. 41 (1970).
///
/// With a limit of 1 it is the bet that the split of the discordant pairs is above one half. In
/// general, where no mistake is in common, it is that the split is above `limit / (limit + 1)`; that
/// the split is there is implied by the ratio, but says less where mistakes are in common.
///
/// The evidence depends on the three counts alone, so the order of the documents does not matter, and
/// one that is retracted leaves what would be there had it never come. What a retraction does to the
/// bound: the evidence after it is that of the documents which stand, and at any one moment chosen
/// beforehand it is 20 in at most 5 % of runs if those that were retracted were chosen without regard
/// to which version was wrong. The bound for all moments together is exact only for what is never
/// retracted, because the path before a retraction and the path after it are two bets. It is worth
/// nothing where documents are retracted because of the version that they speak against.
#[derive(Clone, Debug)]
pub(crate) struct RatioBet {
    /// What a document that both get wrong adds to the logarithm of each bet.
    both: [f64; POINTS],
    hit: [f64; POINTS],
    miss: [f64; POINTS],
}

/// The counts of wrong documents; expected ones need not be whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wrong {
    /// Those that both versions get wrong.
    pub(crate) both: f64,
    /// Those that only the first version gets wrong.
    pub(crate) hits: f64,
    /// Those that only the second version gets wrong.
    pub(crate) misses: f64,
}

impl Wrong {
    /// The same with the versions swapped.
    pub(crate) fn swapped(self) -> Self {
        Self {
            hits: self.misses,
            misses: self.hits,
            ..self
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "64 points")]
impl RatioBet {
    /// A bet on a ratio above `limit`, which is above 0.
    pub(crate) fn above(limit: f64) -> Self {
        let lambdas: [f64; POINTS] =
            std::array::from_fn(|at| (at as f64 + 0.5) / POINTS as f64 / limit);
        Self {
            both: lambdas.map(|lambda| (lambda * (1.0 - limit)).ln_1p()),
            hit: lambdas.map(f64::ln_1p),
            miss: lambdas.map(|lambda| (-lambda * limit).ln_1p()),
        }
    }

    /// The natural logarithm of the evidence.
    pub(crate) fn ln_evidence(&self, wrong: Wrong) -> f64 {
        let mut lns = [f64::NEG_INFINITY; POINTS];
        let points = self.both.iter().zip(self.hit).zip(self.miss);
        for (ln, ((both, hit), miss)) in lns.iter_mut().zip(points) {
            *ln = wrong.both * both + wrong.hits * hit + wrong.misses * miss;
        }
        let largest = lns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = lns.iter().map(|ln| (ln - largest).exp()).sum();
        largest + (sum / POINTS as f64).ln()
    }

    /// Whether the evidence is at least 20.
    pub(crate) fn is_convincing(&self, wrong: Wrong) -> bool {
        self.ln_evidence(wrong) >= *LN_CONVINCING
    }
}

/// The 95 % interval of the ratio of two versions' rates on the same documents, of which they got
/// `both` wrong together: `(both + hits) / (both + misses)`.
///
/// It is the exact interval of the split (Clopper and Pearson), as a ratio, given how many pairs are
/// discordant and how many mistakes they have in common. It contains 1 exactly if the two-sided
/// test of McNemar does not reject at 5 %. The upper end is infinite if the second version may have
/// made no mistake.
pub(crate) fn paired_ratio(both: u64, hits: u64, misses: u64) -> (f64, f64) {
    let discordant = hits.saturating_add(misses);
    let (low, high) = clopper_pearson(hits, discordant);
    let ratio = |split: f64| {
        let (both, discordant) = (float(both), float(discordant));
        let second = both + discordant * (1.0 - split);
        if second > 0.0 {
            (both + discordant * split) / second
        } else {
            f64::INFINITY
        }
    };
    if both == 0 && discordant == 0 {
        return (0.0, f64::INFINITY);
    }
    (ratio(low), ratio(high))
}

/// What is expected of each document, as shares of all documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PairShares {
    /// Both versions get it wrong.
    pub(crate) both: f64,
    /// Only the first version gets it wrong.
    pub(crate) hit: f64,
    /// Only the second version gets it wrong.
    pub(crate) miss: f64,
}

/// How the documents to come are supposed to turn out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    /// As expected: about half of all runs need more documents.
    Expected,
    /// With a split that is less convincing than it is in nine of ten runs (a normal
    /// approximation).
    NineInTen,
}

impl PairShares {
    /// A second version with this rate of mistakes; of these the share `in_common` is made by the
    /// first version too, whose rate is `ratio` times as high.
    pub(crate) fn new(rate: f64, ratio: f64, in_common: f64) -> Self {
        let both = rate * in_common;
        Self {
            both,
            hit: rate * ratio - both,
            miss: rate - both,
        }
    }

    /// How many more documents, after these, are convincing: `None` if no number is. The second
    /// argument of `is_convincing` is how many hits may be misses, or misses hits, by bad luck.
    ///
    /// It follows the path on which the counts are as expected, so it has the whole cost of the
    /// mixture, which `ln(20)` over the rate of growth leaves out. Along it the evidence is convex in
    /// the number of documents, so it becomes convincing once.
    pub(crate) fn documents_until(
        self,
        so_far: Wrong,
        luck: Luck,
        is_convincing: impl Fn(Wrong, f64) -> bool,
    ) -> Option<u64> {
        let discordant = self.hit + self.miss;
        let variance = match luck {
            Luck::NineInTen if discordant > 0.0 => self.hit * self.miss / discordant,
            Luck::Expected | Luck::NineInTen => 0.0,
        };
        let after = |documents: f64| {
            let wrong = Wrong {
                both: so_far.both + documents * self.both,
                hits: so_far.hits + documents * self.hit,
                misses: so_far.misses + documents * self.miss,
            };
            is_convincing(wrong, *NORMAL_90_ONE_SIDED * (documents * variance).sqrt())
        };
        if after(0.0) {
            return Some(0);
        }
        let mut high = 1.0;
        while !after(high) {
            high *= 2.0;
            if high > NEVER {
                return None;
            }
        }
        let mut low = (high / 2.0_f64).floor();
        while high - low > 1.0 {
            let middle = f64::midpoint(low, high).floor();
            if after(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(whole(high))
    }
}

/// A count of documents that was computed as a float.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 0 to 10^12"
)]
pub(crate) fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: f64, expected: f64, relative: f64) -> bool {
        (found - expected).abs() <= relative * expected.abs().max(1e-12)
    }

    /// scipy 1.17.1: `binomtest(b, b + c, 0.5)`, with `alternative="greater"` for one side.
    #[test]
    fn the_exact_test_agrees_with_scipy() {
        for (hits, misses, one_sided, two_sided) in [
            (0, 0, 1.0, 1.0),
            (1, 0, 0.5, 1.0),
            (4, 0, 0.062_5, 0.125),
            (5, 0, 0.031_25, 0.062_5),
            (9, 3, 0.072_998_046_875, 0.145_996_093_75),
            (10, 3, 0.046_142_578_125, 0.092_285_156_25),
            (25, 10, 0.008_336_923_900_060_357, 0.016_673_847_800_120_715),
            (30, 30, 0.551_289_086_504_284_7, 1.0),
            (3, 12, 0.996_307_373_046_875, 0.035_156_25),
            (
                120,
                80,
                0.002_842_577_998_375_153,
                0.005_685_155_996_750_306,
            ),
            (
                1000,
                900,
                0.011_554_422_554_450_597,
                0.023_108_845_108_901_193,
            ),
        ] {
            let found = McNemar::exact(hits, misses);
            assert!(close(found.one_sided, one_sided, 1e-9), "{found:?}");
            assert!(close(found.two_sided, two_sided, 1e-9), "{found:?}");
        }
    }

    /// The least hits with a one-sided p-value below 0.05, by scipy 1.17.1.
    #[test]
    fn so_many_hits_are_significant_and_one_less_are_not() {
        for (misses, least) in [
            (0, 5),
            (3, 10),
            (6, 15),
            (9, 19),
            (12, 23),
            (15, 27),
            (18, 31),
            (21, 35),
            (24, 38),
            (30, 46),
        ] {
            assert!(McNemar::exact(least, misses).one_sided < 0.05, "{misses}");
            assert!(
                McNemar::exact(least - 1, misses).one_sided >= 0.05,
                "{misses}"
            );
        }
    }

    fn wrong(both: u32, hits: u32, misses: u32) -> Wrong {
        Wrong {
            both: f64::from(both),
            hits: f64::from(hits),
            misses: f64::from(misses),
        }
    }

    const TWO_THIRDS: f64 = 2.0 / 3.0;

    /// numpy and `scipy.special.logsumexp` 1.17.1: the mean over the lambdas `(i + 1/2) / 64 / limit`.
    #[test]
    fn the_evidence_agrees_with_numpy() {
        for (both, hits, misses, limit, ln) in [
            (0, 0, 0, 1.0, 0.0),
            (50, 0, 0, 1.0, 0.0),
            (0, 1, 0, 1.0, 0.405_465_108_108_164_6),
            (0, 60, 30, 1.0, 3.698_553_054_529_120_3),
            (0, 1000, 1000, 1.0, -3.575_034_752_173_174),
            (40, 100, 100, TWO_THIRDS, 5.919_470_867_256_11),
            (40, 30, 10, TWO_THIRDS, 19.942_553_496_566_76),
            (100, 0, 0, TWO_THIRDS, 37.018_609_138_560_784),
            (25, 40, 30, 1.5, -2.692_784_132_865_429),
            (10, 5, 0, 1.2, 0.839_412_000_980_361),
        ] {
            let found = RatioBet::above(limit).ln_evidence(wrong(both, hits, misses));
            assert!(
                (found - ln).abs() < 1e-10 * ln.abs().max(1.0),
                "{found} {ln}"
            );
        }
    }

    /// numpy, as the mean over a grid of splits instead: without mistakes in common, the same.
    #[test]
    fn without_mistakes_in_common_it_is_a_bet_on_the_split() {
        for (hits, misses, limit, ln) in [
            (10, 2, 1.0, 2.245_024_095_185_127_2),
            (360, 216, 1.0, 15.899_704_267_028_973),
            (5000, 0, 1.0, 3_442.007_523_110_683),
            (100, 100, TWO_THIRDS, 2.163_910_821_509_563),
            (30, 10, TWO_THIRDS, 8.836_237_092_219_275),
            (110, 90, TWO_THIRDS, 7.217_227_585_912_686),
        ] {
            let found = RatioBet::above(limit).ln_evidence(wrong(0, hits, misses));
            assert!((found - ln).abs() < 1e-9 * ln.abs(), "{found} {ln}");
        }
    }

    /// numpy, as above: the least hits at which the evidence is 20.
    #[test]
    fn the_evidence_reaches_twenty_at_these_counts_and_not_before() {
        for (misses, above_one, above_two_thirds) in [
            (0, 7, 5),
            (1, 10, 7),
            (3, 14, 11),
            (5, 18, 14),
            (10, 27, 20),
            (20, 43, 31),
            (50, 85, 60),
        ] {
            for (limit, least) in [(1.0, above_one), (TWO_THIRDS, above_two_thirds)] {
                let bet = RatioBet::above(limit);
                assert!(bet.is_convincing(wrong(0, least, misses)), "{misses}");
                assert!(!bet.is_convincing(wrong(0, least - 1, misses)), "{misses}");
            }
        }
        let bet = RatioBet::above(TWO_THIRDS);
        for (both, misses, least) in [(10, 20, 27), (30, 20, 19)] {
            assert!(bet.is_convincing(wrong(both, least, misses)), "{both}");
            assert!(!bet.is_convincing(wrong(both, least - 1, misses)), "{both}");
        }
        assert!(bet.is_convincing(wrong(11, 0, 0)));
        assert!(!bet.is_convincing(wrong(10, 0, 0)));
    }

    /// By `binomtest(..).proportion_ci(method="exact")` of scipy 1.17.1, as a ratio.
    #[test]
    fn the_interval_of_the_ratio_agrees_with_scipy() {
        for (both, hits, misses, low, high) in [
            (0, 10, 10, 0.373_546_846_699_365_2, 2.677_040_400_249_479),
            (5, 20, 10, 0.919_054_166_332_773_6, 2.926_871_194_895_98),
            (40, 20, 10, 0.969_787_000_716_362_7, 1.434_370_120_397_521_2),
            (3, 0, 6, 0.333_333_333_333_333_3, 0.921_706_093_326_038),
            (
                100,
                60,
                30,
                1.076_628_396_069_467_8,
                1.389_409_114_431_677_4,
            ),
            (7, 0, 0, 1.0, 1.0),
        ] {
            let (l, h) = paired_ratio(both, hits, misses);
            assert!(
                close(l, low, 1e-7) && close(h, high, 1e-7),
                "{both} {l} {h}"
            );
        }
        let (low, high) = paired_ratio(0, 5, 0);
        assert!(close(low, 0.916_355_857_315_460_1, 1e-7), "{low}");
        assert!(high.is_infinite() && paired_ratio(0, 0, 0).1.is_infinite());
    }

    /// numpy: the documents are added one by one until the evidence is 20, and, for "worse", the
    /// ratio is above 1.5.
    #[test]
    fn the_documents_that_are_needed_agree_with_a_search_one_by_one() {
        let (worse, no_worse) = (RatioBet::above(1.0), RatioBet::above(TWO_THIRDS));
        for (rate, in_common, to_worse, to_no_worse) in [
            (0.03, 0.0, [847, 1803], [4095, 8520]),
            (0.03, 0.3, [637, 1356], [2716, 5740]),
            (0.03, 0.6, [439, 913], [1494, 3165]),
            (0.03, 1.0, [206, 206], [360, 360]),
            (0.01, 0.0, [2539, 5407], [12_285, 25_559]),
            (0.1, 0.3, [191, 407], [815, 1722]),
        ] {
            for (luck, at) in [(Luck::Expected, 0), (Luck::NineInTen, 1)] {
                let twice = PairShares::new(rate, 2.0, in_common);
                let found = twice.documents_until(Wrong::default(), luck, |wrong, doubt| {
                    let (hits, misses) = (wrong.hits - doubt, wrong.misses + doubt);
                    let both = wrong.both;
                    let wrong = Wrong { both, hits, misses };
                    hits >= 0.0 && worse.is_convincing(wrong) && both + hits > 1.5 * (both + misses)
                });
                assert_eq!(found, Some(to_worse[at]), "{rate} {in_common} {luck:?}");
                let equal = PairShares::new(rate, 1.0, in_common);
                let found = equal.documents_until(Wrong::default(), luck, |wrong, doubt| {
                    let (hits, misses) = (wrong.hits + doubt, wrong.misses - doubt);
                    let wrong = Wrong {
                        hits,
                        misses,
                        ..wrong
                    };
                    misses >= 0.0 && no_worse.is_convincing(wrong.swapped())
                });
                assert_eq!(found, Some(to_no_worse[at]), "{rate} {in_common} {luck:?}");
            }
        }
    }

    #[test]
    fn without_a_difference_no_number_of_documents_is_enough() {
        let bet = RatioBet::above(1.0);
        let until = |shares: PairShares| {
            shares.documents_until(Wrong::default(), Luck::Expected, |wrong, _| {
                bet.is_convincing(wrong)
            })
        };
        assert_eq!(until(PairShares::new(0.0, 1.0, 0.0)), None);
        assert_eq!(until(PairShares::new(0.03, 1.0, 1.0)), None);
        assert_eq!(until(PairShares::new(0.03, 1.0, 0.0)), None, "equal");
        assert!(until(PairShares::new(0.03, 1.2, 0.0)).is_some());
    }

    proptest! {
        /// The defining property: at the limit, the expected evidence after one more document is the
        /// evidence before; below it, less.
        #[test]
        fn at_the_limit_the_evidence_is_not_expected_to_grow(
            (both, hits, misses) in (0_u32..200, 0_u32..200, 0_u32..200),
            limit in 0.3_f64..3.0,
            (chance_of_both, chance_of_miss) in (0.0_f64..0.1, 0.0_f64..0.1),
            below in 0.0_f64..1.0,
        ) {
            let bet = RatioBet::above(limit);
            let now = bet.ln_evidence(wrong(both, hits, misses));
            let grows = |both, hits, misses| (bet.ln_evidence(wrong(both, hits, misses)) - now).exp();
            let expected = |chance_of_hit: f64| {
                let none = 1.0 - chance_of_both - chance_of_hit - chance_of_miss;
                none + chance_of_both * grows(both + 1, hits, misses)
                    + chance_of_hit * grows(both, hits + 1, misses)
                    + chance_of_miss * grows(both, hits, misses + 1)
            };
            let at_limit = limit * (chance_of_both + chance_of_miss) - chance_of_both;
            prop_assume!(at_limit >= 0.0);
            prop_assert!((expected(at_limit) - 1.0).abs() < 1e-9, "{}", expected(at_limit));
            prop_assert!(expected(at_limit * below) <= 1.0 + 1e-9);
        }

        #[test]
        fn a_hit_is_evidence_and_a_miss_is_evidence_against(
            (both, hits, misses) in (0_u32..500, 0_u32..500, 0_u32..500), limit in 0.3_f64..3.0,
        ) {
            let bet = RatioBet::above(limit);
            let now = bet.ln_evidence(wrong(both, hits, misses));
            prop_assert!(bet.ln_evidence(wrong(both, hits + 1, misses)) > now);
            prop_assert!(bet.ln_evidence(wrong(both, hits, misses + 1)) < now);
            let more = bet.ln_evidence(wrong(both + 1, hits, misses));
            prop_assert_eq!(more > now, limit < 1.0);
        }

        /// The interval and the two-sided test say the same of equal versions.
        #[test]
        fn the_interval_has_one_in_it_exactly_if_the_test_does_not_reject(
            both in 0_u64..100, hits in 0_u64..200, misses in 0_u64..200,
        ) {
            let (low, high) = paired_ratio(both, hits, misses);
            let p = McNemar::exact(hits, misses).two_sided;
            if (p - 0.05).abs() > 1e-6 {
                prop_assert_eq!(low <= 1.0 + 1e-9 && high >= 1.0 - 1e-9, p > 0.05);
            }
        }
    }
}
