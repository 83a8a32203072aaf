//! P3: when too many calls fail, the previous version serves, and then somebody is paged.

mod builder;
mod line;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::event::{EventKind, Severity, TripReason};
use crate::failure::Cause;
use crate::format::Format;
use crate::guard::{Cx, Guard, State};
use crate::keyed::Keyed;
use crate::name::VersionId;
use crate::ratio::Ratio;
use crate::signal::{Outcome, Signal};
use crate::ticket::Ticket;
use crate::time::Timestamp;
use crate::verdict::Route;
use crate::version::Role;
use crate::window::Span;

pub use builder::ErrorRateBreakerBuilder;
pub use line::{BreakerState, VersionCounts};
use line::{Line, Step};

/// Versions are few; this many are kept apart.
const VERSIONS: usize = 1_000;
const NAME: &str = "error-rate";

/// Puts the previous prompt version back into service when too many calls of the current one fail.
///
/// # What it watches
/// How calls end, per prompt version, in a window that slides over the last 15 minutes.
///
/// # When it acts
/// When strictly more than 5 % of at least 100 calls in the window failed, or, while there are fewer than 100, when 5
/// calls in a row failed. It looks at every call that ends; time passing alone never triggers it.
///
/// # What it does
/// From the next call on the previous version serves (for a candidate: production), and then one page is sent. The
/// version stays out of service until a person [arms it again](Self::rearm): an automatic probe would serve a bad prompt
/// again. If the previous version fails as well, documents go to human review, and a page says that falling back did not
/// help. With no previous version in the line-up it pages and the version goes on serving.
///
/// Wrong credentials, an unknown model or a used-up quota page at once, at most once in 15 minutes for each kind, and do
/// not count: no prompt version can cure them. Throttled calls do not count. Calls that were abandoned are neither good
/// nor bad; when they are more than 5 % of all, that is a page of its own.
///
/// # What it cannot see
/// Answers that are wrong without failing, and calls that never end: the ledger sees those. Whether the prompt or the
/// provider is at fault: it finds out by falling back.
///
/// # Defaults and why
/// 5 % and 15 minutes: an outage of a fifth of all calls is seen in under four minutes. At least 100 calls: at a true
/// error rate of 1 % fewer would page on noise (with 20 calls 1.7 % of all looks, with 100 0.05 %). Five in a row: what is
/// left for quiet hours.
///
/// # Events
/// [`ErrorRateExceeded`](EventKind::ErrorRateExceeded), [`Exhausted`](EventKind::Exhausted),
/// [`UrgentFailure`](EventKind::UrgentFailure), [`AbandonedRateExceeded`](EventKind::AbandonedRateExceeded) (pages),
/// [`Rearmed`](EventKind::Rearmed).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{BreakerState, Call, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Role, Version, VersionId};
///
/// let breaker = Arc::new(ErrorRateBreaker::default());
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_previous(Version::new("v6", "gpt-4o")?);
/// let pipeline = Pipeline::builder(line_up).guard(Arc::clone(&breaker)).build()?;
///
/// for n in 0..5 {
///     if let Some(permit) = pipeline.admit(&Call::new(format!("inv-{n}"), "invoice")?).permit() {
///         permit.fail(FailureKind::MalformedOutput);
///     }
/// }
/// let next = pipeline.admit(&Call::new("inv-5", "invoice")?);
/// assert_eq!(next.ticket().role(), Role::Previous);
/// assert_eq!(breaker.state(&VersionId::new("v7")?), BreakerState::Latched);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
pub struct ErrorRateBreaker {
    rule: Rule,
    /// Whether routing has to look at the lines at all: false while nothing is out of service and no command waits.
    attention: AtomicBool,
    core: Mutex<Core>,
}

/// When a version is taken out of service.
#[derive(Clone, Debug)]
struct Rule {
    threshold: Ratio,
    span: Span,
    min_calls: u64,
    consecutive_failures: Option<u32>,
}

impl Rule {
    fn is_exceeded_by(&self, part: u64, whole: u64) -> bool {
        whole >= self.min_calls && self.threshold.is_exceeded_by(part, whole)
    }
}

