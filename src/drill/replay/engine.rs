//! A recording through a pipeline on a virtual clock: a walk along its timetable.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::record::{RecordedCall, RecordedEnd};
use super::seen::{EventLog, Seen};
use super::timetable::{Step, Timetable};
use crate::call::{Call, Feedback, Ticket};
use crate::drill::virtual_time::TICK_EVERY;
use crate::error::Error;
use crate::name::VersionId;
use crate::pipeline::clock::MockClock;
use crate::pipeline::{Admission, Builder, Permit, Pipeline, Settlement};
use crate::sink;

/// How often it tells how far it is, in steps.
const TOLD_EVERY: usize = 4_096;

/// Runs it; `tell` learns how many of its steps are done, and of how many.
pub(super) fn run(
    production: Builder,
    timetable: &Timetable,
    mut tell: impl FnMut(u64, u64),
) -> Result<Seen, Error> {
    let (begins, _) = timetable.span().unwrap_or_default();
    let clock = MockClock::at(begins);
    let log = Arc::new(Mutex::new(EventLog::default()));
    let recorder = {
        let log = Arc::clone(&log);
        sink::from_fn(move |event| log.lock().add(event))
    };
    let mut permits = Vec::new();
    permits.resize_with(timetable.most_open, || None);
    let mut run = Run {
        pipeline: production.rehearse(clock.clone(), recorder).build()?,
        clock,
        timetable,
        permits,
        answers: vec![Answer::Open; timetable.corrected_calls],
        seen: Seen::default(),
        others: BTreeMap::new(),
    };
    let all = timetable.steps.len() as u64;
    let (mut next_tick, mut done) = (begins, 0);
    for steps in timetable.steps.chunks(TOLD_EVERY) {
        for (at, step) in steps {
            while next_tick <= *at {
                run.clock.set(next_tick);
                run.pipeline.tick();
                next_tick = next_tick + TICK_EVERY;
            }
            run.clock.set(*at);
            run.take(*step);
        }
        done += steps.len() as u64;
        tell(done, all);
    }
    // Delivers what the last steps left.
    run.pipeline.tick();
    let mut seen = run.seen;
    seen.other_versions = run.others;
    // Dropping the permits abandons the open calls, which is no part of the history.
    seen.log = std::mem::take(&mut log.lock());
    drop(run.permits);
    Ok(seen)
}

struct Run<'r> {
    pipeline: Pipeline,
    clock: MockClock,
    timetable: &'r Timetable,
    /// The open calls, each at its place.
    permits: Vec<Option<Permit>>,
    /// What became of the calls that are corrected later.
    answers: Vec<Answer>,
    seen: Seen,
    /// How many calls another version served, by the recorded one and the one that served.
    others: BTreeMap<(VersionId, VersionId), u64>,
}

#[derive(Clone, Debug)]
enum Answer {
    Diverted,
    Failed,
    Given(Box<Ticket>),
    Open,
}

impl<'r> Run<'r> {
    fn take(&mut self, step: Step) {
        match step {
            Step::Begin(number) => self.begin(number),
            Step::End(number) => self.end(number),
            Step::Correct(number) => self.correct(number),
        }
    }

    fn begin(&mut self, number: usize) {
        let timetable = self.timetable;
        let Some(recorded) = timetable.calls.get(number) else {
            return;
        };
        let call = Call::of(recorded.document.clone(), recorded.document_type.clone());
        let call = match recorded.tokens {
            Some(tokens) => call.with_document_tokens(tokens),
            None => call,
        };
        match self.pipeline.admit(&call) {
            Admission::Diverted(diversion) => {
                self.seen.divert(&diversion);
                self.becomes(number, || Answer::Diverted);
            }
            Admission::Admitted(permit) => {
                self.compare(recorded, permit.ticket());
                match timetable.places.get(number).copied().flatten() {
                    Some(place) => {
                        if let Some(open) = self.permits.get_mut(place) {
                            *open = Some(permit);
                        }
                        self.seen.counts.never_answered += u64::from(recorded.end.is_none());
                    }
                    None => self.settle(number, recorded, permit),
                }
            }
        }
    }

    fn end(&mut self, number: usize) {
        let timetable = self.timetable;
        let place = timetable.places.get(number).copied().flatten();
        let permit = place.and_then(|place| self.permits.get_mut(place)?.take());
        // A call that was diverted has no permit.
        if let (Some(permit), Some(recorded)) = (permit, timetable.calls.get(number)) {
            self.settle(number, recorded, permit);
        }
    }

    fn settle(&mut self, number: usize, recorded: &'r RecordedCall, permit: Permit) {
        let Some(end) = &recorded.end else {
            return;
        };
        let report = report(recorded, end, permit.ticket());
        let settlement = match end.failure {
            Some(kind) => Settlement::Failed {
                ticket: permit.fail_with(kind, report),
                kind,
            },
            None => permit.answer(report),
        };
        let counts = &mut self.seen.counts;
        match settlement {
            Settlement::Failed { .. } => {
                counts.failed += 1;
                self.becomes(number, || Answer::Failed);
            }
            Settlement::Accepted { ticket } => {
                counts.accepted += 1;
                self.becomes(number, || Answer::Given(Box::new(ticket)));
            }
            Settlement::NeedsReview { ticket, reasons } => {
                self.seen.review(&reasons);
                self.becomes(number, || Answer::Given(Box::new(ticket)));
            }
        }
    }

    /// Keeps what became of a call, if it is corrected later.
    fn becomes(&mut self, number: usize, answer: impl FnOnce() -> Answer) {
        let corrected = self.timetable.corrected.get(number).copied().flatten();
        if let Some(kept) = corrected.and_then(|corrected| self.answers.get_mut(corrected)) {
            *kept = answer();
        }
    }

    /// Counts the call if it is not made with the recorded version, or not with its model.
    fn compare(&mut self, recorded: &RecordedCall, ticket: &Ticket) {
        if let Some(version) = &recorded.version {
            if version != ticket.version() {
                let pair = (version.clone(), ticket.version().clone());
                *self.others.entry(pair).or_default() += 1;
                self.seen.counts.by_another_version += 1;
            }
        }
    }

    fn correct(&mut self, number: usize) {
        let Some(correction) = self.timetable.corrections.get(number) else {
            return;
        };
        let fields = correction.fields.len() as u64;
        let counts = &mut self.seen.counts.corrections;
        let of_call = self.timetable.of_call.get(number).copied().flatten();
        let Some(call) = of_call else {
            counts.of_unknown += fields;
            return;
        };
        let corrected = self.timetable.corrected.get(call).copied().flatten();
        match corrected.and_then(|corrected| self.answers.get(corrected)) {
            Some(Answer::Given(ticket)) => {
                counts.given += fields;
                for field in &correction.fields {
                    let feedback = Feedback::corrected(field.clone());
                    self.pipeline.observe(ticket, feedback);
                }
            }
            Some(Answer::Diverted) => counts.of_diverted += fields,
            Some(Answer::Failed | Answer::Open) | None => counts.of_unanswered += fields,
        }
    }
}

/// What the application reported. The tokens are those of the recorded version's prompt.
fn report(recorded: &RecordedCall, end: &RecordedEnd, ticket: &Ticket) -> crate::call::Report {
    let report = end.report.clone();
    let is_same = recorded
        .version
        .as_ref()
        .is_none_or(|version| version == ticket.version());
    match end.usage {
        Some((input, output)) if is_same => report.usage(input, output),
        _ => report,
    }
}
