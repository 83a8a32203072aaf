//! When a version trips, and what each of its failures counts as.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use super::recovery::Recovery;
use crate::call::{Destination, Outcome};
use crate::event::TripReason;
use crate::failure::{Cause, FailureKind};
use crate::guard::time_to_exceed_share;
use crate::ratio::Ratio;
use crate::stats::{Span, wilson_at_least};

/// How a breaker handles a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureHandling {
    /// The failure counts against the version.
    Counts,
    /// The failure does not count.
    Ignored,
    /// The failure does not count against the version and pages at once, at most once per window.
    Pages,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each switches one part of the rule"
)]
pub(super) struct Rule {
    pub(super) threshold: Ratio,
    pub(super) span: Span,
    pub(super) min_calls: u64,
    pub(super) consecutive_failures: Option<u32>,
    /// From a fault of the version.
    pub(super) recovery: Recovery,
    /// From a fault of the provider.
    pub(super) provider_recovery: Recovery,
    pub(super) hold_open: Duration,
    /// Whether a rate equal to the threshold breaks the rule.
    pub(super) inclusive: bool,
    /// Whether the Wilson lower bound must exceed the threshold too.
    pub(super) confident: bool,
    pub(super) handlings: BTreeMap<FailureKind, FailureHandling>,
    pub(super) abandoned_counts: bool,
    /// The share of abandoned calls above which the breaker pages; `None` when it never does.
    pub(super) abandoned_threshold: Option<Ratio>,
    /// The same for throttled calls.
    pub(super) throttled_threshold: Option<Ratio>,
    pub(super) slow: Option<Slow>,
    /// The number of last calls that are evaluated when the window has too few.
    pub(super) last_calls: Option<u32>,
    /// Whether each document type is also evaluated separately.
    pub(super) by_type: bool,
    /// Where documents go when no version is left; `None` for human review.
    pub(super) when_exhausted: Option<Destination>,
}

/// The rule for calls that take too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) after: Duration,
    pub(super) threshold: Ratio,
}

/// The rule that was broken, by `part` of `whole` calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breach {
    pub(super) reason: TripReason,
    pub(super) part: u64,
    pub(super) whole: u64,
    pub(super) threshold: Ratio,
}

/// What a call that ended counts as.
#[derive(Clone, Copy, Debug)]
pub(super) enum CountsAs {
    Abandoned,
    AbandonedAsFailure,
    Answered,
    Failed(FailureKind),
    Throttled,
}

impl CountsAs {
    /// Whether it says nothing about the version.
    pub(super) fn is_lost(self) -> bool {
        matches!(self, Self::Abandoned | Self::Throttled)
    }
}

/// What the end of a call does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// What the call counts as for its version; `None` when it does not count.
    pub(super) counts_as: Option<CountsAs>,
    /// A failure that pages at once.
    pub(super) urgent: Option<FailureKind>,
}

impl Rule {
    /// Whether `part` of `whole` calls breaks the rule; not below the minimum number of calls.
    pub(super) fn is_exceeded_by(&self, part: u64, whole: u64) -> bool {
        whole >= self.min_calls && self.is_above_threshold(part, whole)
    }

    /// Whether `part` of `whole` calls breaks the rule, whatever the number of calls.
    pub(super) fn is_above_threshold(&self, part: u64, whole: u64) -> bool {
        let is_exceeded = if self.inclusive {
            part > 0 && !self.threshold.is_above(part, whole)
        } else {
            self.threshold.is_exceeded_by(part, whole)
        };
        is_exceeded && (!self.confident || wilson_at_least(part, whole) > self.threshold.as_f64())
    }

    /// How a version comes back into service.
    pub(super) fn recovery_from(&self, fault: Fault) -> &Recovery {
        match fault {
            Fault::Provider { .. } => &self.provider_recovery,
            Fault::MaybeProvider { .. } | Fault::Version => &self.recovery,
        }
    }

