//! A small fall that lasts for days is worth a look, and raises nothing.

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState};
use fusebox::event::DriftEvent;
use fusebox::{Confidence, ConfidenceDriftMonitor, Event, EventKind, Severity};

use super::{Bench, HOUR, confidence, names, plain, state_of};
use crate::operator::{rebaseline, resolve};
use crate::support::minutes;

/// A baseline that leaves no doubt.
fn builder() -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    ConfidenceDriftMonitor::builder().baseline(invoice, total, confidence(0.90), 1_000_000)
}

fn is_slow(event: &Event) -> bool {
    matches!(event.kind, EventKind::Drift(DriftEvent::SlowDrift { .. }))
}

fn told(bench: &Bench) -> usize {
    let events = bench.sink.events();
    events.iter().filter(|event| is_slow(event)).count()
}

/// The end of a bucket of 12 hours.
fn half_a_day(bench: &Bench) {
    bench.clock.advance(12 * HOUR);
    bench.pipeline.tick();
}

/// Documents within one bucket, which then ends. So few come too seldom for the mean over 4 hours,
/// and the sequential test has no bets in the bucket in which a field begins.
fn half_a_day_of(bench: &Bench, score: f64, documents: u64) {
    bench.totals(score, documents);
    half_a_day(bench);
}

/// Eight documents with this score, one every three hours.
fn day(bench: &Bench, score: f64) {
    for _ in 0..8 {
        bench.totals(score, 1);
        bench.clock.advance(3 * HOUR);
        bench.pipeline.tick();
    }
}

/// After `d` days of a fall of 0.01 a day, the mean over 7 days is 0.01 * d (d + 1) / 2 / 7 below:
/// 0.0143 after four days, and 0.0214 after five. In the middle of the fifth day it is 0.0179.
#[test]
fn a_fall_of_a_hundredth_a_day_is_told_at_the_end_of_the_fifth_day() {
    let bench = Bench::new(builder());
    (0..7).for_each(|_| day(&bench, 0.90));
    for score in [0.89, 0.88, 0.87, 0.86] {
        day(&bench, score);
    }
    for _ in 0..7 {
        bench.totals(0.85, 1);
        bench.clock.advance(3 * HOUR);
        bench.pipeline.tick();
    }
    assert_eq!(told(&bench), 0, "too early");
    bench.totals(0.85, 1);
    bench.clock.advance(3 * HOUR);
    bench.pipeline.tick();
    let events = bench.sink.events();
    let slow: Vec<_> = events.iter().filter(|event| is_slow(event)).collect();
    assert_eq!((slow.len(), slow[0].severity), (1, Severity::Warning));
    let EventKind::Drift(DriftEvent::SlowDrift {
        baseline,
        baseline_number,
        mean,
        standard_error,
        documents,
        ..
    }) = slow[0].kind
    else {
        panic!("{slow:?}")
    };
    assert_eq!((baseline, baseline_number), (confidence(0.90), 1));
    assert_eq!((mean, documents), (confidence(0.878_571), 56));
    // The squares of 0, 0, 1, .. 5 hundredths have a mean of 55 / 7; less 15 / 7 squared, times 56
    // / 55, that is a variance of 3.325 in ten thousandths; its root, divided by that of 56, is
    // 0.2437 hundredths.
    assert_eq!(standard_error, confidence(0.002_437));
    assert_eq!(bench.state(), DriftState::Suspected);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    assert_eq!(bench.sink.pages(), []);
    let incident = &bench.pipeline.incidents()[0];
    assert_eq!(incident.key.to_string(), "confidence-drift/slow/-/1");
}

