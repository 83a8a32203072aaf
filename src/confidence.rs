//! The confidence of a model in a field.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ratio::Ratio;

/// The confidence of a model in one field: a number from 0 to 1, kept in millionths so that
/// comparisons are exact.
///
/// Serialised as the number of millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Confidence(u32);

impl Confidence {
    const MILLIONTHS: u32 = 1_000_000;
    /// The highest confidence, 1.
    pub const CERTAIN: Self = Self(Self::MILLIONTHS);

    /// A confidence from a number from 0 to 1, rounded to millionths; an error for any other number
    /// and for `NaN`.
    pub fn new(score: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&score) {
            return Err(Error::invalid("confidence", score, "a number from 0 to 1"));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a score from 0 to 1, in millionths, fits into 32 bits"
        )]
        let millionths = (score * f64::from(Self::MILLIONTHS)).round() as u32;
        Ok(Self(millionths))
    }

    /// A confidence in percent: `Confidence::percent(80)` is 0.80. Numbers above 100 count as 100.
    pub const fn percent(percent: u32) -> Self {
        let percent = if percent < 100 { percent } else { 100 };
        Self(percent * (Self::MILLIONTHS / 100))
    }

    /// The confidence in millionths.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }

    /// The confidence as a floating point number, for arithmetic other than comparisons.
    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::MILLIONTHS)
    }

    /// The nearest confidence to a number; 1 for `NaN`, which is the cautious answer.
    pub(crate) fn nearest(number: f64) -> Self {
        Self::new(number.clamp(0.0, 1.0)).unwrap_or(Self::CERTAIN)
    }

    /// This share of the confidence, rounded down.
    pub(crate) fn share(self, share: Ratio) -> Self {
        let millionths = share.of(u64::from(self.0));
        Self(u32::try_from(millionths).unwrap_or(self.0)).min(Self::CERTAIN)
    }

    /// The confidence raised by `step`, up to `highest`; never lower than before.
    pub(crate) fn raised_by(self, step: Self, highest: Self) -> Self {
        Self(self.0.saturating_add(step.0)).min(highest).max(self)
    }

    /// The lowest confidence above this one; 1 for 1.
    pub(crate) fn next_above(self) -> Self {
        Self(self.0 + 1).min(Self::CERTAIN)
    }

    /// The confidence lowered by `step`, at least 0.
    pub(crate) fn lowered_by(self, step: Self) -> Self {
        Self(self.0.saturating_sub(step.0))
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_f64())
    }
}

impl fmt::Debug for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e-6", self.0)
    }
}

impl TryFrom<u32> for Confidence {
    type Error = Error;

    fn try_from(millionths: u32) -> Result<Self, Error> {
        if millionths > Self::MILLIONTHS {
            return Err(Error::invalid(
                "confidence",
                millionths,
                "0 to 1000000 millionths",
            ));
        }
        Ok(Self(millionths))
    }
}

impl From<Confidence> for u32 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}
