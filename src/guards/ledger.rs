//! P7: every document ends in a known place.

mod arrivals;
mod builder;
mod ends;
mod incident;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::{Outcome, Signal, Ticket, TicketId};
use crate::error::Error;
use crate::event::{EventKind, LedgerEvent, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::{Cx, Guard, State};
use crate::name::{DocumentId, DocumentType};
use crate::stats::{BoundedMap, Place};
use crate::time::Timestamp;

use arrivals::Arrivals;
pub use builder::RouteLedgerBuilder;
pub use ends::Ends;

const NAME: &str = "ledger";

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
///   than declared.
///
/// # What it does
/// The ledger counts how documents end, per type. Overdue calls are one incident: the first is a
/// page, further ones are warnings, until they are ten times as many; it ends when no call has been
/// overdue for an hour. When nothing comes out, the ledger pages once, until something comes out
/// again. A declared type that stops arriving is a page; another type is a warning, because a quiet
/// night may be normal. Types that stop together are one event, which names the first ten. A permit
/// that was dropped without an outcome is a warning. Calls that were open in a restored snapshot
/// are reported as lost: the first is a page, which a person must
/// [acknowledge](crate::Pipeline::acknowledge), further ones are warnings.
///
/// # What it cannot see
/// - Documents that never reach [`admit`](crate::Pipeline::admit): declare with
///   [`expect`](RouteLedgerBuilder::expect) which types must arrive.
/// - What happens to a document after its call.
/// - Why a call is open: a permit leaked by `mem::forget` is reported as overdue.
///
/// # Defaults and why
/// 10 minutes are more than any healthy call takes. 15 minutes are well within the half hour in
/// which a broken deployment must be known. At most 100,000 open calls are tracked one by one;
/// further ones are only counted. At most 10,000 types are counted separately; further ones share
/// one entry.
///
/// # Events
/// Pages or warnings: [`Overdue`](crate::event::LedgerEvent::Overdue),
/// [`Silent`](crate::event::LedgerEvent::Silent),
/// [`LostInRestart`](crate::event::LedgerEvent::LostInRestart). Pages:
/// [`NothingComesOut`](crate::event::LedgerEvent::NothingComesOut). Warnings:
/// [`Abandoned`](crate::event::LedgerEvent::Abandoned),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted).
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
}

#[derive(Clone, Debug)]
struct Settings {
    max_open: Duration,
    nothing_out: Duration,
    silence: Duration,
    expected: BTreeMap<DocumentType, Duration>,
    open_limit: usize,
}

#[derive(Debug)]
struct Core {
    open: HashMap<TicketId, Open>,
    untracked: u64,
    types: BoundedMap<DocumentType, Arrivals>,
    started: Option<Timestamp>,
}

/// A call that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    document: DocumentId,
    document_type: DocumentType,
    since: Timestamp,
    reported: bool,
}

impl RouteLedger {
    /// How documents have ended so far, and the number of open calls.
    pub fn report(&self) -> LedgerReport {
        let core = self.core.lock();
        let ends = |arrivals: &Arrivals| arrivals.ends;
        let types: BTreeMap<_, _> = core
            .types
            .iter()
            .map(|(name, arrivals)| (name.clone(), arrivals.ends))
            .collect();
        LedgerReport {
            types,
            other: core.types.other().map(ends),
            open: core.open.len() as u64 + core.untracked,
        }
    }

    /// The open calls, oldest first: ticket, document and time of admission.
    pub fn open(&self) -> Vec<(TicketId, DocumentId, Timestamp)> {
        let core = self.core.lock();
        let mut open: Vec<_> = core
            .open
            .iter()
            .map(|(ticket, open)| (*ticket, open.document.clone(), open.since))
            .collect();
        open.sort_by_key(|(ticket, _, since)| (*since, *ticket));
        open
    }

