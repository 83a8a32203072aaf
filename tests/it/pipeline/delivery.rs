//! Who delivers which events, and when: a caller at most as many as it left, a tick what waits, the
//! last clone the rest; and which events are lost when there are too many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use fusebox::call::Signal;
use fusebox::clock::MockClock;
use fusebox::event::PipelineEvent;
use fusebox::guard::Cx;
use fusebox::sink::{self, MemorySink, Sink};
use fusebox::{Call, Event, EventKind, Guard, Pipeline, Report, Severity, Ticket, TokenBudget};

use super::{Gatekeeper, gate, pipeline, unmeasured};
use crate::support::{EVENING, call, line_up, minutes};

fn document(event: &Event) -> Option<String> {
    match &event.kind {
        EventKind::Pipeline(PipelineEvent::Diverted { document, .. }) => Some(document.to_string()),
        _ => None,
    }
}

/// The documents of the events that were delivered.
fn documents(memory: &MemorySink) -> Vec<String> {
    memory.events().iter().filter_map(document).collect()
}

/// A pipeline whose sink waits at the gate with the event of the document `first`.
fn gated() -> (Pipeline, Gatekeeper, MemorySink) {
    let ((gate, keeper), memory) = (gate(), MemorySink::new());
    let seen = memory.clone();
    let sink = sink::from_fn(move |event: &Event| {
        if document(event).as_deref() == Some("first") {
            gate.pass();
        }
        seen.emit(event);
    });
    (pipeline(sink), keeper, memory)
}

/// Lets other work leave events while the sink is busy with one of another caller.
fn while_busy(pipeline: &Pipeline, keeper: &Gatekeeper, work: impl FnOnce()) {
    thread::scope(|scope| {
        let first = scope.spawn(|| unmeasured(pipeline, "first"));
        keeper.wait_for_arrival();
        work();
        keeper.let_one_pass();
        first.join().unwrap();
    });
}

#[test]
fn a_caller_delivers_no_more_events_than_it_left() {
    let (pipeline, keeper, memory) = gated();
    while_busy(&pipeline, &keeper, || {
        for n in 0..3 {
            unmeasured(&pipeline, &format!("later-{n}"));
        }
        assert!(documents(&memory).is_empty(), "no caller waited");
    });
    assert_eq!(documents(&memory), ["first"]);
    let measured = pipeline.admit(&call("measured", "invoice")).permit();
    measured.unwrap().release();
    assert_eq!(documents(&memory).len(), 1, "a call without events");
    unmeasured(&pipeline, "last");
    assert_eq!(documents(&memory), ["first", "later-0"]);
    pipeline.tick();
    let all = ["first", "later-0", "later-1", "later-2", "last"];
    assert_eq!(documents(&memory), all);
}

#[test]
fn the_last_clone_delivers_what_is_left() {
    let (pipeline, keeper, memory) = gated();
    while_busy(&pipeline, &keeper, || unmeasured(&pipeline, "later"));
    let clone = pipeline.clone();
    drop(pipeline);
    assert_eq!(documents(&memory), ["first"]);
    drop(clone);
    assert_eq!(documents(&memory), ["first", "later"]);
}

#[test]
fn a_sink_that_answers_every_event_with_a_call_keeps_no_caller() {
    let own = Arc::new(OnceLock::<Pipeline>::new());
    let (memory, calls) = (MemorySink::new(), AtomicUsize::new(0));
    let (inside, seen) = (Arc::clone(&own), memory.clone());
    let pipeline = pipeline(sink::from_fn(move |event: &Event| {
        seen.emit(event);
        if document(event).is_some() && calls.fetch_add(1, Ordering::Relaxed) < 50 {
            let pipeline = inside.get().unwrap();
            unmeasured(pipeline, "from within");
            pipeline.tick();
        }
    }));
    own.set(pipeline.clone()).unwrap();
    unmeasured(&pipeline, "first");
    assert_eq!(documents(&memory), ["first"]);
    pipeline.tick();
    assert_eq!(documents(&memory), ["first", "from within"]);
    pipeline.tick();
    assert_eq!(documents(&memory).len(), 3);
}

