//! Sinks: panics, queues that count what they drop, a thread of their own, and lines in a file.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusebox::sink::{self, Background, Fanout, Filter, JsonLines, MemorySink, Sink};
use fusebox::{Call, Event, EventKind, Pipeline, RouteLedger, Severity};
use proptest::prelude::*;
use serde_json::Value;

use super::{Gatekeeper, gate, pipeline, unmeasured};
use crate::support::{EVENING, line_up, refused, version};

fn event(severity: Severity, message: &str) -> Event {
    let kind = EventKind::Custom {
        name: "test".to_owned(),
        message: message.to_owned(),
    };
    Event::new(EVENING, "test", severity, kind)
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
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(None));
    drop(sink);
    assert_eq!(receiver.recv(), None);
}

#[test]
fn a_channel_counts_what_its_receiver_did_not_take() {
    let (sink, receiver) = sink::channel(2);
    sink.emit(&event(Severity::Page, "waiting"));
    drop(receiver);
    sink.emit(&event(Severity::Page, "late"));
    assert_eq!(sink.dropped(), 2);
}

#[test]
fn a_receiver_wakes_for_an_event_and_for_the_end() {
    let (sink, receiver) = sink::channel(10);
    let (asks, asked) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let next = || {
            asks.send(()).unwrap();
            receiver.recv()
        };
        (next(), next())
    });
    asked.recv().unwrap();
    sink.emit(&event(Severity::Info, "x"));
    asked.recv().unwrap();
    drop(sink);
    let (first, second) = reader.join().unwrap();
    assert_eq!((first.is_some(), second), (true, None));
}

/// What a queue of `capacity` does, by the words of `channel` alone: a list of severity and number.
fn naive_push(queue: &mut Vec<(Severity, usize)>, capacity: usize, new: (Severity, usize)) -> bool {
    if queue.len() < capacity {
        queue.push(new);
        return true;
    }
    let lowest = queue.iter().map(|(severity, _)| *severity).min();
    if let Some(lowest) = lowest.filter(|lowest| *lowest < new.0) {
        let oldest = queue.iter().position(|(severity, _)| *severity == lowest);
        queue.remove(oldest.unwrap());
        queue.push(new);
    }
    false
}

proptest! {
    #[test]
    fn a_queue_keeps_its_order_and_loses_lower_severities_first(
        capacity in 0_usize..6,
        steps in proptest::collection::vec(
            prop_oneof![
                Just(None),
                Just(Some(Severity::Info)),
                Just(Some(Severity::Warning)),
                Just(Some(Severity::Page)),
            ],
            0..60,
        ),
    ) {
        let (sink, receiver) = sink::channel(capacity);
        let number = |event: Event| match event.kind {
            EventKind::Custom { message, .. } => (event.severity, message.parse().unwrap()),
            other => panic!("{other:?}"),
        };
        let (mut queue, mut lost, mut taken) = (Vec::new(), 0, Vec::new());
        for (n, step) in steps.into_iter().enumerate() {
            if let Some(severity) = step {
                sink.emit(&event(severity, &n.to_string()));
                lost += u64::from(!naive_push(&mut queue, capacity, (severity, n)));
            } else {
                let expected = (!queue.is_empty()).then(|| queue.remove(0));
                let next = receiver.try_recv().map(number);
                prop_assert_eq!(next, expected);
                taken.extend(next);
            }
            prop_assert_eq!(sink.dropped(), lost);
        }
        drop(sink);
        taken.extend(std::iter::from_fn(|| receiver.recv()).map(number));
        prop_assert!(taken.is_sorted_by_key(|(_, n)| *n));
        prop_assert!(taken.ends_with(&queue));
    }
}

