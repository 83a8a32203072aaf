//! One version: what its calls did lately, and whether it is in service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Rule;
use crate::failure::FailureKind;
use crate::time::Timestamp;
use crate::window::{Span, Window};

/// Whether a version is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// In service although too many calls fail, because there is no version to fall back to.
    Alarmed,
    /// In service.
    Closed,
    /// Out of service until a person arms it again.
    Latched,
}

/// What the calls of one version did within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionCounts {
    /// Calls that ended in an answer or a failure.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Calls that were abandoned; not among `calls`.
    pub abandoned: u64,
    /// Calls since the start that ended too late to count: their version was out of service, or was armed again since.
    pub late: u64,
}

/// How a call ended, as far as a breaker cares.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Abandoned,
    Answered,
    Failed(FailureKind),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    state: BreakerState,
    armed_at: Timestamp,
    /// Calls, errors, abandoned.
    window: Window<3>,
    span: Span,
    failures_in_a_row: u32,
    late: u64,
    abandonment: bool,
    /// Failures by kind since the window was last without any.
    kinds: BTreeMap<FailureKind, u64>,
    reported: BTreeMap<FailureKind, Timestamp>,
}

impl Line {
    pub(super) fn new(span: Span, armed_at: Timestamp) -> Self {
        Self {
            state: BreakerState::Closed,
            armed_at,
            window: Window::new(span),
            span,
            failures_in_a_row: 0,
            late: 0,
            abandonment: false,
            kinds: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    pub(super) fn with_empty_window(self, span: Span) -> Self {
        Self {
            window: Window::new(span),
            span,
            ..self
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.state
    }

    pub(super) fn armed_at(&self) -> Timestamp {
        self.armed_at
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn counts(&mut self, now: Timestamp) -> VersionCounts {
        let [calls, errors, abandoned] = self.window.total(now);
        VersionCounts {
            calls,
            errors,
            abandoned,
            late: self.late,
        }
    }

    pub(super) fn kinds(&self) -> BTreeMap<FailureKind, u64> {
        self.kinds.clone()
    }

    pub(super) fn count_late(&mut self) {
        self.late += 1;
    }

    pub(super) fn record(&mut self, step: Step, now: Timestamp) {
        match step {
            Step::Answered => {
                self.failures_in_a_row = 0;
                self.window.add(now, [1, 0, 0]);
            }
            Step::Failed(kind) => {
                if self.counts(now).errors == 0 {
                    self.kinds.clear();
                }
                *self.kinds.entry(kind).or_default() += 1;
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.window.add(now, [1, 1, 0]);
            }
            Step::Abandoned => self.window.add(now, [0, 0, 1]),
        }
    }

    pub(super) fn is_failing(&mut self, rule: &Rule, now: Timestamp) -> bool {
        let counts = self.counts(now);
        let in_a_row = rule
            .consecutive_failures
            .is_some_and(|limit| self.failures_in_a_row >= limit);
        rule.is_exceeded_by(counts.errors, counts.calls)
            || in_a_row && counts.calls < rule.min_calls
    }

    /// Whether the abandoned calls have just become too many.
    pub(super) fn abandonment_begins(&mut self, rule: &Rule, now: Timestamp) -> bool {
        let counts = self.counts(now);
        let exceeded = rule.is_exceeded_by(counts.abandoned, counts.calls + counts.abandoned);
        let begins = exceeded && !self.abandonment;
        self.abandonment = exceeded;
        begins
    }

    /// Whether a failure of this kind was not reported within the last `quiet`.
    pub(super) fn is_news(&mut self, kind: FailureKind, now: Timestamp, quiet: Duration) -> bool {
        let known = self
            .reported
            .get(&kind)
            .is_some_and(|at| now.since(*at) < quiet);
        if !known {
            self.reported.insert(kind, now);
        }
        !known
    }

    pub(super) fn latch(&mut self) {
        self.state = BreakerState::Latched;
    }

    pub(super) fn alarm(&mut self) {
        self.state = BreakerState::Alarmed;
    }

    pub(super) fn recover(&mut self) {
        if self.state == BreakerState::Alarmed {
            self.state = BreakerState::Closed;
        }
    }
}
