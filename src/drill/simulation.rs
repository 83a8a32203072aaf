//! Hours of a pipeline in milliseconds: a queue of actions on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::arrival::{self, Arrival};
use super::command::Command;
use super::delivered::Delivered;
use super::distortion::distorted;
use super::document::{Document, Sequence, ShareOf};
use super::fault::{Fault, Meets, What};
use super::injected_fault::InjectedFault;
use super::keeping::Keeping;
use super::process::{Process, Production};
use super::recorder::Recorder;
use super::script::Script;
use super::traffic::Source;
use super::usage;
use super::virtual_time::TICK_EVERY;
use crate::call::{Call, Comparison, Difference, Feedback, LineUp, Ticket};
use crate::error::Error;
use crate::event::Event;
use crate::name::{DocumentId, Field, VersionId};
use crate::pipeline::clock::MockClock;
use crate::pipeline::{Admission, Permit, Settlement};
use crate::time::{Timestamp, millis, minutes};

/// What was seen in a simulation.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Seen {
    /// The events that reached the sink, with the time by the drill's clock.
    pub(super) events: Vec<(Timestamp, Event)>,
    /// How many documents arrived.
    pub(super) documents: u64,
    /// How many documents each fault met.
    pub(super) met: Vec<u64>,
    /// How many were met before the first page after the first fault.
    pub(super) met_before_page: u64,
    /// When each version served a document last, since the last fault began.
    pub(super) served: BTreeMap<VersionId, Timestamp>,
    /// How many documents ended: with an answer, a failure or a diversion.
    pub(super) ended: u64,
    /// The pages that came while the sink was down.
    pub(super) pages_lost: Vec<(Timestamp, Event)>,
    /// What pagers accepted; `None` if a page counts when the sink has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered: Option<Vec<(Timestamp, Delivered)>>,
    /// The documents that got no answer, no failure and no diversion.
    pub(super) lost: BTreeSet<DocumentId>,
}

pub(super) fn run(production: Production<'_>, script: &Script) -> Result<Seen, Error> {
    let (time, clock) = (MockClock::at(script.begin), MockClock::at(script.begin));
    let recorder = Recorder::new(time.clone(), !script.routes.is_empty());
    let keeping = Keeping::of(&script.routes, &recorder);
    let mut simulation = Simulation {
        process: Process::start(production, clock.clone(), recorder.clone(), keeping)?,
        script,
        time,
        clock,
        jumps: (Duration::ZERO, Duration::ZERO),
        recorder: recorder.clone(),
        faults: Sequence::of_faults()
            .zip(&script.faults)
            .map(|(sequence, (_, fault))| InjectedFault {
                fault,
                sequence,
                is_working: false,
            })
            .collect(),
        arrivals: vec![Arrivals::default(); script.traffic.len()],
        queue: BTreeMap::new(),
        planned: 0,
        seen: Seen {
            met: vec![0; script.faults.len()],
            ..Seen::default()
        },
    };
    for (number, (after, fault)) in script.faults.iter().enumerate() {
        simulation.plan(script.begin + *after, Action::Break(number));
        if let Some(lasts) = fault.lasts {
            simulation.plan(script.begin + *after + lasts, Action::Mend(number));
        }
    }
    for (after, command) in &script.commands {
        simulation.plan(script.begin + *after, Action::Command(command));
    }
    for (number, traffic) in script.traffic.iter().enumerate() {
        simulation.plan_arrival(number, arrival::first(traffic, script.begin));
    }
    simulation.plan(script.begin, Action::Tick);
    simulation.go_on_until(script.begin + script.length)?;
    // Dropping the simulation abandons its open calls, which is no part of the drill.
    let events = recorder.take();
    Ok(Seen {
        events,
        pages_lost: recorder.take_lost(),
        delivered: recorder.take_delivered(),
        ..simulation.seen
    })
}

struct Simulation<'a> {
    process: Process<'a>,
    script: &'a Script,
    /// The drill's clock, and the pipeline's, which may have jumped.
    time: MockClock,
    clock: MockClock,
    /// How far the pipeline's clock has jumped forward, and back.
    jumps: (Duration, Duration),
    recorder: Recorder,
    faults: Vec<InjectedFault<'a>>,
    /// Of each traffic.
    arrivals: Vec<Arrivals>,
    /// The actions to come; the number keeps the order of actions at one time.
    queue: BTreeMap<(Timestamp, u64), Action<'a>>,
    planned: u64,
    seen: Seen,
}

