//! The overhead of a guarded call: admit and answer in the healthy state, with the peers in the
//! same run.
//!
//! Every contender does the same: ask for permission, do nothing, record a success. Ids are
//! `area/case/who`; `cargo run --release --example ratios` prints the ratios.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{
    Bencher, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use failsafe::CircuitBreaker;
use fusebox::call::{Outcome, Signal};
use fusebox::clock::{Clock, SystemClock};
use fusebox::event::Outbox;
use fusebox::guard::Cx;
use fusebox::keeper::Keeper;
use fusebox::pipeline::Builder;
use fusebox::store::MemoryStore;
use fusebox::{
    BlueGreenPolicy, Call, CanaryPolicy, ConfidenceDriftMonitor, DocumentId, DocumentType,
    ErrorRateBreaker, FailureKind, Guard, LineUp, Pipeline, Report, RouteLedger, ShadowComparator,
    Ticket, TicketBook, TokenBudget, Version, VersionId,
};
use recloser::Recloser;
use tower::{Service, ServiceExt, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// The calls of 15 minutes at ten calls a second.
const RECORDS: usize = 9_000;

fn line_up() -> LineUp {
    let version = |id: &str| {
        Version::new(id, "gpt-4o").map(|version| version.with_system_prompt_tokens(1_000))
    };
    match (version("v7"), version("v6")) {
        (Ok(stable), Ok(previous)) => LineUp::new(stable).with_previous(previous),
        _ => unreachable!("the names are not empty"),
    }
}

fn pipeline(add: impl FnOnce(Builder) -> Builder) -> Pipeline {
    add(Pipeline::builder(line_up()))
        .build()
        .expect("a pipeline that can be built")
}

fn one_guard() -> Pipeline {
    pipeline(|builder| builder.guard(ErrorRateBreaker::default()))
}

/// All seven, as a service would have them, without a rollout and with a shadow run.
fn all_guards() -> Pipeline {
    all_guards_and(|builder| builder)
}

fn all_guards_and(add: impl FnOnce(Builder) -> Builder) -> Pipeline {
    let candidate = VersionId::new("v8").expect("a name");
    pipeline(|builder| {
        add(builder)
            .guard(TokenBudget::builder().build().expect("default numbers"))
            .guard(ErrorRateBreaker::default())
            .guard(ConfidenceDriftMonitor::default())
            .guard(CanaryPolicy::default())
            .guard(BlueGreenPolicy::default().dry_run())
            .guard(
                ShadowComparator::builder(candidate)
                    .build()
                    .expect("default numbers"),
            )
            .guard(RouteLedger::default())
    })
}

fn call() -> Call<'static> {
    let (id, document_type) = (DocumentId::new("inv-1"), DocumentType::new("invoice"));
    match (id, document_type) {
        (Ok(id), Ok(document_type)) => Call::of(id, document_type).with_document_tokens(3_000),
        _ => unreachable!("the names are not empty"),
    }
}

fn admit_and_answer(pipeline: &Pipeline, call: &Call<'_>) {
    if let Some(permit) = pipeline.admit(black_box(call)).permit() {
        let _ = black_box(permit.answer(Report::new()));
    }
}

/// The guard without a pipeline: each call asks it for a vote and reports the opening and the
/// outcome, as a pipeline does. It reads the clock once per call and makes no ticket.
struct Alone {
    guard: ErrorRateBreaker,
    call: Call<'static>,
    ticket: Ticket,
    settled: Signal,
    line_up: LineUp,
    clock: SystemClock,
    outbox: Outbox,
}

impl Alone {
    fn new() -> Self {
        Self {
            guard: ErrorRateBreaker::default(),
            call: call(),
            ticket: Ticket::new(&call(), line_up().stable()),
            settled: Signal::Settled {
                outcome: Outcome::Accepted,
                report: Report::new(),
            },
            line_up: line_up(),
            clock: SystemClock::new(),
            outbox: Outbox::new(),
        }
    }

