//! The shell: it owns the clock, the sinks and the order of work.

mod admission;
mod builder;
pub(crate) mod clock;
mod permit;
mod run;
mod snapshot;

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::call::{
    Assignment, Call, Destination, LineUp, Outcome, Reason, Report, Role, Signal, Ticket, TicketId,
    Version,
};
use crate::error::Error;
use crate::event::{EventKind, Outbox, Severity};
use crate::guard::{Acceptance, Cx, Divert, Guard, Route, Verdict, shielded};
use crate::pipeline::clock::Clock;
use crate::sink::Sink;
use crate::time::Timestamp;

pub use admission::{Admission, Diversion};
pub use builder::Builder;
pub use permit::{Permit, Settlement};
pub use run::{DeadlineExceeded, Reply, Served};
pub use snapshot::Snapshot;

/// The name under which the pipeline itself reports.
const OWN_NAME: &str = "pipeline";

/// Guards around calls to language models. Cheap to clone; clones are the same pipeline.
///
/// [`admit`](Self::admit) is the primitive, [`run`](Self::run) the everyday form.
///
/// ```
/// use fusebox::{Admission, Call, ErrorRateBreaker, LineUp, Pipeline, Report, Version};
///
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(ErrorRateBreaker::default())
///     .build()?;
///
/// match pipeline.admit(&Call::new("inv-1", "invoice")?) {
///     Admission::Admitted(permit) => {
///         let prompt = permit.ticket().version();
///         # let _ = prompt;
///         // .. make the call with that prompt version ..
///         let settled = permit.answer(Report::new().confidence("total", 0.97));
///         # let _ = settled;
///     }
///     Admission::Diverted(diversion) => println!("to a person: {diversion}"),
/// }
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    guards: Vec<Member>,
    line_up: RwLock<Arc<LineUp>>,
    clock: Box<dyn Clock>,
    sinks: Vec<Box<dyn Sink>>,
    outbox: Outbox,
    delivering: AtomicBool,
    sink_panics: AtomicU64,
    latest: AtomicU64,
    instance: u64,
    sequence: AtomicU64,
}

/// A guard, and whether it has panicked before: the first time wakes somebody up, the others do not.
struct Member {
    guard: Box<dyn Guard>,
    panicked: AtomicBool,
}

impl Pipeline {
    /// Asks all guards about a call: which version serves, and may it take the document?
    ///
    /// Admitted: make the call with the version and model of the permit's ticket, and say how it ended. Diverted: do not;
    /// the document goes where the diversion says. The call costs no token and no wait.
    pub fn admit(&self, call: &Call<'_>) -> Admission {
        let line_up = self.line_up();
        let now = self.0.now();
        let admission = self.0.admit(self, call, &line_up, now);
        self.0.deliver();
        admission
    }

    /// Tells all guards something that was learnt outside a call: a correction, a comparison.
    pub fn observe(&self, signal: &Signal) {
        self.0.observe(signal, &self.line_up(), self.0.now());
        self.0.deliver();
    }

    /// Lets guards see that time has passed: stages that are due, silence, stuck documents. Call it every few seconds;
    /// there is no hidden thread.
    pub fn tick(&self) {
        self.0
            .each(&self.line_up(), self.0.now(), |guard, cx| guard.tick(cx));
        self.0.deliver();
    }

    /// The versions that are live.
    pub fn line_up(&self) -> Arc<LineUp> {
        Arc::clone(&self.0.line_up.read())
    }

    /// Makes other versions live. Calls that are open keep theirs.
    ///
    /// An error when a version plays two parts, or a guard refuses the line-up (an unknown model, an uncounted prompt);
    /// the versions that were live stay live.
    pub fn deploy(&self, line_up: LineUp) -> Result<(), Error> {
        check_line_up(&line_up, self.0.guards.iter().map(|member| &*member.guard))?;
        let line_up = Arc::new(line_up);
        *self.0.line_up.write() = Arc::clone(&line_up);
        self.0.announce(&line_up);
        self.0.deliver();
        Ok(())
    }

    /// What would be lost if the process ended: the state of every guard.
    pub fn snapshot(&self) -> Snapshot {
        let states = self
            .0
            .guards
            .iter()
            .map(|member| (member.guard.name(), member.guard.snapshot()));
        Snapshot::new(self.0.now(), states)
    }

