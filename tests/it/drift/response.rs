//! How far a threshold rises, how it comes down again, and what reviewers have time for.

use std::sync::Arc;

use fusebox::clock::MockClock;
use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState};
use fusebox::event::DriftEvent;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Confidence, ConfidenceDriftMonitor, Event, EventKind, Guard, LineUp, Pipeline, Ratio,
    Report, Settlement, Severity, Version,
};

use super::{Bench, HOUR, confidence, is_accepted, names, with_baseline};
use crate::support::minutes;

/// A baseline of 0.98 and 0.94 by turns: accepted answers are expected to be wrong in 4 %.
fn of_two_scores() -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    let scores = [0.98, 0.94].into_iter().cycle().take(500).map(confidence);
    ConfidenceDriftMonitor::builder().baseline_confidences(invoice, total, scores)
}

/// By turns 0.96 and 0.86, so a mean of 0.91, until the threshold is raised; then to the bucket's
/// end.
fn fall(bench: &Bench) {
    for score in [0.96, 0.86].into_iter().cycle().take(100) {
        let _ = bench.total(score);
        if bench.state() == DriftState::Raised {
            break;
        }
        bench.clock.advance(minutes(1));
    }
    assert_eq!(
        bench.threshold(),
        Confidence::percent(85),
        "one step at once"
    );
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
}

/// Those that reach 0.861 are all 0.96: wrong in 4 %. Those that reach 0.86: in 9 %. With errors
/// twice as frequent 0.96 means 8 %, so nothing holds 4 %. With half as many, all do.
#[test]
fn the_expected_error_of_accepted_answers_is_held() {
    for (distrust, threshold) in [
        (Ratio::percent(99), 0.861),
        (Ratio::percent(200), 0.95),
        (Ratio::percent(40), 0.85),
    ] {
        let bench = Bench::new(of_two_scores().hold_expected_error(distrust));
        fall(&bench);
        assert_eq!(bench.threshold(), confidence(threshold), "{distrust}");
        assert_eq!(bench.state(), DriftState::Raised);
    }
}

#[test]
fn a_threshold_that_rises_further_says_so_and_stays_so() {
    let bench = Bench::new(of_two_scores().hold_expected_error(Ratio::percent(99)));
    fall(&bench);
    let raised = |event: &Event| match event.kind {
        EventKind::Drift(DriftEvent::ThresholdRaised { threshold, .. }) => Some(threshold),
        _ => None,
    };
    let told: Vec<_> = bench.sink.events().iter().filter_map(raised).collect();
    assert_eq!(told, [confidence(0.861)]);
    let events = bench.sink.events();
    let of_event = events.iter().find(|event| raised(event).is_some());
    assert_eq!(of_event.unwrap().severity, Severity::Info);
    assert!(!is_accepted(&bench.total(0.86)));
    assert!(is_accepted(&bench.total(0.861)));
    // A window of good answers, but nobody has said that the drift is over.
    bench.clock.advance(5 * HOUR);
    bench.totals(0.96, 40);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    let later = bench.restarted(of_two_scores().hold_expected_error(Ratio::percent(99)));
    assert_eq!(later.threshold(), confidence(0.861));
    later.pipeline.tick();
    assert_eq!(later.sink.events().iter().filter_map(raised).count(), 0);
}

/// Where only a mean was given, there is no expected error to hold.
#[test]
fn a_mean_alone_raises_by_the_step() {
    let bench = Bench::new(with_baseline(0.90).hold_expected_error(Ratio::ONE));
    bench.totals(0.81, 40);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    assert_eq!(bench.threshold(), Confidence::percent(85));
}

