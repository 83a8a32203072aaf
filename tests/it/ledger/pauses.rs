//! While the pipeline does not run, nothing can arrive, so nothing is silent.

use fusebox::{DocumentType, Report, RouteLedger, Severity};

use super::{declared, ticks};
use crate::support::{Bench, EVENING, answered, minutes, seconds, stored};

/// The declared types.
const TYPES: usize = 50;

fn fifty() -> RouteLedger {
    let types = (0..TYPES).map(|n| format!("type-{n}"));
    let types = types.map(|name| DocumentType::new(name).unwrap());
    let builder = types.fold(RouteLedger::builder(), |builder, document_type| {
        builder.expect(document_type, minutes(20))
    });
    builder.build().unwrap()
}

/// A pipeline at which each type has just arrived.
fn running() -> Bench {
    let bench = Bench::with_guard(fifty());
    all_arrive(&bench);
    bench.tick_after(seconds(5));
    bench.events();
    bench
}

fn all_arrive(bench: &Bench) {
    for n in 0..TYPES {
        answered(bench.permit(&format!("type-{n}")), Report::new());
    }
}

fn told(bench: &Bench) -> Vec<(Severity, String)> {
    let events = bench.events().into_iter();
    let told = events.filter(|event| event.guard == "ledger");
    told.map(|event| (event.severity, event.kind.to_string()))
        .collect()
}

#[test]
fn an_hour_of_maintenance_is_one_event_and_no_page() {
    let bench = running();
    bench.tick_after(minutes(61));
    let anew = "no call and no tick for 1h 1m: the silence of document types is measured anew";
    assert_eq!(told(&bench), [(Severity::Warning, anew.to_owned())]);
    ticks(&bench, 20);
    assert_eq!(told(&bench), [], "twenty minutes are granted");
    ticks(&bench, 1);
    let told = told(&bench);
    assert_eq!(told.len(), 1, "and no more");
    assert_eq!(told[0].0, Severity::Page);
}

#[test]
fn the_first_call_after_a_pause_ends_it_as_well() {
    let bench = running();
    bench.clock.advance(minutes(61));
    answered(bench.permit("type-0"), Report::new());
    bench.tick_after(seconds(5));
    let told = told(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_state_that_is_thirty_days_old_is_one_event_and_no_page() {
    let bench = running();
    let snapshot = stored(&bench.pipeline);
    let next = Bench::with_guard(fifty());
    next.clock.set(EVENING + minutes(30 * 24 * 60));
    next.pipeline.restore(&snapshot).unwrap();
    next.pipeline.tick();
    let said = told(&next);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, Severity::Warning);
    ticks(&next, 20);
    assert_eq!(told(&next), []);
    ticks(&next, 1);
    assert_eq!(told(&next).len(), 1);
}

/// A deployment takes a minute; ten of them in an hour must not hide what no longer arrives.
#[test]
fn a_short_restart_goes_on_counting() {
    let mut bench = running();
    let mut pages = 0;
    for _ in 0..5 {
        ticks(&bench, 3);
        pages += bench.pages().len();
        let snapshot = stored(&bench.pipeline);
        let next = Bench::with_guard(fifty());
        let now = fusebox::clock::Clock::now(&bench.clock);
        next.clock.set(now + minutes(2));
        next.pipeline.restore(&snapshot).unwrap();
        next.pipeline.tick();
        pages += next.pages().len();
        bench = next;
    }
    assert_eq!(pages, 1, "at 22 minutes or so");
}

#[test]
fn a_provider_that_is_down_while_ticks_go_on_is_a_page() {
    let bench = running();
    ticks(&bench, 21);
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn five_minutes_are_no_pause_and_more_are() {
    for (pause, pages) in [(300, 1), (301, 0)] {
        let bench = Bench::with_guard(declared("invoice", minutes(20)));
        bench.answer(1);
        ticks(&bench, 18);
        bench.tick_after(seconds(pause));
        assert_eq!(bench.pages().len(), pages, "{pause} s");
    }
}

/// What waited when the pipeline stopped does not page when it starts.
#[test]
fn nothing_comes_out_is_measured_anew_too() {
    let bench = Bench::with_guard(RouteLedger::default());
    bench.fail(3);
    bench.tick_after(minutes(61));
    assert_eq!(bench.pages(), []);
    ticks(&bench, 14);
    assert_eq!(bench.pages(), []);
    ticks(&bench, 1);
    assert_eq!(bench.pages().len(), 1);
}
