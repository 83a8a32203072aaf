//! The trait that all guards implement, and the types that its methods use.
//!
//! # Testing a guard of your own
//! A guard holds no clock and no sink, so a test drives it by hand: build a [`Cx`] and, where the
//! guard needs one, a [`Ticket`]; call the guard; take the events out of the
//! [`Outbox`](crate::event::Outbox).
//!
//! ```
//! use fusebox::call::{Outcome, Signal};
//! use fusebox::event::Outbox;
//! use fusebox::guard::Cx;
//! use fusebox::{Call, EventKind, Guard, LineUp, Report, Severity, Ticket, Timestamp, Version};
//!
//! /// Warns about every answer of more than ten thousand tokens.
//! #[derive(Debug)]
//! struct Expensive;
//!
//! impl Guard for Expensive {
//!     fn name(&self) -> &str { "expensive" }
//!
//!     fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
//!         let Signal::Settled { report, .. } = signal else { return };
//!         if report.output_tokens().is_some_and(|tokens| tokens > 10_000) {
//!             cx.emit(Severity::Warning, EventKind::custom("expensive", ticket.document().to_string()));
//!         }
//!     }
//! }
//!
//! let v7 = Version::new("v7", "gpt-4o")?;
//! let (line_up, outbox) = (LineUp::new(v7.clone()), Outbox::new());
//! let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "expensive");
//!
//! let ticket = Ticket::new(&Call::new("inv-1", "invoice")?, &v7);
//! let answered = Signal::Settled { outcome: Outcome::Accepted, report: Report::new().usage(2_000, 12_000) };
//! Expensive.observe(&ticket, &answered, &cx);
//!
//! let events = outbox.drain();
//! assert_eq!(events[0].kind.to_string(), "expensive: inv-1");
//! # Ok::<(), fusebox::Error>(())
//! ```

mod attached;
mod clearance;
mod context;
mod incident;
mod incidents;
mod mounted;
mod settings_hash;
mod share;
mod state;
mod symptom;
mod trouble;
mod vote;

use std::fmt;
use std::time::Duration;

use crate::call::{Call, LineUp, Report, Signal, Ticket, Version};
use crate::error::Error;
use crate::name::DocumentType;

pub use attached::Attached;
pub use clearance::Clearance;
pub use context::Cx;
pub(crate) use context::Marks;
pub(crate) use incidents::IncidentRegister;
pub use incidents::Incidents;
pub use mounted::Mounted;
pub use settings_hash::SettingsHash;
pub(crate) use share::key_of;
pub use share::{Decided, Fact, Share, Wanted};
pub use state::State;
pub use symptom::Symptom;
pub(crate) use symptom::{time_to_exceed, time_to_exceed_share};
pub use trouble::Trouble;
pub use vote::{Acceptance, Divert, Route, Verdict};

