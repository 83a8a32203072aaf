//! Configuring a breaker, and the default numbers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::ErrorRateBreaker;
use super::recovery::Recovery;
use super::rule::{FailureHandling, Rule, Slow};
use crate::call::Destination;
use crate::error::Error;
use crate::event::BreakerMode;
use crate::failure::FailureKind;
use crate::ratio::Ratio;
use crate::stats::Span;
use crate::time::minutes;

const THRESHOLD: Ratio = Ratio::percent(5);
const WINDOW: Duration = minutes(15);
const BUCKETS: u32 = 60;
const MIN_CALLS: u64 = 100;
const CONSECUTIVE_FAILURES: u32 = 5;
/// How many of the last calls can be judged.
const LAST_CALLS: RangeInclusive<u32> = 1..=10_000;
const HOLD_OPEN: Duration = minutes(15);

impl ErrorRateBreaker {
    /// A breaker with the default numbers.
    pub fn builder() -> ErrorRateBreakerBuilder {
        ErrorRateBreakerBuilder::new()
    }

    /// Changes the settings while calls are under way; what is out of service stays out. An error when a number is
    /// outside its range: then nothing is changed. The mode is not a setting; see [`switch`](Self::switch).
    ///
    /// A window of another length or with other steps begins empty, and so do the last calls if their number changes: until
    /// there are enough calls again, no rate is seen.
    ///
    /// ```
    /// use fusebox::{ErrorRateBreaker, Ratio};
    ///
    /// let breaker = ErrorRateBreaker::default();
    /// breaker.reconfigure(ErrorRateBreaker::builder().threshold(Ratio::percent(3)))?;
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn reconfigure(&self, settings: ErrorRateBreakerBuilder) -> Result<(), Error> {
        self.adopt(settings.into_rule()?);
        Ok(())
    }
}

impl Default for ErrorRateBreaker {
    fn default() -> Self {
        ErrorRateBreakerBuilder::new().into_breaker()
    }
}

/// Configures an [`ErrorRateBreaker`].
#[derive(Clone, Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct ErrorRateBreakerBuilder {
    rule: Rule,
    window: Duration,
    buckets: u32,
    mode: BreakerMode,
}

impl ErrorRateBreakerBuilder {
    pub(super) fn new() -> Self {
        Self {
            rule: Rule {
                threshold: THRESHOLD,
                span: Span::fixed(WINDOW, BUCKETS),
                min_calls: MIN_CALLS,
                consecutive_failures: Some(CONSECUTIVE_FAILURES),
                recovery: Recovery::Latch,
                hold_open: HOLD_OPEN,
                inclusive: false,
                confident: false,
                handlings: BTreeMap::new(),
                abandoned_counts: false,
                slow: None,
                last_calls: None,
                by_type: false,
                when_exhausted: None,
            },
            window: WINDOW,
            buckets: BUCKETS,
            mode: BreakerMode::Enforce,
        }
    }

