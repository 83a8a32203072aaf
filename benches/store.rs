//! What a store in a file costs: one fact that survives the machine, beside one bare fsync of 2 KB
//! in the same run; and a turn with registers of 500 document types, about 1 MB of JSON.
//!
//! Both depend on the disk, so this bench takes them in turns, times each one and prints medians and
//! 99th percentiles itself. With `--test` it measures a few and judges nothing.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use fusebox::Timestamp;
use fusebox::name::PipelineName;
use fusebox::store::{Batch, Fact, Instance, Json, Position, Register, SqliteStore, Store};
use futures_util::future::join_all;
use serde_json::{Value, json};

const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);
const BY: Instance = Instance::new(1);

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    println!("{what:<45} {:>10.2?} {:>10.2?}", at(50), at(99));
}

fn text(n: u64, bytes: usize) -> Value {
    let word = format!("{n:016x}");
    json!(word.repeat(bytes.div_ceil(word.len())))
}

fn of(fact: Fact) -> Batch {
    let mut batch = Batch::after(Position::new(u64::MAX));
    batch.facts.push(fact);
    batch
}

/// The registers of a pipeline of 500 types, each time with other counts.
fn registers(n: u64) -> Vec<Register> {
    let guards = (0..5).map(|guard| {
        let types = (0..500_u64).map(|of| {
            let counts: Vec<u64> = (0..70)
                .map(|bucket| n * 7 + of * 31 + bucket * 101 + guard)
                .collect();
            (format!("type-{of}"), json!(counts))
        });
        let value = Json::of(&types.collect::<serde_json::Map<_, _>>()).expect("JSON");
        Register::new(BY, format!("guard/{guard}"), n + 1, NOON, value)
    });
    guards.collect()
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let many = if is_test { 3 } else { 500 };
    let few = if is_test { 2 } else { 100 };
    let folder = std::env::temp_dir().join(format!("fusebox-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = SqliteStore::open(folder.join("store.db")).expect("a store");
    let mut bare = File::create(folder.join("bare")).expect("a file");
    let pipeline = PipelineName::new("invoices").expect("a name");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let fact = |n: u64| Fact::new("feedback", n.to_string(), NOON, text(n, 2_000));
    let (mut bare_times, mut fact_times, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..many {
        bare_times.push(timed(|| {
            bare.write_all(text(n, 2_000).to_string().as_bytes())
                .expect("written");
            bare.sync_data().expect("synced");
        }));
        fact_times.push(timed(|| {
            let append = store.turn(&pipeline, BY, of(fact(n)));
            runtime.block_on(append).expect("appended");
        }));
        together.push(timed(|| {
            let facts = (0..20).map(|part| fact((n + 1) * 1_000_000 + part));
            let appends = facts.map(|fact| store.turn(&pipeline, BY, of(fact)));
            let appended = runtime.block_on(join_all(appends));
            assert!(appended.iter().all(Result::is_ok));
        }));
    }
    println!("{:<45} {:>10} {:>10}", "", "median", "99 %");
    report("fsync of 2 KB, bare", bare_times);
    report("a turn with one fact of 2 KB", fact_times);
    report("20 of these at the same time", together);
    let mut turns = Vec::new();
    let mut position = Position::START;
    let bytes: usize = registers(0)
        .iter()
        .map(|register| register.value.as_str().len())
        .sum();
    for n in 0..few {
        let mut batch = Batch::after(position);
        batch.registers = registers(n);
        turns.push(timed(|| {
            let answer = runtime
                .block_on(store.turn(&pipeline, BY, batch))
                .expect("a turn");
            position = answer.position;
        }));
    }
    report(
        &format!("turn with {} KB of registers, 500 types", bytes / 1_000),
        turns,
    );
    let loads =
        (0..few).map(|_| timed(|| runtime.block_on(store.load(&pipeline)).expect("loaded")));
    report("load of the same", loads.collect());
    drop(store);
    std::fs::remove_dir_all(folder).expect("removed");
}
