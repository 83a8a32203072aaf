//! Intervals and tests for counts.

/// The Wilson score interval, 95 % two-sided, for `part` of `whole`; `(0, 1)` for nothing.
///
/// Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
pub(crate) fn wilson(part: u64, whole: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if whole == 0 {
        return (0.0, 1.0);
    }
    let n = whole as f64;
    let p = part as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with scipy 1.17.1, `binomtest(k, n).proportion_ci(method="wilson")`, in percent to four digits.
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

    #[test]
    fn nothing_says_nothing() {
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