#[test]
fn a_recovered_threshold_comes_down_step_by_step() {
    let builder = || {
        let builder = of_two_scores().hold_expected_error(Ratio::percent(200));
        builder.restore_when_recovered()
    };
    let bench = Bench::new(builder());
    fall(&bench);
    assert_eq!(bench.threshold(), confidence(0.95));
    let mut seen = vec![bench.threshold()];
    for _ in 0..20 * 12 {
        for score in [0.98, 0.94] {
            let _ = bench.total(score);
        }
        bench.clock.advance(minutes(5));
        bench.pipeline.tick();
        if seen.last() != Some(&bench.threshold()) {
            seen.push(bench.threshold());
        }
    }
    let steps = [0.95, 0.90, 0.85, 0.80].map(confidence);
    assert_eq!(seen, steps);
    assert_eq!(bench.state(), DriftState::Healthy);
}

fn capped() -> ConfidenceDriftMonitorBuilder {
    with_baseline(0.90).review_capacity(Ratio::percent(50))
}

fn raised(bench: &Bench) {
    bench.totals(0.84, 30);
    assert_eq!(bench.state(), DriftState::Raised);
    // What is full within a minute is the same incident.
    bench.clock.advance(minutes(2));
    bench.pipeline.tick();
    bench.sink.take();
}

fn reviewed(settlements: &[Settlement]) -> usize {
    let is_reviewed = |settlement: &&Settlement| !is_accepted(settlement);
    settlements.iter().filter(is_reviewed).count()
}

/// However the scores come: all alike, falling, or mixed.
#[test]
fn no_thirty_documents_send_more_to_review_than_the_capacity() {
    let falling = |n: u32| 0.849 - f64::from(n % 40) / 1_000.0;
    let mixed = |n: u32| 0.801 + f64::from(n * 7_919 % 48) / 1_000.0;
    for score in [&|_| 0.82, &falling, &mixed] as [&dyn Fn(u32) -> f64; 3] {
        let bench = Bench::new(capped());
        raised(&bench);
        let settled: Vec<_> = (0..120).map(|n| bench.total(score(n))).collect();
        let most = settled.windows(30).map(reviewed).max();
        assert!(most <= Some(15), "{most:?}");
        let all = reviewed(&settled);
        assert!(all >= 50, "and the capacity is used: {all}");
    }
}

/// The lowest of the newest go first: of a few low ones among many higher ones, all.
#[test]
fn the_lowest_confidences_are_reviewed() {
    let bench = Bench::new(capped());
    raised(&bench);
    let score = |n: u32| if n % 3 == 0 { 0.81 } else { 0.845 };
    let settled: Vec<_> = (0..120).map(|n| (n, bench.total(score(n)))).collect();
    let low = settled.iter().filter(|(n, _)| n % 3 == 0).skip(10);
    let missed = low.filter(|(_, settled)| is_accepted(settled)).count();
    assert!(missed <= 3, "{missed} of 30");
}

#[test]
fn below_the_normal_threshold_nothing_is_capped() {
    let bench = Bench::new(capped());
    raised(&bench);
    let settled: Vec<_> = (0..60).map(|_| bench.total(0.79)).collect();
    assert_eq!(reviewed(&settled), 60);
    assert!(is_accepted(&bench.total(0.81)), "all places are taken");
}

