//! P7: every document ends in a known place.

mod arrivals;
mod builder;
mod documents;
mod ends;
mod incident;
mod open_calls;
mod report;
mod review_queue;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::{Outcome, Signal, Ticket, TicketId};
use crate::error::Error;
use crate::event::{EventKind, LedgerEvent, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::{Attached, Cx, Guard, Share, State, Symptom, Wanted};
use crate::name::{DocumentId, DocumentType};
use crate::order::Order;
use crate::stats::Place;
use crate::time::{Timestamp, minutes};

use arrivals::{Arrivals, Watch};
pub use builder::RouteLedgerBuilder;
use documents::Documents;
pub use ends::Ends;
use open_calls::{Open, OpenCalls};
pub use report::LedgerReport;
use review_queue::ReviewQueue;
use types::Types;

const NAME: &str = "ledger";
/// More than this long without a call or a tick, and the pipeline was not running: as long as until
/// a page that nobody ticks.
const PAUSE: Duration = minutes(5);

/// Records where every document ended, and alerts when a call does not end or a document type stops
/// arriving.
///
/// # What it watches
/// Every admitted or diverted call, per document type: when documents arrive, how they end, and
/// which calls are still open.
///
/// # When it acts
/// At a tick:
/// - when a call has been open for more than 10 minutes;
/// - when at least 3 documents of a type arrived and nothing came out for 15 minutes (no answer, no
///   diversion and no release: the queue behind the pipeline is empty);
/// - when a type with at least 20 documents so far has not arrived for more than 30 minutes and
///   more than ten times its mean gap;
/// - when a type declared with [`expect`](RouteLedgerBuilder::expect) has not arrived for longer
///   than declared;
/// - when a document has waited for a person for longer than
///   [`review_within`](RouteLedgerBuilder::review_within) allows, if that is set.
///
/// Silence counts only while the pipeline runs: after more than 5 minutes without a call or a tick,
/// over a restart too, the ledger measures it anew and says so in one event. A shorter restart goes
/// on counting.
///
/// A document is its type and id, however many calls it needs: it arrives with the first of them
/// and waits once. The last 10,000 documents are remembered for that, not over a restart. Ends are
/// counted for each call. [`Call::pinned_to`](crate::Call::pinned_to) keeps one version for all of
/// them.
///
/// # What it does
/// The ledger counts how calls end, per type. Overdue calls are one incident: the first is a page,
/// further ones are warnings, until they are ten times as many; it ends when no call has been
/// overdue for an hour. A call that cannot end can be [written off](Self::write_off). When nothing
/// comes out, the ledger pages once, until something comes out again. A declared type that stops
/// arriving is a page; another type is a warning, because a quiet night may be normal. Types that
/// stop together are one event, which names the first ten. A permit that was dropped without an
/// outcome is a warning. Calls that were open in a restored snapshot are reported as lost: the
/// first is a page, which a person must [acknowledge](crate::Pipeline::acknowledge), further ones
/// are warnings.
///
/// # What it cannot see
/// - Documents that never reach [`admit`](crate::Pipeline::admit): declare with
///   [`expect`](RouteLedgerBuilder::expect) which types must arrive.
/// - What happens to a document after its call, and whether a person takes on what was diverted:
///   set [`review_within`](RouteLedgerBuilder::review_within), and report
///   [`PickedUp`](crate::Feedback::PickedUp) or [`Reviewed`](crate::Feedback::Reviewed).
/// - A silent type, if nobody ticks, or if the pipeline pauses for more than 5 minutes more often
///   than the type is due.
/// - Why a call is open: a permit leaked by `mem::forget` is reported as overdue.
/// - After a kill, the calls that began since its state was last written: with a keeper, those of
///   the last five seconds.
///
/// # Defaults and why
/// 10 minutes are more than any healthy call takes. 15 minutes are well within the half hour in
/// which a broken deployment must be known. At most 100,000 open calls are tracked one by one;
/// further ones are only counted. At most 10,000 types are counted separately; further ones share
/// one entry, but a declared type has a place of its own. A wait for review has no limit by
/// default, because without feedback from reviewers every document would seem to wait for ever.
///
/// # Events
/// What each page means and what to do: [the runbook](crate::documentation::runbooks::ledger).
///
/// Pages or warnings: [`Overdue`](crate::event::LedgerEvent::Overdue),
/// [`Silent`](crate::event::LedgerEvent::Silent),
/// [`LostInRestart`](crate::event::LedgerEvent::LostInRestart). Pages:
/// [`NothingComesOut`](crate::event::LedgerEvent::NothingComesOut),
/// [`ReviewQueue`](crate::event::LedgerEvent::ReviewQueue). Warnings:
/// [`Abandoned`](crate::event::LedgerEvent::Abandoned),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted),
/// [`WatchedAnew`](crate::event::LedgerEvent::WatchedAnew). Info:
/// [`WrittenOff`](crate::event::LedgerEvent::WrittenOff).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, LineUp, Pipeline, Report, RouteLedger, Version};
///
/// let ledger = Arc::new(RouteLedger::default());
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&ledger)).build()?;
///
/// if let Some(permit) = pipeline.admit(&Call::new("inv-1", "invoice")?).permit() {
///     assert_eq!(ledger.report().open(), 1);
///     let _ = permit.answer(Report::new());
/// }
/// let report = ledger.report();
/// assert_eq!((report.open(), report.total().accepted), (0, 1));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "dead letter")]
pub struct RouteLedger {
    settings: Settings,
    core: Mutex<Core>,
    attached: Attached,
}

