//! The one trait that all guards share, and the combinators that change how a guard takes part.

mod combinators;

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::Measurement;
use crate::call::Call;
use crate::error::Error;
use crate::event::{Event, EventKind, Severity};
use crate::name::DocumentType;
use crate::outbox::Outbox;
use crate::signal::{Report, Signal};
use crate::ticket::{Ticket, TicketId};
use crate::time::Timestamp;
use crate::verdict::{Acceptance, Route, Verdict};
use crate::version::{LineUp, Version};

pub use combinators::{DryRun, Named, OnlyFor};

/// A guard: a state machine that votes on calls before they are made and learns from how they end.
///
/// It holds no clock, sink, runtime or future; what it may use comes in as arguments, so that a drill can run 48 hours
/// in milliseconds. All guards of a pipeline are always asked, and the strictest word wins: the order in which they were
/// added cannot change a result. Methods take `&self`; a guard with state keeps it behind a lock of its own and calls no
/// code of others while it holds it. A panic in a guard is caught, reported, and counts as its strictest word.
///
/// ```
/// use fusebox::{Call, Cx, Guard, Reason, Destination, Verdict, Version};
///
/// #[derive(Debug)]
/// struct NoContractsAtNight;
///
/// impl Guard for NoContractsAtNight {
///     fn name(&self) -> &str { "no-contracts-at-night" }
///
///     fn check(&self, call: &Call, _version: &Version, cx: &mut Cx<'_>) -> Verdict {
///         let hour = cx.now().as_millis() / 3_600_000 % 24;
///         if *call.document_type() == "contract" && hour < 6 {
///             return Verdict::divert(Destination::HumanReview, Reason::Other("contracts wait for the morning".into()));
///         }
///         Verdict::Proceed
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a guard",
    label = "implement `fusebox::Guard`; only `name` is required"
)]
pub trait Guard: fmt::Debug + Send + Sync {
    /// A stable name, one of few: it stands in events and metrics, and finds the guard's state again after a restart.
    fn name(&self) -> &str;

    /// **When:** once per call, before it. The vote on which version serves; it must not count the call as made.
    fn route(&self, _call: &Call<'_>, _cx: &mut Cx<'_>) -> Route {
        Route::Abstain
    }

    /// **When:** once per call, after the version is chosen. May that version take it?
    fn check(&self, _call: &Call<'_>, _version: &Version, _cx: &mut Cx<'_>) -> Verdict {
        Verdict::Proceed
    }

    /// **When:** once per answer, before it is settled. May it be acted on, or must a person look?
    fn judge(&self, _ticket: &Ticket, _report: &Report, _cx: &mut Cx<'_>) -> Acceptance {
        Acceptance::Accept
    }

    /// **When:** a call opens, a call ends (exactly once), and for each truth that comes late, possibly days later.
    fn observe(&self, _signal: &Signal, _cx: &mut Cx<'_>) {}

    /// **When:** from [`Pipeline::tick`](crate::Pipeline::tick), every few seconds: for what silence must trigger.
    fn tick(&self, _cx: &mut Cx<'_>) {}

    /// **When:** a pipeline is built and when versions are deployed. An error refuses the line-up.
    fn check_line_up(&self, _line_up: &LineUp) -> Result<(), Error> {
        Ok(())
    }

    /// The state to keep over a restart; `None` for a guard without any.
    fn snapshot(&self) -> Option<State> {
        None
    }

    /// Takes up a state that [`snapshot`](Self::snapshot) gave; an error leaves the guard as it was.
    fn restore(&self, _state: &State, _cx: &mut Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// The same guard for documents of one type only; it is not asked and learns nothing about others.
    fn only_for(self, document_type: DocumentType) -> OnlyFor<Self>
    where
        Self: Sized,
    {
        OnlyFor::new(self, document_type)
    }

    /// The same guard as an onlooker: it judges and reports what it would have done, and never acts or wakes anybody.
    fn dry_run(self) -> DryRun<Self>
    where
        Self: Sized,
    {
        DryRun::new(self)
    }

    /// The same guard under another name, so that a pipeline can hold two of a kind.
    fn named(self, name: impl Into<String>) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(self, name.into())
    }
}

/// What a guard may use: the time, the versions that are live, and a place to leave events.
#[derive(Debug)]
pub struct Cx<'a> {
    now: Timestamp,
    line_up: &'a LineUp,
    outbox: &'a Outbox,
    guard: &'a str,
    ticket: TicketId,
    dry_run: bool,
    only_for: Option<&'a DocumentType>,
    stage: Option<u8>,
    /// Where to leave what was measured.
    measurement: Option<&'a RefCell<Option<Measurement>>>,
}

impl<'a> Cx<'a> {
    /// What a guard called `guard` may use at `now`. The pipeline makes these; a test of one guard makes its own.
    pub fn new(now: Timestamp, line_up: &'a LineUp, outbox: &'a Outbox, guard: &'a str) -> Self {
        Self::for_ticket(TicketId::new(0, 0), now, line_up, outbox, guard)
    }

    /// The same with the ticket of the call that is being looked at, or else the next that will be given.
    pub(crate) fn for_ticket(
        ticket: TicketId,
        now: Timestamp,
        line_up: &'a LineUp,
        outbox: &'a Outbox,
        guard: &'a str,
    ) -> Self {
        Self {
            now,
            line_up,
            outbox,
            guard,
            ticket,
            dry_run: false,
            only_for: None,
            stage: None,
            measurement: None,
        }
    }