/// A sink on a thread of its own, which waits at the gate with each event that says `wait`.
fn gated(capacity: usize) -> (Background, Gatekeeper, MemorySink) {
    let ((gate, keeper), memory) = (gate(), MemorySink::new());
    let seen = memory.clone();
    let slow = sink::from_fn(move |event: &Event| {
        if event.to_string().contains("wait") {
            gate.pass();
        }
        seen.emit(event);
    });
    let background = sink::background("slow", capacity, slow).unwrap();
    (background.wait_on_drop(Duration::MAX), keeper, memory)
}

fn messages(memory: &MemorySink) -> Vec<String> {
    let message = |event: Event| match event.kind {
        EventKind::Custom { message, .. } => message,
        other => other.to_string(),
    };
    memory.events().into_iter().map(message).collect()
}

#[test]
fn no_call_waits_for_a_sink_in_the_background_and_its_end_waits_for_all_events() {
    let (background, keeper, memory) = gated(1_000);
    let pipeline = pipeline(background);
    unmeasured(&pipeline, "wait");
    keeper.wait_for_arrival();
    for n in 100..200 {
        unmeasured(&pipeline, &format!("doc-{n}"));
    }
    assert_eq!(memory.events().len(), 1, "the deployment");
    keeper.let_one_pass();
    drop(pipeline);
    let messages = messages(&memory);
    assert!(messages[1].contains("wait"), "{messages:?}");
    let later: Vec<_> = messages.iter().filter(|m| m.contains("doc-")).collect();
    assert!(later.len() == 100 && later.is_sorted(), "{messages:?}");
}

#[test]
fn a_full_background_drops_lower_severities_first() {
    let (background, keeper, memory) = gated(3);
    let background = Arc::new(background);
    background.emit(&event(Severity::Info, "wait"));
    keeper.wait_for_arrival();
    for (severity, message) in [
        (Severity::Info, "info 1"),
        (Severity::Warning, "warning"),
        (Severity::Info, "info 2"),
        (Severity::Page, "page 1"),
        (Severity::Info, "info 3"),
        (Severity::Page, "page 2"),
    ] {
        background.emit(&event(severity, message));
    }
    assert_eq!(background.dropped(), 3);
    keeper.let_one_pass();
    drop(background);
    assert_eq!(messages(&memory), ["wait", "warning", "page 1", "page 2"]);
}

#[test]
fn a_drop_that_waited_long_enough_leaves_the_thread_to_deliver() {
    let (gate, keeper) = gate();
    let (delivered, all) = mpsc::channel();
    let stuck = sink::from_fn(move |event: &Event| {
        gate.pass();
        delivered.send(event.clone()).unwrap();
    });
    let background = sink::background("stuck", 10, stuck).unwrap();
    let background = background.wait_on_drop(Duration::ZERO);
    background.emit(&event(Severity::Page, "one"));
    background.emit(&event(Severity::Page, "two"));
    drop(background);
    assert!(all.try_recv().is_err());
    keeper.let_one_pass();
    keeper.let_one_pass();
    assert_eq!(all.iter().count(), 2);
}

#[test]
fn a_sink_in_the_background_may_drop_the_last_clone_of_its_pipeline() {
    let (gate, keeper) = gate();
    let (ends, ended) = mpsc::channel();
    let slot = Arc::new(Mutex::new(None::<Pipeline>));
    let last = Arc::clone(&slot);
    let drops_it = sink::from_fn(move |_: &Event| {
        gate.pass();
        drop(last.lock().unwrap().take());
        ends.send(()).unwrap();
    });
    let background = sink::background("last", 10, drops_it).unwrap();
    let pipeline = pipeline(background.wait_on_drop(Duration::MAX));
    keeper.wait_for_arrival();
    *slot.lock().unwrap() = Some(pipeline);
    keeper.let_one_pass();
    assert_eq!(ended.recv_timeout(Duration::from_secs(30)), Ok(()));
}