#[derive(Debug)]
struct Core {
    lines: Keyed<VersionId, Line>,
    commands: Vec<VersionId>,
    latest: Timestamp,
}

impl ErrorRateBreaker {
    /// A breaker with the default numbers.
    pub fn builder() -> ErrorRateBreakerBuilder {
        ErrorRateBreakerBuilder::new()
    }

    /// Puts a version back into service, with an empty window. Takes effect at the pipeline's next call or tick; what
    /// calls from before report is counted as late.
    pub fn rearm(&self, version: &VersionId) {
        self.core.lock().commands.push(version.clone());
        self.attention.store(true, Ordering::Release);
    }

    /// Whether a version is in service.
    pub fn state(&self, version: &VersionId) -> BreakerState {
        self.core
            .lock()
            .lines
            .get(version)
            .map_or(BreakerState::Closed, Line::state)
    }

    /// What is in a version's window, as of the last call that was seen.
    pub fn counts(&self, version: &VersionId) -> VersionCounts {
        let mut core = self.core.lock();
        let latest = core.latest;
        core.lines
            .get_mut(version)
            .map_or_else(VersionCounts::default, |line| line.counts(latest))
    }

    /// Takes up commands and the time, and looks whether routing has anything to do.
    fn settle_in(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = core.latest.max(cx.now());
        for version in std::mem::take(&mut core.commands) {
            if let Some(line) = core.lines.get_mut(&version) {
                *line = Line::new(self.rule.span, core.latest);
                cx.emit(Severity::Info, EventKind::Rearmed { version });
            }
        }
        let latched = core
            .lines
            .iter()
            .any(|(_, line)| line.state() == BreakerState::Latched);
        self.attention.store(latched, Ordering::Release);
    }

    fn record(&self, core: &mut Core, ticket: &Ticket, step: Step, cx: &Cx<'_>) {
        let version = ticket.version();
        let now = core.latest;
        let is_latched = |core: &Core, version: &VersionId| {
            core.lines
                .get(version)
                .is_some_and(|line| line.state() == BreakerState::Latched)
        };
        let Some(role) = role_of(version, cx) else {
            return;
        };
        let behind = behind(role, cx).cloned();
        let fallback = behind
            .clone()
            .filter(|fallback| !is_latched(core, fallback));
        let stable_is_out = is_latched(core, cx.line_up().stable().id());
        let (line, _) = core
            .lines
            .entry(version, || Line::new(self.rule.span, Timestamp::EPOCH));
        if line.state() == BreakerState::Latched || ticket.admitted_at() < line.armed_at() {
            line.count_late();
            return;
        }
        line.record(step, now);
        let counts = line.counts(now);
        if line.abandonment_begins(&self.rule, now) {
            let kind = EventKind::AbandonedRateExceeded {
                version: version.clone(),
                abandoned: counts.abandoned,
                calls: counts.calls + counts.abandoned,
                threshold: self.rule.threshold,
            };
            cx.emit(Severity::Page, kind);
        }
        let serves = role != Role::Previous || stable_is_out;
        if !line.is_failing(&self.rule, now) || !serves {
            line.recover();
            return;
        }
        let (errors, calls) = (counts.errors, counts.calls);
        let exceeded = |fallback| EventKind::ErrorRateExceeded {
            version: version.clone(),
            reason: if self.rule.is_exceeded_by(errors, calls) {
                TripReason::ErrorRate
            } else {
                TripReason::ConsecutiveFailures
            },
            errors,
            calls,
            threshold: self.rule.threshold,
            kinds: line.kinds(),
            fallback,
        };
        if role == Role::Previous || behind.is_some() && fallback.is_none() {
            let version = version.clone();
            let exhausted = EventKind::Exhausted {
                version,
                errors,
                calls,
            };
            line.latch();
            self.attention.store(true, Ordering::Release);
            cx.emit(Severity::Page, exhausted);
        } else if fallback.is_some() {
            let event = exceeded(fallback);
            line.latch();
            self.attention.store(true, Ordering::Release);
            cx.emit(Severity::Page, event);
        } else if line.state() == BreakerState::Closed {
            let event = exceeded(None);
            line.alarm();
            cx.emit(Severity::Page, event);
        }
    }

