//! A recording through a pipeline on a virtual clock: row after row.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answers::{Answer, Answers};
use super::open_calls::{OpenCall, OpenCalls};
use super::record::{Record, RecordedCall, RecordedCorrection, RecordedEnd};
use super::recording::{RecordedRows, Recording};
use super::seen::{EventLog, Seen};
use crate::call::{Call, Feedback, Report, Ticket};
use crate::drill::virtual_time::TICK_EVERY;
use crate::error::Error;
use crate::name::VersionId;
use crate::pipeline::clock::MockClock;
use crate::pipeline::{Admission, Builder, Permit, Pipeline, Settlement};
use crate::sink;
use crate::time::Timestamp;

/// How often it tells how far it is, in rows.
const TOLD_EVERY: u64 = 4_096;

/// Runs it; `tell` learns how many of its rows are done, and of how many.
pub(super) fn run(
    production: Builder,
    recording: &Recording,
    tell: impl FnMut(u64, u64),
) -> Result<Seen, Error> {
    match &recording.rows {
        RecordedRows::InMemory(timetable) => {
            let mut run = Run::new(production, recording, tell)?;
            for row in timetable.rows() {
                run.take(row);
            }
            Ok(run.finish())
        }
        RecordedRows::InFile(file) => {
            let mut run = Run::new(production, recording, tell)?;
            let mut rows = file.in_order()?;
            while let Some(row) = rows.next_row()? {
                run.take(row);
            }
            recording.unless_changed(&rows.into_reader())?;
            Ok(run.finish())
        }
    }
}

/// `C` is a recorded call, or a reference to one.
struct Run<'r, C, T> {
    pipeline: Pipeline,
    clock: MockClock,
    next_tick: Timestamp,
    /// How many calls have begun.
    begun: u64,
    open: OpenCalls<C>,
    /// The calls that are never answered.
    unanswered: Vec<Permit>,
    answers: Answers<'r>,
    seen: Seen,
    /// How many calls another version served, by the recorded one and the one that served.
    others: BTreeMap<(VersionId, VersionId), u64>,
    log: Arc<Mutex<EventLog>>,
    done: u64,
    rows: u64,
    tell: T,
}