#[test]
fn a_sink_that_panics_in_the_background_is_counted_and_goes_on() {
    let seen = MemorySink::new();
    let (memory, (gate, keeper)) = (seen.clone(), gate());
    let broken = sink::from_fn(move |event: &Event| {
        memory.emit(event);
        match event.severity {
            Severity::Page => gate.pass(),
            _ => panic!("broken sink"),
        }
    });
    let background = sink::background("broken", 10, broken).unwrap();
    background.emit(&event(Severity::Info, "x"));
    background.emit(&event(Severity::Page, "y"));
    keeper.wait_for_arrival();
    assert_eq!((background.panics(), seen.events().len()), (1, 2));
    keeper.let_one_pass();
}

#[test]
fn a_background_needs_a_place_and_a_name_that_a_thread_can_have() {
    refused(
        sink::background("pager", 0, MemorySink::new()),
        "capacity of sink pager: got `0`, expected at least 1",
    );
    refused(
        sink::background("a\0b", 1, MemorySink::new()),
        "name of a sink: got `a\\u{0}b`, expected a name without the NUL character",
    );
}

/// Counts flushes; clones share the count.
#[derive(Clone, Debug, Default)]
struct Flushes(Arc<AtomicUsize>);

impl Flushes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Write for Flushes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn json_lines_are_flushed_by_the_tick_and_at_the_end_not_by_a_call() {
    let flushes = Flushes::default();
    let fanout = Fanout::new().and(JsonLines::new(flushes.clone()));
    let sink = Filter::at_least(Severity::Warning, fanout);
    let boxed: Box<dyn Sink> = Box::new(Arc::new(sink));
    let pipeline = pipeline(boxed);
    unmeasured(&pipeline, "a");
    assert_eq!(flushes.count(), 0);
    pipeline.tick();
    pipeline.tick();
    assert_eq!(flushes.count(), 1, "only after an event");
    unmeasured(&pipeline, "b");
    drop(pipeline);
    assert_eq!(flushes.count(), 2);
}

#[test]
fn json_lines_flush_on_the_callers_thread_where_asked() {
    for (least, expected) in [(Severity::Info, [1, 2, 3]), (Severity::Page, [0, 0, 1])] {
        let flushes = Flushes::default();
        let sink = JsonLines::new(flushes.clone()).flush_from(least);
        let counts = [Severity::Info, Severity::Warning, Severity::Page].map(|severity| {
            sink.emit(&event(severity, "x"));
            flushes.count()
        });
        assert_eq!(counts, expected);
    }
}

#[test]
fn a_sink_in_the_background_is_flushed_when_nothing_waits() {
    #[derive(Debug)]
    struct Reports(mpsc::Sender<&'static str>);
    impl Sink for Reports {
        fn emit(&self, _: &Event) {
            self.0.send("event").unwrap();
        }
        fn flush(&self) {
            self.0.send("flush").unwrap();
        }
    }
    let (reports, reported) = mpsc::channel();
    let background = sink::background("file", 10, Reports(reports)).unwrap();
    background.emit(&event(Severity::Info, "one"));
    background.emit(&event(Severity::Info, "two"));
    let next = || reported.recv_timeout(Duration::from_secs(30)).unwrap();
    let first = [next(), next(), next()];
    assert!(first == ["event", "event", "flush"] || first == ["event", "flush", "event"]);
}

#[test]
fn a_buffered_line_is_in_the_file_after_the_tick() {
    #[derive(Clone, Debug, Default)]
    struct File(Arc<Mutex<Vec<u8>>>);
    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let file = File::default();
    let pipeline = pipeline(JsonLines::new(BufWriter::new(file.clone())));
    assert!(file.0.lock().unwrap().is_empty());
    pipeline.tick();
    assert!(file.0.lock().unwrap().ends_with(b"}\n"));
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
            Err(io::Error::other("disk full"))
        }
    }
    let sink = JsonLines::new(Full);
    sink.emit(&event(Severity::Page, "x"));
    assert_eq!(sink.failed(), 1);
    sink.flush();
    assert_eq!(sink.failed(), 2, "a flush too");
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
