//! The configuration of a shadow run, and its defaults.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;

use super::ShadowComparator;
use super::core::Core;
use super::settings::Settings;
use crate::error::Error;
use crate::guard::Attached;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::Split;
use crate::time::minutes;

const MIN_DOCUMENTS: u64 = 200;
const MAX_DOCUMENTS: u64 = 500;
/// The number of compared documents between two evaluations.
const EVALUATE_EVERY: u64 = 100;
const THRESHOLD: Ratio = Ratio::percent(8);
const TIMEOUT: Duration = minutes(2);
const IN_FLIGHT: usize = 16;
/// The longest run: the ids of its tickets are kept in memory.
const LONGEST: u64 = 100_000;
/// More evaluations would be a test after every document.
const MOST_CHECKPOINTS: usize = 1_000;
const MOST_IN_FLIGHT: usize = 10_000;
const LONGEST_TIMEOUT: Duration = minutes(24 * 60);

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
    experiment: Option<String>,
    min: u64,
    max: u64,
    checkpoints: Option<BTreeSet<u64>>,
    threshold: Ratio,
    share: Ratio,
    baseline_share: Ratio,
    timeout: Duration,
    in_flight: usize,
    max_calls: Option<u64>,
    max_tokens: Option<u64>,
    expected: BTreeSet<DocumentType>,
}

impl ShadowComparatorBuilder {
    pub(super) fn new(candidate: VersionId) -> Self {
        Self {
            candidate,
            experiment: None,
            min: MIN_DOCUMENTS,
            max: MAX_DOCUMENTS,
            checkpoints: None,
            threshold: THRESHOLD,
            share: Ratio::ZERO,
            baseline_share: Ratio::ZERO,
            timeout: TIMEOUT,
            in_flight: IN_FLIGHT,
            max_calls: None,
            max_tokens: None,
            expected: BTreeSet::new(),
        }
    }

    /// The share of documents on which the candidate runs: 0 % by default, because each of them
    /// costs one more call.
    ///
    /// Which documents these are depends on the experiment and the document's id alone: it is the
    /// same on every replica, after a restart and for a retry, and a larger share contains a smaller
    /// one.
    pub fn share(mut self, share: Ratio) -> Self {
        self.share = share;
        self
    }

    /// The share of these documents on which production's version runs a second time, to measure
    /// how often it differs from itself (0 % by default). The second call must bypass caches.
    pub fn baseline_share(mut self, share: Ratio) -> Self {
        self.baseline_share = share;
        self
    }

    /// The name of the experiment (by default the candidate's id). With another name, other
    /// documents are in the share.
    pub fn experiment(mut self, name: impl Into<String>) -> Self {
        self.experiment = Some(name.into());
        self
    }

    /// The number of compared documents at the first evaluation, and at the end of the run (200 and
    /// 500 by default; 1 to 100,000). In between the run evaluates after every further 100.
    pub fn documents(mut self, min: u64, max: u64) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// The numbers of compared documents at which the run evaluates, instead of the first, every
    /// further 100 and the last. The first and the last are always among them.
    pub fn checkpoints(mut self, compared: impl IntoIterator<Item = u64>) -> Self {
        self.checkpoints = Some(compared.into_iter().collect());
        self
    }

    /// The divergence rate above which a review is requested (8 % by default; more than 0 % and
    /// less than 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.threshold = threshold;
        self
    }

    /// The time that a candidate has for its answer, and a comparator for its result (2 minutes by
    /// default; up to a day). It is checked at each tick.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many calls of the run may be in flight at once (16 by default; 1 to 10,000). A document
    /// above it is not run, and is counted as shed.
    pub fn in_flight(mut self, calls: usize) -> Self {
        self.in_flight = calls;
        self
    }

    /// How many calls the run may make, to the candidate and to production's version (no limit by
    /// default). A document above it is not run, and is counted as withheld.
    pub fn max_calls(mut self, calls: u64) -> Self {
        self.max_calls = Some(calls);
        self
    }

    /// How many tokens the run may use (no limit by default). It counts what ended calls have
    /// reported, so the calls in flight can exceed it.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// The document types that the run must cover. The report lists those of which no document was
    /// compared.
    pub fn expect_types(mut self, types: impl IntoIterator<Item = DocumentType>) -> Self {
        self.expected.extend(types);
        self
    }

    /// Builds the comparator; an error when a value is outside its range.
    pub fn build(self) -> Result<ShadowComparator, Error> {
        self.threshold
            .strictly_between_zero_and_one("shadow threshold")?;
        for (field, share) in [
            ("shadow share", self.share),
            ("shadow baseline share", self.baseline_share),
        ] {
            if share > Ratio::ONE {
                return Err(Error::invalid(field, share, "at most 100 %"));
            }
        }
        if self.timeout.is_zero() || self.timeout > LONGEST_TIMEOUT {
            let value = format!("{:?}", self.timeout);
            return Err(Error::invalid(
                "shadow timeout",
                value,
                "more than 0 s and at most 24 h",
            ));
        }
        if self.in_flight == 0 || self.in_flight > MOST_IN_FLIGHT {
            let allowed = format!("1 to {MOST_IN_FLIGHT}");
            return Err(Error::invalid(
                "shadow calls in flight",
                self.in_flight,
                allowed,
            ));
        }
        let checkpoints = self.all_checkpoints()?;
        let experiment = match self.experiment {
            Some(name) => name,
            None => self.candidate.to_string(),
        };
        Error::unless_a_line("shadow experiment", &experiment)?;
        Ok(ShadowComparator {
            settings: Settings {
                split: Split::new("shadow", &experiment),
                baseline_split: Split::new("shadow baseline", &experiment),
                candidate: self.candidate,
                experiment,
                share: self.share,
                baseline_share: self.baseline_share,
                checkpoints,
                threshold: self.threshold,
                timeout: self.timeout,
                in_flight: self.in_flight,
                max_calls: self.max_calls,
                max_tokens: self.max_tokens,
                expected: self.expected,
            },
            core: Mutex::new(Core::new()),
            not_sampled: AtomicU64::new(0),
            attached: Attached::new(),
        })
    }

    fn all_checkpoints(&self) -> Result<BTreeSet<u64>, Error> {
        let (min, max) = (self.min, self.max);
        if min == 0 || min > max || max > LONGEST {
            let value = format!("{min} to {max}");
            let allowed = format!("1 <= min <= max <= {LONGEST}");
            return Err(Error::invalid("shadow documents", value, allowed));
        }
        let mut checkpoints = match &self.checkpoints {
            Some(checkpoints) => checkpoints.clone(),
            None => (1..)
                .map(|n| min + n * EVALUATE_EVERY)
                .take_while(|n| *n < max)
                .collect(),
        };
        let outside = checkpoints.iter().find(|n| !(min..=max).contains(n));
        if let Some(outside) = outside {
            let allowed = format!("{min} to {max}, as the run's documents");
            return Err(Error::invalid("shadow checkpoint", outside, allowed));
        }
        if checkpoints.len() > MOST_CHECKPOINTS {
            let allowed = format!("at most {MOST_CHECKPOINTS}");
            return Err(Error::invalid(
                "shadow checkpoints",
                checkpoints.len(),
                allowed,
            ));
        }
        checkpoints.extend([min, max]);
        Ok(checkpoints)
    }
}