#[test]
fn events_of_many_callers_arrive_once_and_in_one_order() {
    let (one, two) = (MemorySink::new(), MemorySink::new());
    let pipeline = pipeline(sink::Fanout::new().and(one.clone()).and(two.clone()));
    thread::scope(|scope| {
        for caller in 0..4 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for n in 0..100 {
                    unmeasured(pipeline, &format!("{caller} {n}"));
                }
            });
        }
    });
    pipeline.tick();
    assert_eq!((one.events(), pipeline.events_lost()), (two.events(), 0));
    let mut next = BTreeMap::new();
    for document in documents(&one) {
        let (caller, n) = document.split_once(' ').unwrap();
        let expected = next.entry(caller.to_owned()).or_insert(0);
        assert_eq!(n.parse(), Ok(*expected), "caller {caller}");
        *expected += 1;
    }
    assert!(next.len() == 4 && next.values().all(|n| *n == 100));
}

/// Emits so many numbered warnings for each answer, and then a page for a document of type `page`.
#[derive(Debug, Default)]
struct Talkative {
    warnings: usize,
    said: AtomicUsize,
}

impl Talkative {
    fn say(&self, severity: Severity, cx: &Cx<'_>) {
        let n = self.said.fetch_add(1, Ordering::Relaxed);
        cx.emit(severity, EventKind::custom("said", format!("{n:06}")));
    }
}

impl Guard for Talkative {
    fn name(&self) -> &'static str {
        "talkative"
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if matches!(signal, Signal::Settled { .. }) && *ticket.document_type() != "unmeasured" {
            (0..self.warnings).for_each(|_| self.say(Severity::Warning, cx));
            if *ticket.document_type() == "page" {
                self.say(Severity::Page, cx);
            }
        }
    }
}

fn answer(pipeline: &Pipeline, document_type: &str) {
    let permit = pipeline.admit(&call("a", document_type)).permit();
    let _ = permit.unwrap().answer(Report::new());
}

/// What the talkative guard said, as far as it was delivered.
fn said(memory: &MemorySink) -> Vec<(Severity, String)> {
    let events = memory.events().into_iter();
    let said = events.filter(|event| event.kind.name() == "custom");
    said.map(|event| (event.severity, event.kind.to_string()))
        .collect()
}

#[test]
fn one_step_leaves_a_thousand_events_and_its_pages() {
    let memory = MemorySink::new();
    let talkative = Talkative {
        warnings: 70_000,
        ..Talkative::default()
    };
    let clock = MockClock::at(EVENING);
    let pipeline = Pipeline::builder(line_up())
        .guard(talkative)
        .clock(clock.clone())
        .sink(memory.clone())
        .build()
        .unwrap();
    for answers in 1..=2 {
        clock.advance(minutes(15));
        answer(&pipeline, "page");
        let said = said(&memory);
        assert_eq!(said.len(), 1_001 * answers, "each answer is a step");
        let pages = said
            .iter()
            .filter(|(severity, _)| *severity == Severity::Page);
        assert_eq!(pages.count(), answers);
        assert!(said.is_sorted_by_key(|(_, message)| message.clone()));
        assert_eq!(pipeline.events_lost(), 69_000 * answers as u64);
    }
}

#[test]
fn a_page_finds_a_place_in_a_full_outbox() {
    let ((gate, keeper), memory) = (gate(), MemorySink::new());
    let seen = memory.clone();
    let talkative = Talkative {
        warnings: 1_000,
        ..Talkative::default()
    };
    let pipeline = Pipeline::builder(line_up())
        .guard(talkative)
        .guard(TokenBudget::builder().build().unwrap())
        .sink(sink::from_fn(move |event: &Event| {
            if document(event).is_some() {
                gate.pass();
            }
            seen.emit(event);
        }))
        .build()
        .unwrap();
    let busy = Call::new("busy", "unmeasured").unwrap();
    thread::scope(|scope| {
        let busy = scope.spawn(|| drop(pipeline.admit(&busy)));
        keeper.wait_for_arrival();
        for _ in 0..66 {
            answer(&pipeline, "invoice");
        }
        assert_eq!(pipeline.events_lost(), 66_000 - 65_536);
        answer(&pipeline, "page");
        keeper.let_one_pass();
        busy.join().unwrap();
    });
    pipeline.tick();
    let said = said(&memory);
    assert!(said.is_sorted_by_key(|(_, message)| message.clone()));
    assert_eq!(said.len(), 65_535, "beside the page that events were lost");
    assert_eq!(pipeline.events_lost(), 67_002 - 65_536);
    assert_eq!(said.last().unwrap().0, Severity::Page);
    assert!(
        said[0].1.contains("000002"),
        "the oldest made room: {said:?}"
    );
}