    /// What an outcome counts as, and whether it pages.
    pub(super) fn effect_of(&self, outcome: &Outcome) -> Effect {
        match outcome {
            Outcome::Accepted | Outcome::NeedsReview => Effect::of(CountsAs::Answered),
            Outcome::Abandoned if self.abandoned_counts => Effect::of(CountsAs::AbandonedAsFailure),
            Outcome::Abandoned => Effect::of(CountsAs::Abandoned),
            Outcome::Failed(kind) => match self.handling(*kind) {
                FailureHandling::Counts => Effect::of(CountsAs::Failed(*kind)),
                FailureHandling::Ignored if kind.cause() == Cause::RateLimit => {
                    Effect::of(CountsAs::Throttled)
                }
                FailureHandling::Ignored => Effect::default(),
                FailureHandling::Pages => Effect {
                    counts_as: None,
                    urgent: Some(*kind),
                },
            },
            Outcome::Diverted(_) | Outcome::Released => Effect::default(),
        }
    }

    /// When the rate of the calls that fail in this way exceeds its threshold, if this share of all
    /// calls does.
    pub(super) fn time_to_exceed(&self, kind: FailureKind, share: Ratio) -> Option<Duration> {
        let window = self.span.length();
        match self.effect_of(&Outcome::Failed(kind)).counts_as? {
            CountsAs::Throttled => time_to_exceed_share(window, self.throttled_threshold?, share),
            _ => time_to_exceed_share(window, self.threshold, share),
        }
    }

    /// The configured handling; by default, a failure that no version can cure does not count.
    fn handling(&self, kind: FailureKind) -> FailureHandling {
        let by_cause = match kind.cause() {
            Cause::Account => FailureHandling::Pages,
            Cause::RateLimit => FailureHandling::Ignored,
            Cause::Prompt | Cause::Provider => FailureHandling::Counts,
        };
        self.handlings.get(&kind).copied().unwrap_or(by_cause)
    }
}

/// By the names of the builder's methods, so that who reads it knows what to set. Two rules that differ
/// have different texts, so ratios are not rounded.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |duration| humantime::format_duration(duration);
        let (window, buckets) = (shown(self.span.length()), self.span.buckets());
        write!(
            f,
            "threshold {:?}, window {window} in {buckets} buckets",
            self.threshold
        )?;
        write!(f, ", min_calls {}", self.min_calls)?;
        let switched = [
            ("threshold_included", self.inclusive),
            ("beyond_doubt", self.confident),
            ("abandoned_counts", self.abandoned_counts),
            ("by_document_type", self.by_type),
        ];
        for (name, _) in switched.iter().filter(|(_, is_on)| *is_on) {
            write!(f, ", {name}")?;
        }
        let counts = [
            ("consecutive_failures", self.consecutive_failures),
            ("last_calls", self.last_calls),
        ];
        for (name, calls) in counts {
            match calls {
                Some(calls) => write!(f, ", {name} {calls}")?,
                None => write!(f, ", no {name}")?,
            }
        }
        let shares = [
            ("abandoned_threshold", self.abandoned_threshold),
            ("throttled_threshold", self.throttled_threshold),
        ];
        for (name, share) in shares {
            match share {
                Some(share) => write!(f, ", {name} {share:?}")?,
                None => write!(f, ", no {name}")?,
            }
        }
        match self.slow {
            Some(Slow { after, threshold }) => {
                write!(f, ", slow_calls after {} above {threshold:?}", shown(after))?;
            }
            None => f.write_str(", no slow_calls")?,
        }
        for (kind, handling) in &self.handlings {
            write!(f, ", handle_failure {kind}: {handling}")?;
        }
        write!(f, ", recovery: {}", self.recovery)?;
        write!(f, ", provider_recovery: {}", self.provider_recovery)?;
        write!(f, ", hold_open {}", shown(self.hold_open))?;
        match &self.when_exhausted {
            Some(destination) => write!(f, ", when_exhausted: {destination}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for FailureHandling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counts => "counts",
            Self::Ignored => "ignored",
            Self::Pages => "pages",
        })
    }
}

impl Effect {
    fn of(counts_as: CountsAs) -> Self {
        Self {
            counts_as: Some(counts_as),
            urgent: None,
        }
    }
}