    /// The ticket of the call that is being looked at, or else the next that will be given.
    pub(crate) fn ticket(&self) -> TicketId {
        self.ticket
    }

    /// The name of the guard.
    pub(crate) fn guard(&self) -> &str {
        self.guard
    }

    /// The time of this decision. It never goes back.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The versions that are live.
    pub fn line_up(&self) -> &'a LineUp {
        self.line_up
    }

    /// Tells an operator. Events are delivered in order, when no lock is held.
    pub fn emit(&self, severity: Severity, kind: EventKind) {
        let mut event = Event::new(self.now, self.guard, severity, kind);
        event.only_for = self.only_for.cloned();
        self.outbox.push(if self.dry_run {
            event.into_dry_run()
        } else {
            event
        });
    }

    /// Marks the call with the stage of the rollout that is on; of several the highest stays.
    pub fn mark_stage(&mut self, stage: u8) {
        self.stage = self.stage.max(Some(stage));
    }

    pub(crate) fn stage(&self) -> Option<u8> {
        self.stage
    }

    /// Puts on the ticket what was measured; of several the latest stays.
    pub(crate) fn mark_measurement(&mut self, measurement: Measurement) {
        if let Some(place) = self.measurement {
            place.replace(Some(measurement));
        }
    }

    /// The same with a place for what is measured.
    pub(crate) fn with_place(mut self, place: &'a RefCell<Option<Measurement>>) -> Self {
        self.measurement = Some(place);
        self
    }

    /// The same for what a guard says of one type of document.
    pub(crate) fn only_for<'b>(&'b self, document_type: &'b DocumentType) -> Cx<'b> {
        Cx {
            only_for: Some(document_type),
            ..*self
        }
    }

    /// The type of document that the guard speaks of, if it is not all.
    pub(crate) fn scope(&self) -> Option<&'a DocumentType> {
        self.only_for
    }

    /// The same for a guard that only watches.
    pub(crate) fn watching(&self) -> Self {
        Self {
            dry_run: true,
            ..*self
        }
    }
}

/// The state of one guard, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(serde_json::Value);

impl State {
    /// From anything that serde can write; `None` if it cannot be written.
    pub fn of(state: &impl Serialize) -> Option<Self> {
        serde_json::to_value(state).ok().map(Self)
    }

    /// Reads it back for the guard called `owner`; an error when it is not what that guard wrote.
    pub fn read<T: DeserializeOwned>(&self, owner: &str) -> Result<T, Error> {
        T::deserialize(&self.0).map_err(|error| Error::unreadable(owner, error))
    }
}

/// Runs one step of a guard. If it panics, that is reported, and `strictest` is its word.
#[inline]
pub(crate) fn shielded<T>(
    cx: &mut Cx<'_>,
    severity: Severity,
    strictest: T,
    step: impl FnOnce(&mut Cx<'_>) -> T,
) -> T {
    if let Ok(word) = catch_unwind(AssertUnwindSafe(|| step(cx))) {
        return word;
    }
    let guard = cx.guard.to_owned();
    cx.emit(severity, EventKind::GuardPanicked { guard });
    strictest
}

macro_rules! forward_to_inner {
    ($($pointer:ty),*) => {$(
        impl<G: Guard + ?Sized> Guard for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
                (**self).route(call, cx)
            }

            fn check(&self, call: &Call<'_>, version: &Version, cx: &mut Cx<'_>) -> Verdict {
                (**self).check(call, version, cx)
            }

            fn judge(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
                (**self).judge(ticket, report, cx)
            }

            fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
                (**self).observe(signal, cx);
            }

            fn tick(&self, cx: &mut Cx<'_>) {
                (**self).tick(cx);
            }

            fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
                (**self).check_line_up(line_up)
            }

            fn snapshot(&self) -> Option<State> {
                (**self).snapshot()
            }

            fn restore(&self, state: &State, cx: &mut Cx<'_>) -> Result<(), Error> {
                (**self).restore(state, cx)
            }
        }
    )*};
}

forward_to_inner!(Box<G>, std::sync::Arc<G>);

/// The name of a guard that is not there: the only one that several guards of a pipeline may have.
pub(crate) const ABSENT: &str = "none";

impl<G: Guard> Guard for Option<G> {
    fn name(&self) -> &str {
        self.as_ref().map_or(ABSENT, Guard::name)
    }

    fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        self.as_ref()
            .map_or(Route::Abstain, |guard| guard.route(call, cx))
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &mut Cx<'_>) -> Verdict {
        self.as_ref()
            .map_or(Verdict::Proceed, |guard| guard.check(call, version, cx))
    }

    fn judge(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
        self.as_ref()
            .map_or(Acceptance::Accept, |guard| guard.judge(ticket, report, cx))
    }

    fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        if let Some(guard) = self {
            guard.observe(signal, cx);
        }
    }

    fn tick(&self, cx: &mut Cx<'_>) {
        if let Some(guard) = self {
            guard.tick(cx);
        }
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        self.as_ref()
            .map_or(Ok(()), |guard| guard.check_line_up(line_up))
    }

    fn snapshot(&self) -> Option<State> {
        self.as_ref().and_then(Guard::snapshot)
    }

    fn restore(&self, state: &State, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.as_ref()
            .map_or(Ok(()), |guard| guard.restore(state, cx))
    }
}
