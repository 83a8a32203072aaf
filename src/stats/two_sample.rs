//! Whether two sets of scores have the same distribution, and how far apart they are.

use super::lattice::LatticeCounts;
use super::moments::float;

/// The distance between two neighbouring points, as a part of one.
const STEP: f64 = 0.001;
/// Below this square of the scaled distance the probability is 1 to twelve digits, and the series
/// needs too many terms.
const CERTAIN_BELOW: f64 = 0.04;
/// With the square above, the last of these is below 1e-300.
const TERMS: u32 = 100;
/// A part of a float that is too small to be added to it: an eighth of its last digit.
const NO_CHANGE: f64 = f64::EPSILON / 8.0;

/// The comparison of two sets of scores: Kolmogorov-Smirnov and Wasserstein.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TwoSample {
    /// The largest difference between the distribution functions.
    pub(crate) ks: f64,
    /// The probability of a difference at least as large if the distributions were equal: the limit
    /// for many scores, which is too large rather than too small where many are tied.
    pub(crate) p: f64,
    /// How far scores have moved down, as a mean over all.
    pub(crate) down: f64,
    /// How far scores have moved up, as a mean over all.
    pub(crate) up: f64,
}

impl TwoSample {
    /// Compares scores with those of a reference; `None` if one of the two has none.
    #[allow(
        clippy::cast_precision_loss,
        reason = "distances need no more digits than a float has"
    )]
    pub(crate) fn of(reference: &LatticeCounts, scores: &LatticeCounts) -> Option<Self> {
        let (many, few) = (i128::from(reference.total()), i128::from(scores.total()));
        if many == 0 || few == 0 {
            return None;
        }
        let (mut above, mut below) = ((0, 0), (0, 0));
        let (mut of_reference, mut of_scores) = (0, 0);
        let (mut from, mut difference) = (0, 0_i128);
        // At the last of them, the difference becomes zero, and stays so.
        for (at, one, other) in reference.beside(scores) {
            // More of the scores are at most here: they have moved down.
            let (most, sum) = if difference > 0 {
                &mut below
            } else {
                &mut above
            };
            *most = difference.abs().max(*most);
            *sum += difference.abs() * i128::from(at - from);
            of_reference += i128::from(one);
            of_scores += i128::from(other);
            difference = of_scores * many - of_reference * few;
            from = at;
        }
        let of_whole = |part: i128| part as f64 / (many * few) as f64;
        let ks = of_whole(above.0.max(below.0));
        let [many, few] = [reference.total(), scores.total()].map(float);
        Some(Self {
            ks,
            p: kolmogorov((many * few / (many + few)).sqrt() * ks),
            down: of_whole(below.1) * STEP,
            up: of_whole(above.1) * STEP,
        })
    }

    /// The Wasserstein distance, in units of a score.
    pub(crate) fn wasserstein(&self) -> f64 {
        self.down + self.up
    }
}

