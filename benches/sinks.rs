//! How long a call's `admit` and `answer` take together while a sink takes 500 ms for each event.
//!
//! Criterion reports means and medians; here the slowest calls count, so this bench times each call
//! and prints the percentiles itself.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fusebox::call::Signal;
use fusebox::guard::Cx;
use fusebox::sink::{self, Sink};
use fusebox::{
    Call, ErrorRateBreaker, Event, EventKind, Guard, LineUp, Pipeline, Report, Severity, Ticket,
    Version,
};

const SLOW: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_millis(1);

/// Leaves an event when a call of type `reported` opens, and one when it ends.
#[derive(Debug)]
struct Reporter;

impl Guard for Reporter {
    fn name(&self) -> &'static str {
        "reporter"
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if *ticket.document_type() == "reported" {
            let name = match signal {
                Signal::Opened => "opened",
                _ => "ended",
            };
            cx.emit(Severity::Info, EventKind::custom(name, "a call"));
        }
    }
}

fn pipeline(sink: impl Sink + 'static) -> Pipeline {
    let version = Version::new("v7", "gpt-4o").expect("a version");
    Pipeline::builder(LineUp::new(version))
        .guard(ErrorRateBreaker::default())
        .guard(Reporter)
        .sink(sink)
        .build()
        .expect("a pipeline that can be built")
}

fn slow() -> impl Sink {
    sink::from_fn(|_: &Event| thread::sleep(SLOW))
}

/// The times of calls of a type, one after the other on this thread, for `time` and at least one.
fn calls(pipeline: &Pipeline, document_type: &'static str, time: Duration) -> Vec<Duration> {
    let call = Call::new("inv-1", document_type).expect("names");
    let (begin, mut taken) = (Instant::now(), Vec::new());
    loop {
        let start = Instant::now();
        if let Some(permit) = pipeline.admit(&call).permit() {
            let _ = permit.answer(Report::new());
        }
        taken.push(start.elapsed());
        if begin.elapsed() >= time {
            return taken;
        }
    }
}

/// The same on two threads, while a third ticks, as in a service.
fn on_two_threads(
    pipeline: &Pipeline,
    document_type: &'static str,
    time: Duration,
) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                pipeline.tick();
                thread::sleep(TICK);
            }
        });
        let other = scope.spawn(|| calls(pipeline, document_type, time));
        let mut taken = calls(pipeline, document_type, time);
        taken.extend(other.join().expect("no panic"));
        is_over.store(true, Ordering::Relaxed);
        taken
    })
}

fn print(case: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |per_mille: usize| {
        let place = (taken.len() * per_mille / 1_000).min(taken.len().saturating_sub(1));
        taken.get(place).copied().unwrap_or_default()
    };
    let over = taken.iter().filter(|taken| **taken >= LIMIT).count();
    println!(
        "{case}: {} calls, median {:.1?}, p99 {:.1?}, p99.9 {:.1?}, longest {:.1?}, \
         {over} of {LIMIT:?} or more",
        taken.len(),
        at(500),
        at(990),
        at(999),
        at(1_000),
    );
}

fn main() {
    // `cargo test` runs benches too, without this argument: once through, quickly.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let time = Duration::from_millis(if is_bench { 5_000 } else { 1 });

    let quiet = pipeline(sink::from_fn(|_: &Event| {}));
    print("no events", on_two_threads(&quiet, "invoice", time));

    let background = sink::background("slow", 10_000, slow()).expect("a thread");
    let background = Arc::new(background.wait_on_drop(Duration::ZERO));
    let loaded = pipeline(Arc::clone(&background));
    let taken = on_two_threads(&loaded, "reported", time);
    print("two events a call, 500 ms sink in the background", taken);
    println!(
        "  {} events lost by the pipeline, {} dropped by the sink's queue",
        loaded.events_lost(),
        background.dropped()
    );

    let direct = pipeline(slow());
    let is_over = AtomicBool::new(false);
    let (held_up, others) = thread::scope(|scope| {
        let held_up = scope.spawn(|| {
            let mut taken = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                taken.extend(calls(&direct, "reported", Duration::ZERO));
            }
            taken
        });
        let others = calls(&direct, "invoice", time);
        is_over.store(true, Ordering::Relaxed);
        (held_up.join().expect("no panic"), others)
    });
    print(
        "500 ms sink without a thread, calls with two events",
        held_up,
    );
    print(
        "500 ms sink without a thread, calls without events beside them",
        others,
    );
}
