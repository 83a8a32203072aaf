//! Shares and ratios as exact fractions, because `1.0 - 0.95 > 0.05` holds in floating point.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A ratio of two whole numbers, such as a threshold of 5 % or a limit of 1.5 times.
///
/// Comparisons use exact integer arithmetic. A ratio is never negative, and may be above one if the
/// field allows it. Serialised as `[numerator, denominator]`.
///
/// ```
/// use fusebox::Ratio;
///
/// let threshold = Ratio::percent(5);
/// assert!(!threshold.is_exceeded_by(5, 100)); // "exceeds" is strict
/// assert!(threshold.is_exceeded_by(6, 100));
/// assert_eq!(threshold, Ratio::new(1, 20)?);
/// assert_eq!(threshold.to_string(), "5 %");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct Ratio {
    numerator: u32,
    denominator: u32,
}

impl Ratio {
    /// 0 %.
    pub const ZERO: Self = Self::percent(0);
    /// 100 %.
    pub const ONE: Self = Self::percent(100);

    /// `numerator / denominator`; an error if the denominator is zero.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self, Error> {
        if denominator == 0 {
            let value = format_args!("{numerator}/{denominator}").to_string();
            return Err(Error::invalid(
                "ratio",
                value,
                "a denominator of at least 1",
            ));
        }
        Ok(Self {
            numerator,
            denominator,
        })
    }

    /// Whole percent: `Ratio::percent(5)` is 5 %, `Ratio::percent(150)` is 1.5 times.
    pub const fn percent(percent: u32) -> Self {
        Self {
            numerator: percent,
            denominator: 100,
        }
    }

    /// Hundredths of a percent: `Ratio::basis_points(9_000)` is 90 %.
    pub const fn basis_points(points: u32) -> Self {
        Self {
            numerator: points,
            denominator: 10_000,
        }
    }

    /// The numerator, as given.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }

    /// The denominator, as given; never zero.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }

    /// Whether `part / whole` is strictly above this ratio; false for 0 of 0.
    pub const fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        part as u128 * self.denominator as u128 > whole as u128 * self.numerator as u128
    }

    /// Whether `part / whole` is strictly below this ratio; false for 0 of 0.
    pub(crate) const fn is_above(self, part: u64, whole: u64) -> bool {
        whole as u128 * self.numerator as u128 > part as u128 * self.denominator as u128
    }

    /// Whether a hash, as a point between 0 and 1, lies below this ratio. That holds for this share
    /// of all hashes.
    pub(crate) fn contains_hash(self, hash: u64) -> bool {
        u128::from(hash) * u128::from(self.denominator) < u128::from(self.numerator) << u64::BITS
    }

    /// This share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let product = u128::from(whole) * u128::from(self.numerator) / u128::from(self.denominator);
        u64::try_from(product).unwrap_or(u64::MAX)
    }

    /// The ratio as a floating point number, for arithmetic other than comparisons.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// Checks that the ratio is above zero and below one; the error names the field.
    pub(crate) fn strictly_between_zero_and_one(self, field: &'static str) -> Result<Self, Error> {
        if self > Self::ZERO && self < Self::ONE {
            Ok(self)
        } else {
            Err(Error::invalid(
                field,
                self,
                "more than 0 % and less than 100 %",
            ))
        }
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.numerator) * u64::from(other.denominator);
        let right = u64::from(other.numerator) * u64::from(self.denominator);
        left.cmp(&right)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ratio {}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = f64::from(self.numerator) * 100.0 / f64::from(self.denominator);
        write!(f, "{} %", (percent * 100.0).round() / 100.0)
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl TryFrom<(u32, u32)> for Ratio {
    type Error = Error;

    fn try_from((numerator, denominator): (u32, u32)) -> Result<Self, Error> {
        Self::new(numerator, denominator)
    }
}

impl From<Ratio> for (u32, u32) {
    fn from(ratio: Ratio) -> Self {
        (ratio.numerator, ratio.denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_has_the_numbers_it_was_made_of() {
        for (ratio, numbers) in [
            (Ratio::new(3, 7).unwrap(), (3, 7)),
            (Ratio::percent(5), (5, 100)),
            (Ratio::basis_points(25), (25, 10_000)),
        ] {
            assert_eq!((ratio.numerator(), ratio.denominator()), numbers);
        }
    }

    #[test]
    fn a_share_contains_the_hashes_below_its_boundary() {
        assert!(!Ratio::ZERO.contains_hash(0));
        assert!(Ratio::ONE.contains_hash(u64::MAX));
        let quarter = Ratio::percent(25);
        assert!(quarter.contains_hash((1 << 62) - 1));
        assert!(!quarter.contains_hash(1 << 62));
        // 2^64 / 3 lies between the two.
        let third = Ratio::new(1, 3).unwrap();
        assert!(third.contains_hash(u64::MAX / 3));
        assert!(!third.contains_hash(u64::MAX / 3 + 1));
        let whole_grid = Ratio::new(u32::MAX, u32::MAX).unwrap();
        assert!(whole_grid.contains_hash(u64::MAX), "nothing overflows");
    }
}
