//! A snapshot holds up no call while it is written, and is the state of one moment although calls
//! go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fusebox::call::{Comparison, Difference};
use fusebox::clock::MockClock;
use fusebox::guard::Mount;
use fusebox::pipeline::Snapshot;
use fusebox::tokens::{Framing, Model};
use fusebox::{
    CanaryPolicy, ConfidenceDriftMonitor, ErrorRateBreaker, FailureKind, Feedback, Field, LineUp,
    Permit, Pipeline, Report, RouteLedger, ShadowComparator, Ticket, TokenBudget, Version,
    VersionId,
};
use serde_json::Value;

use crate::support::{EVENING, call, line_up, version};

const TYPES: u64 = 20;
const THREADS: u64 = 2;
const CALLS: u64 = 3_000;

fn pipeline(line_up: LineUp, guard: impl Mount) -> Pipeline {
    Pipeline::builder(line_up)
        .guard(guard)
        .clock(MockClock::at(EVENING))
        .build()
        .unwrap()
}

/// The permit of the n-th document, whose type is one of `types`.
fn permit(pipeline: &Pipeline, n: u64, types: u64) -> Permit {
    let call = call(&n.to_string(), &format!("type-{}", n % types));
    pipeline.admit(&call).permit().unwrap()
}

fn answer(pipeline: &Pipeline, n: u64, types: u64, report: Report) -> Ticket {
    let settled = permit(pipeline, n, types).answer(report);
    settled.ticket().clone()
}

/// Snapshots that are taken while two threads do their steps, and one after that.
fn taken_beside(pipeline: &Pipeline, step: impl Fn(u64) + Sync) -> Vec<Snapshot> {
    let (next, step) = (AtomicU64::new(0), &step);
    let mut snapshots = Vec::new();
    thread::scope(|scope| {
        let next = &next;
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(move || {
                    loop {
                        match next.fetch_add(1, Ordering::Relaxed) {
                            n @ ..CALLS => step(n),
                            _ => return,
                        }
                    }
                })
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            snapshots.push(pipeline.snapshot().unwrap());
        }
    });
    snapshots.push(pipeline.snapshot().unwrap());
    snapshots
}

/// What a snapshot has of a guard.
fn state_of(guard: &str, snapshot: &Snapshot) -> Value {
    let mut stored = serde_json::to_value(snapshot).unwrap();
    stored["guards"][guard].take()
}

