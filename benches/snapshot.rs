//! What a snapshot with 10,000 document types costs, and how long it holds up a call.
//!
//! For each guard: the time of a whole snapshot, and the longest `admit` and `answer` of another
//! thread while a snapshot is taken. That thread calls for all types in turn, as fast as it can. A
//! call waits where the snapshot holds the guard's lock. A guard copies its state first, so only the
//! calls that begin in the first 20 ms count. Where the system takes a thread off the processor, a
//! call takes 4 ms and more whatever the lock does; but not beside every snapshot, so the least of
//! five counts.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use fusebox::call::{Comparison, Difference, Reason};
use fusebox::clock::MockClock;
use fusebox::guard::{Acceptance, Cx, Mount};
use fusebox::pipeline::{Builder, Snapshot};
use fusebox::tokens::{Framing, Model};
use fusebox::{
    Call, CanaryPolicy, ConfidenceDriftMonitor, ErrorRateBreaker, FailureKind, Feedback, Field,
    Guard, LineUp, Pipeline, Report, RouteLedger, ShadowComparator, Ticket, Timestamp, TokenBudget,
    Version, VersionId,
};

const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Within this time of its begin a snapshot copies the state, or has begun to.
const COPY: Duration = Duration::from_millis(20);
/// A document that takes more than 500 tokens, so that its usage calibrates a bound.
const WORDS: usize = 600;

/// `cargo test` and `cargo bench -- --test` run benches too: once through, quickly.
fn types() -> usize {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    if has("--bench") && !has("--test") {
        10_000
    } else {
        20
    }
}

/// A pipeline with one guard that knows all types, the calls for them, and what their answers
/// report.
struct Case {
    pipeline: Pipeline,
    clock: MockClock,
    calls: Vec<Call<'static>>,
    report: Report,
}

fn version(id: &str) -> Version {
    let version = Version::new(id, "local").expect("names");
    version.with_system_prompt("You read invoices.")
}

impl Case {
    fn new(line_up: LineUp, guard: impl Mount) -> Self {
        Self::with(line_up, |builder| builder.guard(guard))
    }

    fn with(line_up: LineUp, add: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = MockClock::at(BEGIN);
        let builder = add(Pipeline::builder(line_up)).clock(clock.clone());
        let calls = (0..types()).map(|n| Self::call(&format!("inv-{n}"), n));
        Self {
            pipeline: builder.build().expect("a pipeline that can be built"),
            clock,
            calls: calls.collect(),
            report: Report::new(),
        }
    }

    fn call(document: &str, document_type: usize) -> Call<'static> {
        let call = Call::new(document, format!("type-{document_type}")).expect("names");
        call.with_document_tokens(WORDS as u64)
    }

    fn answer(&self, call: &Call<'_>) -> Option<Ticket> {
        let permit = self.pipeline.admit(black_box(call)).permit()?;
        Some(permit.answer(self.report.clone()).ticket().clone())
    }

    /// An answer for each type, with another document in each round.
    fn answer_all(&self, round: usize) -> impl Iterator<Item = (usize, Ticket)> {
        (0..types()).filter_map(move |n| {
            let ticket = self.answer(&Self::call(&format!("{round}-{n}"), n))?;
            Some((n, ticket))
        })
    }

    /// The longest call on this thread while another takes a snapshot, of the calls that begin
    /// while it copies the state.
    fn longest_call(&self) -> Duration {
        let (is_over, begun) = (AtomicBool::new(false), OnceLock::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                begun.get_or_init(Instant::now);
                black_box(self.pipeline.snapshot().expect("a state"));
                is_over.store(true, Ordering::Release);
            });
            let mut longest = Duration::ZERO;
            let mut calls = self.calls.iter().cycle();
            while !is_over.load(Ordering::Acquire) {
                let start = Instant::now();
                let _ = calls.next().and_then(|call| self.answer(call));
                let end = begun.get().map(|begun| *begun + COPY);
                if end.is_some_and(|end| start < end) {
                    longest = longest.max(start.elapsed());
                }
            }
            longest
        })
    }
}

/// Three answers of each type; one type in ten is out of service, so the previous version has
/// answered it.
fn breaker() -> Case {
    let guard = ErrorRateBreaker::builder().by_document_type(true).build();
    let line_up = LineUp::new(version("v7")).with_previous(version("v6"));
    let case = Case::new(line_up, guard.expect("default numbers"));
    for round in 0..3 {
        case.answer_all(round).for_each(drop);
        case.clock.advance(MINUTE);
    }
    for call in case.calls.iter().step_by(10) {
        for answered in case.calls.iter().take(100) {
            case.answer(answered);
        }
        for _ in 0..5 {
            let permit = case.pipeline.admit(call).permit();
            drop(permit.map(|permit| permit.fail(FailureKind::MalformedOutput)));
        }
        case.answer(call);
    }
    case
}

/// Three answers of each type, with a confidence.
fn drift() -> Case {
    let mut case = Case::new(
        LineUp::new(version("v7")),
        ConfidenceDriftMonitor::default(),
    );
    case.report = Report::new().confidence("total", 0.92);
    for round in 0..3 {
        case.answer_all(round).for_each(drop);
        case.clock.advance(MINUTE);
    }
    case
}