#[test]
fn what_is_accepted_for_want_of_capacity_is_said_and_pages_once() {
    let bench = Bench::new(capped());
    raised(&bench);
    bench.totals(0.82, 30);
    bench.pipeline.tick();
    let unreviewed = |event: &Event| {
        matches!(
            event.kind,
            EventKind::Drift(DriftEvent::AcceptedUnreviewed { .. })
        )
    };
    assert_eq!(
        bench.sink.events().iter().filter(|e| unreviewed(e)).count(),
        15
    );
    let pages = bench.sink.pages();
    assert_eq!(pages.len(), 1, "{pages:?}");
    let EventKind::Drift(DriftEvent::ReviewCapacityReached {
        wanted,
        documents,
        accepted,
        ..
    }) = pages[0].kind
    else {
        panic!("{pages:?}");
    };
    assert_eq!((wanted, documents, accepted), (30, 30, 15));
    for _ in 0..48 {
        bench.totals(0.82, 2);
        bench.totals(0.83, 1);
        bench.clock.advance(minutes(5));
        bench.pipeline.tick();
    }
    assert_eq!(bench.sink.pages().len(), 1, "while it goes on");
    let full = |bench: &Bench| {
        let open = bench.pipeline.incidents();
        open.iter()
            .any(|open| open.key.as_str().contains("review-capacity"))
    };
    assert!(full(&bench));
    let later = bench.restarted(capped());
    later.pipeline.tick();
    assert!(full(&later), "after a restart");
    // Enough places for a window and the time for which an incident is held open.
    for _ in 0..52 {
        later.totals(0.86, 2);
        later.totals(0.87, 1);
        later.clock.advance(minutes(5));
        later.pipeline.tick();
    }
    assert!(!full(&later));
    assert_eq!(
        later.state(),
        DriftState::Raised,
        "the drift is another matter"
    );
}

/// In a dry run, what would be reviewed is accepted, and not for want of a place.
#[test]
fn a_dry_run_counts_the_places_that_would_be_taken() {
    let drift = Arc::new(capped().build().unwrap());
    let (clock, sink) = (MockClock::at(super::NOON), MemorySink::new());
    let line_up = LineUp::new(Version::new("v7", "gpt-4o").unwrap());
    let pipeline = Pipeline::builder(line_up)
        .guard(Arc::clone(&drift).dry_run())
        .clock(clock.clone())
        .sink(sink.clone())
        .build()
        .unwrap();
    let answer = |score: f64| {
        let call = Call::new("document", "invoice").unwrap();
        let report = Report::new().confidence("total", score);
        let settlement = pipeline.admit(&call).permit().unwrap().answer(report);
        assert!(is_accepted(&settlement));
        assert_eq!(settlement.ticket().thresholds(), None);
    };
    let unreviewed = || {
        let events = sink.take().into_iter();
        let names: Vec<_> = events.map(|event| event.kind.name()).collect();
        names
            .iter()
            .filter(|name| **name == "accepted_unreviewed")
            .count()
    };
    for _ in 0..30 {
        answer(0.84);
    }
    assert_eq!(drift.state("invoice", "total"), DriftState::Raised);
    for _ in 0..15 {
        answer(0.82);
    }
    assert_eq!(unreviewed(), 0);
    answer(0.82);
    assert_eq!(unreviewed(), 1);
}

#[test]
fn a_ticket_names_the_generation_of_the_thresholds() {
    let bench = Bench::new(with_baseline(0.90));
    let before = bench.total(0.84).ticket().thresholds();
    assert_eq!(before, Some(0));
    bench.totals(0.84, 29);
    let detected = bench
        .sink
        .events()
        .into_iter()
        .find_map(|event| match event.kind {
            EventKind::Drift(DriftEvent::DriftDetected { generation, .. }) => Some(generation),
            _ => None,
        });
    assert_eq!(detected, Some(1));
    let reviewed = bench.answer("invoice", Report::new().confidence("total", 0.84));
    assert!(!is_accepted(&reviewed));
    assert_eq!(reviewed.ticket().thresholds(), detected);
    assert_eq!(bench.drift.status("invoice", "total").generation, 1);
    crate::operator::resolve(&bench.drift, "invoice", "total").unwrap();
    assert_eq!(bench.total(0.84).ticket().thresholds(), Some(2));
    let later = bench.restarted(with_baseline(0.90));
    assert_eq!(
        later.total(0.84).ticket().thresholds(),
        Some(2),
        "after a restart"
    );
    let written = serde_json::to_string(bench.total(0.84).ticket()).unwrap();
    let read: fusebox::Ticket = serde_json::from_str(&written).unwrap();
    assert_eq!(read.thresholds(), Some(2));
}
