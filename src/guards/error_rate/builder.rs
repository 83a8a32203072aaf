//! Configuring a breaker, and the default numbers.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

use super::ErrorRateBreaker;
use super::lines::Lines;
use super::probing::Recovery;
use super::rule::{Rule, Slow, Treatment};
use crate::error::Error;
use crate::event::BreakerMode;
use crate::failure::FailureKind;
use crate::ratio::Ratio;
use crate::time::minutes;
use crate::window::Span;

const THRESHOLD: Ratio = Ratio::percent(5);
const WINDOW: Duration = minutes(15);
const BUCKETS: u32 = 60;
const MIN_CALLS: u64 = 100;
const CONSECUTIVE_FAILURES: u32 = 5;
const HOLD_OPEN: Duration = minutes(15);

/// Configures an [`ErrorRateBreaker`].
#[derive(Clone, Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct ErrorRateBreakerBuilder {
    threshold: Ratio,
    window: Duration,
    buckets: u32,
    min_calls: u64,
    consecutive_failures: Option<u32>,
    recovery: Recovery,
    mode: BreakerMode,
    hold_open: Duration,
    inclusive: bool,
    confident: bool,
    treatments: BTreeMap<FailureKind, Treatment>,
    abandoned_counts: bool,
    slow: Option<Slow>,
}

impl ErrorRateBreakerBuilder {
    pub(super) fn new() -> Self {
        Self {
            threshold: THRESHOLD,
            window: WINDOW,
            buckets: BUCKETS,
            min_calls: MIN_CALLS,
            consecutive_failures: Some(CONSECUTIVE_FAILURES),
            recovery: Recovery::Latch,
            mode: BreakerMode::Enforce,
            hold_open: HOLD_OPEN,
            inclusive: false,
            confident: false,
            treatments: BTreeMap::new(),
            abandoned_counts: false,
            slow: None,
        }
    }

    /// The share of failed calls that must be exceeded (5 % by default; between 0 % and 100 %).
    pub fn threshold(mut self, threshold: Ratio) -> Self {
        self.threshold = threshold;
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
        self.min_calls = calls;
        self
    }

    /// How many failures in a row are enough while there are too few calls for a rate (5 by default); `None` for no
    /// such rule.
    pub fn consecutive_failures(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.consecutive_failures = failures.into();
        self
    }

    /// Whether the threshold itself is too much already (no by default: 5 of 100 are not more than 5 %).
    pub fn threshold_included(mut self, included: bool) -> Self {
        self.inclusive = included;
        self
    }

    /// Whether the rate must be above the threshold beyond doubt (no by default): the lower end of its one-sided 95 %
    /// Wilson interval. Of 100 calls 9 must fail then and not 6, of 20 three and not two.
    pub fn beyond_doubt(mut self, beyond_doubt: bool) -> Self {
        self.confident = beyond_doubt;
        self
    }

    /// What a kind of failure counts for. By default credentials, unknown models and used-up quotas page at once,
    /// throttled calls are ignored, and all else counts.
    pub fn treat(mut self, kind: FailureKind, treatment: Treatment) -> Self {
        self.treatments.insert(kind, treatment);
        self
    }

    /// Whether a call that was abandoned counts as failed (no by default: it says nothing of the answer).
    pub fn abandoned_counts(mut self, counts: bool) -> Self {
        self.abandoned_counts = counts;
        self
    }

    /// Takes a version out of service also when more than `threshold` of its calls take longer than `after` (no such rule
    /// by default). A call that is still open counts as soon as it has taken so long, to the second, so that calls which
    /// hang are seen at the pipeline's next tick; while there are too few calls for a rate, as many of them as
    /// [`consecutive_failures`](Self::consecutive_failures) are enough.
    pub fn slow_calls(mut self, after: Duration, threshold: Ratio) -> Self {
        self.slow = Some(Slow { after, threshold });
        self
    }

    /// How a version that was taken out of service comes back ([`Recovery::Latch`] by default).
    pub fn recovery(mut self, recovery: impl Into<Recovery>) -> Self {
        self.recovery = recovery.into();
        self
    }

    /// How long a version must have been well before an incident is over (15 minutes by default).
    pub fn hold_open(mut self, hold_open: Duration) -> Self {
        self.hold_open = hold_open;
        self
    }

    /// What it does with what it sees, at first; see [`ErrorRateBreaker::switch`].
    pub fn mode(mut self, mode: BreakerMode) -> Self {
        self.mode = mode;
        self
    }

    /// The breaker; an error when a number is outside its range.
    pub fn build(self) -> Result<ErrorRateBreaker, Error> {
        self.threshold
            .strictly_between_zero_and_one("error rate threshold")?;
        if self.min_calls == 0 {
            return Err(Error::invalid(
                "error rate min_calls",
                self.min_calls,
                "at least 1",
            ));
        }
        if self.consecutive_failures == Some(0) {
            return Err(Error::invalid(
                "error rate consecutive_failures",
                0,
                "at least 1, or `None`",
            ));
        }
        if let Some(slow) = &self.slow {
            slow.threshold
                .strictly_between_zero_and_one("slow call threshold")?;
            if slow.after < Duration::from_millis(1) {
                let shown = humantime::format_duration(slow.after);
                return Err(Error::invalid("slow call time", shown, "at least 1 ms"));
            }
        }
        if let Recovery::Probe(probing) = &self.recovery {
            probing.check()?;
        }
        let span = Span::new("error rate window", self.window, self.buckets)?;
        Ok(self.with_span(span))
    }

    /// The breaker with the default window.
    pub(super) fn into_breaker(self) -> ErrorRateBreaker {
        self.with_span(Span::fixed(WINDOW, BUCKETS))
    }

    fn with_span(self, span: Span) -> ErrorRateBreaker {
        ErrorRateBreaker {
            rule: Rule {
                threshold: self.threshold,
                span,
                min_calls: self.min_calls,
                consecutive_failures: self.consecutive_failures,
                recovery: self.recovery,
                hold_open: self.hold_open,
                inclusive: self.inclusive,
                confident: self.confident,
                treatments: self.treatments,
                abandoned_counts: self.abandoned_counts,
                slow: self.slow,
            },
            attention: AtomicBool::new(self.mode == BreakerMode::ForcedFallback),
            lines: Mutex::new(Lines::new(self.mode)),
        }
    }
}
