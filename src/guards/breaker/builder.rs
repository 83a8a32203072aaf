//! The configuration of a breaker, and its defaults.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::ErrorRateBreaker;
use super::recovery::{Probing, Recovery};
use super::rule::{FailureHandling, Rule, Slow};
use crate::call::Destination;
use crate::error::Error;
use crate::event::BreakerMode;
use crate::failure::FailureKind;
use crate::order::Order;
use crate::ratio::Ratio;
use crate::revision::Revision;
use crate::stats::Span;
use crate::time::minutes;

const THRESHOLD: Ratio = Ratio::percent(5);
const WINDOW: Duration = minutes(15);
const BUCKETS: u32 = 60;
const MIN_CALLS: u64 = 100;
/// Callers that drop their calls.
const ABANDONED_THRESHOLD: Ratio = Ratio::percent(5);
/// At three attempts for each document, 0.8 % of the documents get no answer.
const THROTTLED_THRESHOLD: Ratio = Ratio::percent(20);
const CONSECUTIVE_FAILURES: u32 = 5;
/// The allowed values of `last_calls`.
const LAST_CALLS: RangeInclusive<u32> = 1..=10_000;
const HOLD_OPEN: Duration = minutes(15);
/// A provider's outage passes by itself, and meanwhile documents wait: a few calls every five minutes
/// tell early when it has.
const PROVIDER_RECOVERY: Recovery =
    Recovery::Probe(Probing::after(minutes(1)).with_longest_wait(minutes(5)));

impl ErrorRateBreaker {
    /// Configures a breaker, starting from the defaults.
    pub fn builder() -> ErrorRateBreakerBuilder {
        ErrorRateBreakerBuilder::new()
    }

    /// Changes the settings while calls are open. A version that is out of service stays out; it is
    /// latched if the new settings never probe it, and back in service if as many probes have
    /// succeeded as they ask for. Switching
    /// [`by_document_type`](ErrorRateBreakerBuilder::by_document_type) off drops the state of all
    /// types and ends their incidents. If a value is outside its range, this returns an error and
    /// changes nothing. The mode is not a setting; see [`switch`](Self::switch).
    ///
    /// As for every command: an error if the breaker has changed since the
    /// [`status`](Self::status) with the revision `meant_for`, or if `who` or `why` is blank or not
    /// one line of at most 1,000 bytes.
    ///
    /// A window with another length or number of buckets starts empty, and so do the last calls
    /// when their number changes: the breaker evaluates no rate until there are enough calls again.
    ///
    /// ```
    /// use fusebox::{ErrorRateBreaker, Ratio};
    ///
    /// let breaker = ErrorRateBreaker::default();
    /// let seen = breaker.status().revision;
    /// let settings = ErrorRateBreaker::builder().threshold(Ratio::percent(3));
    /// breaker.reconfigure(settings, seen, "ada", "contracts need a stricter limit")?;
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn reconfigure(
        &self,
        settings: ErrorRateBreakerBuilder,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.adopt(settings.into_rule()?, meant_for, Order::new(who, why)?)
    }
}

impl Default for ErrorRateBreaker {
    fn default() -> Self {
        ErrorRateBreakerBuilder::new().into_breaker()
    }
}