#[test]
fn a_drop_of_exactly_two_hundredths_is_no_slow_drift() {
    for (score, expected) in [(0.88, 0), (0.879_999, 1)] {
        let bench = Bench::new(builder());
        (0..7).for_each(|_| day(&bench, score));
        assert_eq!(told(&bench), expected, "{score}");
    }
    for (score, expected) in [(0.85, 0), (0.849_999, 1)] {
        let builder = builder().max_drop(Confidence::percent(10));
        let bench = Bench::new(builder.slow_drop(Confidence::percent(5)));
        half_a_day_of(&bench, score, 30);
        assert_eq!(told(&bench), expected, "{score}");
    }
}

#[test]
fn it_is_compared_when_a_bucket_of_twelve_hours_ends() {
    let bench = Bench::new(builder());
    bench.totals(0.87, 40);
    bench.clock.advance(minutes(12 * 60 - 5));
    bench.pipeline.tick();
    assert_eq!(told(&bench), 0);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    assert_eq!(told(&bench), 1);
    (0..2).for_each(|_| half_a_day(&bench));
    assert_eq!(told(&bench), 1, "told once");
}

/// 30 documents are the least. Scores 0.06 above and below their mean have a variance of 0.0036 * n
/// / (n - 1); 16 times that, divided by 0.02^2, is 145.007 for 144 documents and 144.99 for 146.
#[test]
fn few_documents_say_nothing() {
    for (spread, documents, expected) in
        [(0.0, 28, 0), (0.0, 30, 1), (0.06, 144, 0), (0.06, 146, 1)]
    {
        let bench = Bench::new(builder());
        // The high ones first, or the mean over 4 hours would fall too far on the way.
        bench.totals(0.87 + spread, documents / 2);
        bench.totals(0.87 - spread, documents / 2);
        half_a_day(&bench);
        assert_eq!(told(&bench), expected, "{documents} {spread}");
    }
}

/// A drop of 0.025 of scores with a variance of 0.01: z is 0.025 / sqrt(0.01 / n + 0.01 / 500), 2.3
/// with a baseline of 100 documents and 4.6 with one of 1,000.
#[test]
fn a_baseline_of_few_documents_leaves_doubt_about_a_small_fall() {
    for (documents, expected) in [(100, 0), (1_000, 1)] {
        let (invoice, total) = names();
        let scores = [0.8, 1.0].map(confidence).into_iter().cycle();
        let builder = ConfidenceDriftMonitor::builder();
        let bench =
            Bench::new(builder.baseline_confidences(invoice, total, scores.take(documents)));
        for _ in 0..250 {
            bench.totals(0.775, 1);
            bench.totals(0.975, 1);
        }
        half_a_day(&bench);
        assert_eq!(told(&bench), expected, "{documents}");
    }
}

/// 40 documents 0.03 below are 0.012 below on average over 100 documents, which is no end yet, and
/// less over 101.
#[test]
fn it_ends_when_the_mean_is_near_the_baseline_and_not_at_the_limit_of_its_begin() {
    for (documents, state) in [
        (60, DriftState::Suspected),
        (61, DriftState::InsufficientData),
    ] {
        let bench = Bench::new(builder());
        half_a_day_of(&bench, 0.87, 40);
        half_a_day_of(&bench, 0.90, 30);
        assert_eq!(bench.state(), DriftState::Suspected);
        half_a_day_of(&bench, 0.90, documents - 30);
        assert_eq!(bench.state(), state, "{documents}");
        half_a_day(&bench);
        bench.clock.advance(minutes(16));
        bench.pipeline.tick();
        let is_open = state == DriftState::Suspected;
        assert_eq!(bench.pipeline.incidents().len(), usize::from(is_open));
        assert_eq!(told(&bench), 1);
    }
}

#[test]
fn a_type_that_no_longer_comes_has_no_slow_drift() {
    let bench = Bench::new(builder());
    half_a_day_of(&bench, 0.87, 40);
    (0..13).for_each(|_| half_a_day(&bench));
    assert_eq!(bench.state(), DriftState::Suspected, "6.5 days later");
    half_a_day(&bench);
    assert_eq!(bench.state(), DriftState::InsufficientData);
}

