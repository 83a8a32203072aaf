//! Events that are lost and sinks that panic are incidents of the pipeline itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fusebox::guard::Cx;
use fusebox::sink::{self, MemorySink};
use fusebox::{Event, EventKind, Guard, Pipeline, RouteLedger, Severity};

use crate::support::{Bench, line_up, minutes, seconds};

/// Leaves this many events at its next tick.
#[derive(Debug, Default)]
struct Floods(AtomicU64);

impl Guard for Floods {
    fn name(&self) -> &'static str {
        "floods"
    }

    fn tick(&self, cx: &Cx<'_>) {
        for _ in 0..self.0.swap(0, Ordering::SeqCst) {
            cx.emit(Severity::Info, EventKind::custom("flood", "x"));
        }
    }
}

fn told(bench: &Bench, name: &str) -> Vec<Event> {
    let events = bench.events().into_iter();
    events.filter(|event| event.kind.name() == name).collect()
}

fn open(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|incident| incident.key.to_string()).collect()
}

#[test]
fn lost_events_are_one_page_which_says_how_many() {
    let (bench, floods) = Bench::and_guard(Floods::default());
    floods.0.store(1_003, Ordering::SeqCst);
    bench.tick_after(seconds(5));
    assert_eq!(bench.pipeline.events_lost(), 3);
    let told_now = told(&bench, "events_lost");
    assert_eq!(told_now.len(), 1);
    assert_eq!(told_now[0].severity, Severity::Page);
    assert_eq!(
        told_now[0].kind.to_string(),
        "3 events were lost: too many were waiting for a slow sink, or one step left more than 1000"
    );
    assert_eq!(open(&bench), ["pipeline/events-lost/-/1"]);
    floods.0.store(1_003, Ordering::SeqCst);
    bench.tick_after(minutes(2));
    assert_eq!(told(&bench, "events_lost"), [], "it is the same incident");
    floods.0.store(1_024, Ordering::SeqCst);
    bench.tick_after(minutes(2));
    assert_eq!(told(&bench, "events_lost").len(), 1, "ten times as many");
}

#[test]
fn it_is_over_when_nothing_was_lost_for_an_hour() {
    let (bench, floods) = Bench::and_guard(Floods::default());
    floods.0.store(1_001, Ordering::SeqCst);
    bench.tick_after(seconds(5));
    bench.tick_after(minutes(59));
    assert_eq!(open(&bench), ["pipeline/events-lost/-/1"]);
    bench.tick_after(minutes(1));
    assert_eq!(open(&bench), [] as [String; 0]);
}

/// A pipeline with a sink that panics while it is told to, and one that works.
fn broken() -> (Bench, Arc<AtomicBool>) {
    let is_broken = Arc::new(AtomicBool::new(true));
    let panics = {
        let is_broken = Arc::clone(&is_broken);
        sink::from_fn(move |_| assert!(!is_broken.load(Ordering::SeqCst), "broken sink"))
    };
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(RouteLedger::default()).sink(panics)
    });
    (bench, is_broken)
}

#[test]
fn a_broken_sink_is_one_page_to_those_that_work_however_long_it_lasts() {
    let (bench, _) = broken();
    let mut pages = 0;
    for _ in 0..3 * 24 * 60 {
        bench.tick_after(minutes(1));
        bench.answer(1);
        drop(bench.permit("invoice"));
        pages += bench.pages().len();
    }
    assert_eq!(pages, 1);
    assert_eq!(open(&bench), ["pipeline/sink-broken/-/1"]);
}

/// Its own page must not be what keeps the incident alive and the sink busy.
#[test]
fn a_broken_sink_hears_nothing_from_a_pipeline_without_calls() {
    let (bench, _) = broken();
    for _ in 0..24 * 60 {
        bench.tick_after(minutes(1));
    }
    assert_eq!(told(&bench, "sink_broken").len(), 1);
    assert_eq!(bench.pipeline.sink_panics(), 2, "the deployment, the page");
    assert_eq!(open(&bench), ["pipeline/sink-broken/-/1"]);
}

#[test]
fn it_ends_when_the_sink_has_worked_for_an_hour() {
    let (bench, is_broken) = broken();
    bench.tick_after(minutes(1));
    is_broken.store(false, Ordering::SeqCst);
    drop(bench.permit("invoice"));
    bench.tick_after(minutes(1));
    for _ in 0..59 {
        bench.tick_after(minutes(1));
    }
    assert_eq!(open(&bench), ["pipeline/sink-broken/-/1"]);
    bench.tick_after(minutes(1));
    assert_eq!(open(&bench), [] as [String; 0]);
}

#[test]
fn the_page_says_what_to_do() {
    let (bench, _) = broken();
    bench.pipeline.tick();
    let incident = &bench.pipeline.incidents()[0];
    assert_eq!(
        [
            &*incident.summary,
            &*incident.done_already,
            &*incident.ends_when,
            &*incident.undo
        ],
        [
            "a sink panicked (1 panic since the start): events did not reach it",
            "the other sinks still get every event",
            "no sink has panicked for an hour",
            "look for the panic in the log; `Pipeline::incidents` lists the pages that it missed",
        ]
    );
}

#[test]
fn a_sink_that_flushes_badly_is_broken_too() {
    #[derive(Debug)]
    struct CannotFlush;
    impl sink::Sink for CannotFlush {
        fn emit(&self, _: &Event) {}

        fn flush(&self) {
            panic!("the disk is full");
        }
    }
    let memory = MemorySink::new();
    let pipeline = Pipeline::builder(line_up())
        .guard(RouteLedger::default())
        .sink(CannotFlush)
        .sink(memory.clone())
        .build()
        .unwrap();
    for _ in 0..3 {
        pipeline.tick();
    }
    let told = memory.take().into_iter();
    let told = told.filter(|event| event.kind.name() == "sink_broken");
    assert_eq!(told.count(), 1);
}