#[derive(Clone, Debug)]
struct Settings {
    max_open: Duration,
    nothing_out: Duration,
    silence: Duration,
    expected: BTreeMap<DocumentType, Duration>,
    review_within: Option<Duration>,
}

#[derive(Debug)]
struct Core {
    open: OpenCalls,
    types: Types,
    documents: Documents,
    review: ReviewQueue,
    /// When the last call or tick came.
    ran_until: Option<Timestamp>,
    /// From when on silence is measured: since then the pipeline has run without a pause.
    watched_since: Timestamp,
    /// Events of commands, emitted at the pipeline's next call or tick.
    pending_events: Vec<EventKind>,
}

impl RouteLedger {
    /// How calls have ended so far, and what is still to end.
    pub fn report(&self) -> LedgerReport {
        let core = self.core.lock();
        let types = core.types.iter();
        LedgerReport {
            types: types
                .map(|(name, arrivals)| (name.clone(), arrivals.ends))
                .collect(),
            other: core.types.other().map(|arrivals| arrivals.ends),
            open: core.open.len(),
            awaiting_review: core.review.len(),
        }
    }

    /// The open calls, oldest first: ticket, document and time of admission.
    pub fn open(&self) -> Vec<(TicketId, DocumentId, Timestamp)> {
        let core = self.core.lock();
        let open = core.open.iter();
        let mut open: Vec<_> = open
            .map(|(ticket, open)| (*ticket, open.document.clone(), open.since))
            .collect();
        open.sort_by_key(|(ticket, _, since)| (*since, *ticket));
        open
    }