impl<'r, C, T> Run<'r, C, T>
where
    C: Borrow<RecordedCall>,
    T: FnMut(u64, u64),
{
    fn new(production: Builder, recording: &'r Recording, tell: T) -> Result<Self, Error> {
        let (begins, _) = recording.span().unwrap_or_default();
        let clock = MockClock::at(begins);
        let log = Arc::new(Mutex::new(EventLog::default()));
        let recorder = {
            let log = Arc::clone(&log);
            sink::from_fn(move |event| log.lock().add(event))
        };
        Ok(Self {
            pipeline: production.rehearse(clock.clone(), recorder).build()?,
            clock,
            next_tick: begins,
            begun: 0,
            open: OpenCalls::new(),
            unanswered: Vec::new(),
            answers: Answers::new(&recording.extent.corrected),
            seen: Seen::default(),
            others: BTreeMap::new(),
            log,
            done: 0,
            rows: recording.extent.rows,
            tell,
        })
    }

    /// The next row: first ends what ended before it or at its time.
    fn take<K: Borrow<RecordedCorrection>>(&mut self, row: Record<C, K>) {
        match row {
            Record::Call(call) => {
                let at = call.borrow().at;
                self.end_until(at);
                self.go_to(at);
                self.begin(call);
            }
            Record::Correction(correction) => {
                let correction = correction.borrow();
                self.end_until(correction.at);
                self.go_to(correction.at);
                self.correct(correction);
            }
        }
        self.done += 1;
        if self.done % TOLD_EVERY == 0 {
            (self.tell)(self.done, self.rows);
        }
    }

    /// Ends the open calls after the last row.
    fn finish(mut self) -> Seen {
        while let Some(at) = self.open.next_end() {
            self.end_until(at);
        }
        // Delivers what the last steps left.
        self.pipeline.tick();
        (self.tell)(self.done, self.rows);
        let mut seen = self.seen;
        seen.other_versions = self.others;
        // Dropping the permits abandons the open calls, which is no part of the history.
        seen.log = std::mem::take(&mut self.log.lock());
        drop(self.unanswered);
        seen
    }

    fn go_to(&mut self, at: Timestamp) {
        while self.next_tick <= at {
            self.clock.set(self.next_tick);
            self.pipeline.tick();
            self.next_tick = self.next_tick + TICK_EVERY;
        }
        self.clock.set(at);
    }

    fn end_until(&mut self, at: Timestamp) {
        while let Some(ends) = self.open.next_end().filter(|ends| *ends <= at) {
            self.go_to(ends);
            if let Some(call) = self.open.take_next() {
                self.settle(call);
            }
        }
    }

    fn begin(&mut self, recorded: C) {
        let call = recorded.borrow();
        let number = self.begun;
        self.begun += 1;
        self.answers.begin(&call.document, number);
        let admitted = Call::of(call.document.clone(), call.document_type.clone());
        let admitted = match call.tokens {
            Some(tokens) => admitted.with_document_tokens(tokens),
            None => admitted,
        };
        let permit = match self.pipeline.admit(&admitted) {
            Admission::Diverted(diversion) => {
                self.seen.divert(&diversion);
                let diverted = || Answer::Diverted;
                self.answers.becomes(&call.document, number, diverted);
                return;
            }
            Admission::Admitted(permit) => permit,
        };
        self.compare(call, permit.ticket());
        let Some(ends) = call.ends() else {
            self.seen.counts.never_answered += 1;
            self.unanswered.push(permit);
            return;
        };
        let at_once = ends <= call.at;
        let open = OpenCall {
            number,
            recorded,
            permit,
        };
        if at_once {
            self.settle(open);
        } else {
            self.open.add(ends, open);
        }
    }

    fn settle(&mut self, call: OpenCall<C>) {
        let recorded = call.recorded.borrow();
        let Some(end) = &recorded.end else {
            return;
        };
        let permit = call.permit;
        let report = report(recorded, end, permit.ticket());
        let settlement = match end.failure {
            Some(kind) => Settlement::Failed {
                ticket: permit.fail_with(kind, report),
                kind,
            },
            None => permit.answer(report),
        };
        let counts = &mut self.seen.counts;
        let answer = match settlement {
            Settlement::Failed { .. } => {
                counts.failed += 1;
                None
            }
            Settlement::Accepted { ticket } => {
                counts.accepted += 1;
                Some(ticket)
            }
            Settlement::NeedsReview { ticket, reasons } => {
                self.seen.review(&reasons);
                Some(ticket)
            }
        };
        let answer = || answer.map_or(Answer::Failed, |ticket| Answer::Given(Box::new(ticket)));
        self.answers
            .becomes(&recorded.document, call.number, answer);
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

    fn correct(&mut self, correction: &RecordedCorrection) {
        let fields = correction.fields.len() as u64;
        let counts = &mut self.seen.counts.corrections;
        match self.answers.corrected(&correction.document) {
            None => counts.of_unknown += fields,
            Some(Answer::Given(ticket)) => {
                counts.given += fields;
                for field in &correction.fields {
                    let feedback = Feedback::corrected(field.clone());
                    self.pipeline.observe(ticket, feedback);
                }
            }
            Some(Answer::Diverted) => counts.of_diverted += fields,
            Some(Answer::Failed | Answer::Open) => counts.of_unanswered += fields,
        }
        self.answers.let_go(&correction.document);
    }
}

/// What the application reported. The tokens are those of the recorded version's prompt.
fn report(recorded: &RecordedCall, end: &RecordedEnd, ticket: &Ticket) -> Report {
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
