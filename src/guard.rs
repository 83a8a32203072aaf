//! The one trait that all guards share, and the combinators that change how a guard takes part.

mod context;
mod mounted;
mod state;
mod vote;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::call::{Call, Report, Signal, Ticket};
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::name::DocumentType;

use crate::call::{LineUp, Version};

pub use context::Cx;
pub use mounted::{DryRun, Named, OnlyFor};
pub use state::State;
pub use vote::{Acceptance, Divert, Route, Verdict};

/// A guard: a state machine that votes on calls before they are made and learns from how they end.
///
/// It holds no clock, sink, runtime or future; what it may use comes in as arguments, so that a drill can run 48 hours
/// in milliseconds. All guards of a pipeline are always asked, and the strictest word wins: the order in which they were
/// added cannot change a result. Methods take `&self`; a guard with state keeps it behind a lock of its own and calls no
/// code of others while it holds it. A panic in a guard is caught, reported, and counts as its strictest word.
///
/// ```
/// use fusebox::{Call, Destination, Guard, Reason, Version};
/// use fusebox::guard::{Cx, Verdict};
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
    fn review(&self, _ticket: &Ticket, _report: &Report, _cx: &mut Cx<'_>) -> Acceptance {
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
    let guard = cx.guard().to_owned();
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

            fn review(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
                (**self).review(ticket, report, cx)
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

    fn review(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
        self.as_ref()
            .map_or(Acceptance::Accept, |guard| guard.review(ticket, report, cx))
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