    fn call(&self) {
        let cx = Cx::new(self.clock.now(), &self.line_up, &self.outbox, "error-rate");
        let route = self.guard.route(black_box(&self.call), &cx);
        let _ = black_box(route);
        let ticket = black_box(&self.ticket);
        self.guard.observe(ticket, black_box(&Signal::Opened), &cx);
        self.guard.observe(ticket, black_box(&self.settled), &cx);
    }
}

/// Calls for `types` document types in turn.
fn types(bencher: &mut Bencher<'_>, types: usize) {
    let breaker = ErrorRateBreaker::builder().by_document_type(true);
    let pipeline = pipeline(|builder| builder.guard(breaker.build().expect("default numbers")));
    let calls: Vec<_> = (0..types)
        .map(|n| Call::new("inv-1", format!("type-{n}")).expect("names"))
        .collect();
    for call in &calls {
        admit_and_answer(&pipeline, call);
    }
    let mut next = calls.iter().cycle();
    bencher.iter(|| next.next().map(|call| admit_and_answer(&pipeline, call)));
}

/// A pipeline with a version that is out of service for `types` types, and not for that of
/// `healthy`.
fn with_types_out(types: usize, healthy: &Call<'_>) -> Pipeline {
    let breaker = ErrorRateBreaker::builder().by_document_type(true);
    let pipeline = pipeline(|builder| builder.guard(breaker.build().expect("default numbers")));
    for n in 0..types {
        // Over all documents 5 failures in 105 calls are too few to trip.
        for _ in 0..100 {
            admit_and_answer(&pipeline, healthy);
        }
        let failing = Call::new("inv-1", format!("type-{n}")).expect("names");
        for _ in 0..5 {
            let permit = pipeline.admit(&failing).permit();
            drop(permit.map(|permit| permit.fail(FailureKind::MalformedOutput)));
        }
        let permit = pipeline.admit(&failing).permit().expect("v6 serves");
        assert_eq!(*permit.ticket().version(), "v6", "type {n} is not out");
        let _ = permit.answer(Report::new());
    }
    pipeline
}

fn outages(criterion: &mut Criterion) {
    let healthy = Call::new("inv-1", "healthy").expect("names");
    let mut group = criterion.benchmark_group("breaker/types-out");
    // At most 10,000 types have circuits of their own, and the healthy type is one of them.
    for n in [0, 10, 100, 1_000, 9_999] {
        let pipeline = with_types_out(n, &healthy);
        group.bench_function(format!("fusebox-{n}"), |bencher| {
            bencher.iter(|| admit_and_answer(&pipeline, &healthy));
        });
    }
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker/keys");
    for n in [1, 100, 10_000] {
        group.bench_function(format!("fusebox-{n}"), |bencher| types(bencher, n));
    }
    group.finish();
}

fn recloser() -> Recloser {
    Recloser::custom()
        .error_rate(0.05)
        .closed_len(RECORDS)
        .build()
}

fn failsafe() -> impl CircuitBreaker + Send + Sync + Clone {
    let backoff = failsafe::backoff::constant(Duration::from_secs(60));
    let policy =
        failsafe::failure_policy::success_rate_over_time_window(0.95, 100, WINDOW, backoff);
    failsafe::Config::new().failure_policy(policy).build()
}

/// The time of `iterations` calls, half of them on each of two threads.
fn on_two_threads(iterations: u64, step: impl Fn() + Send + Sync) -> Duration {
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..iterations.div_ceil(2)).for_each(|_| step()));
        }
    });
    begin.elapsed()
}

fn compare(
    group: &mut BenchmarkGroup<'_, WallTime>,
    threads: u8,
    who: &str,
    step: impl Fn() + Send + Sync,
) {
    group.bench_function(who, |bencher| {
        if threads == 1 {
            bencher.iter(&step);
        } else {
            bencher.iter_custom(|iterations| on_two_threads(iterations, &step));
        }
    });
}

