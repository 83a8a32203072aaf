//! P3: when too many calls fail, the breaker falls back to the previous version, then pages.

mod builder;
mod by_version;
mod circuit;
mod circuits;
mod commands;
mod core;
mod counts;
mod evaluation;
mod failures;
mod fault;
mod generation;
mod in_flight;
mod last_calls;
mod lost_calls;
mod outage;
mod probes;
mod recovery;
mod rule;
mod status;
mod trips;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::call::{Call, Signal, Ticket, Version};
use crate::error::Error;
use crate::guard::{Attached, Cx, Guard, Route, Share, State, Symptom, Verdict, Wanted};
use crate::name::VersionId;
use crate::order::Order;
use crate::revision::Revision;
use crate::time::Timestamp;

use self::commands::Command;
use self::core::{Core, NAME, Stored};
pub use crate::event::breaker::{BreakerMode, ProbeFailure, TripReason};

pub use builder::ErrorRateBreakerBuilder;
pub use circuit::BreakerState;
use circuit::Circuit;
pub use counts::{Health, VersionCounts};
pub use recovery::{Probing, Recovery};
pub use rule::FailureHandling;
use rule::Rule;
pub use status::BreakerStatus;

/// Falls back to the previous prompt version when too many calls of the current one fail.
///
/// # What it watches
/// How calls end, per prompt version, in a window that slides over the last 15 minutes.
///
/// # When it acts
/// When strictly more than 5 % of at least 100 calls in the window failed, or, with fewer than 100
/// calls, when 5 calls in a row failed. The breaker evaluates a version whenever one of its calls
/// ends. Time alone never trips it, with one exception: with
/// [`slow_calls`](ErrorRateBreakerBuilder::slow_calls), a tick detects calls that hang.
///
/// # What it does
/// It opens the version's circuit: from the next call on the previous version serves (for a
/// candidate: production). Then it sends one page. After a fault of its own the version stays out
/// of service until the operator [rearms](Self::rearm) it: an automatic probe would serve a bad
/// prompt again. After a [fault of the provider](ErrorRateBreakerBuilder::provider_recovery) it is
/// probed with a few calls after a wait, and serves again when they succeed; the page says which it
/// is, and why. If the previous version fails as well, documents go to human review, or to [a queue
/// of yours](ErrorRateBreakerBuilder::when_exhausted), and the breaker pages that no version is
/// left. With no previous version in the line-up, the breaker pages and the version keeps serving;
/// a version that was out of service when such a line-up was deployed serves again, which is a page
/// too. Production over a previous version that is out of service is a warning.
///
/// Wrong credentials, an unknown model or an exhausted quota page at once, at most once in 15
/// minutes per kind, and do not count as errors: no prompt version can cure them.
///
/// Abandoned and throttled calls are neither successes nor errors, and take part in no other rule.
/// When more than 5 % of at least 100 calls are abandoned, or more than 20 % are throttled, the
/// breaker sends a separate page, which ends when they are at most half of that. It does not fall
/// back for them, because another prompt does not help.
///
/// A call counts for the state in which it was admitted. A call that was open when its version went
/// out of service, became half-open or was rearmed changes nothing and is counted as late.
///
/// One outage is one page: every further trip, until the version has been healthy for 15 minutes,
/// belongs to the same incident and is a warning. That no version is left is told as a page of the
/// same incident.
///
/// # One type of document
/// A type that fails alone is hidden among the others. With
/// [`by_document_type`](ErrorRateBreakerBuilder::by_document_type) the breaker also evaluates each
/// type separately: a failing type falls back alone, and all other documents stay with the current
/// version. A version that is out of service for all documents is out of service for each type.
/// Types in which a version fails shortly after one another share one incident and one page:
///
/// ```
/// use fusebox::ErrorRateBreaker;
///
/// let breaker = ErrorRateBreaker::builder().by_document_type(true).build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// # What an operator can do
/// [`rearm`](Self::rearm) a version, [`reset`](Self::reset) all of them,
/// [`reconfigure`](Self::reconfigure) the breaker, or [`switch`](Self::switch) its mode: force the
/// fallback, only report, or only count. Each command names the [`Revision`] of the
/// [`status`](Self::status) that it was meant for, who gives it, and why.
///
/// # What it cannot see
/// - Answers that are wrong without failing.
/// - Whether a version fails only with the larger model that a token budget chose for some
///   documents: calls with either model count for the version.
/// - Calls that never end, unless [`slow_calls`](ErrorRateBreakerBuilder::slow_calls) sets how long
///   a call may take; the ledger reports them too.
/// - Whether the prompt or the provider is at fault, until it has fallen back.
///
/// # Defaults and why
/// 5 % in 15 minutes: when a fifth of all calls fail, the breaker trips in under four minutes. At
/// least 100 calls: at a true error rate of 1 %, a smaller minimum would page on noise (with 20
/// calls in 1.7 % of all evaluations, with 100 in 0.05 %). Five in a row: for quiet hours, in which
/// no rate can be evaluated; [`last_calls`](ErrorRateBreakerBuilder::last_calls) is for versions
/// that never reach the minimum. 20 % throttled: with the three attempts that the clients of OpenAI
/// and Anthropic make by default, 0.8 % of the documents then still get no answer, and 12.5 % at
/// 50 %. Memory: less than 1 KB for each version, and with
/// `by_document_type` for each pair of version and type.
///
/// # Events
/// What each page means and what to do: [the runbook](crate::documentation::runbooks::error_rate).
///
/// Pages: [`ErrorRateExceeded`](crate::event::BreakerEvent::ErrorRateExceeded),
/// [`Exhausted`](crate::event::BreakerEvent::Exhausted),
/// [`UrgentFailure`](crate::event::BreakerEvent::UrgentFailure),
/// [`AbandonedRateExceeded`](crate::event::BreakerEvent::AbandonedRateExceeded),
/// [`ThrottledRateExceeded`](crate::event::BreakerEvent::ThrottledRateExceeded),
/// [`FallbackMissing`](crate::event::BreakerEvent::FallbackMissing), and
/// [`ProbesFailed`](crate::event::BreakerEvent::ProbesFailed) where the provider was blamed and the
/// version turns out to be at fault. Warnings:
/// [`FallbackOutOfService`](crate::event::BreakerEvent::FallbackOutOfService),
/// [`ProbesFailed`](crate::event::BreakerEvent::ProbesFailed),
/// [`WouldTrip`](crate::event::BreakerEvent::WouldTrip),
/// [`BreakerSwitched`](crate::event::BreakerEvent::BreakerSwitched),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted), and the trips within an open
/// incident. Info: [`ProbesStarted`](crate::event::BreakerEvent::ProbesStarted),
/// [`Recovered`](crate::event::BreakerEvent::Recovered),
/// [`IncidentResolved`](crate::event::IncidentEvent::IncidentResolved),
/// [`Rearmed`](crate::event::BreakerEvent::Rearmed),
/// [`BreakerReset`](crate::event::BreakerEvent::BreakerReset),
/// [`BreakerReconfigured`](crate::event::BreakerEvent::BreakerReconfigured).
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
    /// Whether routing must take the lock: false while every version is in service and no command
    /// is pending.
    attention: AtomicBool,
    /// Whether open calls are counted, to detect those that hang.
    counts_open_calls: AtomicBool,
    core: Mutex<Core>,
    attached: Attached,
}