    /// Takes up what [`snapshot`](Self::snapshot) saved, before the first call.
    ///
    /// Time goes on from the snapshot's, even if the clock is behind it. A state without a guard of that name is left
    /// alone. An error names the guard that could not take its state up; the others have theirs.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.0
            .latest
            .fetch_max(snapshot.at().as_millis(), Ordering::SeqCst);
        let (line_up, now) = (self.line_up(), self.0.now());
        let mut result = Ok(());
        for member in &self.0.guards {
            if let Some(state) = snapshot.state(member.guard.name()) {
                let mut cx = self.0.cx(now, &line_up, member.guard.name());
                result = result.and(member.guard.restore(state, &mut cx));
            }
        }
        self.0.deliver();
        result
    }

    /// How many times a sink has panicked.
    pub fn sink_panics(&self) -> u64 {
        self.0.sink_panics.load(Ordering::Relaxed)
    }

    /// How many events were lost because a sink was so slow that 65,536 of them waited.
    pub fn events_lost(&self) -> u64 {
        self.0.outbox.lost()
    }

    /// Ends a call: whether its answer may be acted on, is said by the guards.
    pub(crate) fn settle(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        report: Report,
    ) -> (Ticket, Outcome, Acceptance) {
        let (line_up, now) = (self.line_up(), self.0.now());
        let acceptance = match outcome {
            Outcome::Accepted => self.0.review(&ticket, &report, &line_up, now),
            _ => Acceptance::Accept,
        };
        let outcome = match acceptance {
            Acceptance::Review(_) => Outcome::NeedsReview,
            Acceptance::Accept => outcome,
        };
        let signal = Signal::Settled {
            ticket,
            outcome: outcome.clone(),
            report,
        };
        self.0.observe(&signal, &line_up, now);
        self.0.deliver();
        (signal.into_ticket(), outcome, acceptance)
    }
}

