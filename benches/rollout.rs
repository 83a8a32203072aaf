//! The cost of a rollout: a routing decision, a correction, a report, with 100 document types in
//! two stages.
//!
//! The bench calls the guard as the pipeline does, without the rest of the pipeline. Each
//! correction is of a new document; both versions have them in their shares, at equal rates. There
//! is no peer: no rollout controller takes corrections by ticket inside a process.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fusebox::call::Signal;
use fusebox::clock::MockClock;
use fusebox::event::Outbox;
use fusebox::guard::{Cx, State};
use fusebox::{
    Call, CanaryPolicy, DocumentType, Feedback, Field, Guard, LineUp, Pipeline, Report, Ticket,
    Timestamp, Version,
};

const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
const TYPES: usize = 100;
/// Documents of each type in each quarter of a stage.
const DOCUMENTS: usize = 40;
/// Corrections that are measured between two resets: as many as there were before.
const CORRECTIONS: usize = 1_000;

/// A canary in its second stage: every type has answers and corrections in all quarters of both
/// stages.
struct Rollout {
    policy: Arc<CanaryPolicy>,
    line_up: LineUp,
    outbox: Outbox,
    now: Timestamp,
    /// Answers without a correction.
    uncorrected: Vec<Ticket>,
    state: State,
}

impl Rollout {
    fn new(types: usize) -> Self {
        let version = |id: &str| Version::new(id, "gpt-4o").expect("a name");
        let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
        let policy = Arc::new(CanaryPolicy::default());
        let clock = MockClock::at(BEGIN);
        let pipeline = Pipeline::builder(line_up.clone())
            .guard(Arc::clone(&policy))
            .clock(clock.clone())
            .build()
            .expect("a pipeline that can be built");
        let names: Vec<_> = (0..types).map(name).collect();
        let mut uncorrected = Vec::new();
        pipeline.tick();
        for quarter in 0..8 {
            for (number, document_type) in names.iter().cycle().take(types * DOCUMENTS).enumerate()
            {
                let ticket = answered(&pipeline, document_type, format!("{quarter}-{number}"));
                // 3 of 100, whichever version it was.
                if number % 33 == 0 {
                    pipeline.observe(&ticket, correction());
                } else {
                    uncorrected.push(ticket);
                }
            }

            clock.advance(Duration::from_secs(if quarter < 4 { 1_800 } else { 3_600 }));
            if quarter == 3 {
                let seen = policy.status().revision;
                policy
                    .promote(seen, "ada", "next stage")
                    .expect("it is running");
            }
        }
        // From all quarters, the last quarter first.
        uncorrected.reverse();
        let step = uncorrected.len() / CORRECTIONS;
        let uncorrected = uncorrected.into_iter().step_by(step.max(1)).collect();
        let (live, unread) = (line_up.clone(), Outbox::new());
        let cx = Cx::new(clock_time(&clock), &live, &unread, "canary");
        let state = policy.snapshot(&cx).expect("it can be written");
        let state = state.expect("it has a state");
        Self {
            policy,
            line_up,
            outbox: Outbox::new(),
            now: clock_time(&clock),
            uncorrected,
            state,
        }
    }

    fn cx(&self) -> Cx<'_> {
        Cx::new(self.now, &self.line_up, &self.outbox, "canary")
    }

    fn correct(&self, ticket: &Ticket) {
        let signal = Signal::Feedback(correction());
        self.policy.observe(ticket, &signal, &self.cx());
    }

    /// Back to the state before the measured corrections.
    fn reset(&self) {
        let restored = self.policy.restore(&self.state, &self.cx());
        restored.expect("its own state");
        drop(self.outbox.drain());
        black_box(self.policy.status());
    }
}

fn clock_time(clock: &MockClock) -> Timestamp {
    fusebox::clock::Clock::now(clock)
}

fn correction() -> Feedback {
    Feedback::corrected(Field::new("total").expect("a name"))
}

fn name(number: usize) -> DocumentType {
    DocumentType::new(format!("type-{number}")).expect("a name")
}

fn answered(pipeline: &Pipeline, document_type: &DocumentType, document: String) -> Ticket {
    let id = fusebox::DocumentId::new(document).expect("a name");
    let permit = pipeline
        .admit(&Call::of(id, document_type.clone()))
        .permit();
    let permit = permit.expect("nothing diverts");
    permit.answer(Report::new()).ticket().clone()
}

fn corrections(criterion: &mut Criterion) {
    let rollout = Rollout::new(TYPES);
    criterion.bench_function("rollout/correction-100-types/fusebox", |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut left, mut spent) = (iterations, Duration::ZERO);
            while left > 0 {
                rollout.reset();
                let tickets = rollout
                    .uncorrected
                    .iter()
                    .take(usize::try_from(left).unwrap_or(usize::MAX));
                left -= tickets.len() as u64;
                let start = Instant::now();
                for ticket in tickets {
                    rollout.correct(ticket);
                }
                spent += start.elapsed();
            }
            spent
        });
    });
}

fn routes(criterion: &mut Criterion) {
    let rollout = Rollout::new(TYPES);
    let call = Call::new("inv-1", "type-1").expect("names");
    criterion.bench_function("rollout/route/fusebox", |bencher| {
        bencher.iter(|| rollout.policy.route(black_box(&call), &rollout.cx()));
    });
}

fn reports(criterion: &mut Criterion) {
    let rollout = Rollout::new(TYPES);
    let mut group = criterion.benchmark_group("rollout");
    for (case, changed) in [("one-type-changed", 1), ("all-types-changed", TYPES)] {
        rollout.reset();
        let mut tickets = rollout.uncorrected.chunks_exact(changed);
        group.bench_function(format!("report-100-types-{case}/fusebox"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    let chunk = tickets.next().unwrap_or_else(|| {
                        rollout.reset();
                        tickets = rollout.uncorrected.chunks_exact(changed);
                        tickets.next().unwrap_or_default()
                    });
                    for ticket in chunk {
                        rollout.correct(ticket);
                    }
                    let start = Instant::now();
                    black_box(rollout.policy.status());
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = routes, corrections, reports
}
criterion_main!(benches);
