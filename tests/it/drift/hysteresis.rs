//! How a drift ends.

use std::time::Duration;

use fusebox::drift::DriftState;
use fusebox::{Confidence, ConfidenceDriftMonitor};

use super::{Bench, HOUR, confidence, names, with_baseline};
use crate::chance::Chance;
use crate::support::minutes;

/// Four documents in each bucket of `time`, around this mean, with a tick after each.
fn pass(bench: &Bench, score: f64, time: Duration) {
    for _ in 0..time.as_secs() / 300 {
        bench.totals(score - 0.002, 2);
        bench.totals(score + 0.002, 2);
        bench.clock.advance(minutes(5));
        bench.pipeline.tick();
    }
}

#[test]
fn a_drift_recovers_when_a_whole_window_is_near_the_baseline() {
    for (score, state) in [
        (0.87, DriftState::Raised),
        (0.870_001, DriftState::Recovering),
    ] {
        let bench = Bench::new(with_baseline(0.90));
        bench.totals(0.10, 30);
        pass(&bench, score, minutes(235));
        assert_eq!(bench.state(), DriftState::Raised, "not a whole window");
        pass(&bench, score, minutes(5));
        assert_eq!(bench.state(), state, "{score}");
        assert_eq!(
            bench.threshold(),
            Confidence::percent(85),
            "the operator decides"
        );
    }
}

#[test]
fn a_recovered_threshold_is_restored_where_that_is_wanted() {
    let bench = Bench::new(with_baseline(0.90).restore_when_recovered());
    bench.totals(0.10, 30);
    let seen = bench.drift.status("invoice", "total").revision;
    pass(&bench, 0.89, 4 * HOUR + minutes(5));
    assert_eq!(bench.state(), DriftState::Healthy);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    let names: Vec<_> = bench
        .sink
        .events()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert_eq!(names, ["drift_detected", "drift_recovered"]);
    assert_ne!(bench.drift.status("invoice", "total").revision, seen);
    pass(&bench, 0.89, minutes(20));
    assert_eq!(bench.pipeline.incidents(), [], "and its incident ends");
}

/// What the sequential test would find again is no recovery: it looks for means more than 0.01
/// below the baseline.
#[test]
fn with_the_sequential_test_the_mean_must_be_closer_to_the_baseline() {
    for (score, state) in [(0.889, DriftState::Raised), (0.891, DriftState::Recovering)] {
        let (invoice, total) = names();
        let builder = ConfidenceDriftMonitor::builder();
        let bench = Bench::new(builder.baseline(invoice, total, confidence(0.90), 1_000_000));
        bench.totals(0.10, 30);
        assert_eq!(bench.state(), DriftState::Raised);
        pass(&bench, score, 4 * HOUR + minutes(5));
        assert_eq!(bench.state(), state, "{score}");
    }
}

/// A week with a drop of exactly the limit: without a distance between the two limits, a mean of
/// 50 documents in 4 hours crosses it 132 times.
#[test]
fn a_mean_at_the_limit_does_not_raise_and_restore_all_the_time() {
    for run in 0..3 {
        let bench = Bench::new(with_baseline(0.90).restore_when_recovered());
        let mut chance = Chance::new(run);
        let (mut changes, mut before) = (0, bench.threshold());
        for _ in 0..7 * 300 {
            bench.totals(chance.beta_18_2() - 0.05, 1);
            bench.clock.advance(Duration::from_secs(288));
            bench.pipeline.tick();
            let now = bench.threshold();
            changes += u32::from(now != before);
            before = now;
        }
        assert!((1..=4).contains(&changes), "run {run}: {changes} changes");
    }
}
