//! A drift that somebody knows of pages nobody, until the time that was given for it.

use fusebox::clock::Clock;
use fusebox::drift::DriftState;
use fusebox::event::DriftEvent;
use fusebox::{Confidence, EventKind, Severity, Timestamp};

use super::{Bench, HOUR, with_baseline};
use crate::operator::{rebaseline, resolve};
use crate::support::minutes;

const NOTE: &str = "the new scanner; support is at it";

fn raised() -> Bench {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    assert_eq!(bench.sink.pages().len(), 1);
    bench.sink.take();
    bench
}

fn acknowledge(bench: &Bench, until: Timestamp) -> Result<(), fusebox::Error> {
    let seen = bench.drift.status("invoice", "total").revision;
    let drift = &bench.drift;
    drift.acknowledge("invoice", "total", seen, until, "ada", NOTE)
}

fn in_hours(bench: &Bench, hours: u32) -> Timestamp {
    bench.clock.now() + hours * HOUR
}

/// The drift goes on: documents and ticks for so long.
fn go_on(bench: &Bench, hours: u64) {
    for _ in 0..hours * 12 {
        bench.totals(0.838, 1);
        bench.totals(0.842, 1);
        bench.clock.advance(minutes(5));
        bench.pipeline.tick();
    }
}

#[test]
fn an_acknowledged_drift_pages_again_only_when_its_time_is_over() {
    let bench = raised();
    let until = in_hours(&bench, 24);
    acknowledge(&bench, until).unwrap();
    assert_eq!(bench.state(), DriftState::Acknowledged, "at once");
    assert_eq!(bench.threshold(), Confidence::percent(85), "never lowers");
    go_on(&bench, 23);
    let events = bench.sink.take();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].severity, Severity::Info);
    assert!(matches!(
        &events[0].kind,
        EventKind::Drift(DriftEvent::DriftAcknowledged { who, note, .. })
            if who == "ada" && note == NOTE
    ));
    let status = bench.drift.status("invoice", "total");
    assert_eq!(status.acknowledged_until, Some(until));
    let later = bench.restarted(with_baseline(0.90));
    assert_eq!(later.state(), DriftState::Acknowledged, "after a restart");
    go_on(&later, 2);
    assert_eq!(later.state(), DriftState::Raised);
    let pages = later.sink.pages();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert!(matches!(
        &pages[0].kind,
        EventKind::Drift(DriftEvent::AcknowledgementExpired { who, .. }) if who == "ada"
    ));
    go_on(&later, 24);
    assert_eq!(later.sink.pages().len(), 1, "once");
    assert_eq!(later.pipeline.incidents().len(), 2);
    resolve(&later.drift, "invoice", "total").unwrap();
    later.pipeline.tick();
    assert_eq!(later.pipeline.incidents(), [], "and both end");
}

#[test]
fn more_time_ends_the_page_that_asks_for_it() {
    let bench = raised();
    acknowledge(&bench, in_hours(&bench, 1)).unwrap();
    go_on(&bench, 2);
    assert_eq!(bench.sink.pages().len(), 1);
    acknowledge(&bench, in_hours(&bench, 10)).unwrap();
    go_on(&bench, 1);
    assert_eq!(bench.pipeline.incidents().len(), 1, "the drift itself");
    assert_eq!(bench.sink.pages().len(), 1);
    assert_eq!(bench.state(), DriftState::Acknowledged);
}

#[test]
fn what_is_over_is_no_longer_acknowledged() {
    for order in [resolve, rebaseline] {
        let bench = raised();
        acknowledge(&bench, in_hours(&bench, 700)).unwrap();
        order(&bench.drift, "invoice", "total").unwrap();
        let status = bench.drift.status("invoice", "total");
        assert_eq!(status.acknowledged_until, None);
    }
    let bench = raised();
    acknowledge(&bench, in_hours(&bench, 700)).unwrap();
    resolve(&bench.drift, "invoice", "total").unwrap();
    bench.totals(0.84, 30);
    assert_eq!(bench.state(), DriftState::Raised);
    assert_eq!(bench.sink.pages().len(), 1, "it has come back");
}

#[test]
fn an_acknowledgement_that_makes_no_sense_is_an_error_and_changes_nothing() {
    let bench = raised();
    let refused = |until: Timestamp, expected: &str| {
        let error = acknowledge(&bench, until).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(bench.state(), DriftState::Raised);
    };
    refused(bench.clock.now(), "at most 30 days away");
    refused(in_hours(&bench, 721), "at most 30 days away");
    let healthy = Bench::new(with_baseline(0.90));
    healthy.totals(0.90, 30);
    let error = acknowledge(&healthy, in_hours(&healthy, 1)).unwrap_err();
    assert!(
        error.to_string().contains("whose threshold is raised"),
        "{error}"
    );
    let seen = bench.drift.status("invoice", "total").revision;
    acknowledge(&bench, in_hours(&bench, 720)).unwrap();
    let until = in_hours(&bench, 1);
    let outdated = bench
        .drift
        .acknowledge("invoice", "total", seen, until, "ada", NOTE);
    assert_eq!(outdated.unwrap_err().kind(), fusebox::ErrorKind::Outdated);
    let seen = bench.drift.status("invoice", "total").revision;
    let unsigned = bench
        .drift
        .acknowledge("invoice", "total", seen, until, " ", NOTE);
    assert!(unsigned.is_err());
}