    fn arrive(types: &mut BoundedMap<DocumentType, Arrivals>, ticket: &Ticket, cx: &Cx<'_>) {
        let limit = types.limit();
        let (arrivals, place) = types.entry(ticket.document_type(), Arrivals::default);
        arrivals.arrive(cx.now());
        if place == Place::FirstOverflow {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
    }

    fn open_call(&self, core: &mut Core, ticket: &Ticket, cx: &Cx<'_>) {
        Self::arrive(&mut core.types, ticket, cx);
        if core.open.len() >= self.settings.open_limit {
            core.untracked += 1;
            return;
        }
        let open = Open {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            since: cx.now(),
            reported: false,
        };
        core.open.insert(ticket.id(), open);
    }

    fn close_call(core: &mut Core, ticket: &Ticket, outcome: &Outcome, cx: &Cx<'_>) {
        if let Outcome::Diverted(_) = outcome {
            Self::arrive(&mut core.types, ticket, cx);
        } else if core.open.remove(&ticket.id()).is_none() {
            core.untracked = core.untracked.saturating_sub(1);
        }
        if *outcome == Outcome::Abandoned {
            let kind = EventKind::Ledger(LedgerEvent::Abandoned {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                version: ticket.version().clone(),
            });
            cx.emit(Severity::Warning, kind);
        }
        core.types
            .entry(ticket.document_type(), Arrivals::default)
            .0
            .end(outcome);
    }

    fn report_overdue(&self, core: &mut Core, cx: &Cx<'_>) {
        let is_overdue = |open: &Open| cx.now().since(open.since) > self.settings.max_open;
        let mut overdue: Vec<_> = core
            .open
            .iter_mut()
            .filter(|(_, open)| is_overdue(open))
            .collect();
        overdue.sort_by_key(|(ticket, open)| (open.since, **ticket));
        let trouble = incident::overdue().many(overdue.len() as u64);
        let kind = |ticket: &TicketId, open: &Open| {
            EventKind::Ledger(LedgerEvent::Overdue {
                ticket: *ticket,
                document: open.document.clone(),
                document_type: open.document_type.clone(),
                open_for: cx.now().since(open.since),
            })
        };
        let mut is_told = false;
        for (ticket, open) in &mut overdue {
            if mem::replace(&mut open.reported, true) {
                continue;
            }
            if is_told {
                cx.emit(Severity::Warning, kind(ticket, open));
            } else {
                cx.page(&trouble, kind(ticket, open));
                is_told = true;
            }
        }
        if let Some((ticket, open)) = overdue.first().filter(|_| !is_told) {
            cx.still(&trouble, || kind(ticket, open));
        }
    }

    fn report_missing(&self, core: &mut Core, cx: &Cx<'_>) {
        let started = *core.started.get_or_insert(cx.now());
        for expected in self.settings.expected.keys() {
            core.types
                .entry(expected, || Arrivals::expected_since(started));
        }
        let (mut stuck, mut silent, mut quiet) = (Vec::new(), Vec::new(), Vec::new());
        for (document_type, arrivals) in core.types.iter_mut() {
            if let Some(missing) = arrivals.nothing_comes_out(cx.now(), self.settings.nothing_out) {
                stuck.push((document_type, missing));
            }
            let declared = self.settings.expected.get(document_type).copied();
            if let Some(missing) = arrivals.silence(cx.now(), declared, self.settings.silence) {
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

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        core.started.get_or_insert(cx.now());
        match signal {
            Signal::Opened => self.open_call(&mut core, ticket, cx),
            Signal::Settled { outcome, .. } => Self::close_call(&mut core, ticket, outcome, cx),
            Signal::Feedback(_) => {}
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        self.report_overdue(&mut core, cx);
        self.report_missing(&mut core, cx);
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let core = self.core.lock();
        let stored = Stored {
            format: Format,
            open: core
                .open
                .iter()
                .map(|(ticket, open)| (*ticket, open.clone()))
                .collect(),
            types: core
                .types
                .iter()
                .map(|(document_type, arrivals)| (document_type.clone(), arrivals.clone()))
                .collect(),
            other: core.types.other().cloned(),
            started: core.started,
        };
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        let mut core = self.core.lock();
        core.types.refill(stored.types, stored.other);
        core.started = stored.started;
        let trouble = incident::lost_in_restart(stored.open.len());
        for (n, (ticket, open)) in stored.open.into_iter().enumerate() {
            let (arrivals, _) = core.types.entry(&open.document_type, Arrivals::default);
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
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    open: BTreeMap<TicketId, Open>,
    types: Vec<(DocumentType, Arrivals)>,
    other: Option<Arrivals>,
    started: Option<Timestamp>,
}

/// How documents have ended so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerReport {
    types: BTreeMap<DocumentType, Ends>,
    other: Option<Ends>,
    open: u64,
}

impl LedgerReport {
    /// The ends of each document type, by name.
    pub fn types(&self) -> impl Iterator<Item = (&DocumentType, &Ends)> {
        self.types.iter()
    }

    /// The ends of the types above the limit of 10,000; `None` while no type is above it.
    pub fn other(&self) -> Option<&Ends> {
        self.other.as_ref()
    }

    /// The ends of one document type.
    pub fn of(&self, document_type: impl AsRef<str>) -> Ends {
        let ends = self.types.get(document_type.as_ref());
        ends.copied().unwrap_or_default()
    }

    /// The ends of all documents.
    pub fn total(&self) -> Ends {
        self.types
            .values()
            .chain(&self.other)
            .fold(Ends::default(), |sum, ends| sum.plus(*ends))
    }

    /// The number of calls that have not ended.
    pub fn open(&self) -> u64 {
        self.open
    }
}