    /// Writes off an open call that cannot end: a leaked permit, a task that hangs. `who` has looked
    /// at its document, and `why` says what was found.
    ///
    /// Takes effect at once: the call is no longer open or overdue, counts under
    /// [`Ends::written_off`], and is not lost in a restart. The event comes with the pipeline's next
    /// call or tick. If the call ends after all, that end counts instead.
    ///
    /// An error when no such call is open, or when `who` or `why` is blank or not one
    /// line of at most 1,000 bytes.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fusebox::{Call, LineUp, Pipeline, RouteLedger, Version};
    ///
    /// let ledger = Arc::new(RouteLedger::default());
    /// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&ledger)).build()?;
    /// std::mem::forget(pipeline.admit(&Call::new("inv-1", "invoice")?));
    ///
    /// for (ticket, document, _) in ledger.open() {
    ///     ledger.write_off(ticket, "ada", format!("{document} was processed by hand"))?;
    /// }
    /// assert_eq!((ledger.report().open(), ledger.report().total().written_off), (0, 1));
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn write_off(
        &self,
        ticket: TicketId,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        let Order { who, why, .. } = Order::new(who, why)?;
        let mut core = self.core.lock();
        let Some(open) = core.open.write_off(ticket) else {
            let allowed = "the ticket of an open call; see `RouteLedger::open`";
            return Err(Error::invalid("ticket", ticket, allowed));
        };
        core.types.of(&open.document_type).0.ends.written_off += 1;
        let now = core.ran_until.unwrap_or(open.since);
        let event = LedgerEvent::WrittenOff {
            ticket,
            document: open.document,
            document_type: open.document_type,
            open_for: now.since(open.since),
            who,
            why,
        };
        core.pending_events.push(EventKind::Ledger(event));
        Ok(())
    }

    /// Before all else in a step: a pause of the pipeline is no silence of its sources.
    fn begin_step(core: &mut Core, cx: &Cx<'_>) {
        if !core.pending_events.is_empty() {
            for kind in core.pending_events.drain(..) {
                cx.emit(Severity::Info, kind);
            }
        }
        let now = cx.now();
        let Some(ran_until) = core.ran_until.replace(now) else {
            core.watched_since = now;
            return;
        };
        let lasted = now.since(ran_until);
        if lasted > PAUSE {
            core.watched_since = now;
            let kind = EventKind::Ledger(LedgerEvent::WatchedAnew { lasted });
            cx.emit(Severity::Warning, kind);
        }
    }

    fn arrive(core: &mut Core, ticket: &Ticket, cx: &Cx<'_>) {
        let limit = core.types.limit();
        let (arrivals, place) = core.types.of(ticket.document_type());
        let sighting = core.documents.see(ticket, arrivals.came_out());
        arrivals.arrive(cx.now(), sighting);
        if place == Place::FirstOverflow {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
    }

    fn open_call(core: &mut Core, ticket: &Ticket, cx: &Cx<'_>) {
        Self::arrive(core, ticket, cx);
        core.open.open(ticket, cx.now());
    }

    fn close_call(&self, core: &mut Core, ticket: &Ticket, outcome: &Outcome, cx: &Cx<'_>) {
        // Most diverted calls were never open, but the deadline of an open one may have passed.
        let was_diverted_at_once =
            matches!(outcome, Outcome::Diverted(_)) && !core.open.has(ticket.id());
        let was_written_off = if was_diverted_at_once {
            Self::arrive(core, ticket, cx);
            false
        } else {
            core.open.close(ticket.id())
        };
        if *outcome == Outcome::Abandoned {
            let kind = EventKind::Ledger(LedgerEvent::Abandoned {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                version: ticket.version().clone(),
            });
            cx.emit(Severity::Warning, kind);
        }
        if self.settings.review_within.is_some() {
            core.review.end(ticket, outcome, cx.now());
        }
        let (arrivals, _) = core.types.of(ticket.document_type());
        if was_written_off {
            arrivals.ends.written_off = arrivals.ends.written_off.saturating_sub(1);
        }
        arrivals.end(outcome);
    }

    fn report_missing(&self, core: &mut Core, cx: &Cx<'_>) {
        let clock = Watch {
            now: cx.now(),
            since: core.watched_since,
        };
        let (mut stuck, mut silent, mut quiet) = (Vec::new(), Vec::new(), Vec::new());
        for (document_type, arrivals) in core.types.iter_mut() {
            let nothing_out = self.settings.nothing_out;
            if let Some(missing) = arrivals.read().nothing_comes_out(clock, nothing_out) {
                // That it is reported.
                arrivals.change();
                stuck.push((document_type, missing));
            }
            let declared = self.settings.expected.get(document_type).copied();
            let silence = self.settings.silence;
            if let Some(missing) = arrivals.read().silence(clock, declared, silence) {
                arrivals.change();
                let list = if declared.is_some() {
                    &mut silent
                } else {
                    &mut quiet
                };
                list.push((document_type, missing));
            }
        }
        incident::nothing_comes_out(stuck, cx);
        incident::silent(silent, Severity::Page, cx);
        incident::silent(quiet, Severity::Warning, cx);
    }
}

impl Guard for RouteLedger {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        format!("{:?}", self.settings)
    }

    fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
        matches!(symptom, Symptom::Hang).then_some(self.settings.max_open)
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        Self::begin_step(&mut core, cx);
        match signal {
            Signal::Opened => Self::open_call(&mut core, ticket, cx),
            Signal::Settled { outcome, .. } => self.close_call(&mut core, ticket, outcome, cx),
            Signal::Feedback(feedback) => core.review.learn(ticket, feedback),
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        Self::begin_step(&mut core, cx);
        core.open.report_overdue(self.settings.max_open, cx);
        self.report_missing(&mut core, cx);
        if let Some(limit) = self.settings.review_within {
            core.review.report(limit, cx);
        }
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            return Ok(Share::default());
        }
        let all = wanted == Wanted::AllRegisters;
        let (rest, (changed, is_whole)) = self.stored(|types| types.take_changed(all));
        let mut share = Share::default();
        share.add_types(changed.iter().map(|(name, arrivals)| (name, arrivals)), cx)?;
        share.register(&[], &rest, cx)?;
        Ok(Share { is_whole, ..share })
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let mut stored: Stored = shared.rest(cx)?;
        stored.types.extend(shared.types(cx)?);
        self.go_on(stored, cx);
        Ok(())
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let (mut stored, types) = self.stored(|types| types.shared());
        stored.types = types;
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        self.go_on(state.read(cx)?, cx);
        Ok(())
    }
}

impl RouteLedger {
    /// What is stored but for the types, and what `read` has of those at the same moment.
    fn stored<T>(&self, read: impl FnOnce(&mut Types) -> T) -> (Stored, T) {
        let mut core = self.core.lock();
        let (open, types) = (core.open.stored(), read(&mut core.types));
        let mut stored = Stored {
            format: Format,
            open: BTreeMap::new(),
            types: Vec::new(),
            other: core.types.other().cloned(),
            review: core.review.stored(),
            ran_until: core.ran_until,
            watched_since: core.watched_since,
            pending_events: core.pending_events.clone(),
        };
        // Without the lock it is sorted.
        drop(core);
        stored.open.extend(open);
        (stored, types)
    }

    /// Goes on with what was stored, and says which calls were open.
    fn go_on(&self, stored: Stored, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        core.types.refill(stored.types, stored.other);
        if self.settings.review_within.is_some() {
            core.review.restore(stored.review);
        }
        (core.ran_until, core.watched_since) = (stored.ran_until, stored.watched_since);
        core.pending_events = stored.pending_events;
        let trouble = incident::lost_in_restart(stored.open.len());
        for (n, (ticket, open)) in stored.open.into_iter().enumerate() {
            let (arrivals, _) = core.types.of(&open.document_type);
            arrivals.ends.lost += 1;
            let kind = EventKind::Ledger(LedgerEvent::LostInRestart {
                ticket,
                document: open.document,
                document_type: open.document_type,
            });
            if n == 0 {
                cx.page(&trouble, kind);
            } else {
                cx.emit(Severity::Warning, kind);
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    open: BTreeMap<TicketId, Open>,
    types: Vec<(DocumentType, Arc<Arrivals>)>,
    other: Option<Arrivals>,
    #[serde(default)]
    review: Vec<(DocumentType, DocumentId, Timestamp)>,
    #[serde(default)]
    ran_until: Option<Timestamp>,
    #[serde(default)]
    watched_since: Timestamp,
    #[serde(default)]
    pending_events: Vec<EventKind>,
}
