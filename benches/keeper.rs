//! What a keeper costs, and how long a page takes.
//!
//! A turn where all guards know 500 document types, of which all, a tenth or none has had answers
//! since the last turn, so that so much of the state is new and goes to the file: in time of the
//! processor, on all threads, in which the disk has no part (Linux counts it; elsewhere nothing is
//! printed). And the
//! time from the failure that trips a breaker to the request at a pager that answers at once, with
//! the loop of a service and a store in a file.
//!
//! It prints medians and 99th percentiles itself. With `--test` it takes a few and judges nothing.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fusebox::clock::MockClock;
use fusebox::keeper::Keeper;
use fusebox::pager::{NoAnswer, PagerDuty, PagerRoute, Post, PostAnswer, PostRequest};
use fusebox::store::SqliteStore;
use fusebox::tokens::{Framing, Model};
use fusebox::{
    Call, CanaryPolicy, ConfidenceDriftMonitor, ErrorRateBreaker, FailureKind, Feedback, Field,
    LineUp, Pipeline, Report, RouteLedger, ShadowComparator, TicketBook, Timestamp, TokenBudget,
    Version, VersionId,
};

const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
const SECOND: Duration = Duration::from_secs(1);

/// What the processor has spent on all threads of this process; `None` where nothing says it.
fn processor_time() -> Option<Duration> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let spent = threads.flatten().map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    spent.sum::<Option<u64>>().map(Duration::from_nanos)
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100);
    if let (Some(median), Some(most)) = (at(50), at(99)) {
        println!("{what:<45} {median:>10.2?} {most:>10.2?}");
    }
}

fn version(id: &str) -> Version {
    let version = Version::new(id, "local").expect("names");
    version.with_system_prompt("You read invoices.")
}

fn pipeline(clock: &MockClock) -> Pipeline {
    let model = Model::new("local", 40_000).expect("a model");
    let budget = TokenBudget::builder().model(model.with_framing(Framing::NONE));
    let breaker = ErrorRateBreaker::builder().by_document_type(true).build();
    let candidate = VersionId::new("v8").expect("a name");
    let shadow = ShadowComparator::builder(candidate).documents(200, 500);
    let line_up = LineUp::new(version("v7"))
        .with_previous(version("v6"))
        .with_candidate(version("v8"));
    let built = Pipeline::builder(line_up)
        .guard(budget.build().expect("default numbers"))
        .guard(breaker.expect("default numbers"))
        .guard(ConfidenceDriftMonitor::default())
        .guard(CanaryPolicy::default())
        .guard(shadow.build().expect("numbers in range"))
        .guard(RouteLedger::default())
        .guard(TicketBook::default())
        .clock(clock.clone())
        .build();
    built.expect("a pipeline that can be built")
}

/// One answer of each of these types, every fifth of which a person corrects.
fn answer(pipeline: &Pipeline, types: impl Iterator<Item = usize>, round: usize) {
    let fields = ["total", "date", "vendor"].map(|name| Field::new(name).expect("a name"));
    for of in types {
        let call = Call::new(format!("inv-{round}-{of}"), format!("type-{of}")).expect("names");
        let tokens = 600 + (round * 37 + of * 11) % 101;
        let call = call.with_document_tokens(tokens as u64);
        let Some(permit) = pipeline.admit(&call).permit() else {
            continue;
        };
        let percent = u8::try_from(90 + (round * 7 + of) % 10).unwrap_or(90);
        let confidence = f64::from(percent) / 100.0;
        let answer = fields
            .iter()
            .fold(Report::new(), |report, field| {
                report.confidence(field.as_str(), confidence)
            })
            .usage(tokens as u64, 80);
        let ticket = permit.answer(answer).ticket().clone();
        let feedback = if of % 5 == 0 {
            Feedback::corrected(fields[0].clone())
        } else {
            Feedback::Reviewed
        };
        pipeline.observe(&ticket, feedback);
    }
}

