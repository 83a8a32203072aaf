//! P3: when too many calls fail, the previous version serves, and then somebody is paged.

mod builder;
mod circuit;
mod circuits;
mod core;
mod generation;
mod in_flight;
mod incident;
mod last_calls;
mod recovery;
mod rule;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::call::{Call, Signal, Ticket, Version};
use crate::error::Error;
use crate::guard::{Cx, Guard, Route, State, Verdict};
use crate::name::{DocumentType, VersionId};
use crate::time::Timestamp;

use self::core::{Command, Core};
pub use crate::event::breaker::{BreakerMode, ProbeFailure, TripReason};

pub use builder::ErrorRateBreakerBuilder;
use circuit::Circuit;
pub use circuit::{BreakerState, Health, VersionCounts};
pub use recovery::{Probing, Recovery};
pub use rule::FailureHandling;
use rule::Rule;

const NAME: &str = "error-rate";

/// Puts the previous prompt version back into service when too many calls of the current one fail.
///
/// # What it watches
/// How calls end, per prompt version, in a window that slides over the last 15 minutes.
///
/// # When it acts
/// When strictly more than 5 % of at least 100 calls in the window failed, or, while there are fewer than 100, when 5
/// calls in a row failed. It looks at every call that ends; time passing alone never triggers it, but for calls that hang,
/// where it was told how long a call may take.
///
/// # What it does
/// From the next call on the previous version serves (for a candidate: production), and then one page is sent. The
/// version stays out of service until a person [arms it again](Self::rearm): an automatic probe would serve a bad prompt
/// again. For faults that pass, such as those of a provider, [`Recovery::Probe`] tries it with a few calls after a wait.
/// If the previous version fails as well, documents go to human review, or to
/// [a queue of yours](ErrorRateBreakerBuilder::when_exhausted), and a page says that falling back did not help.
/// With no previous version in the line-up it pages and the version goes on serving.
///
/// Wrong credentials, an unknown model or a used-up quota page at once, at most once in 15 minutes for each kind, and do
/// not count: no prompt version can cure them. Throttled calls do not count. Calls that were abandoned are neither good
/// nor bad; when they are more than 5 % of all, that is a page of its own.
///
/// A call counts for the state in which it was admitted: what was open when a version was taken out, tried or armed again
/// changes nothing any more, and is counted as late.
///
/// One outage is one page: what happens until a version has been well for 15 minutes belongs to the same incident, whose
/// key stands in every event of it, and is told without waking anybody again. That falling back did not help is a page of
/// its own.
///
/// # One type of document
/// A type that fails alone hides among the others. Judged [by itself too](ErrorRateBreakerBuilder::by_document_type), it
/// falls back alone, while all other documents stay with the current version. What is out of service for all documents is
/// so for each type; types in which a version fails soon after each other are one incident and one page:
///
/// ```
/// use fusebox::ErrorRateBreaker;
///
/// let breaker = ErrorRateBreaker::builder().by_document_type(true).build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// # What a person can do
/// [`rearm`](Self::rearm) a version, [`reset`](Self::reset) all of them, [`reconfigure`](Self::reconfigure) the breaker, or
/// [`switch`](Self::switch) it: to force the fallback, to only watch, or to do nothing but count.
///
/// # What it cannot see
/// Answers that are wrong without failing. A version whose larger model fails, the one that a token budget chose for
/// some documents, apart from the version itself: both count for the version. Calls that never end, unless it is told how long a call may take
/// ([`slow_calls`](ErrorRateBreakerBuilder::slow_calls)); the ledger sees them too. Whether the prompt or the
/// provider is at fault: it finds out by falling back.
///
/// # Defaults and why
/// 5 % and 15 minutes: an outage of a fifth of all calls is seen in under four minutes. At least 100 calls: at a true
/// error rate of 1 % fewer would page on noise (with 20 calls 1.7 % of all looks, with 100 0.05 %). Five in a row: what is
/// left for quiet hours; [`last_calls`](ErrorRateBreakerBuilder::last_calls) is for versions that never have enough.
/// Memory: less than 1 KB for each version, and for each version and type where types are judged too.
///
/// # Events
/// [`ErrorRateExceeded`](crate::EventKind::Breaker(BreakerEvent::ErrorRateExceeded)), [`Exhausted`](crate::EventKind::Breaker(BreakerEvent::Exhausted)),
/// [`UrgentFailure`](crate::EventKind::Breaker(BreakerEvent::UrgentFailure)),
/// [`AbandonedRateExceeded`](crate::EventKind::Breaker(BreakerEvent::AbandonedRateExceeded)) (pages);
/// [`ProbesFailed`](crate::EventKind::Breaker(BreakerEvent::ProbesFailed)), [`WouldTrip`](crate::EventKind::Breaker(BreakerEvent::WouldTrip)),
/// [`BreakerSwitched`](crate::EventKind::Breaker(BreakerEvent::BreakerSwitched)) (warnings); [`ProbesStarted`](crate::EventKind::Breaker(BreakerEvent::ProbesStarted)),
/// [`Recovered`](crate::EventKind::Breaker(BreakerEvent::Recovered)), [`IncidentResolved`](crate::EventKind::Breaker(BreakerEvent::IncidentResolved)), [`Rearmed`](crate::EventKind::Breaker(BreakerEvent::Rearmed)),
/// [`BreakerReset`](crate::EventKind::Breaker(BreakerEvent::BreakerReset)).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Role, Version, VersionId};
/// use fusebox::breaker::BreakerState;
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
#[doc(alias = "circuit breaker")]
pub struct ErrorRateBreaker {
    /// Whether routing has to look at the lines at all: false while nothing is out of service and no command waits.
    attention: AtomicBool,
    /// Whether calls are of interest while they are open.
    sees_openings: AtomicBool,
    core: Mutex<Core>,
}