fn states_beside(pipeline: &Pipeline, guard: &str, step: impl Fn(u64) + Sync) -> Vec<Value> {
    let snapshots = taken_beside(pipeline, step);
    let states = snapshots.iter();
    states.map(|snapshot| state_of(guard, snapshot)).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// What is stored by document type, in pairs.
fn by_type(pairs: &Value) -> BTreeMap<&str, &Value> {
    let pairs = list(pairs).iter();
    pairs
        .map(|pair| (pair[0].as_str().unwrap(), &pair[1]))
        .collect()
}

/// The sum of a window's first counter.
fn in_window(window: &Value) -> u64 {
    let ring = list(&window["ring"]).iter();
    let filled = ring.filter(|bucket| !list(bucket).is_empty());
    filled.map(|bucket| number(&bucket[0])).sum()
}

#[test]
fn in_a_ledger_every_document_has_ended_or_is_open() {
    let before = pipeline(line_up(), RouteLedger::default());
    let snapshots = taken_beside(&before, |n| {
        let [first, second, third] = [0, 1, 2].map(|more| permit(&before, 3 * n + more, TYPES));
        let _ = first.answer(Report::new());
        second.fail(FailureKind::ServerError);
        drop(third);
    });
    let mut arrived = 0;
    for snapshot in &snapshots {
        let ledger = Arc::new(RouteLedger::default());
        let after = pipeline(line_up(), Arc::clone(&ledger));
        after.restore(snapshot).unwrap();
        let report = ledger.report();
        let state = state_of("ledger", snapshot);
        let types = by_type(&state["types"]);
        assert!(
            report
                .types()
                .map(|(name, _)| name.as_str())
                .eq(types.keys().copied())
        );
        arrived = 0;
        for (name, arrivals) in types {
            // What was open is lost in the restart, and nothing else is missing.
            let ends = report.of(name);
            assert_eq!(
                number(&arrivals["arrived"]),
                ends.total(),
                "{name}: {ends:?}"
            );
            arrived += ends.total();
        }
        let open = state["open"].as_object().unwrap();
        assert_eq!(report.total().lost, open.len() as u64);
    }
    assert_eq!(arrived, 3 * CALLS);
}

#[test]
fn in_a_breaker_the_types_have_as_many_calls_as_all_documents() {
    let breaker = ErrorRateBreaker::builder().by_document_type(true).build();
    let pipeline = pipeline(line_up(), breaker.unwrap());
    let states = states_beside(&pipeline, "error-rate", |n| {
        answer(&pipeline, n, TYPES, Report::new());
    });
    let calls = |circuits: &Value| -> u64 {
        let circuits = list(circuits).iter();
        circuits
            .map(|circuit| in_window(&circuit[1]["window"]))
            .sum()
    };
    for state in &states {
        let types = by_type(&state["types"]);
        let of_types: u64 = types.values().map(|circuits| calls(circuits)).sum();
        assert_eq!(calls(&state["circuits"]), of_types);
    }
    assert_eq!(calls(&states.last().unwrap()["circuits"]), CALLS);
}

#[test]
fn in_a_drift_monitor_the_fields_of_one_report_are_together() {
    let pipeline = pipeline(line_up(), ConfidenceDriftMonitor::default());
    let report = Report::new()
        .confidence("total", 0.9)
        .confidence("vendor", 0.9);
    let states = states_beside(&pipeline, "confidence-drift", |n| {
        answer(&pipeline, n, TYPES, report.clone());
    });
    for state in &states {
        let mut documents: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for watch in list(&state["watches"]) {
            let name = watch[0]["document_type"].as_str().unwrap();
            let counts = documents.entry(name).or_default();
            counts.insert(in_window(&watch[1]["segments"][0][1]["window"]));
        }
        let torn = documents.iter().find(|(_, counts)| counts.len() > 1);
        assert_eq!(torn, None);
    }
}

#[test]
fn in_a_token_budget_all_types_together_have_the_samples_of_each() {
    let model = Model::new("unpublished", 40_000).unwrap();
    let budget = TokenBudget::builder()
        .model(model.with_framing(Framing::NONE))
        .measure_every_document();
    let version = Version::new("v7", "unpublished").unwrap();
    let pipeline = pipeline(
        LineUp::new(version.with_system_prompt("")),
        budget.build().unwrap(),
    );
    let text = " abc".repeat(600);
    let states = states_beside(&pipeline, "token-budget", |n| {
        // All types together remember 400 documents.
        if n < 400 {
            let call = call(&n.to_string(), &format!("type-{}", n % TYPES));
            let permit = pipeline.admit(&call.with_document(text.as_str())).permit();
            let _ = permit.unwrap().answer(Report::new().usage(800, 10));
        }
    });
    for state in &states {
        let usage = &state["usage"];
        let samples = |pairs: &Value, of: fn(&Value) -> &Value| -> u64 {
            let pairs = list(pairs).iter();
            pairs
                .map(|pair| list(&of(&pair[1])["ratios"]).len() as u64)
                .sum()
        };
        let sizes = list(&usage["sizes"]).iter();
        let days = sizes.flat_map(|known| list(&known[1]["days"]));
        let measured: u64 = days.map(|day| number(&day["measured"])).sum();
        let of_types = samples(&usage["calibrations"], |own| own);
        assert_eq!(
            of_types,
            samples(&usage["models"], |model| &model["pooled"])
        );
        assert_eq!(of_types, measured);
    }
    let usage = &states.last().unwrap()["usage"];
    let pooled = &usage["models"][0][1]["pooled"];
    assert_eq!(list(&pooled["ratios"]).len(), 400);
}

#[test]
fn in_a_rollout_the_types_have_as_many_reviews_as_are_remembered() {
    let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
    let pipeline = pipeline(line_up, CanaryPolicy::default());
    let states = states_beside(&pipeline, "canary", |n| {
        let ticket = answer(&pipeline, n, TYPES, Report::new());
        pipeline.observe(&ticket, Feedback::Reviewed);
    });
    let reviews = |state: &Value| -> (u64, u64) {
        let trial = &state["trial"];
        let types = by_type(&trial["by_type"][0]);
        let stages = types.values().flat_map(|counts| list(&counts["stages"]));
        let arms = stages.flat_map(|pair| [&pair["candidate"], &pair["stable"]]);
        let counted = arms.map(|arm| number(&arm["looked_at"])).sum();
        let known = list(&trial["documents"]["known"]).iter();
        let remembered: usize = known.map(|alike| list(&alike[2]).len()).sum();
        (counted, remembered as u64)
    };
    for state in states.iter().filter(|state| !state["trial"].is_null()) {
        let (counted, remembered) = reviews(state);
        assert_eq!(counted, remembered);
    }
    assert_eq!(reviews(states.last().unwrap()), (CALLS, CALLS));
}

fn compared(comparison: Comparison) -> Feedback {
    Feedback::compared(VersionId::new("v8").unwrap(), comparison)
}

#[test]
fn in_a_shadow_run_the_types_add_up_to_the_total() {
    let shadow = ShadowComparator::builder(VersionId::new("v8").unwrap()).documents(200, CALLS);
    let pipeline = pipeline(line_up(), shadow.build().unwrap());
    let states = states_beside(&pipeline, "shadow", |n| {
        let ticket = answer(&pipeline, n, TYPES, Report::new());
        let comparison = if n % 20 == 0 {
            Comparison::Diverged(vec![Difference::changed(Field::new("total").unwrap())])
        } else {
            Comparison::Match
        };
        pipeline.observe(&ticket, compared(comparison));
    });
    let sum = |counts: &Value| -> u64 { counts.as_object().unwrap().values().map(number).sum() };
    for state in &states {
        let types = by_type(&state["types"]);
        let of_types: u64 = types.values().map(|counts| sum(counts)).sum();
        assert_eq!(sum(&state["total"]), of_types);
        assert_eq!(state["seen"].as_object().unwrap().len() as u64, of_types);
        let diverged = list(&state["divergences"]["kept"]).len() as u64;
        assert_eq!(number(&state["total"]["diverged"]), diverged);
    }
    assert_eq!(sum(&states.last().unwrap()["total"]), CALLS);
}

/// How long a snapshot took, the number of calls that another thread made meanwhile, and the longest
/// of them.
#[allow(
    clippy::disallowed_methods,
    reason = "what is measured is real time, as a share of other real time"
)]
fn calls_beside_a_snapshot(pipeline: &Pipeline, types: u64) -> (Duration, u64, Duration) {
    let (is_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let snapshot = scope.spawn(|| {
            let begin = Instant::now();
            is_begun.store(true, Ordering::Release);
            let snapshot = pipeline.snapshot();
            is_over.store(true, Ordering::Release);
            let took = begin.elapsed();
            assert!(snapshot.is_ok());
            took
        });
        while !is_begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let (mut calls, mut longest) = (0, Duration::ZERO);
        while !is_over.load(Ordering::Acquire) {
            let begin = Instant::now();
            let ticket = answer(pipeline, calls, types, Report::new());
            pipeline.observe(&ticket, compared(Comparison::Match));
            longest = longest.max(begin.elapsed());
            calls += 1;
        }
        (snapshot.join().unwrap(), calls, longest)
    })
}

