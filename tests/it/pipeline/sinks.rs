//! Sinks: panics, and queues that count what they drop.

use std::io::{self, Write};

use fusebox::sink::Sink;
use fusebox::sink::{self, Fanout, Filter, JsonLines, MemorySink};
use fusebox::{Call, Event, EventKind, Pipeline, RouteLedger, Severity, TokenBudget};
use serde_json::Value;

use crate::support::{EVENING, line_up, version};

fn event(severity: Severity, message: &str) -> Event {
    let kind = EventKind::Custom {
        name: "test".to_owned(),
        message: message.to_owned(),
    };
    Event::new(EVENING, "test", severity, kind)
}

/// A pipeline that tells of every unmeasured call.
fn pipeline(sink: impl Sink + 'static) -> Pipeline {
    let budget = TokenBudget::builder().build().unwrap();
    Pipeline::builder(line_up())
        .guard(budget)
        .guard(RouteLedger::default())
        .sink(sink)
        .build()
        .unwrap()
}

fn unmeasured(pipeline: &Pipeline, document: &str) {
    drop(pipeline.admit(&Call::new(document, "invoice").unwrap()));
}

#[test]
fn a_filter_lets_through_what_is_urgent() {
    let memory = MemorySink::new();
    let filter = Filter::at_least(Severity::Warning, memory.clone());
    for severity in [Severity::Info, Severity::Warning, Severity::Page] {
        filter.emit(&event(severity, "x"));
    }
    let severities: Vec<_> = memory.events().iter().map(|event| event.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Page]);
}

#[test]
fn a_fanout_reaches_all_even_past_a_sink_that_panics() {
    let memory = MemorySink::new();
    let fanout = Fanout::new()
        .and(sink::from_fn(|_| panic!("broken sink")))
        .and(memory.clone());
    let pipeline = pipeline(fanout);
    unmeasured(&pipeline, "a");
    assert_eq!(memory.events().len(), 2, "the deployment and the diversion");
    assert_eq!(pipeline.sink_panics(), 2);
}

#[test]
fn a_sink_that_panics_takes_nothing_from_calls_or_other_sinks() {
    let memory = MemorySink::new();
    let pipeline = Pipeline::builder(line_up())
        .guard(RouteLedger::default())
        .sink(sink::from_fn(|_| panic!("broken sink")))
        .sink(memory.clone())
        .build()
        .unwrap();
    drop(pipeline.admit(&Call::new("a", "invoice").unwrap()));
    assert_eq!(memory.events().len(), 2);
    assert_eq!(pipeline.sink_panics(), 2);
}

#[test]
fn a_channel_drops_what_finds_no_place_and_counts_it() {
    let (sink, receiver) = sink::channel(2);
    for n in 0..5 {
        sink.emit(&event(Severity::Info, &n.to_string()));
    }
    assert_eq!((sink.dropped(), receiver.dropped()), (3, 3));
    assert_eq!(
        receiver.try_recv().unwrap().kind,
        event(Severity::Info, "0").kind
    );
    assert!(receiver.recv().is_some());
    assert_eq!(receiver.recv_timeout(std::time::Duration::ZERO), Ok(None));
    drop(sink);
    assert_eq!(receiver.recv(), None);
}

#[test]
fn json_lines_are_one_object_a_line() {
    let sink = JsonLines::new(Vec::new());
    sink.emit(&event(Severity::Page, "two\nlines"));
    sink.emit(&event(Severity::Info, "third"));
    let written = String::from_utf8(sink.into_inner()).unwrap();
    let lines: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["message"], "two\nlines");
    assert_eq!(lines[0]["event"], "custom");
}

#[test]
fn a_writer_that_fails_is_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sink = JsonLines::new(Full);
    sink.emit(&event(Severity::Page, "x"));
    assert_eq!(sink.failed(), 1);
}

#[test]
fn a_deployment_is_told() {
    let memory = MemorySink::new();
    let pipeline = pipeline(memory.clone());
    pipeline
        .deploy(line_up().with_candidate(version("v8")))
        .unwrap();
    let last = memory.events().pop().unwrap();
    assert!(
        last.to_string()
            .ends_with("pipeline: deployed: production v7, previous version v6, candidate v8"),
        "{last}"
    );
}