fn tower_resilience(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("breaker/closed-1-thread");
    // The runtime alone, to be subtracted from the two below: enter it and poll a ready service.
    let mut bare = service_fn(|(): ()| async { Ok::<(), ()>(()) });
    group.bench_function("tokio-block-on-alone", |bencher| {
        bencher.iter(|| runtime.block_on(async { bare.ready().await?.call(()).await }));
    });
    for (who, window) in [
        ("tower-resilience-count", SlidingWindowType::CountBased),
        ("tower-resilience-15-min", SlidingWindowType::TimeBased),
    ] {
        let layer = CircuitBreakerLayer::builder()
            .failure_rate_threshold(0.05)
            .sliding_window_type(window)
            .sliding_window_size(100)
            .sliding_window_duration(WINDOW)
            .minimum_number_of_calls(100)
            .build()
            .expect("a layer");
        let mut service = layer.layer_fn(service_fn(|(): ()| async { Ok::<(), ()>(()) }));
        let once = |service: &mut _| runtime.block_on(async { ready_call(service).await });
        for _ in 0..RECORDS {
            let _ = once(&mut service);
        }
        group.sample_size(20);
        group.bench_function(who, |bencher| {
            bencher.iter(|| black_box(once(&mut service)));
        });
    }
    group.finish();
}

async fn ready_call<S: Service<(), Response = ()>>(service: &mut S) -> Result<(), S::Error> {
    service.ready().await?.call(()).await
}

fn hot_path(criterion: &mut Criterion) {
    let call = Arc::new(call());
    for threads in [1, 2] {
        let plural = if threads == 1 { "thread" } else { "threads" };
        let mut group = criterion.benchmark_group(format!("breaker/closed-{threads}-{plural}"));
        let pipeline = one_guard();
        compare(&mut group, threads, "fusebox", || {
            admit_and_answer(&pipeline, &call);
        });
        let alone = Alone::new();
        compare(&mut group, threads, "fusebox-guard-alone", || alone.call());
        let peer = recloser();
        (0..RECORDS).for_each(|_| drop(peer.call(|| Ok::<(), ()>(()))));
        compare(&mut group, threads, "recloser", || {
            drop(black_box(peer.call(|| Ok::<(), ()>(()))));
        });
        let peer = failsafe();
        compare(&mut group, threads, "failsafe", || {
            drop(black_box(peer.call(|| Ok::<(), ()>(()))));
        });
        group.finish();
        let mut group =
            criterion.benchmark_group(format!("pipeline/all-guards-{threads}-{plural}"));
        let pipeline = all_guards();
        compare(&mut group, threads, "fusebox", || {
            admit_and_answer(&pipeline, &call);
        });
        group.finish();
    }
}

/// What a store costs a call: the same pipeline alone, and while a keeper writes its state four times
/// a second; and what a ticket book costs.
fn kept(criterion: &mut Criterion) {
    let call = call();
    let mut group = criterion.benchmark_group("keeper/call-1-thread");
    let alone = all_guards();
    group.bench_function("without-a-store", |bencher| {
        bencher.iter(|| admit_and_answer(&alone, &call));
    });
    let pipeline = all_guards();
    let keeping = Keeping::start(&pipeline);
    group.bench_function("with-a-store", |bencher| {
        bencher.iter(|| admit_and_answer(&pipeline, &call));
    });
    keeping.stop();
    let with_tickets = all_guards_and(|builder| builder.guard(TicketBook::new()));
    group.bench_function("with-tickets", |bencher| {
        bencher.iter(|| admit_and_answer(&with_tickets, &call));
    });
    group.finish();
}

/// A keeper on a thread of its own.
struct Keeping(Arc<AtomicBool>, thread::JoinHandle<()>);

impl Keeping {
    fn start(pipeline: &Pipeline) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let builder = Keeper::builder("invoices", pipeline).expect("a name");
        let keeper = runtime.block_on(builder.store(MemoryStore::new()).start());
        let keeper = keeper.expect("an empty store");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let turns = move || {
            while !stopped.load(Ordering::Relaxed) {
                runtime.block_on(keeper.turn()).expect("stored");
                thread::sleep(Duration::from_millis(250));
            }
        };
        Self(stop, thread::spawn(turns))
    }

    fn stop(self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.join().expect("no panic");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = hot_path, kept, keys, outages, tower_resilience
}
criterion_main!(benches);