/// The system may stop a thread for longer than a lock is held; so most of nine snapshots count.
fn holds_up_calls(pipeline: &Pipeline, documents: u64) -> bool {
    for n in 0..documents {
        let report = Report::new().confidence("total", 0.9);
        let ticket = answer(pipeline, n, documents, report);
        let total = Difference::changed(Field::new("total").unwrap());
        pipeline.observe(&ticket, compared(Comparison::Diverged(vec![total])));
        pipeline.observe(&ticket, Feedback::Reviewed);
    }
    let goes_on = (0..9).filter(|_| {
        let (took, calls, longest) = calls_beside_a_snapshot(pipeline, documents);
        calls >= 100 && 2 * longest < took
    });
    goes_on.count() < 5
}

#[test]
fn calls_go_on_while_the_state_of_a_breaker_is_written() {
    let breaker = ErrorRateBreaker::builder().by_document_type(true).build();
    assert!(!holds_up_calls(
        &pipeline(line_up(), breaker.unwrap()),
        2_000
    ));
}

#[test]
fn calls_go_on_while_the_state_of_a_drift_monitor_is_written() {
    let pipeline = pipeline(line_up(), ConfidenceDriftMonitor::default());
    assert!(!holds_up_calls(&pipeline, 2_000));
}

#[test]
fn calls_go_on_while_the_state_of_a_ledger_is_written() {
    let pipeline = pipeline(line_up(), RouteLedger::default());
    assert!(!holds_up_calls(&pipeline, 10_000));
}

#[test]
fn calls_go_on_while_the_state_of_a_rollout_is_written() {
    let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
    let pipeline = pipeline(line_up, CanaryPolicy::default());
    assert!(!holds_up_calls(&pipeline, 5_000));
}

#[test]
fn calls_go_on_while_the_state_of_a_shadow_run_is_written() {
    let shadow = ShadowComparator::builder(VersionId::new("v8").unwrap()).documents(200, 5_000);
    let pipeline = pipeline(line_up(), shadow.build().unwrap());
    assert!(!holds_up_calls(&pipeline, 5_000));
}
