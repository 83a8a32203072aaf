//! One step of a pipeline, at one time and with one line-up: the order in which it asks its guards.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::delivery::Delivery;
use super::losses::Losses;
use super::member::Member;
use super::ticks::Ticks;
use super::timeline::Timeline;
use super::versions::KnownVersions;
use crate::call::{
    Call, Destination, Feedback, Given, LineUp, Outcome, Pin, Reason, Report, Role, Signal, Ticket,
    TicketId, Version,
};
use crate::error::Error;
use crate::event::{EventKind, PipelineEvent, Severity};
use crate::guard::{Acceptance, Attached, Cx, Divert, Incidents, Marks, Route, Verdict};
use crate::time::Timestamp;
use crate::tokens::{Measurement, Model};

/// The guard name in the pipeline's own events.
pub(super) const OWN_NAME: &str = "pipeline";

/// The state that all clones of a pipeline share.
pub(super) struct Shared {
    pub(super) guards: Vec<Member>,
    /// What is wrong with the pipeline itself.
    pub(super) incidents: Incidents,
    pub(super) line_up: RwLock<Arc<LineUp>>,
    pub(super) versions: Mutex<KnownVersions>,
    pub(super) time: Timeline,
    pub(super) ticks: Ticks,
    pub(super) losses: Losses,
    pub(super) delivery: Delivery,
    pub(super) instance: u64,
    pub(super) sequence: AtomicU64,
    /// Permits that have not ended.
    pub(super) open_calls: AtomicU64,
    /// Whether no more calls are admitted.
    pub(super) is_closing: AtomicBool,
}

impl Shared {
    /// What holds the guard with this mark: at most one, because only one can take the mark.
    pub(super) fn holder(&self, mark: &Attached) -> Option<&Member> {
        self.guards.iter().find(|member| member.holds(mark))
    }

    /// Does one step with the live versions, then delivers as many events as it left.
    pub(super) fn step<T>(&self, work: impl FnOnce(&Step<'_>) -> T) -> T {
        let line_up = Arc::clone(&self.line_up.read());
        let result = work(&Step {
            shared: self,
            line_up: &line_up,
            now: self.time.now(),
        });
        self.delivery.end_step();
        result
    }
}

pub(super) struct Step<'a> {
    pub(super) shared: &'a Shared,
    pub(super) line_up: &'a LineUp,
    /// When it began; guards see the latest time instead.
    pub(super) now: Timestamp,
}

/// The measurement of a call, and the larger model that it is for, where the call needs one.
type Measured = (Option<Box<Model>>, Measurement);

