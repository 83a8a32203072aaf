//! What a shadow run costs the caller: a call beside which the candidate runs, one beside which it
//! does not, and one without a shadow run.
//!
//! The candidate runs on the same thread when the caller waits, and its time is not measured: on a
//! runtime with more threads it runs on another. There is no peer: scientisto's asynchronous form
//! awaits the candidate on the caller's task.
//!
//! ```console
//! cargo bench --bench shadow_runner
//! ```

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fusebox::failure::Classify;
use fusebox::pipeline::Task;
use fusebox::shadow::compare::Exact;
use fusebox::{
    Call, FailureKind, LineUp, Pipeline, Ratio, Reply, ShadowComparator, ShadowRunner, Version,
    VersionId,
};

/// The calls between two pauses in which the candidates run.
const BURST: u64 = 100;
/// The calls after which a run begins anew, before it is over.
const RUN: u64 = 50_000;
const ANSWER_BYTES: usize = 10 << 10;

#[derive(Debug)]
struct Never(Infallible);

impl Classify for Never {
    fn failure_kind(&self) -> FailureKind {
        match self.0 {}
    }
}

type Answer = Arc<str>;

struct Bench {
    pipeline: Pipeline,
    runner: ShadowRunner<Answer>,
    call: Call<'static>,
    answer: Answer,
}

impl Bench {
    fn new(share: Ratio) -> Self {
        let candidate = VersionId::new("v8").expect("a name");
        let shadow = ShadowComparator::builder(candidate)
            .share(share)
            .documents(200, 100_000)
            .in_flight(1_000);
        let shadow = Arc::new(shadow.build().expect("numbers in range"));
        let stable = Version::new("v7", "gpt-4o").expect("names");
        let pipeline = Pipeline::builder(LineUp::new(stable)).guard(Arc::clone(&shadow));
        let pipeline = pipeline.build().expect("a pipeline");
        let spawn = |task: Task| drop(tokio::spawn(task));
        let runner = ShadowRunner::new(&pipeline, &shadow, spawn, Exact).expect("its comparator");
        Self {
            pipeline,
            runner,
            call: Call::new("inv-1", "invoice").expect("names"),
            answer: "x".repeat(ANSWER_BYTES).into(),
        }
    }

    async fn plain(&self) {
        let served = self.pipeline.run(&self.call, async |_ticket| {
            Ok::<_, Never>(Reply::new(Arc::clone(&self.answer)))
        });
        drop(black_box(served.await));
    }

    async fn beside(&self) {
        let copy = Arc::clone(&self.answer);
        let served = self.runner.run(
            &self.call,
            async |_ticket, _effects| Ok::<_, Never>(Reply::new(Arc::clone(&self.answer))),
            async move |_call| Ok::<_, Never>(Reply::new(copy)),
        );
        drop(black_box(served.await));
    }
}

async fn timed(calls: u64, share: Ratio, is_plain: bool) -> Duration {
    let mut bench = Bench::new(share);
    let (mut took, mut done) = (Duration::ZERO, 0);
    while done < calls {
        if done % RUN == 0 {
            bench = Bench::new(share);
        }
        let burst = BURST.min(calls - done);
        let begin = Instant::now();
        for _ in 0..burst {
            if is_plain {
                bench.plain().await;
            } else {
                bench.beside().await;
            }
        }
        took += begin.elapsed();
        done += burst;
        // A task is finished when the caller has waited three times: for it to begin, for
        // production's answer, and for its end.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    took
}

fn caller(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let mut group = c.benchmark_group("shadow/caller");
    for (name, share, is_plain) in [
        ("no-shadow-run", Ratio::ZERO, true),
        ("not-sampled", Ratio::ZERO, false),
        ("sampled", Ratio::ONE, false),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|calls| runtime.block_on(timed(calls, share, is_plain)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = caller
}
criterion_main!(benches);