    /// The share of failed calls that must be exceeded (5 % by default; between 0 % and 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.rule.threshold = threshold;
        self
    }

    /// How far back it looks (15 minutes by default).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// In how many steps the window slides (60 by default); the window must be a multiple of it.
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets;
        self
    }

    /// How many calls must be in the window before a rate means anything (100 by default, at least 1).
    pub fn min_calls(mut self, calls: u64) -> Self {
        self.rule.min_calls = calls;
        self
    }

    /// How many failures in a row are enough while there are too few calls for a rate (5 by default); `None` for no
    /// such rule.
    pub fn consecutive_failures(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.rule.consecutive_failures = failures.into();
        self
    }

    /// Whether the threshold itself is too much already (no by default: 5 of 100 are not more than 5 %).
    pub fn threshold_included(mut self, included: bool) -> Self {
        self.rule.inclusive = included;
        self
    }

    /// Whether the rate must be above the threshold beyond doubt (no by default): the lower end of its one-sided 95 %
    /// Wilson interval. Of 100 calls 9 must fail then and not 6, of 20 three and not two.
    pub fn beyond_doubt(mut self, beyond_doubt: bool) -> Self {
        self.rule.confident = beyond_doubt;
        self
    }

    /// What a kind of failure counts for. By default credentials, unknown models and used-up quotas page at once,
    /// throttled calls are ignored, and all else counts.
    pub fn handle_failure(mut self, kind: FailureKind, handling: FailureHandling) -> Self {
        self.rule.handlings.insert(kind, handling);
        self
    }

    /// Whether a call that was abandoned counts as failed (no by default: it says nothing of the answer).
    pub fn abandoned_counts(mut self, counts: bool) -> Self {
        self.rule.abandoned_counts = counts;
        self
    }

    /// Takes a version out of service also when more than `threshold` of its calls take longer than `after` (no such rule
    /// by default). A call that is still open counts as soon as it has taken so long, to the second, so that calls which
    /// hang are seen at the pipeline's next tick; while there are too few calls for a rate, as many of them as
    /// [`consecutive_failures`](Self::consecutive_failures) are enough.
    pub fn slow_calls(mut self, after: Duration, threshold: Ratio) -> Self {
        self.rule.slow = Some(Slow { after, threshold });
        self
    }

    /// Judges the last so many calls, however long ago they were, while there are too few in the window for a rate (no such
    /// rule by default; 1 to 10,000): for versions and types of document with a few calls a day. The same threshold holds,
    /// and nothing is judged before there were so many calls.
    pub fn last_calls(mut self, calls: impl Into<Option<u32>>) -> Self {
        self.rule.last_calls = calls.into();
        self
    }

    /// Judges each type of document by itself too (no by default): a type in which a version fails goes to the previous
    /// version alone, and the others stay. What is judged over all documents goes on beside it. The first 10,000 types have
    /// a window of their own; see [`KeysExhausted`](crate::EventKind::Pipeline(PipelineEvent::KeysExhausted)).
    pub fn by_document_type(mut self, by_type: bool) -> Self {
        self.rule.by_type = by_type;
        self
    }

    /// Where documents go when the previous version fails too, such as a queue that another provider serves
    /// ([`HumanReview`](Destination::HumanReview) by default).
    pub fn when_exhausted(mut self, destination: Destination) -> Self {
        self.rule.when_exhausted = match destination {
            Destination::HumanReview => None,
            elsewhere @ Destination::Queue(_) => Some(elsewhere),
        };
        self
    }

    /// How a version that was taken out of service comes back ([`Recovery::Latch`] by default).
    pub fn recovery(mut self, recovery: impl Into<Recovery>) -> Self {
        self.rule.recovery = recovery.into();
        self
    }

    /// How long a version must have been well before an incident is over (15 minutes by default).
    pub fn hold_open(mut self, hold_open: Duration) -> Self {
        self.rule.hold_open = hold_open;
        self
    }

    /// What it does with what it sees, at first; see [`ErrorRateBreaker::switch`].
    pub fn mode(mut self, mode: BreakerMode) -> Self {
        self.mode = mode;
        self
    }

    /// The breaker; an error when a number is outside its range.
    pub fn build(self) -> Result<ErrorRateBreaker, Error> {
        let mode = self.mode;
        Ok(ErrorRateBreaker::new(self.into_rule()?, mode))
    }

    pub(super) fn into_rule(self) -> Result<Rule, Error> {
        let rule = self.rule;
        rule.threshold
            .strictly_between_zero_and_one("error rate threshold")?;
        if rule.min_calls == 0 {
            return Err(Error::invalid(
                "error rate min_calls",
                rule.min_calls,
                "at least 1",
            ));
        }
        if rule.consecutive_failures == Some(0) {
            return Err(Error::invalid(
                "error rate consecutive_failures",
                0,
                "at least 1, or `None`",
            ));
        }
        if let Some(slow) = &rule.slow {
            slow.threshold
                .strictly_between_zero_and_one("slow call threshold")?;
            if slow.after < Duration::from_millis(1) {
                let shown = humantime::format_duration(slow.after);
                return Err(Error::invalid("slow call time", shown, "at least 1 ms"));
            }
        }
        if let Some(calls) = rule.last_calls.filter(|calls| !LAST_CALLS.contains(calls)) {
            let allowed = "1 to 10000, or `None`";
            return Err(Error::invalid("error rate last_calls", calls, allowed));
        }
        if let Recovery::Probe(probing) = &rule.recovery {
            probing.check()?;
        }
        let span = Span::new("error rate window", self.window, self.buckets)?;
        Ok(Rule { span, ..rule })
    }

    /// The breaker with the default numbers.
    pub(super) fn into_breaker(self) -> ErrorRateBreaker {
        ErrorRateBreaker::new(self.rule, self.mode)
    }
}
