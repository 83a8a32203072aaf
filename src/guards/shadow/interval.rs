//! How sure a divergence rate is.

use serde::{Deserialize, Serialize};

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
    /// The ends of the interval for `part` of `whole`.
    pub(super) fn interval(self, part: u64, whole: u64) -> (f64, f64) {
        match self {
            Self::ClopperPearson => clopper_pearson(part, whole),
            Self::Wilson => wilson(part, whole),
        }
    }
}