/// A guard: a state machine that votes on each call before it is made, and learns how the call
/// ended.
///
/// A guard holds no clock, sink, runtime or future. Everything that it uses arrives as an argument,
/// so a drill can run 48 hours in milliseconds. The pipeline always asks all of its guards, and the
/// strictest vote wins: the order in which guards were added cannot change a result. Methods take
/// `&self`; a guard with state keeps it behind its own lock, reads the time there ([`Cx::now`]), and
/// calls no foreign code while it holds that lock. The pipeline catches a panic in a guard, reports it, and counts it as the
/// strictest vote.
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
///     fn check(&self, call: &Call<'_>, _version: &Version, cx: &Cx<'_>) -> Verdict {
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
    /// A stable name of low cardinality: it appears in events and metrics, and it finds the guard's
    /// state again after a restart.
    fn name(&self) -> &str;

    /// **When:** a pipeline is built, and when its last clone is dropped. The mark of a guard that
    /// only one pipeline can hold at a time; `None` for a guard without such state.
    fn attached(&self) -> Option<&Attached> {
        None
    }

    /// The settings that decide what the guard reports, as one text: the same for two guards that
    /// were built alike, on every machine. Empty by default, as for a guard without settings. The
    /// versions of a rollout are no settings.
    ///
    /// **When:** drills and a [`Readiness`](crate::drill::Readiness) ask whether the guards have
    /// changed since ([`SettingsHash`]).
    fn settings(&self) -> String {
        String::new()
    }

    /// **When:** a drill set ([`DrillSet`](crate::drill::DrillSet)) puts it beside the time that it
    /// measured. The time after which a fault with this symptom exceeds the guard's threshold over
    /// its window, by arithmetic: from a window full of healthy calls on, without the time that a
    /// call takes, and without rules that see it sooner. `None` if it never does, and by default.
    fn time_to_exceed(&self, _symptom: &Symptom) -> Option<Duration> {
        None
    }

    /// **When:** once per call, before the call. Votes on the version that serves it; must not
    /// count the call as made.
    fn route(&self, _call: &Call<'_>, _cx: &Cx<'_>) -> Route {
        Route::Abstain
    }

    /// **When:** once per call, after the version is chosen. Decides whether that version may take
    /// it.
    fn check(&self, _call: &Call<'_>, _version: &Version, _cx: &Cx<'_>) -> Verdict {
        Verdict::Proceed
    }

    /// **When:** once per answer, before it is settled. Decides whether the application may act on
    /// the answer, or a reviewer must see it first.
    fn review(&self, _ticket: &Ticket, _report: &Report, _cx: &Cx<'_>) -> Acceptance {
        Acceptance::Accept
    }

    /// **When:** a call opens, a call ends (exactly once), and for all feedback on an answer,
    /// possibly days later.
    fn observe(&self, _ticket: &Ticket, _signal: &Signal, _cx: &Cx<'_>) {}

    /// **When:** from [`Pipeline::tick`](crate::Pipeline::tick), every few seconds: for conditions
    /// that time alone fulfils, such as silence.
    fn tick(&self, _cx: &Cx<'_>) {}

    /// **When:** a pipeline is built, and versions are deployed. An error refuses the line-up.
    fn check_line_up(&self, _line_up: &LineUp) -> Result<(), Error> {
        Ok(())
    }

    /// The state to keep over a restart; `None` for a guard without state, an error if the state
    /// cannot be written. Calls wait for a lock of the guard's: copy under it, and write
    /// ([`State::write`]) without it.
    fn snapshot(&self, _cx: &Cx<'_>) -> Result<Option<State>, Error> {
        Ok(None)
    }

    /// Restores a state that [`snapshot`](Self::snapshot) returned; an error leaves the guard as it
    /// was.
    fn restore(&self, _state: &State, _cx: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Gives away what is [`Wanted`] and must outlive the process: facts, which are not asked for
    /// again, and the state in registers. By default the whole state is one register
    /// ([`snapshot`](Self::snapshot)), and there are no facts. A guard that shares facts and has a state
    /// answers both: registers with [`Share::of_state`], if it has no parts.
    ///
    /// A guard with a large state gives it away in parts, and of those only what has changed. What it
    /// gives away may be lost; then all registers are wanted. What it decides for every process of
    /// the pipeline it proposes with the registers ([`Share::propose`]). Facts where registers are
    /// wanted, or registers or proposals where facts are, are an error.
    ///
    /// **When:** a [`Keeper`](crate::keeper::Keeper) writes: facts several times a second, registers
    /// every five seconds. Calls wait for a lock of the guard's: take out what is wanted under the
    /// lock, and write it ([`Share::register`]) without it.
    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            return Ok(Share::default());
        }
        let state = self.snapshot(cx)?;
        Ok(state.map(Share::of_state).unwrap_or_default())
    }

    /// Takes back the registers that an earlier process has shared; an error leaves the guard as it
    /// was. By default it [restores](Self::restore) the whole state.
    ///
    /// **When:** a [`Keeper`](crate::keeper::Keeper) starts, before the first call.
    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let state = shared.state();
        state.map_or(Ok(()), |state| self.restore(&state, cx))
    }

    /// Takes in what was decided for every process of the pipeline: what this one has
    /// [proposed](Share::slots), or another one before it. Of each slot, all decisions come in their
    /// order; at the start, the latest.
    ///
    /// A guard goes by what was decided. Where another process was first and the guard's own proposal
    /// is the more cautious one, it keeps to that and proposes it again. By default nothing is done.
    /// An error is an event.
    ///
    /// **When:** a [`Keeper`](crate::keeper::Keeper) has written, and has read what others wrote;
    /// and at its start, after [`take`](Self::take).
    fn decided(&self, _decided: &Decided, _cx: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// The same guard for documents of one type only; see [`Mounted::only_for`].
    fn only_for(self, document_type: DocumentType) -> Mounted<Self>
    where
        Self: Sized,
    {
        Mounted::new(self).only_for(document_type)
    }

    /// The same guard in a dry run; see [`Mounted::dry_run`].
    fn dry_run(self) -> Mounted<Self>
    where
        Self: Sized,
    {
        Mounted::new(self).dry_run()
    }

    /// The same guard under another name; see [`Mounted::named`].
    fn named(self, name: impl Into<String>) -> Mounted<Self>
    where
        Self: Sized,
    {
        Mounted::new(self).named(name)
    }
}

macro_rules! forward_to_inner {
    ($($pointer:ty),*) => {$(
        impl<G: Guard + ?Sized> Guard for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn attached(&self) -> Option<&Attached> {
                (**self).attached()
            }

            fn settings(&self) -> String {
                (**self).settings()
            }

            fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
                (**self).time_to_exceed(symptom)
            }

            fn route(&self, call: &Call<'_>, cx: &Cx<'_>) -> Route {
                (**self).route(call, cx)
            }

            fn check(&self, call: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
                (**self).check(call, version, cx)
            }

            fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
                (**self).review(ticket, report, cx)
            }

            fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
                (**self).observe(ticket, signal, cx);
            }

            fn tick(&self, cx: &Cx<'_>) {
                (**self).tick(cx);
            }

            fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
                (**self).check_line_up(line_up)
            }

            fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
                (**self).snapshot(cx)
            }

            fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
                (**self).restore(state, cx)
            }

            fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
                (**self).share(wanted, cx)
            }

            fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
                (**self).take(shared, cx)
            }

            fn decided(&self, decided: &Decided, cx: &Cx<'_>) -> Result<(), Error> {
                (**self).decided(decided, cx)
            }
        }
    )*};
}

forward_to_inner!(Box<G>, std::sync::Arc<G>);

/// What a pipeline can hold: a guard, a mounted guard ([`Mounted`]), or an `Option` of either;
/// `None` adds nothing.
pub trait Mount {
    /// The guard with its settings; `None` for an absent guard.
    #[doc(hidden)]
    fn mount(self) -> Option<Mounted<Box<dyn Guard>>>;
}

impl<G: Guard + 'static> Mount for G {
    fn mount(self) -> Option<Mounted<Box<dyn Guard>>> {
        Mounted::new(self).mount()
    }
}

impl<G: Guard + 'static> Mount for Mounted<G> {
    fn mount(self) -> Option<Mounted<Box<dyn Guard>>> {
        Some(self.map(|guard| Box::new(guard) as Box<dyn Guard>))
    }
}

impl<M: Mount> Mount for Option<M> {
    fn mount(self) -> Option<Mounted<Box<dyn Guard>>> {
        self.and_then(Mount::mount)
    }
}