impl ErrorRateBreaker {
    fn new(rule: Rule, mode: BreakerMode) -> Self {
        Self {
            attention: AtomicBool::new(mode == BreakerMode::ForcedFallback),
            counts_open_calls: AtomicBool::new(rule.slow.is_some()),
            core: Mutex::new(Core::new(rule, mode)),
            attached: Attached::new(),
        }
    }

    /// What is out of service, and the revision that the next command must name.
    pub fn status(&self) -> BreakerStatus {
        self.core.lock().status()
    }

    /// Puts a version back into service, with an empty window. Takes effect at once and is kept
    /// over a restart; the event is emitted at the pipeline's next call or tick. Calls admitted
    /// before are counted as late.
    ///
    /// An error if the breaker has changed since the [`status`](Self::status) with the revision
    /// `meant_for`, if the version has had no calls, or if `who` or `why` is blank or not one line
    /// of at most 1,000 bytes. Nothing is changed then.
    ///
    /// ```
    /// use fusebox::ErrorRateBreaker;
    ///
    /// let breaker = ErrorRateBreaker::default();
    /// let seen = breaker.status().revision;
    /// let refused = breaker.rearm("v7", seen, "ada", "the provider is well again").unwrap_err();
    /// assert_eq!(refused.to_string(), "version: got `v7`, expected a version that has had calls");
    /// ```
    pub fn rearm(
        &self,
        version: impl AsRef<str>,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        let version = VersionId::new(version)?;
        let command = Command::Rearm(version, Order::new(who, why)?);
        self.command(command, meant_for)
    }