/// The documents of one traffic.
#[derive(Clone, Copy, Debug, Default)]
struct Arrivals {
    /// How many have arrived.
    count: u64,
    /// When the next one comes, or the last one came, since the beginning.
    next: Duration,
}

enum Action<'a> {
    Arrive(usize),
    Break(usize),
    Command(&'a Command),
    Complete(Box<OpenCall<'a>>),
    Correct(Box<Ticket>, Vec<Field>),
    Mend(usize),
    PickUp(Box<Waiting<'a>>),
    Tick,
}

/// A call whose end is to come. It is boxed, as the queue moves its actions often.
struct OpenCall<'a> {
    permit: Permit,
    arrival: Arrival<'a>,
    /// The tokens that a fault added to its document.
    added: u64,
}

/// A document that waits for a person.
struct Waiting<'a> {
    ticket: Ticket,
    arrival: Arrival<'a>,
    /// Whether nobody came when it was due.
    is_late: bool,
}

impl<'a> Simulation<'a> {
    fn plan(&mut self, at: Timestamp, action: Action<'a>) {
        self.planned += 1;
        self.queue.insert((at, self.planned), action);
    }

    fn plan_arrival(&mut self, number: usize, after: Duration) {
        if let Some(arrivals) = self.arrivals.get_mut(number) {
            arrivals.next = after;
        }
        self.plan(self.script.begin + after, Action::Arrive(number));
    }

