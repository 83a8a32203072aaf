//! When a version is taken out of service, and what its failures count for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recovery::Recovery;
use crate::call::{Destination, Outcome};
use crate::event::TripReason;
use crate::failure::{Cause, FailureKind};
use crate::ratio::Ratio;
use crate::stats::{Span, wilson_at_least};

/// What a breaker does with a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureHandling {
    /// It counts against the version.
    Counts,
    /// It says nothing.
    Ignored,
    /// It says nothing of the version and pages at once, no more than once within the window.
    Pages,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each switches one part of the rule on"
)]
pub(super) struct Rule {
    pub(super) threshold: Ratio,
    pub(super) span: Span,
    pub(super) min_calls: u64,
    pub(super) consecutive_failures: Option<u32>,
    pub(super) recovery: Recovery,
    pub(super) hold_open: Duration,
    /// Whether the threshold itself is too much already.
    pub(super) inclusive: bool,
    /// Whether the rate must be above the threshold beyond doubt.
    pub(super) confident: bool,
    pub(super) handlings: BTreeMap<FailureKind, FailureHandling>,
    pub(super) abandoned_counts: bool,
    pub(super) slow: Option<Slow>,
    /// How many of the last calls are judged where the window has too few.
    pub(super) last_calls: Option<u32>,
    /// Whether each type of document is judged by itself too.
    pub(super) by_type: bool,
    /// Where documents go for which no version is left; `None` for a person.
    pub(super) when_exhausted: Option<Destination>,
}

/// When calls take too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) after: Duration,
    pub(super) threshold: Ratio,
}

/// Which rule was broken, and by how many of how many calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breach {
    pub(super) reason: TripReason,
    pub(super) part: u64,
    pub(super) whole: u64,
    pub(super) threshold: Ratio,
}

/// How a call ended, as far as a breaker cares.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Abandoned,
    AbandonedAsFailure,
    Answered,
    Failed(FailureKind),
}

/// What the end of a call says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// Of its version, if anything.
    pub(super) step: Option<Step>,
    /// What to page for at once.
    pub(super) urgent: Option<FailureKind>,
}

impl Rule {
    /// Whether so many of the calls are too many, once there are enough of them.
    pub(super) fn is_exceeded_by(&self, part: u64, whole: u64) -> bool {
        whole >= self.min_calls && self.is_too_many(part, whole)
    }

    /// The same, however few there are.
    pub(super) fn is_too_many(&self, part: u64, whole: u64) -> bool {
        let is_exceeded = if self.inclusive {
            part > 0 && !self.threshold.is_above(part, whole)
        } else {
            self.threshold.is_exceeded_by(part, whole)
        };
        is_exceeded && (!self.confident || wilson_at_least(part, whole) > self.threshold.as_f64())
    }

    /// What the end of a call says.
    pub(super) fn read(&self, outcome: &Outcome) -> Effect {
        match outcome {
            Outcome::Accepted | Outcome::NeedsReview => Effect::of(Step::Answered),
            Outcome::Abandoned if self.abandoned_counts => Effect::of(Step::AbandonedAsFailure),
            Outcome::Abandoned => Effect::of(Step::Abandoned),
            Outcome::Failed(kind) => match self.handling(*kind) {
                FailureHandling::Counts => Effect::of(Step::Failed(*kind)),
                FailureHandling::Ignored => Effect::default(),
                FailureHandling::Pages => Effect {
                    step: None,
                    urgent: Some(*kind),
                },
            },
            Outcome::Diverted(_) | Outcome::Released => Effect::default(),
        }
    }

    /// As configured; else what no version can cure says nothing about one.
    fn handling(&self, kind: FailureKind) -> FailureHandling {
        let by_cause = match kind.cause() {
            Cause::Account => FailureHandling::Pages,
            Cause::RateLimit => FailureHandling::Ignored,
            Cause::Prompt | Cause::Provider => FailureHandling::Counts,
        };
        self.handlings.get(&kind).copied().unwrap_or(by_cause)
    }
}

impl Effect {
    fn of(step: Step) -> Self {
        Self {
            step: Some(step),
            urgent: None,
        }
    }
}