/// The probability that the scaled distance is at least `x` in the limit of many scores:
/// `2 sum (-1)^(k - 1) exp(-2 k^2 x^2)` (Kolmogorov 1933).
fn kolmogorov(x: f64) -> f64 {
    let square = x * x;
    if square < CERTAIN_BELOW {
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=TERMS {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        let term = sign * (-2.0 * f64::from(k * k) * square).exp();
        // The terms become smaller, so none of the others changes the sum either.
        if term.abs() <= sum * NO_CHANGE {
            break;
        }
        sum += term;
    }
    sum.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::Confidence;
    use crate::stats::lattice::Lattice;

    fn of(scores: impl IntoIterator<Item = f64>) -> Lattice {
        let mut lattice = Lattice::default();
        for score in scores {
            lattice.add(Confidence::new(score).unwrap());
        }
        lattice
    }

    fn of_each<const N: usize>(scores: [(f64, usize); N]) -> Lattice {
        of(scores
            .into_iter()
            .flat_map(|(score, n)| std::iter::repeat_n(score, n)))
    }

    fn compare(reference: &Lattice, scores: &Lattice) -> Option<TwoSample> {
        TwoSample::of(&LatticeCounts::of(reference), &LatticeCounts::of(scores))
    }

    /// `round(0.80 + 0.001 * (i * 37 % 200), 3)` for i from 0 to 399.
    fn reference() -> Vec<f64> {
        let at = |i: u32| 0.8 + 0.001 * f64::from(i * 37 % 200);
        (0..400).map(at).collect()
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-9 + expected.abs() * 1e-9
    }

    /// scipy 1.17.1, of the scores as floats: `ks_2samp(reference, scores).statistic`,
    /// `kstwobign.sf(sqrt(n * m / (n + m)) * statistic)`, `wasserstein_distance(reference, scores)`
    /// and the difference of the means.
    #[test]
    fn distances_agree_with_scipy() {
        let first = |shift: f64| {
            let scores = reference().into_iter().take(60);
            of(scores.map(move |score| (score + shift).min(1.0)))
        };
        let bimodal = of_each([(0.98, 75), (0.66, 25)]);
        let tied = of_each([(0.80, 20), (0.90, 15), (0.95, 5)]);
        for (scores, ks, p, wasserstein, fall) in [
            (
                first(-0.05),
                0.258_333_333_333_333_36,
                0.001_891_053_994_642_123_8,
                0.048,
                0.048,
            ),
            (bimodal, 0.65, 8.764_416_726_259_143e-30, 0.084_65, -0.000_5),
            (
                first(0.04),
                0.23,
                0.008_011_695_369_180_078,
                0.037_55,
                -0.037_55,
            ),
            (tied, 0.495, 3.646_719_238_072_686e-8, 0.043_25, 0.043_25),
        ] {
            let found = compare(&of(reference()), &scores).unwrap();
            assert!(near(found.ks, ks), "{found:?} {ks}");
            assert!((found.p / p - 1.0).abs() < 1e-9, "{found:?} {p}");
            assert!(
                near(found.wasserstein(), wasserstein),
                "{found:?} {wasserstein}"
            );
            assert!(near(found.down - found.up, fall), "{found:?} {fall}");
        }
    }

    /// scipy 1.17.1: `special.kolmogorov`.
    #[test]
    fn the_limit_distribution_agrees_with_scipy() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.1, 1.0),
            (0.2, 0.999_999_999_999_495),
            (0.3, 0.999_990_694_198_665_5),
            (0.5, 0.963_945_243_664_875_1),
            (0.8, 0.544_142_411_574_198_1),
            (1.0, 0.269_999_671_677_354_56),
            (1.36, 0.049_485_876_755_377_876),
            (1.95, 0.000_995_910_842_883_58),
            (3.0, 3.045_995_948_942_526e-8),
            (6.0, 1.076_037_232_004_227_6e-31),
        ] {
            let found = kolmogorov(x);
            assert!((found / expected - 1.0).abs() < 1e-11, "{x}: {found}");
        }
    }

    /// Of constant scores, statrs' two-sample test does not come to an end.
    #[test]
    fn the_same_scores_are_not_apart() {
        for (one, other) in [
            (of_each([(1.0, 50)]), of_each([(1.0, 30)])),
            (of(reference()), of(reference())),
        ] {
            let found = compare(&one, &other).unwrap();
            let nothing = TwoSample {
                ks: 0.0,
                p: 1.0,
                down: 0.0,
                up: 0.0,
            };
            assert_eq!(found, nothing);
        }
    }

    /// scipy 1.17.1: `kstwobign.sf(sqrt(50 * 30 / 80))`.
    #[test]
    fn scores_that_are_all_on_one_side_are_as_far_apart_as_can_be() {
        let (low, high) = (of_each([(0.0, 50)]), of_each([(1.0, 30)]));
        let p = 1.035_111_001_160_366_4e-16;
        for (reference, scores, down, up) in [(&low, &high, 0.0, 1.0), (&high, &low, 1.0, 0.0)] {
            let found = compare(reference, scores).unwrap();
            assert!(
                near(found.ks, 1.0) && (found.p / p - 1.0).abs() < 1e-9,
                "{found:?}"
            );
            assert!(near(found.down, down) && near(found.up, up), "{found:?}");
        }
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        let (some, none) = (of([0.5]), of([]));
        assert_eq!(compare(&some, &none), None);
        assert_eq!(compare(&none, &some), None);
    }
}
