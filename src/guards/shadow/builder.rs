//! Configuring a shadow run, and the default numbers.

use parking_lot::Mutex;
use twox_hash::XxHash3_64;

use super::{Core, Settings, ShadowComparator};
use crate::error::Error;
use crate::name::VersionId;
use crate::ratio::Ratio;

const MIN_DOCUMENTS: u64 = 200;
const MAX_DOCUMENTS: u64 = 500;
const THRESHOLD: Ratio = Ratio::percent(8);
const SHARE: Ratio = Ratio::ONE;
/// The longest run; its tickets are kept in memory.
const LONGEST: u64 = 100_000;

impl ShadowComparator {
    /// A shadow run of the version with this id, with the default numbers. There is no default run: it needs a
    /// candidate.
    pub fn builder(candidate: VersionId) -> ShadowComparatorBuilder {
        ShadowComparatorBuilder::new(candidate)
    }
}

/// Configures a [`ShadowComparator`].
#[derive(Clone, Debug)]
#[must_use = "nothing is watched before `build`"]
pub struct ShadowComparatorBuilder {
    candidate: VersionId,
    min: u64,
    max: u64,
    threshold: Ratio,
    share: Ratio,
}

impl ShadowComparatorBuilder {
    pub(super) fn new(candidate: VersionId) -> Self {
        Self {
            candidate,
            min: MIN_DOCUMENTS,
            max: MAX_DOCUMENTS,
            threshold: THRESHOLD,
            share: SHARE,
        }
    }

    /// After how many compared documents it looks first, and after how many the run is over (200 and 500 by default; at
    /// most 100,000).
    pub fn documents(mut self, min: u64, max: u64) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// The share of diverging documents that must be exceeded (8 % by default; between 0 % and 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.threshold = threshold;
        self
    }

    /// Which share of documents is [wanted](ShadowComparator::wants) (100 % by default; more than 0 %).
    pub fn share(mut self, share: Ratio) -> Self {
        self.share = share;
        self
    }

    /// The comparator; an error when a number is outside its range.
    pub fn build(self) -> Result<ShadowComparator, Error> {
        self.threshold
            .strictly_between_zero_and_one("shadow threshold")?;
        if self.share == Ratio::ZERO || self.share > Ratio::ONE {
            return Err(Error::invalid(
                "shadow share",
                self.share,
                "more than 0 % and at most 100 %",
            ));
        }
        if self.min == 0 || self.min > self.max || self.max > LONGEST {
            let value = format!("{} to {}", self.min, self.max);
            let allowed = format!("at least 1, rising, at most {LONGEST}");
            return Err(Error::invalid("shadow documents", value, allowed));
        }
        let seed = XxHash3_64::oneshot(self.candidate.as_str().as_bytes());
        Ok(ShadowComparator {
            settings: Settings {
                candidate: self.candidate,
                seed,
                min: self.min,
                max: self.max,
                threshold: self.threshold,
                share: self.share,
            },
            core: Mutex::new(Core::new()),
        })
    }
}