impl Step<'_> {
    /// Asks all guards about a call; a call that is not admitted comes with a destination.
    pub(super) fn admit(&self, call: &Call<'_>) -> (Ticket, Option<Divert>) {
        self.notice_missing_ticks();
        let next = self.shared.sequence.fetch_add(1, Ordering::Relaxed);
        let id = TicketId::new(self.shared.instance, next);
        let marks = Marks::default();
        let (mut route, mut failed) = (Route::Abstain, None);
        let mut cx = self.own_cx();
        cx.begin_call(id, &marks);
        for member in &self.shared.guards {
            member.enter(&mut cx);
            let vote = member.route(call, &cx).unwrap_or_else(|guard| {
                failed = Some(guard);
                Route::HumanReview
            });
            route = route.stricter(vote);
        }
        // What the pin alone has done says nothing of a version: no rollout counts it.
        let mut is_compared = true;
        if let Some(pin) = call.pin() {
            let voted = route;
            route = route.stricter(pinned(pin, self.line_up));
            is_compared = route.role() == voted.role();
        }
        let serving = route.role().and_then(|role| serving(self.line_up, role));
        let (role, version) = serving.unwrap_or((Role::Stable, self.line_up.stable()));
        let lost_pin = call.pin().filter(|pin| !pin.is_to(version));
        let refused_by_pin = lost_pin.filter(|pin| pin.is_strict());
        let mut verdict = match (serving, failed, refused_by_pin) {
            (Some(_), _, None) => Verdict::Proceed,
            (Some(_), _, Some(pin)) => human_review(Reason::PinLost {
                version: pin.version().clone(),
            }),
            (None, Some(guard), _) => human_review(Reason::GuardFailed {
                guard: guard.to_owned(),
            }),
            (None, None, _) => human_review(Reason::NoVersionLeft),
        };
        // Nor does a call for which no version is left.
        is_compared &= refused_by_pin.is_none() && serving.is_some();
        let mut measured: Option<Measured> = None;
        for member in &self.shared.guards {
            member.enter(&mut cx);
            let vote = member.check(call, version, &cx);
            if let Some(mut measurement) = taken(&marks.measurement) {
                measurement.guard = Some(Arc::clone(&member.name));
                let model = match &vote {
                    Verdict::UseModel(model) => Some(model.clone()),
                    Verdict::Proceed | Verdict::Divert(_) => None,
                };
                let next = Some((model, measurement));
                if measured < next {
                    measured = next;
                }
            }
            verdict = verdict.stricter(vote);
        }
        if self.shared.is_closing.load(Ordering::Relaxed) {
            verdict = verdict.stricter(human_review(Reason::ShuttingDown));
        }
        let (model, divert) = match verdict {
            Verdict::Proceed => (version.model().clone(), None),
            Verdict::UseModel(model) => (model.name().clone(), None),
            Verdict::Divert(divert) => (version.model().clone(), Some(divert)),
        };
        let given = Given {
            id,
            role,
            model,
            stage: marks.stage.get().filter(|_| is_compared),
            admitted_at: self.now,
            measurement: measured.map(|(_, measurement)| measurement),
            lost_pin: lost_pin.is_some(),
        };
        let ticket = Ticket::given(call, version, given);
        match &divert {
            None => self.open(&ticket, version, lost_pin),
            Some(divert) => self.divert(&ticket, divert),
        }
        (ticket, divert)
    }

    fn open(&self, ticket: &Ticket, version: &Version, lost_pin: Option<&Pin>) {
        if let Some(pin) = lost_pin {
            let kind = EventKind::Pipeline(PipelineEvent::PinLost {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                pinned_to: pin.version().clone(),
                version: ticket.version().clone(),
            });
            self.emit(Severity::Info, kind);
        }
        if ticket.model() != version.model() {
            let kind = EventKind::Pipeline(PipelineEvent::LargerModel {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                version: ticket.version().clone(),
                model: ticket.model().clone(),
            });
            self.emit(Severity::Info, kind);
        }
        self.observe(ticket, &Signal::Opened);
    }

    /// Ends a call that is not made; its document goes elsewhere.
    #[cold]
    pub(super) fn divert(&self, ticket: &Ticket, divert: &Divert) {
        let kind = EventKind::Pipeline(PipelineEvent::Diverted {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            version: ticket.version().clone(),
            destination: divert.destination().clone(),
            reasons: divert.reasons().clone(),
        });
        self.emit(Severity::Warning, kind);
        let outcome = Outcome::Diverted(divert.destination().clone());
        let report = Report::new();
        self.observe(ticket, &Signal::Settled { outcome, report });
    }

    /// Ends a call; the guards decide whether its answer may be acted on, and write on its ticket
    /// with which thresholds.
    pub(super) fn settle(
        &self,
        ticket: &mut Ticket,
        outcome: Outcome,
        report: Report,
    ) -> (Outcome, Acceptance) {
        self.notice_missing_ticks();
        let acceptance = match outcome {
            Outcome::Accepted => self.review(ticket, &report),
            _ => Acceptance::Accept,
        };
        let outcome = match acceptance {
            Acceptance::Review(_) => Outcome::NeedsReview,
            Acceptance::Accept => outcome,
        };
        let settled = Signal::Settled {
            outcome: outcome.clone(),
            report,
        };
        self.observe(ticket, &settled);
        (outcome, acceptance)
    }

    fn review(&self, ticket: &mut Ticket, report: &Report) -> Acceptance {
        let unclear = report.unclear_finish().cloned();
        let mut acceptance = unclear.map_or(Acceptance::Accept, |word| {
            Acceptance::review(Reason::UnclearFinish { word })
        });
        let marks = Marks::default();
        let mut cx = self.own_cx();
        cx.mark_on(&marks);
        for member in &self.shared.guards {
            member.enter(&mut cx);
            let vote = member.review(ticket, report, &cx);
            acceptance = acceptance.stricter(vote);
        }
        ticket.set_thresholds(marks.thresholds.get());
        acceptance
    }

    pub(super) fn learn(&self, ticket: &Ticket, feedback: Feedback) {
        self.observe(ticket, &Signal::Feedback(feedback));
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal) {
        self.each(|member, cx| member.observe(ticket, signal, cx));
    }

    pub(super) fn each(&self, mut work: impl FnMut(&Member, &Cx<'_>)) {
        let mut cx = self.own_cx();
        for member in &self.shared.guards {
            member.enter(&mut cx);
            work(member, &cx);
        }
    }

    /// Whether a line-up can go live with these guards.
    pub(super) fn check(&self, line_up: &LineUp) -> Result<(), Error> {
        line_up.validate()?;
        for member in &self.shared.guards {
            member.check_line_up(line_up, &self.cx(member))?;
        }
        Ok(())
    }

    /// Reports that the versions are live.
    pub(super) fn announce(&self, line_up: &LineUp) {
        let id = |version: Option<&Version>| version.map(|version| version.id().clone());
        let kind = EventKind::Pipeline(PipelineEvent::Deployed {
            stable: line_up.stable().id().clone(),
            previous: id(line_up.previous()),
            candidate: id(line_up.candidate()),
        });
        self.emit(Severity::Info, kind);
    }

    #[inline]
    fn notice_missing_ticks(&self) {
        let ticks = &self.shared.ticks;
        if ticks.are_missing(self.now) {
            ticks.tell_missing(&self.own_cx());
        }
    }

    pub(super) fn emit(&self, severity: Severity, kind: EventKind) {
        self.own_cx().emit(severity, kind);
    }

    /// The context for a guard.
    pub(super) fn cx<'b>(&'b self, member: &'b Member) -> Cx<'b> {
        let mut cx = self.own_cx();
        member.enter(&mut cx);
        cx
    }

    /// The context for the pipeline's own events, which a guard's may be made of.
    pub(super) fn own_cx(&self) -> Cx<'_> {
        let next = self.shared.sequence.load(Ordering::Relaxed);
        let outbox = &self.shared.delivery.outbox;
        Cx::new(self.now, self.line_up, outbox, OWN_NAME)
            .with_latest(self.shared.time.latest())
            .with_incidents(&self.shared.incidents)
            .for_ticket(TicketId::new(self.shared.instance, next))
    }
}

/// What the latest guard has written. Most write nothing, and an empty place is as large to move as
/// a full one.
fn taken<T>(place: &RefCell<Option<T>>) -> Option<T> {
    let is_written = place.borrow().is_some();
    is_written.then(|| place.take()).flatten()
}

/// The version in a role; production where the line-up has no candidate.
fn serving(line_up: &LineUp, role: Role) -> Option<(Role, &Version)> {
    match (role, line_up.get(role)) {
        (role, Some(version)) => Some((role, version)),
        (Role::Candidate, None) => Some((Role::Stable, line_up.stable())),
        (_, None) => None,
    }
}

/// What a pin adds to the votes.
fn pinned(pin: &Pin, line_up: &LineUp) -> Route {
    if pin.is_to(line_up.stable()) {
        Route::Stable
    } else {
        Route::Abstain
    }
}

fn human_review(reason: Reason) -> Verdict {
    Verdict::divert(Destination::HumanReview, reason)
}