/// The turns of a keeper.
fn turns(folder: &Path, types: usize, turns: usize) {
    let clock = MockClock::at(BEGIN);
    let pipeline = pipeline(&clock);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let store = SqliteStore::open(folder.join("turns.db")).expect("a store");
    let keeper = Keeper::builder("invoices", &pipeline).expect("a name");
    let keeper = runtime.block_on(keeper.store(store).start());
    let keeper = keeper.expect("a keeper");
    let turn = || {
        let before = processor_time();
        runtime.block_on(keeper.turn()).expect("a turn");
        Some(processor_time()?.saturating_sub(before?))
    };
    let (mut all_new, mut tenth_new, mut nothing_new) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..turns {
        clock.advance(5 * SECOND);
        answer(&pipeline, 0..types, round);
        all_new.extend(turn());
        clock.advance(5 * SECOND);
        answer(&pipeline, (round % 10..types).step_by(10), turns + round);
        tenth_new.extend(turn());
        clock.advance(SECOND);
        nothing_new.extend(turn());
    }
    let snapshot = pipeline.snapshot().expect("a state");
    let bytes = serde_json::to_string(&snapshot).expect("JSON").len();
    println!("{types} types, {} KB of state", bytes / 1_000);
    report("time of the processor: all is new", all_new);
    report("time of the processor: a tenth is new", tenth_new);
    report("time of the processor: nothing is new", nothing_new);
}

/// A pager's service that answers at once, and says when a request has come.
#[derive(Debug)]
struct Arrivals(Sender<Instant>);

#[async_trait]
impl Post for Arrivals {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let is_beginning = request.body.windows(7).any(|part| part == b"trigger");
        if is_beginning {
            let _ = self.0.send(Instant::now());
        }
        Ok(PostAnswer::new(202))
    }
}

/// The time from a trip to its page. More trips would be more than 60 requests a minute, and wait.
fn pages(folder: &Path, trips: u32) {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let line_up = LineUp::new(version("v7")).with_previous(version("v6"));
    let pipeline = Pipeline::builder(line_up).guard(Arc::clone(&breaker));
    let pipeline = pipeline.build().expect("a pipeline that can be built");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime");
    let store = SqliteStore::open(folder.join("pages.db")).expect("a store");
    let (sender, arrivals) = std::sync::mpsc::channel();
    let pager = PagerDuty::new("0123456789abcdef0123456789abcdef").expect("a key");
    let route = PagerRoute::new("on call", pager).expect("a name");
    let keeper = Keeper::builder("invoices", &pipeline).expect("a name");
    let keeper = keeper.store(store).route(route).post(Arrivals(sender));
    let keeper = runtime.block_on(keeper.start()).expect("a keeper");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let loop_of_service = keeper
        .clone()
        .run(async { stopped.await.unwrap_or_default() });
    let running = runtime.spawn(loop_of_service);
    let mut times = Vec::new();
    for trip in 0..trips {
        // At another moment of the beat each time.
        std::thread::sleep(Duration::from_millis(u64::from(300 + trip * 37 % 250)));
        let began = Instant::now();
        for n in 0..5 {
            let call = Call::new(format!("inv-{trip}-{n}"), "invoice").expect("names");
            let permit = pipeline.admit(&call).permit().expect("v7 serves");
            drop(permit.fail(FailureKind::MalformedOutput));
        }
        times.push(arrivals.recv().expect("a page").duration_since(began));
        let seen = breaker.status().revision;
        let rearm = || breaker.rearm("v7", seen, "ada", "well again");
        runtime.block_on(keeper.command(rearm)).expect("rearmed");
    }
    report("time from a trip to the request", times);
    drop(stop);
    runtime.block_on(running).expect("it ends");
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (types, rounds, trips) = if is_test { (20, 3, 1) } else { (500, 60, 25) };
    let folder = std::env::temp_dir().join(format!("fusebox-keeper-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    println!("{:<45} {:>10} {:>10}", "", "median", "99 %");
    turns(&folder, types, rounds);
    pages(&folder, trips);
    fs::remove_dir_all(folder).expect("removed");
}