impl ErrorRateBreaker {
    fn new(rule: Rule, mode: BreakerMode) -> Self {
        Self {
            attention: AtomicBool::new(mode == BreakerMode::ForcedFallback),
            sees_openings: AtomicBool::new(rule.slow.is_some()),
            core: Mutex::new(Core::new(rule, mode)),
        }
    }

    /// Puts a version back into service, with an empty window. Takes effect at the pipeline's next call or tick; what
    /// calls from before report is counted as late.
    pub fn rearm(&self, version: &VersionId) {
        self.command(Command::Rearm(version.clone()));
    }

    /// Puts every version back into service, with empty windows, and acts as usual from then on. Takes effect at the
    /// pipeline's next call or tick.
    pub fn reset(&self) {
        self.command(Command::Reset);
    }

    /// Switches what the breaker does with what it sees. Takes effect at the pipeline's next call or tick, for all
    /// versions at once, and holds until it is switched again or [`reset`](Self::reset).
    pub fn switch(&self, mode: BreakerMode) {
        self.command(Command::Switch(mode));
    }

    fn adopt(&self, rule: Rule) {
        let mut core = self.core.lock();
        self.sees_openings
            .store(rule.slow.is_some(), Ordering::Release);
        core.adopt(rule);
    }

    fn command(&self, command: Command) {
        self.with_core(|core| core.command(command));
    }

    /// What the breaker does with what it sees.
    pub fn mode(&self) -> BreakerMode {
        self.core.lock().mode()
    }

    /// Whether a version is in service.
    pub fn state(&self, version: &VersionId) -> BreakerState {
        self.state_of(version, None)
    }

    /// Whether a version is in service for documents of one type, where types are judged by themselves; what is out of
    /// service for all is not repeated here.
    pub fn state_for(&self, version: &VersionId, document_type: &DocumentType) -> BreakerState {
        self.state_of(version, Some(document_type))
    }

    fn state_of(&self, version: &VersionId, only_for: Option<&DocumentType>) -> BreakerState {
        let core = self.core.lock();
        let circuit = core.circuit(version, only_for);
        circuit.map_or(BreakerState::Closed, Circuit::state)
    }

    /// What is in a version's window, as of the last call that was seen.
    pub fn counts(&self, version: &VersionId) -> VersionCounts {
        self.core.lock().counts(version, None)
    }

    /// The same for documents of one type, where types are judged by themselves.
    pub fn counts_for(&self, version: &VersionId, document_type: &DocumentType) -> VersionCounts {
        self.core.lock().counts(version, Some(document_type))
    }

    /// Until when the API of a version asked not to be called, if that is not over: its `retry-after`, as reported with a
    /// failure. A version that is out of service is not tried before.
    pub fn retry_at(&self, version: &VersionId) -> Option<Timestamp> {
        self.core.lock().retry_at(version)
    }

    /// Does something under the lock, and remembers whether routing has anything to look at.
    fn with_core<T>(&self, step: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.core.lock();
        let result = step(&mut core);
        if self.attention.load(Ordering::Relaxed) != core.needs_attention {
            self.attention
                .store(core.needs_attention, Ordering::Release);
        }
        result
    }
}

impl Guard for ErrorRateBreaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn route(&self, call: &Call<'_>, cx: &Cx<'_>) -> Route {
        if !self.attention.load(Ordering::Acquire) {
            return Route::Abstain;
        }
        self.with_core(|core| core.route(call, cx))
    }

    fn check(&self, call: &Call<'_>, _version: &Version, cx: &Cx<'_>) -> Verdict {
        if !self.attention.load(Ordering::Acquire) {
            return Verdict::Proceed;
        }
        self.core.lock().check(call, cx)
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let is_watched =
            || self.sees_openings.load(Ordering::Acquire) || self.attention.load(Ordering::Acquire);
        match signal {
            Signal::Opened if is_watched() => self.core.lock().opened(ticket, cx),
            Signal::Settled { outcome, report } => {
                self.with_core(|core| core.settled(ticket, outcome, report.wait(), cx))
            }
            _ => {}
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.with_core(|core| {
            core.settle_in(cx);
            core.look_for_hanging(cx);
        });
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let stored = self.core.lock().stored();
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored = state.read(cx)?;
        self.with_core(|core| core.restore(stored));
        Ok(())
    }
}
