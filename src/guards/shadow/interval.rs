//! How sure a divergence rate is.

use serde::{Deserialize, Serialize};

use crate::ratio::Ratio;
use crate::stats::{clopper_pearson, wilson};

/// By which method the interval of a divergence rate is computed, two-sided at 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntervalMethod {
    /// Clopper and Pearson, Biometrika 26 (1934): it holds the true rate in at least 95 % of runs,
    /// and is wider.
    ClopperPearson,
    /// Wilson, JASA 22 (1927): in 95 % of runs on average over the rates.
    #[default]
    Wilson,
}

impl IntervalMethod {
    /// The interval for the rate of `part` in `whole`, its ends rounded outwards to billionths; 0 %
    /// to 100 % if `whole` is zero.
    pub fn interval(self, part: u64, whole: u64) -> (Ratio, Ratio) {
        let (low, high) = self.ends(part, whole);
        (
            billionths((low * BILLION).floor()),
            billionths((high * BILLION).ceil()),
        )
    }

    pub(super) fn ends(self, part: u64, whole: u64) -> (f64, f64) {
        match self {
            Self::ClopperPearson => clopper_pearson(part, whole),
            Self::Wilson => wilson(part, whole),
        }
    }
}

const BILLION: f64 = 1e9;

fn billionths(count: f64) -> Ratio {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to a billion fits"
    )]
    let count = count.clamp(0.0, BILLION) as u32;
    Ratio::new(count, 1_000_000_000).unwrap_or(Ratio::ONE)
}