    fn report_urgent(
        &self,
        core: &mut Core,
        ticket: &Ticket,
        failure: crate::FailureKind,
        cx: &Cx<'_>,
    ) {
        let now = core.latest;
        let (line, _) = core.lines.entry(ticket.version(), || {
            Line::new(self.rule.span, Timestamp::EPOCH)
        });
        if line.is_news(failure, now, self.rule.span.length()) {
            let version = ticket.version().clone();
            cx.emit(
                Severity::Page,
                EventKind::UrgentFailure { version, failure },
            );
        }
    }
}

/// The part that a version plays in the line-up of now.
fn role_of(version: &VersionId, cx: &Cx<'_>) -> Option<Role> {
    [Role::Candidate, Role::Stable, Role::Previous]
        .into_iter()
        .find(|role| {
            cx.line_up()
                .get(*role)
                .is_some_and(|live| live.id() == version)
        })
}

/// The version that takes over from the one in this part.
fn behind<'a>(role: Role, cx: &Cx<'a>) -> Option<&'a VersionId> {
    let behind = match role {
        Role::Candidate => Role::Stable,
        Role::Stable => Role::Previous,
        Role::Previous => return None,
    };
    cx.line_up().get(behind).map(crate::Version::id)
}

impl Default for ErrorRateBreaker {
    fn default() -> Self {
        ErrorRateBreakerBuilder::new().into_breaker()
    }
}

impl Guard for ErrorRateBreaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn route(&self, _call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        if !self.attention.load(Ordering::Acquire) {
            return Route::Abstain;
        }
        let mut core = self.core.lock();
        self.settle_in(&mut core, cx);
        let is_out = |role: Role| {
            let line = cx
                .line_up()
                .get(role)
                .and_then(|version| core.lines.get(version.id()));
            line.is_some_and(|line| line.state() == BreakerState::Latched)
        };
        if is_out(Role::Stable) {
            return if is_out(Role::Previous) {
                Route::HumanReview
            } else {
                Route::Previous
            };
        }
        if is_out(Role::Candidate) {
            Route::Stable
        } else {
            Route::Abstain
        }
    }

    fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        let Signal::Settled {
            ticket, outcome, ..
        } = signal
        else {
            return;
        };
        let step = match outcome {
            Outcome::Accepted | Outcome::NeedsReview => Step::Answered,
            Outcome::Failed(kind) => Step::Failed(*kind),
            Outcome::Abandoned => Step::Abandoned,
            Outcome::Diverted(_) | Outcome::Released => return,
        };
        let mut core = self.core.lock();
        if core.commands.is_empty() {
            core.latest = core.latest.max(cx.now());
        } else {
            self.settle_in(&mut core, cx);
        }
        match step {
            Step::Failed(kind) if kind.cause() == Cause::Account => {
                self.report_urgent(&mut core, ticket, kind, cx);
            }
            Step::Failed(kind) if kind.cause() == Cause::Pace => {}
            step => self.record(&mut core, ticket, step, cx),
        }
    }

    fn tick(&self, cx: &mut Cx<'_>) {
        self.settle_in(&mut self.core.lock(), cx);
    }

    fn snapshot(&self) -> Option<State> {
        let core = self.core.lock();
        State::of(&Stored {
            format: Format,
            lines: core
                .lines
                .iter()
                .map(|(version, line)| (version.clone(), line.clone()))
                .collect(),
        })
    }

    fn restore(&self, state: &State, _cx: &mut Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(NAME)?;
        let mut core = self.core.lock();
        let fits = |line: &Line| line.span() == self.rule.span;
        let lines = stored.lines.into_iter().map(|(version, line)| {
            let line = if fits(&line) {
                line
            } else {
                line.with_empty_window(self.rule.span)
            };
            (version, line)
        });
        core.lines.refill(lines, None);
        self.attention.store(true, Ordering::Release);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    lines: Vec<(VersionId, Line)>,
}
