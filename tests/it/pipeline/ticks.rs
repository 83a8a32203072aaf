//! Nobody ticks: calls notice it, because guards cannot.

use fusebox::event::IncidentChange;
use fusebox::{Report, RouteLedger, Severity};

use crate::support::{Bench, answered, minutes, seconds, stored};

/// How urgent the events about missing ticks are since the last look.
fn told(bench: &Bench) -> Vec<Severity> {
    let events = bench.sink.take().into_iter();
    let about = events.filter(|event| event.kind.name() == "no_tick");
    about.map(|event| event.severity).collect()
}

fn bench() -> Bench {
    Bench::with_guard(RouteLedger::default())
}

fn open(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|incident| incident.key.to_string()).collect()
}

#[test]
fn a_minute_without_a_tick_is_a_warning_and_five_are_a_page() {
    let bench = bench();
    bench.clock.advance(minutes(1));
    bench.answer(1);
    assert_eq!(told(&bench), []);
    bench.clock.advance(seconds(1));
    bench.answer(3);
    assert_eq!(told(&bench), [Severity::Warning]);
    bench.clock.advance(seconds(239));
    bench.answer(1);
    assert_eq!(told(&bench), []);
    bench.clock.advance(seconds(1));
    bench.answer(3);
    assert_eq!(told(&bench), [Severity::Page]);
    assert_eq!(open(&bench), ["pipeline/no-tick/-/1"]);
    for _ in 0..10 {
        bench.clock.advance(minutes(60));
        bench.answer(1);
    }
    assert_eq!(told(&bench), [], "once");
}

#[test]
fn the_text_says_since_when_and_what_to_do() {
    let bench = bench();
    for _ in 0..7 {
        bench.clock.advance(minutes(1));
        bench.answer(1);
    }
    let incident = &bench.pipeline.incidents()[0];
    assert_eq!(
        [&*incident.summary, &*incident.ends_when, &*incident.undo],
        [
            "no tick for 6m: silent types, overdue calls and the end of stages go unnoticed",
            "ticks come again, for 15 minutes",
            "call `Pipeline::tick` every few seconds; look for the task that did"
        ]
    );
}

#[test]
fn a_call_that_ends_notices_it() {
    let bench = bench();
    let permit = bench.permit("invoice");
    bench.clock.advance(minutes(100));
    answered(permit, Report::new());
    assert_eq!(told(&bench), [Severity::Warning]);
}

/// After a night without calls and ticks the first call is no proof that nobody will tick.
#[test]
fn a_page_needs_four_minutes_after_the_warning() {
    let bench = bench();
    bench.clock.advance(minutes(600));
    bench.answer(1);
    bench.clock.advance(seconds(239));
    bench.answer(1);
    assert_eq!(told(&bench), [Severity::Warning]);
    bench.tick_after(seconds(1));
    bench.clock.advance(minutes(1));
    bench.answer(1);
    assert_eq!(told(&bench), []);
}

#[test]
fn it_ends_when_ticks_come_again() {
    let bench = bench();
    for _ in 0..10 {
        bench.clock.advance(minutes(1));
        bench.answer(1);
    }
    bench.events();
    bench.tick_after(seconds(5));
    for _ in 0..14 {
        bench.tick_after(minutes(1));
    }
    assert_eq!(open(&bench), ["pipeline/no-tick/-/1"]);
    bench.tick_after(minutes(1));
    assert_eq!(open(&bench), [] as [String; 0]);
    let ends = bench.sink.take().into_iter();
    let ends = ends.filter(|event| {
        let change = event.incident.as_ref().map(|incident| incident.change);
        change == Some(IncidentChange::Ended)
    });
    assert_eq!(ends.count(), 1);
}

#[test]
fn the_minutes_begin_anew_with_a_restore() {
    let before = bench();
    before.clock.advance(minutes(600));
    let next = bench();
    next.pipeline.restore(&stored(&before.pipeline)).unwrap();
    next.clock.advance(minutes(1));
    next.answer(1);
    assert_eq!(told(&next), []);
    next.clock.advance(seconds(1));
    next.answer(1);
    assert_eq!(told(&next), [Severity::Warning]);
}
