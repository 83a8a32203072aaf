//! Quantiles for confidence intervals and tests, calculated once.

use std::sync::LazyLock;

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// The number of standard deviations around the mean that contain 95 % of a normal distribution.
pub(crate) static NORMAL_95_TWO_SIDED: LazyLock<f64> =
    LazyLock::new(|| Normal::standard().inverse_cdf(0.975));

/// The 95th percentile of a normal distribution, in standard deviations.
pub(crate) static NORMAL_95_ONE_SIDED: LazyLock<f64> =
    LazyLock::new(|| Normal::standard().inverse_cdf(0.95));

/// The chi-square value, with one degree of freedom, that is exceeded by chance once in a thousand
/// times.
pub(crate) static CHI_SQUARE_ONE_IN_A_THOUSAND: LazyLock<f64> = LazyLock::new(|| {
    // Only degrees of freedom that are not positive are an error; then no difference would be
    // found.
    ChiSquared::new(1.0).map_or(f64::INFINITY, |chi_square| chi_square.inverse_cdf(0.999))
});

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `norm.ppf(0.975)`, `norm.ppf(0.95)`, `chi2.isf(0.001, 1)`.
    #[test]
    fn quantiles_agree_with_scipy() {
        for (found, expected) in [
            (&NORMAL_95_TWO_SIDED, 1.959_963_984_540_054),
            (&NORMAL_95_ONE_SIDED, 1.644_853_626_951_472_2),
            (&CHI_SQUARE_ONE_IN_A_THOUSAND, 10.827_566_170_662_733),
        ] {
            assert!((**found - expected).abs() < 1e-12, "{found:?} {expected}");
        }
    }
}
