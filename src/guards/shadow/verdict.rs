//! The verdict on a candidate, as of the latest evaluation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::counts::ShadowCounts;
use super::settings::Settings;
use crate::ratio::Ratio;

/// The verdict on a candidate after the latest evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum ShadowVerdict {
    /// The run cannot say anything, for this reason.
    Blind(Blindness),
    /// The upper end of the rate's 95 % interval does not exceed the threshold.
    CertifiedBelow,
    /// Too few documents for a first evaluation.
    Collecting {
        /// Documents compared so far.
        compared: u64,
        /// Documents that the first evaluation needs.
        needed: u64,
    },
    /// The rate does not exceed the threshold, but the upper end of its 95 % interval does.
    NotShownBelow,
    /// The rate exceeded the threshold in at least one evaluation: the diverging answers need
    /// review.
    ReviewRequired,
}

/// Why a shadow run cannot say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blindness {
    /// On fewer than half of the documents that it began on could the answers be compared: what
    /// they say of the others is not known.
    FewCompared {
        /// Documents compared.
        compared: u64,
        /// Documents on which the run began.
        begun: u64,
    },
    /// Its share is 0 %.
    NothingSampled,
    /// It has spent what it may spend before its first evaluation.
    NothingLeftToSpend {
        /// Documents compared.
        compared: u64,
        /// Documents that the first evaluation needs.
        needed: u64,
    },
}

impl fmt::Display for Blindness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewCompared { compared, begun } => {
                write!(f, "only {compared} of {begun} documents could be compared")
            }
            Self::NothingSampled => f.pad("its share is 0 %"),
            Self::NothingLeftToSpend { compared, needed } => write!(
                f,
                "it has spent its limit with {compared} of {needed} documents compared"
            ),
        }
    }
}

impl fmt::Display for ShadowVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind(why) => write!(f, "blind: {why}"),
            Self::CertifiedBelow => f.pad("certified below the threshold"),
            Self::Collecting { compared, needed } => {
                write!(f, "collecting: {compared} of {needed} documents compared")
            }
            Self::NotShownBelow => f.pad("not shown to be below the threshold"),
            Self::ReviewRequired => f.pad("review required"),
        }
    }
}

/// The counts at the latest evaluation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Evaluated {
    pub(super) diverging: u64,
    pub(super) compared: u64,
}

impl Evaluated {
    /// The verdict without a review.
    pub(super) fn verdict(self, settings: &Settings) -> ShadowVerdict {
        let (_, high) = settings.interval.ends(self.diverging, self.compared);
        if high <= settings.threshold.as_f64() {
            ShadowVerdict::CertifiedBelow
        } else {
            ShadowVerdict::NotShownBelow
        }
    }
}

/// Why the run cannot say anything, if so.
pub(super) fn blindness(
    total: &ShadowCounts,
    may_spend: bool,
    settings: &Settings,
) -> Option<Blindness> {
    let (begun, compared, needed) = (total.begun(), total.compared(), settings.min());
    if begun >= needed && compared < begun - compared {
        return Some(Blindness::FewCompared { compared, begun });
    }
    if compared >= needed {
        return None;
    }
    if !may_spend {
        return Some(Blindness::NothingLeftToSpend { compared, needed });
    }
    (begun == 0 && settings.share == Ratio::ZERO).then_some(Blindness::NothingSampled)
}
