//! Confidence intervals for proportions.

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

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
fn score_interval(part: u64, whole: u64, z: f64) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    let n = whole as f64;
    let p = part as f64 / n;
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

    #[test]
    fn nothing_says_nothing() {
        assert_eq!((wilson(0, 0), wilson_at_least(0, 0)), ((0.0, 1.0), 0.0));
    }
}