/// Twenty documents of each type on each of twenty days, with reported usage: the history of one
/// type, copied for all.
fn budget() -> Case {
    let model = Model::new("local", 40_000).expect("a model");
    let budget = TokenBudget::builder()
        .model(model.with_framing(Framing::NONE))
        .measure_every_document();
    let mut case = Case::new(
        LineUp::new(version("v7")),
        budget.build().expect("default numbers"),
    );
    let text = |words: usize| " a".repeat(words);
    for n in 0..400 {
        let words = WORDS + n * 37 % 101;
        let call = Call::new(format!("inv-{n}"), "type-0").expect("names");
        let permit = case
            .pipeline
            .admit(&call.with_document(text(words)))
            .permit();
        let tokens = words as u64 * 13 / 10;
        let permit = permit.expect("it fits");
        let _ = permit.answer(Report::new().usage(tokens, 10));
        case.clock.advance(DAY / 20);
    }
    let snapshot = case.pipeline.snapshot().expect("a state");
    let mut stored = serde_json::to_value(snapshot).expect("JSON");
    let usage = stored.pointer_mut("/guards/token-budget/usage");
    let usage = usage.and_then(|usage| usage.as_object_mut());
    for (part, entries) in usage.expect("an object") {
        if let (Some(entries), true) = (entries.as_array_mut(), part != "pooled") {
            let one = entries.pop().expect("one type");
            entries.extend((0..types()).map(|n| {
                let mut other = one.clone();
                if let Some(name) = other.pointer_mut("/0/0") {
                    *name = format!("type-{n}").into();
                }
                other
            }));
        }
    }
    let snapshot: Snapshot = serde_json::from_value(stored).expect("a snapshot");
    case.pipeline.restore(&snapshot).expect("its own state");
    let calls = case.calls.drain(..).enumerate();
    let calls = calls.map(|(n, _)| {
        let call = Call::new(format!("inv-{n}"), format!("type-{n}")).expect("names");
        call.with_document(text(WORDS))
    });
    case.calls = calls.collect();
    case.report = Report::new().usage(WORDS as u64 * 13 / 10, 10);
    case
}

/// Sends every document whose id begins with `review` to human review.
#[derive(Debug)]
struct Reviewer;

impl Guard for Reviewer {
    fn name(&self) -> &'static str {
        "reviewer"
    }

    fn review(&self, ticket: &Ticket, _report: &Report, _cx: &Cx<'_>) -> Acceptance {
        if ticket.document().as_str().starts_with("review") {
            Acceptance::review(Reason::Unmeasured)
        } else {
            Acceptance::Accept
        }
    }
}

/// An answer and a document that waits for a reviewer for each type, and 1,000 open calls.
fn ledger() -> Case {
    let ledger = RouteLedger::builder().review_within(DAY).build();
    let case = Case::with(LineUp::new(version("v7")), |builder| {
        builder
            .guard(Reviewer)
            .guard(ledger.expect("default numbers"))
    });
    case.answer_all(0).for_each(drop);
    for n in 0..types() {
        case.answer(&Case::call(&format!("review-{n}"), n));
    }
    for n in 0..types() / 10 {
        std::mem::forget(case.pipeline.admit(&Case::call(&format!("open-{n}"), n)));
    }
    case
}

/// Two documents of each type in each quarter of two stages, all reviewed, half of them corrected.
fn rollout() -> Case {
    let canary = Arc::new(CanaryPolicy::default());
    let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
    let case = Case::new(line_up, Arc::clone(&canary));
    let field = Field::new("total").expect("a name");
    case.pipeline.tick();
    for quarter in 0..8 {
        for round in 0..2 {
            for (n, ticket) in case.answer_all(2 * quarter + round) {
                let feedback = if n % 2 == 0 {
                    Feedback::corrected(field.clone())
                } else {
                    Feedback::Reviewed
                };
                case.pipeline.observe(&ticket, feedback);
            }
        }
        case.clock.advance(if quarter < 4 {
            30 * MINUTE
        } else {
            60 * MINUTE
        });
        if quarter == 3 {
            let seen = canary.status().revision;
            canary
                .promote(seen, "ada", "next stage")
                .expect("it is running");
        }
    }
    case
}

/// A document of each type compared; one in twenty diverges.
fn shadow() -> Case {
    let id = VersionId::new("v8").expect("a name");
    let shadow = ShadowComparator::builder(id.clone()).documents(200, types().max(200) as u64);
    let case = Case::new(
        LineUp::new(version("v7")),
        shadow.build().expect("numbers in range"),
    );
    let total = Field::new("total").expect("a name");
    for (n, ticket) in case.answer_all(0) {
        let comparison = if n % 20 == 0 {
            Comparison::Diverged(vec![Difference::changed(total.clone())])
        } else {
            Comparison::Match
        };
        case.pipeline
            .observe(&ticket, Feedback::compared(id.clone(), comparison));
    }
    case
}

/// The rows of one guard.
fn guard(criterion: &mut Criterion, guard: &str, case: impl FnOnce() -> Case) {
    let case = LazyCell::new(case);
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function(format!("whole-{guard}/fusebox"), |bencher| {
        bencher.iter(|| case.pipeline.snapshot().expect("a state"));
    });
    group.bench_function(format!("longest-call-{guard}/fusebox"), |bencher| {
        let undisturbed = || (0..5).map(|_| case.longest_call()).min();
        bencher.iter_custom(|iterations| (0..iterations).filter_map(|_| undisturbed()).sum());
    });
    group.finish();
}

fn snapshots(criterion: &mut Criterion) {
    guard(criterion, "error-rate", breaker);
    guard(criterion, "confidence-drift", drift);
    guard(criterion, "token-budget", budget);
    guard(criterion, "ledger", ledger);
    guard(criterion, "canary", rollout);
    guard(criterion, "shadow", shadow);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    targets = snapshots
}
criterion_main!(benches);