impl Inner {
    /// Now; never before a moment that some decision has seen.
    fn now(&self) -> Timestamp {
        let now = self.clock.now().as_millis();
        let latest = self.latest.load(Ordering::Relaxed);
        if now <= latest {
            return Timestamp::from_millis(latest);
        }
        Timestamp::from_millis(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn admit(
        &self,
        pipeline: &Pipeline,
        call: &Call<'_>,
        line_up: &LineUp,
        now: Timestamp,
    ) -> Admission {
        let id = TicketId::new(self.instance, self.sequence.fetch_add(1, Ordering::Relaxed));
        let (mut route, mut stage, mut failed) = (Route::Abstain, None, None);
        for member in &self.guards {
            let mut cx = self.cx_of(id, now, line_up, member.guard.name());
            let vote = member.shielded(&mut cx, None, |guard, cx| Some(guard.route(call, cx)));
            if vote.is_none() {
                failed = Some(member.guard.name());
            }
            route = route.stricter(vote.unwrap_or(Route::HumanReview));
            stage = stage.max(cx.stage());
        }
        let serving = route.role().and_then(|role| serving(line_up, role));
        let (role, version) = serving.unwrap_or((Role::Stable, line_up.stable()));
        let mut verdict = match (serving, failed) {
            (Some(_), _) => Verdict::Proceed,
            (None, Some(guard)) => human_review(guard_failed(guard)),
            (None, None) => human_review(Reason::NoVersionLeft),
        };
        let measurement = RefCell::new(None);
        for member in &self.guards {
            let strictest = || human_review(guard_failed(member.guard.name()));
            let mut cx = self
                .cx_of(id, now, line_up, member.guard.name())
                .with_place(&measurement);
            let word = member.shielded(&mut cx, None, |guard, cx| {
                Some(guard.check(call, version, cx))
            });
            verdict = verdict.stricter(word.unwrap_or_else(strictest));
        }
        let (model, divert) = match verdict {
            Verdict::Proceed => (version.model().clone(), None),
            Verdict::UseModel(model) => (model.name().clone(), None),
            Verdict::Divert(divert) => (version.model().clone(), Some(divert)),
        };
        let assignment = Assignment {
            version: version.id().clone(),
            role,
            model,
            stage,
            measurement: measurement.into_inner(),
        };
        let (document, document_type) = (call.document().clone(), call.document_type().clone());
        let ticket = Ticket::new(id, document, document_type, assignment, now);
        match divert {
            None => self.open(pipeline, ticket, version, line_up, now),
            Some(divert) => self.divert(ticket, divert, line_up, now),
        }
    }

    fn open(
        &self,
        pipeline: &Pipeline,
        ticket: Ticket,
        version: &Version,
        line_up: &LineUp,
        now: Timestamp,
    ) -> Admission {
        if ticket.model() != version.model() {
            let kind = EventKind::LargerModel {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                version: ticket.version().clone(),
                model: ticket.model().clone(),
            };
            self.own_cx(line_up, now).emit(Severity::Info, kind);
        }
        let signal = Signal::Opened { ticket };
        self.observe(&signal, line_up, now);
        Admission::Admitted(Permit::new(pipeline.clone(), signal.into_ticket()))
    }

    fn divert(
        &self,
        ticket: Ticket,
        divert: Divert,
        line_up: &LineUp,
        now: Timestamp,
    ) -> Admission {
        let kind = EventKind::Diverted {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            version: ticket.version().clone(),
            destination: divert.destination().clone(),
            reasons: divert.reasons().clone(),
        };
        self.own_cx(line_up, now).emit(Severity::Warning, kind);
        let signal = Signal::Settled {
            ticket,
            outcome: Outcome::Diverted(divert.destination().clone()),
            report: Report::new(),
        };
        self.observe(&signal, line_up, now);
        Admission::Diverted(Diversion::new(signal.into_ticket(), divert))
    }

    fn review(
        &self,
        ticket: &Ticket,
        report: &Report,
        line_up: &LineUp,
        now: Timestamp,
    ) -> Acceptance {
        let mut acceptance = Acceptance::Accept;
        for member in &self.guards {
            let mut cx = self.cx(now, line_up, member.guard.name());
            let word = member.shielded(&mut cx, None, |guard, cx| {
                Some(guard.review(ticket, report, cx))
            });
            let strictest = || Acceptance::review(guard_failed(member.guard.name()));
            acceptance = acceptance.stricter(word.unwrap_or_else(strictest));
        }
        acceptance
    }

    fn observe(&self, signal: &Signal, line_up: &LineUp, now: Timestamp) {
        self.each(line_up, now, |guard, cx| guard.observe(signal, cx));
    }

    fn each(&self, line_up: &LineUp, now: Timestamp, step: impl Fn(&dyn Guard, &mut Cx<'_>)) {
        for member in &self.guards {
            let mut cx = self.cx(now, line_up, member.guard.name());
            member.shielded(&mut cx, (), &step);
        }
    }

    fn announce(&self, line_up: &LineUp) {
        let id = |version: Option<&Version>| version.map(|version| version.id().clone());
        let kind = EventKind::Deployed {
            stable: line_up.stable().id().clone(),
            previous: id(line_up.previous()),
            candidate: id(line_up.candidate()),
        };
        self.own_cx(line_up, self.now()).emit(Severity::Info, kind);
    }

    fn own_cx<'a>(&'a self, line_up: &'a LineUp, now: Timestamp) -> Cx<'a> {
        self.cx(now, line_up, OWN_NAME)
    }

    fn cx<'a>(&'a self, now: Timestamp, line_up: &'a LineUp, guard: &'a str) -> Cx<'a> {
        let next = TicketId::new(self.instance, self.sequence.load(Ordering::Relaxed));
        self.cx_of(next, now, line_up, guard)
    }

    fn cx_of<'a>(
        &'a self,
        ticket: TicketId,
        now: Timestamp,
        line_up: &'a LineUp,
        guard: &'a str,
    ) -> Cx<'a> {
        Cx::for_ticket(ticket, now, line_up, &self.outbox, guard)
    }

    /// Hands waiting events to the sinks, one at a time and in order. If another call is at it, that one hands over ours
    /// too; so a sink may call back into the pipeline, and one that blocks holds up nobody else.
    fn deliver(&self) {
        while !self.outbox.is_empty() {
            let Some(_turn) = Turn::take(&self.delivering) else {
                return;
            };
            while let Some(event) = self.outbox.pop() {
                for sink in &self.sinks {
                    if catch_unwind(AssertUnwindSafe(|| sink.emit(&event))).is_err() {
                        self.sink_panics.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}

impl Member {
    #[inline]
    fn shielded<T>(
        &self,
        cx: &mut Cx<'_>,
        strictest: T,
        step: impl FnOnce(&dyn Guard, &mut Cx<'_>) -> T,
    ) -> T {
        let severity = if self.panicked.load(Ordering::Relaxed) {
            Severity::Warning
        } else {
            Severity::Page
        };
        let mut finished = false;
        let word = shielded(cx, severity, strictest, |cx| {
            let word = step(&*self.guard, cx);
            finished = true;
            word
        });
        if !finished {
            self.panicked.store(true, Ordering::Relaxed);
        }
        word
    }
}

/// The right to deliver events: one at a time has it.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(taken: &'a AtomicBool) -> Option<Self> {
        (!taken.swap(true, Ordering::SeqCst)).then(|| Self(taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// The version that plays a part, or the next more cautious one when the line-up has none for it.
fn serving(line_up: &LineUp, role: Role) -> Option<(Role, &Version)> {
    match (role, line_up.get(role)) {
        (role, Some(version)) => Some((role, version)),
        (Role::Candidate, None) => Some((Role::Stable, line_up.stable())),
        (_, None) => None,
    }
}

fn check_line_up<'a>(
    line_up: &LineUp,
    guards: impl Iterator<Item = &'a dyn Guard>,
) -> Result<(), Error> {
    line_up.validate()?;
    for guard in guards {
        guard.check_line_up(line_up)?;
    }
    Ok(())
}

fn human_review(reason: Reason) -> Verdict {
    Verdict::divert(Destination::HumanReview, reason)
}

fn guard_failed(guard: &str) -> Reason {
    Reason::GuardFailed {
        guard: guard.to_owned(),
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guards: Vec<_> = self.0.guards.iter().map(|member| &member.guard).collect();
        f.debug_struct("Pipeline")
            .field("line_up", &self.line_up())
            .field("guards", &guards)
            .field("sinks", &self.0.sinks)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}
