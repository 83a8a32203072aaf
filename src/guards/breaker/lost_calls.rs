//! Calls that bring no answer and are no fault of the version: abandoned and throttled ones. They
//! have rates and pages of their own, and no part in any other rule.

use serde::{Deserialize, Serialize};

use super::counts::VersionCounts;
use super::outage;
use super::rule::Rule;
use crate::event::{BreakerEvent, EventKind};
use crate::guard::Cx;
use crate::name::VersionId;
use crate::ratio::Ratio;

/// Of which too large a share of a version's calls is lost: until it is no more than half the
/// threshold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct LostCalls {
    pub(super) abandoned: bool,
    #[serde(default)]
    throttled: bool,
}

impl LostCalls {
    /// Whether one of the rates is too large.
    pub(super) fn is_too_large(self) -> bool {
        self.abandoned || self.throttled
    }

    /// Takes over the counts of the window; whether one of the rates has just become too large.
    pub(super) fn update(&mut self, counts: &VersionCounts, rule: &Rule) -> bool {
        let (before, whole) = (*self, Whole::of(counts, rule));
        self.abandoned = is_too_large(
            rule.abandoned_threshold,
            counts.abandoned,
            whole.ended,
            rule,
            before.abandoned,
        );
        self.throttled = is_too_large(
            rule.throttled_threshold,
            counts.throttled,
            whole.sent,
            rule,
            before.throttled,
        );
        self.abandoned && !before.abandoned || self.throttled && !before.throttled
    }

    /// Says what is too large; of abandoned calls only where that is not `known` already.
    pub(super) fn report(
        self,
        version: &VersionId,
        counts: &VersionCounts,
        rule: &Rule,
        known: Self,
        cx: &Cx<'_>,
    ) {
        let whole = Whole::of(counts, rule);
        if let Some(threshold) = rule.abandoned_threshold {
            if self.abandoned && !known.abandoned {
                cx.still(&outage::abandoned(rule, cx), || {
                    EventKind::Breaker(BreakerEvent::AbandonedRateExceeded {
                        version: version.clone(),
                        abandoned: counts.abandoned,
                        calls: whole.ended,
                        threshold,
                    })
                });
            }
        }
        if let Some(threshold) = rule.throttled_threshold.filter(|_| self.throttled) {
            cx.still(&outage::throttled(rule), || {
                EventKind::Breaker(BreakerEvent::ThrottledRateExceeded {
                    version: version.clone(),
                    throttled: counts.throttled,
                    calls: whole.sent,
                    threshold,
                })
            });
        }
    }
}

/// What the lost calls are a share of.
struct Whole {
    /// Calls that were answered, failed or were abandoned.
    ended: u64,
    /// The same, and the throttled ones.
    sent: u64,
}

impl Whole {
    /// An abandoned call is among the calls where it counts as a failure. The maximum is for a
    /// window in which that setting has changed.
    fn of(counts: &VersionCounts, rule: &Rule) -> Self {
        let ended = if rule.abandoned_counts {
            counts.calls.max(counts.abandoned)
        } else {
            counts.calls + counts.abandoned
        };
        Self {
            ended,
            sent: ended + counts.throttled,
        }
    }
}

fn is_too_large(
    threshold: Option<Ratio>,
    part: u64,
    whole: u64,
    rule: &Rule,
    was_too_large: bool,
) -> bool {
    threshold.is_some_and(|threshold| {
        whole >= rule.min_calls && threshold.is_exceeded_by(part, whole)
            || was_too_large && threshold.is_exceeded_by(part.saturating_mul(2), whole)
    })
}
