//! Confidence intervals for proportions.

use statrs::distribution::{Beta, ContinuousCDF};

use super::moments::float;
use super::quantile::{NORMAL_95_ONE_SIDED, NORMAL_95_TWO_SIDED};

/// The two-sided 95 % Wilson score interval for `part` of `whole`; `(0, 1)` if `whole` is zero.
///
/// Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
pub(crate) fn wilson(part: u64, whole: u64) -> (f64, f64) {
    score_interval(part, whole, *NORMAL_95_TWO_SIDED)
}

/// The lower end of the one-sided 95 % interval.
pub(crate) fn wilson_at_least(part: u64, whole: u64) -> f64 {
    score_interval(part, whole, *NORMAL_95_ONE_SIDED).0
}

/// The two-sided 95 % interval of Clopper and Pearson for `part` of `whole`; `(0, 1)` if `whole` is
/// zero. It contains the true share in at least 95 % of samples, whatever that share is, and is wider
/// than Wilson's.
///
/// Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
/// binomial", Biometrika 26 (1934); as quantiles of the beta distribution.
pub(crate) fn clopper_pearson(part: u64, whole: u64) -> (f64, f64) {
    let rest = whole.saturating_sub(part);
    let low = if part == 0 {
        0.0
    } else {
        beta_quantile(part, rest.saturating_add(1), 0.025)
    };
    let high = if rest == 0 {
        1.0
    } else {
        beta_quantile(part.saturating_add(1), rest, 0.975)
    };
    (low, high)
}

/// A quantile of the beta distribution of these shapes, which are at least 1.
fn beta_quantile(a: u64, b: u64, p: f64) -> f64 {
    // Only shapes that are not positive are an error; then nothing would be known.
    Beta::new(float(a), float(b))
        .map_or(if p < 0.5 { 0.0 } else { 1.0 }, |beta| beta.inverse_cdf(p))
}

fn score_interval(part: u64, whole: u64, z: f64) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    let n = float(whole);
    let p = float(part) / n;
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with scipy 1.17.1, `binomtest(k, n).proportion_ci(method="wilson")`, in percent to
    /// four digits.
    #[test]
    fn wilson_agrees_with_scipy() {
        for (part, whole, low, high) in [
            (8, 200, 2.0406, 7.6932),
            (17, 200, 5.3746, 13.1896),
            (24, 300, 5.4347, 11.6273),
            (33, 400, 5.9346, 11.3597),
            (40, 500, 5.9298, 10.7106),
            (60, 500, 9.4375, 15.1420),
        ] {
            let (l, h) = wilson(part, whole);
            assert!((l * 100.0 - low).abs() < 6e-5, "{part}/{whole}: {l}");
            assert!((h * 100.0 - high).abs() < 6e-5, "{part}/{whole}: {h}");
        }
    }

    /// The same with `alternative="greater"`.
    #[test]
    fn the_lower_bound_agrees_with_scipy() {
        for (part, whole, low) in [
            (3, 20, 0.061_582_410_5),
            (5, 40, 0.062_191_358_7),
            (9, 100, 0.053_112_781_6),
            (16, 200, 0.053_765_956_6),
            (34, 500, 0.051_710_684_8),
        ] {
            let least = wilson_at_least(part, whole);
            assert!((least - low).abs() < 1e-9, "{part}/{whole}: {least}");
        }
    }

    /// scipy 1.17.1, `binomtest(k, n).proportion_ci(method="exact")`.
    #[test]
    fn clopper_pearson_agrees_with_scipy() {
        for (part, whole, low, high) in [
            (0, 1, 0.0, 0.975),
            (1, 1, 0.025, 1.0),
            (0, 20, 0.0, 0.168_433_470_983_085_4),
            (20, 20, 0.831_566_529_016_914_5, 1.0),
            (8, 200, 0.017_424_808_994_821_0, 0.077_291_968_226_016_0),
            (16, 200, 0.046_417_608_399_578_1, 0.126_664_856_022_081_8),
            (17, 200, 0.050_295_918_630_241_8, 0.132_605_165_829_552_6),
            (24, 200, 0.078_420_247_996_647_2, 0.173_272_351_164_210_5),
            (24, 300, 0.051_928_639_336_598_1, 0.116_695_916_484_912_5),
            (25, 300, 0.054_654_275_878_466_3, 0.120_558_736_875_933_2),
            (36, 300, 0.085_478_802_291_628_8, 0.162_243_942_330_243_3),
            (16, 400, 0.023_033_395_740_537_9, 0.064_146_010_939_048_7),
            (32, 400, 0.055_361_665_584_967_8, 0.111_060_524_659_641_3),
            (33, 400, 0.057_468_357_362_932_4, 0.113_910_728_467_458_5),
            (48, 400, 0.089_818_204_733_395_5, 0.155_939_363_245_016_4),
            (40, 500, 0.057_766_119_928_834_3, 0.107_345_464_356_35),
            (41, 500, 0.059_485_463_735_588_2, 0.109_598_943_110_963_7),
            (60, 500, 0.092_834_009_733_234_6, 0.151_752_497_784_140_4),
            (5, 100_000, 1.623_505_681_685e-5, 1.166_794_300_811e-4),
        ] {
            let (l, h) = clopper_pearson(part, whole);
            assert!((l - low).abs() < 1e-9, "{part}/{whole}: {l}");
            assert!((h - high).abs() < 1e-9, "{part}/{whole}: {h}");
        }
    }

    #[test]
    fn nothing_says_nothing() {
        assert_eq!((wilson(0, 0), wilson_at_least(0, 0)), ((0.0, 1.0), 0.0));
        assert_eq!(clopper_pearson(0, 0), (0.0, 1.0));
    }
}
