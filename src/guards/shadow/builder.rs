//! The configuration of a shadow run, and its defaults.

use parking_lot::Mutex;
use twox_hash::XxHash3_64;

use super::{Core, Settings, ShadowComparator};
use crate::error::Error;
use crate::guard::Attached;
use crate::name::VersionId;
use crate::ratio::Ratio;

const MIN_DOCUMENTS: u64 = 200;
const MAX_DOCUMENTS: u64 = 500;
const THRESHOLD: Ratio = Ratio::percent(8);
const SHARE: Ratio = Ratio::ONE;
/// The longest run: the ids of its tickets are kept in memory.
const LONGEST: u64 = 100_000;

impl ShadowComparator {
    /// Configures a shadow run of this version, starting from the defaults. There is no `Default`,
    /// because a run needs a candidate.
    pub fn builder(candidate: VersionId) -> ShadowComparatorBuilder {
        ShadowComparatorBuilder::new(candidate)
    }
}

/// Configures a [`ShadowComparator`].
#[derive(Clone, Debug)]
#[must_use = "nothing is compared until `build` is called"]
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

    /// The number of compared documents at the first evaluation, and at the end of the run (200 and
    /// 500 by default; 1 to 100,000).
    pub fn documents(mut self, min: u64, max: u64) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// The divergence rate above which a review is requested (8 % by default; more than 0 % and
    /// less than 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.threshold = threshold;
        self
    }

    /// The share of documents that the run [wants](ShadowComparator::wants) (100 % by default; more
    /// than 0 %).
    pub fn share(mut self, share: Ratio) -> Self {
        self.share = share;
        self
    }

    /// Builds the comparator; an error when a value is outside its range.
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
            let allowed = format!("1 <= min <= max <= {LONGEST}");
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
            attached: Attached::new(),
        })
    }
}