    /// Puts every version back into service, with empty windows, and switches the mode to
    /// [`Enforce`](BreakerMode::Enforce). Takes effect at once, as [`rearm`](Self::rearm) does.
    ///
    /// An error as for [`rearm`](Self::rearm): the breaker has changed since, or `who` or `why` is
    /// no line.
    pub fn reset(
        &self,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.command(Command::Reset(Order::new(who, why)?), meant_for)
    }

    /// Switches the mode for all versions. Takes effect at once, as [`rearm`](Self::rearm) does,
    /// and holds until the next `switch` or [`reset`](Self::reset).
    ///
    /// An error as for [`rearm`](Self::rearm): the breaker has changed since, or `who` or `why` is
    /// no line.
    pub fn switch(
        &self,
        mode: BreakerMode,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.command(Command::Switch(mode, Order::new(who, why)?), meant_for)
    }

    fn adopt(&self, rule: Rule, meant_for: Revision, order: Order) -> Result<(), Error> {
        let has_slow_rule = rule.slow.is_some();
        self.with_core(|core| {
            core.reconfigure(rule, order, meant_for)?;
            self.counts_open_calls
                .store(has_slow_rule, Ordering::Release);
            Ok(())
        })
    }

    fn command(&self, command: Command, meant_for: Revision) -> Result<(), Error> {
        self.with_core(|core| core.command(command, meant_for))
    }

    /// The mode: what the breaker does when a version breaks a rule.
    pub fn mode(&self) -> BreakerMode {
        self.core.lock().mode()
    }

    /// Whether a version is in service.
    pub fn state(&self, version: impl AsRef<str>) -> BreakerState {
        self.state_of(version.as_ref(), None)
    }

    /// Whether a version is in service for documents of one type, with
    /// [`by_document_type`](ErrorRateBreakerBuilder::by_document_type). Does not include the state
    /// for all documents.
    pub fn state_for(
        &self,
        version: impl AsRef<str>,
        document_type: impl AsRef<str>,
    ) -> BreakerState {
        self.state_of(version.as_ref(), Some(document_type.as_ref()))
    }

    fn state_of(&self, version: &str, only_for: Option<&str>) -> BreakerState {
        let core = self.core.lock();
        let circuit = core.circuit(version, only_for);
        circuit.map_or(BreakerState::Closed, Circuit::state)
    }

    /// The counts in a version's window, as of the last call that ended, or the last tick.
    pub fn counts(&self, version: impl AsRef<str>) -> VersionCounts {
        self.core.lock().counts(version.as_ref(), None)
    }

    /// The counts for documents of one type, with
    /// [`by_document_type`](ErrorRateBreakerBuilder::by_document_type).
    pub fn counts_for(
        &self,
        version: impl AsRef<str>,
        document_type: impl AsRef<str>,
    ) -> VersionCounts {
        let document_type = Some(document_type.as_ref());
        self.core.lock().counts(version.as_ref(), document_type)
    }

    /// The time before which the API asked not to be called with a version, if it is still to come:
    /// the latest `retry-after` that a call reported, at most one hour after that call. A version
    /// that is out of service is not probed before this time.
    pub fn retry_at(&self, version: impl AsRef<str>) -> Option<Timestamp> {
        self.core.lock().retry_at(version.as_ref())
    }

    /// Runs a step under the lock, and updates whether routing must take it.
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

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        self.core.lock().settings()
    }

    fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
        self.core.lock().time_to_exceed(symptom)
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
        let is_needed = || {
            self.counts_open_calls.load(Ordering::Acquire) || self.attention.load(Ordering::Acquire)
        };
        match signal {
            Signal::Opened if is_needed() => self.core.lock().opened(ticket, cx),
            Signal::Settled { outcome, report } => {
                self.with_core(|core| core.settled(ticket, outcome, report.wait(), cx));
            }
            _ => {}
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.with_core(|core| {
            core.catch_up_all(cx);
            core.check_hanging_calls(cx);
            core.report_outages(cx);
        });
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            return Ok(Share::default());
        }
        let all = wanted == Wanted::AllRegisters;
        let (changed, is_whole) = self.core.lock().take_changed(all);
        let share = changed.share(cx)?;
        Ok(Share { is_whole, ..share })
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let stored = Stored::taken(shared, cx)?;
        self.with_core(|core| core.restore(stored));
        Ok(())
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
