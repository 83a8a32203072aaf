//! The configuration of a shadow run, and its defaults.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;

use super::ShadowComparator;
use super::compare::JsonFields;
use super::core::Core;
use super::ignore::IgnoreRules;
use super::interval::IntervalMethod;
use super::judged::{DigestKey, JudgedSettings, LookedAt};
use super::settings::Settings;
use crate::error::Error;
use crate::guard::Attached;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::Split;
use crate::time::{hours, minutes};

const MIN_DOCUMENTS: u64 = 200;
const MAX_DOCUMENTS: u64 = 500;
/// The number of compared documents between two evaluations.
const EVALUATE_EVERY: usize = 100;
/// The number of compared documents on which corrections judge a candidate at most.
const JUDGED_DOCUMENTS: u64 = 20_000;
const THRESHOLD: Ratio = Ratio::percent(8);
const TIMEOUT: Duration = minutes(2);
const IN_FLIGHT: usize = 16;
/// The longest run: the ids of its tickets are kept in memory.
const LONGEST: u64 = 100_000;
/// More evaluations would be a test after every document.
const MOST_CHECKPOINTS: usize = 1_000;
const MOST_IN_FLIGHT: usize = 10_000;
const LONGEST_TIMEOUT: Duration = hours(24);

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
    interval: IntervalMethod,
    share: Ratio,
    baseline_share: Ratio,
    timeout: Duration,
    in_flight: usize,
    max_calls: Option<u64>,
    max_tokens: Option<u64>,
    expected: BTreeSet<DocumentType>,
    ignore: IgnoreRules,
    fields: JsonFields,
    key: Option<DigestKey>,
    judged: JudgedSettings,
    judged_documents: u64,
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
            interval: IntervalMethod::default(),
            share: Ratio::ZERO,
            baseline_share: Ratio::ZERO,
            timeout: TIMEOUT,
            in_flight: IN_FLIGHT,
            max_calls: None,
            max_tokens: None,
            expected: BTreeSet::new(),
            ignore: IgnoreRules::new(),
            fields: JsonFields::new(),
            key: None,
            judged: JudgedSettings::default(),
            judged_documents: JUDGED_DOCUMENTS,
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

    /// By which method the interval of the rate is computed (Wilson's by default).
    pub fn interval(mut self, method: IntervalMethod) -> Self {
        self.interval = method;
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

    /// Differences that reviewers have accepted: a document that diverges in nothing else counts as
    /// ignored. See also [`ShadowComparator::ignore`].
    pub fn ignore(mut self, rules: IgnoreRules) -> Self {
        self.ignore = rules;
        self
    }

    /// The rules by which JSON answers are compared (exactly, by default): here they say which
    /// corrections are of critical fields, and whether the value that a reviewer settled on is the
    /// candidate's. Give the same ones to the [`ShadowRunner`](crate::ShadowRunner), which refuses
    /// others if corrections judge the candidate.
    pub fn fields(mut self, fields: JsonFields) -> Self {
        self.fields = fields;
        self
    }

    /// Judges the candidate by what people decide of production's answers (not by default): report
    /// corrections with the value that was settled on
    /// ([`Correction::settled_on`](crate::Correction::settled_on)), and reviews.
    ///
    /// Then the run goes on after its last evaluation, until the corrections have decided or
    /// [that many](Self::judged_documents) documents were compared. Of the candidate's values a
    /// hash with this key is kept: 16 secret bytes, the same on every replica and after a restart.
    pub fn judged_by_corrections(mut self, key: [u8; 16]) -> Self {
        self.key = Some(DigestKey::new(key));
        self
    }

    /// Which documents people have looked at (by default those of which a review was told).
    pub fn looked_at(mut self, looked_at: LookedAt) -> Self {
        self.judged.looked_at = looked_at;
        self
    }

    /// The multiple of production's rate of corrections that a candidate may have (1.5 by default;
    /// more than 1 and at most 10).
    pub fn max_ratio(mut self, ratio: Ratio) -> Self {
        self.judged.max_ratio = ratio;
        self
    }

    /// Keeps the candidate's numbers and texts of up to so many bytes where a tolerance applies (none
    /// by default). Two values within a tolerance have no hash in common, so without this it is unknown
    /// whether the candidate had the settled value. The values are part of the stored state, and are
    /// let go with their document.
    pub fn keep_values_within_tolerances(mut self, bytes: usize) -> Self {
        self.judged.kept_bytes = bytes;
        self
    }

    /// How many documents are compared at most to judge the candidate by corrections (20,000 by
    /// default; up to 100,000).
    pub fn judged_documents(mut self, documents: u64) -> Self {
        self.judged_documents = documents;
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
        if self.judged_documents > LONGEST {
            let allowed = format!("at most {LONGEST}");
            return Err(Error::invalid(
                "judged documents",
                self.judged_documents,
                allowed,
            ));
        }
        let checkpoints = self.all_checkpoints()?;
        let experiment = match self.experiment {
            Some(name) => name,
            None => self.candidate.to_string(),
        };
        Error::unless_a_line("shadow experiment", &experiment)?;
        let settings = Settings {
            split: Split::new("shadow", &experiment),
            baseline_split: Split::new("shadow baseline", &experiment),
            candidate: self.candidate,
            experiment,
            share: self.share,
            baseline_share: self.baseline_share,
            checkpoints,
            threshold: self.threshold,
            interval: self.interval,
            timeout: self.timeout,
            in_flight: self.in_flight,
            max_calls: self.max_calls,
            max_tokens: self.max_tokens,
            expected: self.expected,
            key: self.key,
            judging: self.judged,
            judged_documents: self.judged_documents,
            fields: self.fields,
        };
        Ok(ShadowComparator {
            core: Mutex::new(Core::new(settings.corrections()?, self.ignore)),
            settings,
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
            None => (min..max).step_by(EVALUATE_EVERY).collect(),
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