#[test]
fn while_the_threshold_is_raised_it_is_not_said() {
    let bench = Bench::new(builder());
    bench.totals(0.10, 30);
    (0..2).for_each(|_| half_a_day(&bench));
    assert_eq!(bench.state(), DriftState::Raised);
    assert_eq!(told(&bench), 0);

    let bench = Bench::new(builder());
    half_a_day_of(&bench, 0.87, 40);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    bench.totals(0.10, 30);
    for _ in 0..2 {
        bench.clock.advance(minutes(16));
        bench.pipeline.tick();
    }
    assert_eq!(bench.state(), DriftState::Raised);
    let open = bench.pipeline.incidents();
    let open: Vec<_> = open.iter().map(|open| open.key.to_string()).collect();
    assert_eq!(open, ["confidence-drift/drift/-/1"], "the slow one is over");
}

/// What raised the threshold is no slow drift once it is resolved, restored or accepted.
#[test]
fn a_command_and_a_recovery_empty_the_week() {
    let bench = Bench::new(builder());
    bench.totals(0.10, 30);
    resolve(&bench.drift, "invoice", "total").unwrap();
    half_a_day_of(&bench, 0.87, 29);
    assert_eq!(told(&bench), 0);
    half_a_day_of(&bench, 0.87, 1);
    assert_eq!(told(&bench), 1);

    rebaseline(&bench.drift, "invoice", "total").unwrap();
    bench.totals(0.97, 100);
    half_a_day(&bench);
    assert_eq!(bench.state(), DriftState::InsufficientData);
    assert_eq!(told(&bench), 1, "with what was before, the mean is 0.947");

    let bench = Bench::new(builder().restore_when_recovered());
    bench.totals(0.10, 30);
    for _ in 0..48 {
        bench.clock.advance(minutes(5));
        bench.totals(0.90, 1);
        bench.pipeline.tick();
    }
    assert_eq!(bench.threshold(), Confidence::percent(80));
    (0..2).for_each(|_| half_a_day(&bench));
    assert_eq!(told(&bench), 0);
}

#[test]
fn with_another_given_baseline_it_is_over() {
    let (invoice, total) = names();
    let bench = Bench::new(builder());
    half_a_day_of(&bench, 0.87, 40);
    let other = ConfidenceDriftMonitor::builder();
    let next = bench.restarted(other.baseline(invoice, total, confidence(0.87), 1_000_000));
    assert_ne!(next.state(), DriftState::Suspected);
}

#[test]
fn the_bare_rule_has_no_slow_drift() {
    let (invoice, total) = names();
    let bench = Bench::new(plain().baseline(invoice, total, confidence(0.90), 1_000_000));
    half_a_day_of(&bench, 0.87, 40);
    assert_eq!(bench.state(), DriftState::InsufficientData);
    assert_eq!(told(&bench), 0);
}

/// What is decided, said and stored is the same, whenever the process restarts.
#[test]
fn a_restart_in_the_middle_of_a_week_changes_nothing() {
    let run = |restart: Option<usize>| {
        let mut bench = Bench::new(builder());
        let mut events = Vec::new();
        for n in 0..12 {
            let fallen = 0.01 * f64::from(u8::try_from(n).unwrap().saturating_sub(3));
            bench.totals(0.90 - fallen, 3);
            if restart == Some(n) {
                events.extend(bench.sink.take());
                bench = bench.restarted(builder());
            }
            bench.clock.advance(5 * HOUR);
            bench.pipeline.tick();
            day(&bench, 0.90 - fallen);
        }
        events.extend(bench.sink.take());
        let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
        assert!(kinds.iter().any(|kind| kind.name() == "slow_drift"));
        (
            bench.drift.status("invoice", "total"),
            state_of(&bench.drift),
            kinds,
        )
    };
    let expected = run(None);
    for restart in 0..12 {
        assert_eq!(run(Some(restart)), expected, "{restart}");
    }
}