/// Configures an [`ErrorRateBreaker`].
#[derive(Clone, Debug)]
#[must_use = "nothing is guarded until `build` is called"]
pub struct ErrorRateBreakerBuilder {
    rule: Rule,
    window: Duration,
    buckets: u32,
    mode: BreakerMode,
    has_provider_recovery: bool,
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
                provider_recovery: PROVIDER_RECOVERY,
                hold_open: HOLD_OPEN,
                inclusive: false,
                confident: false,
                handlings: BTreeMap::new(),
                abandoned_counts: false,
                abandoned_threshold: Some(ABANDONED_THRESHOLD),
                throttled_threshold: Some(THROTTLED_THRESHOLD),
                slow: None,
                last_calls: None,
                by_type: false,
                when_exhausted: None,
            },
            window: WINDOW,
            buckets: BUCKETS,
            mode: BreakerMode::Enforce,
            has_provider_recovery: false,
        }
    }

    /// The error rate above which a version trips (5 % by default; more than 0 % and less than
    /// 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.rule.threshold = threshold;
        self
    }

    /// The length of the window (15 minutes by default).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The number of buckets in which the window slides (60 by default); the window's length must
    /// be a multiple of it.
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets;
        self
    }

    /// The number of calls in the window from which the rate is evaluated (100 by default, at least
    /// 1).
    pub fn min_calls(mut self, calls: u64) -> Self {
        self.rule.min_calls = calls;
        self
    }

    /// The number of failures in a row that trips a version with too few calls for a rate (5 by
    /// default); `None` switches the rule off. A row ends with an answer, or when its last failure
    /// has left the window.
    pub fn consecutive_failures(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.rule.consecutive_failures = failures.into();
        self
    }

    /// Whether a rate equal to the threshold trips too (no by default: 5 of 100 is not more than
    /// 5 %).
    pub fn threshold_included(mut self, included: bool) -> Self {
        self.rule.inclusive = included;
        self
    }

    /// Whether the lower end of the rate's one-sided 95 % Wilson interval must exceed the threshold
    /// too (no by default). Then 9 of 100 calls must fail instead of 6, and 3 of 20 instead of 2.
    pub fn beyond_doubt(mut self, beyond_doubt: bool) -> Self {
        self.rule.confident = beyond_doubt;
        self
    }

    /// How the breaker handles a kind of failure. By default wrong credentials, unknown models and
    /// exhausted quotas page at once, throttled calls are ignored, and every other failure counts.
    pub fn handle_failure(mut self, kind: FailureKind, handling: FailureHandling) -> Self {
        self.rule.handlings.insert(kind, handling);
        self
    }

    /// Whether an abandoned call counts as a failure (no by default: it says nothing about the
    /// answer).
    pub fn abandoned_counts(mut self, counts: bool) -> Self {
        self.rule.abandoned_counts = counts;
        self
    }

    /// The share of abandoned calls above which the breaker pages, without a fallback (5 % by
    /// default; more than 0 % and less than 100 %); `None` switches the rule off. Set it where
    /// abandoned calls are usual, such as those of closed browser tabs. The page ends when the
    /// share is at most half of it.
    ///
    /// ```
    /// use fusebox::{ErrorRateBreaker, Ratio};
    ///
    /// let breaker = ErrorRateBreaker::builder().abandoned_threshold(Ratio::percent(30)).build()?;
    /// let silent = ErrorRateBreaker::builder().abandoned_threshold(None).build()?;
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn abandoned_threshold(mut self, threshold: impl Into<Option<Ratio>>) -> Self {
        self.rule.abandoned_threshold = threshold.into();
        self
    }

    /// The share of throttled calls above which the breaker pages, without a fallback (20 % by
    /// default; more than 0 % and less than 100 %); `None` switches the rule off. It is evaluated
    /// for each version over all documents, as they share the limits of an account, and leaves out
    /// kinds of failure that [`handle_failure`](Self::handle_failure) lets count or page. The page
    /// ends when the share is at most half of it.
    pub fn throttled_threshold(mut self, threshold: impl Into<Option<Ratio>>) -> Self {
        self.rule.throttled_threshold = threshold.into();
        self
    }

    /// Also trips a version when more than `threshold` of its calls take longer than `after` (off
    /// by default). An open call counts once it exceeds `after`, to the second, so the pipeline's
    /// next tick detects calls that hang. With too few calls for a rate, a version trips when the
    /// number of hanging calls reaches [`consecutive_failures`](Self::consecutive_failures).
    pub fn slow_calls(mut self, after: Duration, threshold: Ratio) -> Self {
        self.rule.slow = Some(Slow { after, threshold });
        self
    }

    /// Also evaluates the last `calls` calls, however old, while the window holds too few for a
    /// rate (off by default; 1 to 10,000): for versions and document types with a few calls a day.
    /// The threshold is the same, and the rule applies once a version has had `calls` calls.
    pub fn last_calls(mut self, calls: impl Into<Option<u32>>) -> Self {
        self.rule.last_calls = calls.into();
        self
    }

    /// Also evaluates each document type separately (no by default): a type in which a version
    /// fails falls back alone, and the others stay. All documents together are still evaluated as
    /// well. The first 10,000 types have a window of their own; documents of further types are
    /// evaluated only with all others (see
    /// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted)).
    pub fn by_document_type(mut self, by_type: bool) -> Self {
        self.rule.by_type = by_type;
        self
    }

    /// Where documents go when the previous version fails too, such as a queue that another
    /// provider serves ([`HumanReview`](Destination::HumanReview) by default).
    pub fn when_exhausted(mut self, destination: Destination) -> Self {
        self.rule.when_exhausted = match destination {
            Destination::HumanReview => None,
            elsewhere @ Destination::Queue(_) => Some(elsewhere),
        };
        self
    }

    /// How a version comes back into service after a fault of its own ([`Recovery::Latch`] by
    /// default). Probing holds for a fault of the provider too, unless
    /// [`provider_recovery`](Self::provider_recovery) says otherwise.
    pub fn recovery(mut self, recovery: impl Into<Recovery>) -> Self {
        self.rule.recovery = recovery.into();
        if !self.has_provider_recovery {
            self.rule.provider_recovery = match self.rule.recovery {
                Recovery::Latch => PROVIDER_RECOVERY,
                probe @ Recovery::Probe(_) => probe,
            };
        }
        self
    }

    /// How a version comes back into service after a fault of the provider (by default it is probed
    /// with 3 calls after one minute; the wait doubles, up to 5 minutes).
    ///
    /// The provider is at fault when most failures in the version's window are
    /// [`Overloaded`](FailureKind::Overloaded), or when most of them have
    /// [`Cause::Provider`](crate::failure::Cause::Provider) or calls are slow, and either another version
    /// failed alike shortly before or no version is left to serve. Shortly: within two windows.
    ///
    /// ```
    /// use fusebox::ErrorRateBreaker;
    /// use fusebox::breaker::Recovery;
    ///
    /// // Whatever fails stays out of service until the operator rearms it.
    /// let breaker = ErrorRateBreaker::builder().provider_recovery(Recovery::Latch).build()?;
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn provider_recovery(mut self, recovery: impl Into<Recovery>) -> Self {
        self.rule.provider_recovery = recovery.into();
        self.has_provider_recovery = true;
        self
    }

    /// How long a version must be healthy before its incident ends (15 minutes by default; see
    /// [`Incidents`](crate::guard::Incidents)).
    pub fn hold_open(mut self, hold_open: Duration) -> Self {
        self.rule.hold_open = hold_open;
        self
    }

    /// The initial mode ([`Enforce`](BreakerMode::Enforce) by default); see
    /// [`ErrorRateBreaker::switch`].
    pub fn mode(mut self, mode: BreakerMode) -> Self {
        self.mode = mode;
        self
    }

    /// Builds the breaker; an error when a value is outside its range.
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
        for (field, threshold) in [
            ("abandoned call threshold", rule.abandoned_threshold),
            ("throttled call threshold", rule.throttled_threshold),
        ] {
            if let Some(threshold) = threshold {
                threshold.strictly_between_zero_and_one(field)?;
            }
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
        for recovery in [&rule.recovery, &rule.provider_recovery] {
            if let Recovery::Probe(probing) = recovery {
                probing.check()?;
            }
        }
        let span = Span::new("error rate window", self.window, self.buckets)?;
        Ok(Rule { span, ..rule })
    }

    /// Builds the breaker without the checks of [`build`](Self::build): the defaults pass them.
    pub(super) fn into_breaker(self) -> ErrorRateBreaker {
        ErrorRateBreaker::new(self.rule, self.mode)
    }
}