    fn go_on_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while let Some(((at, _), action)) = self.queue.pop_first() {
            if at > end {
                self.plan(at, action);
                break;
            }
            self.time.set(at);
            let (forward, back) = self.jumps;
            let ahead = (at + forward).as_millis();
            self.clock
                .set(Timestamp::from_millis(ahead.saturating_sub(millis(back))));
            self.take(at, action)?;
        }
        Ok(())
    }

    fn take(&mut self, now: Timestamp, action: Action<'a>) -> Result<(), Error> {
        match action {
            Action::Arrive(number) => self.arrive(now, number)?,
            Action::Break(number) => {
                self.recorder.fault_began();
                self.seen.served.clear();
                self.set_working(number, true);
                let what = self.script.faults.get(number).map(|(_, fault)| &fault.what);
                match what {
                    Some(What::Deploy(line_up)) => {
                        self.process.pipeline.deploy(LineUp::clone(line_up))?;
                    }
                    Some(What::Restart { with_snapshot }) => self.restart(*with_snapshot)?,
                    Some(What::LoseStore) => self.with_keeping(Keeping::lose_store),
                    Some(What::DropFacts) => self.with_keeping(|keeping| keeping.drop_facts()),
                    _ => {}
                }
            }
            Action::Command(command) => command.give(&self.process.pipeline),
            Action::Complete(call) => self.complete(now, *call),
            Action::Correct(ticket, fields) => {
                for field in fields {
                    let correction = Feedback::corrected(field);
                    self.process.report(&ticket, correction);
                }
            }
            Action::Mend(number) => self.set_working(number, false),
            Action::PickUp(waiting) => self.pick_up(now, waiting),
            Action::Tick => {
                if let Some(keeping) = &mut self.process.keeping {
                    keeping.write_as_other(now)?;
                }
                if !self.is_at_work(&What::StopTicks) {
                    self.process.tick();
                }
                self.plan(now + TICK_EVERY, Action::Tick);
            }
        }
        Ok(())
    }

    /// The calls that are open end with the process.
    fn restart(&mut self, with_snapshot: bool) -> Result<(), Error> {
        let (open, queue): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|(_, action)| matches!(action, Action::Complete(_)));
        self.queue = queue;
        for action in open.values() {
            if let Action::Complete(call) = action {
                let document = call.permit.ticket().document();
                self.seen.lost.insert(document.clone());
            }
        }
        self.process.restart(with_snapshot, open)
    }

    fn set_working(&mut self, number: usize, works: bool) {
        if let Some(injected) = self.faults.get_mut(number) {
            injected.is_working = works;
        }
        let mut jumps = (Duration::ZERO, Duration::ZERO);
        for injected in self.faults.iter().filter(|injected| injected.is_working) {
            match injected.fault.what {
                What::JumpClock { by, is_back: false } => jumps.0 = jumps.0.saturating_add(by),
                What::JumpClock { by, is_back: true } => jumps.1 = jumps.1.saturating_add(by),
                _ => {}
            }
        }
        self.jumps = jumps;
        self.recorder.set_down(self.is_at_work(&What::SinkDown));
        self.recorder
            .set_second_panics(self.is_at_work(&What::SinkPanics));
        let is_pager_down = self.is_at_work(&What::PagerDown);
        let is_store_down = self.is_at_work(&What::StoreDown);
        let is_store_shared = self.is_at_work(&What::ShareStore);
        self.with_keeping(|keeping| {
            keeping.set_pager_down(is_pager_down);
            keeping.set_store_down(is_store_down);
            keeping.set_shared(is_store_shared);
        });
    }

    fn with_keeping(&mut self, change: impl FnOnce(&mut Keeping)) {
        if let Some(keeping) = &mut self.process.keeping {
            change(keeping);
        }
    }

    fn is_at_work(&self, what: &What) -> bool {
        self.faults.iter().any(|injected| injected.is(what))
    }

    /// The faults at work that meet this document now; counts that they do.
    fn meet(
        &mut self,
        when: Meets,
        arrival: &Arrival<'a>,
        version: Option<&VersionId>,
    ) -> Vec<&'a Fault> {
        let mut met = Vec::new();
        for (injected, count) in self.faults.iter().zip(&mut self.seen.met) {
            if injected.meets(when, arrival, version) {
                *count += 1;
                self.seen.met_before_page += u64::from(!self.recorder.is_paged());
                met.push(injected.fault);
            }
        }
        met
    }

    fn arrive(&mut self, now: Timestamp, number: usize) -> Result<(), Error> {
        let Some(arrival) = self.next_arrival(number) else {
            return Ok(());
        };
        let met = self.meet(Meets::Arrival, &arrival, None);
        if met.iter().any(|fault| fault.what == What::Silence) {
            return Ok(());
        }
        let added = met.iter().map(|fault| match fault.what {
            What::AddTokens(tokens) => tokens,
            _ => 0,
        });
        let added = added.fold(0, u64::saturating_add);
        let call = Call::of(self.id(&arrival, number)?, arrival.document_type().clone());
        let call = match arrival.tokens() {
            Some(tokens) => call.with_document_tokens(tokens.saturating_add(added)),
            None => call,
        };
        let permit = match self.process.pipeline.admit(&call) {
            Admission::Admitted(permit) => permit,
            Admission::Diverted(diversion) => {
                self.seen.ended += 1;
                self.await_review(now, diversion.into_ticket(), arrival);
                return Ok(());
            }
        };
        let version = permit.ticket().version();
        if let Some(last) = self.seen.served.get_mut(version) {
            *last = now;
        } else {
            self.seen.served.insert(version.clone(), now);
        }
        let call = OpenCall {
            permit,
            arrival,
            added,
        };
        match arrival.latency() {
            Some(latency) => self.plan(now + latency, Action::Complete(Box::new(call))),
            None => self.hang(call),
        }
        Ok(())
    }

    /// The next document of this traffic, which arrives now; plans the arrival of the one after it.
    fn next_arrival(&mut self, number: usize) -> Option<Arrival<'a>> {
        let Script { begin, seed, .. } = *self.script;
        let traffic = self.script.traffic.get(number)?;
        let arrivals = self.arrivals.get_mut(number)?;
        let document = Document(self.seen.documents + 1);
        let arrival = Arrival::of(traffic, arrivals.count, document, seed)?;
        self.seen.documents += 1;
        arrivals.count += 1;
        let Arrivals { count, next } = *arrivals;
        if let Some(next) = arrival.next(count, next, begin) {
            self.plan_arrival(number, next);
        }
        Some(arrival)
    }

    fn id(&self, arrival: &Arrival<'a>, number: usize) -> Result<DocumentId, Error> {
        let is_recorded = self.script.traffic.iter();
        let is_recorded = is_recorded.map(|traffic| matches!(traffic.source, Source::Recorded(_)));
        let count = |up_to: usize| {
            let recordings = is_recorded.clone().take(up_to);
            recordings.map(u64::from).sum()
        };
        arrival.id(count(number), count(usize::MAX))
    }

    /// Keeps a call open that never ends.
    fn hang(&mut self, call: OpenCall<'a>) {
        const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
        self.seen
            .lost
            .insert(call.permit.ticket().document().clone());
        self.plan(NEVER, Action::Complete(Box::new(call)));
    }

    fn complete(&mut self, now: Timestamp, call: OpenCall<'a>) {
        let version = call.permit.ticket().version().clone();
        let met = self.meet(Meets::End, &call.arrival, Some(&version));
        if met.iter().any(|fault| fault.what == What::Hang) {
            return self.hang(call);
        }
        let OpenCall {
            permit,
            arrival,
            added,
        } = call;
        if met.iter().any(|fault| fault.what == What::Abandon) {
            self.seen.lost.insert(permit.ticket().document().clone());
            drop(permit);
            return;
        }
        self.seen.ended += 1;
        let by_fault = met.iter().find_map(|fault| match fault.what {
            What::Fail(kind) => Some(kind),
            _ => None,
        });
        if let Some(kind) = by_fault {
            permit.fail(kind);
            return;
        }
        let report = arrival.report(&version, added, |field, score| {
            distorted(arrival.document, field, score, &met)
        });
        if let Some(kind) = arrival.failure() {
            permit.fail_with(kind, report);
            return;
        }
        let ticket = permit.ticket().clone();
        let line_up = self.process.pipeline.line_up();
        let report = usage::reported(report, &arrival, added, &ticket, &line_up, &met);
        let settlement = permit.answer(report);
        if matches!(settlement, Settlement::NeedsReview { .. }) {
            self.await_review(now, ticket.clone(), arrival);
        }
        if !matches!(settlement, Settlement::Failed { .. }) {
            self.compare(&ticket, &arrival);
            self.review(now, &ticket, &arrival);
        }
    }

    /// Plans when somebody picks up a document that waits for a person, if anybody does.
    fn await_review(&mut self, now: Timestamp, ticket: Ticket, arrival: Arrival<'a>) {
        if let Some(after) = arrival.picked_up_after() {
            let waiting = Waiting {
                ticket,
                arrival,
                is_late: false,
            };
            self.plan(now + after, Action::PickUp(Box::new(waiting)));
        }
    }

    /// Somebody picks up a document, or it goes on waiting while nobody does.
    fn pick_up(&mut self, now: Timestamp, mut waiting: Box<Waiting<'a>>) {
        let Waiting {
            ticket,
            arrival,
            is_late,
        } = &mut *waiting;
        let version = Some(ticket.version());
        let mut faults = self.faults.iter().zip(&mut self.seen.met);
        let stopped = faults.find(|(injected, _)| {
            injected.fault.what == What::StopFeedback
                && injected.meets(Meets::Review, arrival, version)
        });
        let Some((_, count)) = stopped else {
            self.process.report(ticket, Feedback::PickedUp);
            return;
        };
        if !std::mem::replace(is_late, true) {
            *count += 1;
            self.seen.met_before_page += u64::from(!self.recorder.is_paged());
        }
        self.plan(now + minutes(1), Action::PickUp(waiting));
    }

    /// Reports what a shadow run saw, if it compares this answer.
    fn compare(&mut self, ticket: &Ticket, arrival: &Arrival<'a>) {
        let Some((candidate, share)) = &arrival.traffic.compared else {
            return;
        };
        if !arrival.document.is_among(*share, ShareOf::Comparison) {
            return;
        }
        let met = self.meet(Meets::Comparison, arrival, Some(ticket.version()));
        let differs = met.iter().map(|fault| fault.field.clone());
        let differs = differs.map(|field| field.unwrap_or_else(|| arrival.field()));
        let fields: BTreeSet<_> = differs.collect();
        let comparison = if fields.is_empty() {
            Comparison::Match
        } else {
            Comparison::Diverged(fields.into_iter().map(Difference::changed).collect())
        };
        let compared = Feedback::compared(candidate.clone(), comparison);
        self.process.report(ticket, compared);
    }

    /// Plans the corrections of an answer, if reviewers correct it.
    fn review(&mut self, now: Timestamp, ticket: &Ticket, arrival: &Arrival<'a>) {
        let met = self.meet(Meets::Review, arrival, Some(ticket.version()));
        if met.iter().any(|fault| fault.what == What::StopFeedback) {
            return;
        }
        let mut reviews = arrival.reviews();
        for fault in met {
            let mut corrected = reviews.iter().flat_map(|review| &review.fields);
            if !corrected.any(|field| fault.is_of_field(field)) {
                let field = fault.field.clone().unwrap_or_else(|| arrival.field());
                reviews.push(arrival.review_of(field));
            }
        }
        for review in reviews {
            let correct = Action::Correct(Box::new(ticket.clone()), review.fields);
            self.plan(now + review.after, correct);
        }
    }
}
