//! A distribution that changes, with or without its mean.

use fusebox::drift::{DriftState, ShapeChange};
use fusebox::event::DriftEvent;
use fusebox::{Confidence, ConfidenceDriftMonitor, EventKind, Severity};

use super::{Bench, confidence, names};
use crate::chance::Chance;
use crate::support::minutes;

/// A baseline of 400 documents from Beta(18, 2).
fn bench() -> Bench {
    let (invoice, total) = names();
    let mut chance = Chance::new(1);
    let scores = (0..400).map(|_| confidence(chance.beta_18_2()));
    let builder = ConfidenceDriftMonitor::builder();
    Bench::new(builder.baseline_confidences(invoice, total, scores))
}

fn changes(bench: &Bench) -> Vec<ShapeChange> {
    let events = bench.sink.events();
    let changes = events.iter().filter_map(|event| match event.kind {
        EventKind::Drift(DriftEvent::ShapeChanged { change, .. }) => {
            assert_eq!(event.severity, Severity::Warning);
            Some(change)
        }
        _ => None,
    });
    changes.collect()
}

/// 80 documents of these scores, two in each bucket.
fn pass(bench: &Bench, mut score: impl FnMut(u32) -> f64) {
    for n in 0..80 {
        bench.totals(score(n), 1);
        if n % 2 == 1 {
            bench.clock.advance(minutes(5));
            bench.pipeline.tick();
        }
    }
}

/// Three quarters at 0.98 and one quarter at 0.66 have a mean of 0.90.
#[test]
fn a_shape_that_changes_around_its_mean_is_reported_and_raises_nothing() {
    let bench = bench();
    pass(&bench, |n| if n % 4 == 0 { 0.66 } else { 0.98 });
    assert_eq!(bench.state(), DriftState::Suspected);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    assert_eq!(changes(&bench), [ShapeChange::Spread], "told once");
    assert_eq!(bench.sink.pages(), []);
}

#[test]
fn a_rise_is_reported_and_never_acted_on() {
    let bench = bench();
    let mut chance = Chance::new(2);
    pass(&bench, |_| (chance.beta_18_2() + 0.06).min(1.0));
    assert_eq!(bench.state(), DriftState::Suspected);
    assert_eq!(changes(&bench), [ShapeChange::Rose]);
    assert_eq!(bench.sink.pages(), []);
}

#[test]
fn a_shape_is_compared_when_a_bucket_ends_and_no_sooner() {
    let bench = bench();
    (0..80).for_each(|n| bench.totals(if n % 4 == 0 { 0.66 } else { 0.98 }, 1));
    bench.pipeline.tick();
    assert_ne!(bench.state(), DriftState::Suspected);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::Suspected);
}

/// The same distribution: a Kolmogorov-Smirnov test that is certain finds nothing. A shift of 0.02
/// is certain with many documents, but small.
#[test]
fn what_is_not_both_certain_and_large_is_no_change() {
    let same = bench();
    let mut chance = Chance::new(3);
    pass(&same, |_| chance.beta_18_2());
    assert_eq!(same.state(), DriftState::Healthy);

    let (invoice, total) = names();
    let constant = || [confidence(0.90)].into_iter().cycle().take(400);
    let builder = ConfidenceDriftMonitor::builder();
    for (rise, state) in [(0.03, DriftState::Healthy), (0.031, DriftState::Suspected)] {
        let builder = builder.clone();
        let bench =
            Bench::new(builder.baseline_confidences(invoice.clone(), total.clone(), constant()));
        pass(&bench, |_| 0.90 + rise);
        assert_eq!(bench.state(), state, "{rise}");
    }
}

/// scipy 1.17.1: `ks_2samp(baseline, scores).statistic`, `kstwobign.sf(sqrt(10 * 6 / 16) *
/// statistic)` and `wasserstein_distance(baseline, scores)`.
#[test]
fn a_status_compares_the_distributions_whatever_the_rule() {
    let (invoice, total) = names();
    let scores = [
        0.91, 0.87, 0.95, 0.902, 0.9, 0.883, 0.94, 0.921, 0.899, 0.93,
    ];
    let builder = ConfidenceDriftMonitor::builder();
    let builder = builder.baseline_confidences(invoice, total, scores.map(confidence));
    for builder in [builder.clone(), builder.plain_mean()] {
        let bench = Bench::new(builder);
        let shape = || bench.drift.status("invoice", "total").shape;
        assert_eq!(shape(), None, "no documents");
        for score in [0.85, 0.9, 0.81, 0.95, 0.87, 0.88] {
            bench.totals(score, 1);
        }
        let found = shape().unwrap();
        assert_eq!(found.documents, 6);
        for (found, expected) in [
            (found.ks, 0.566_666_666_666_666_7),
            (found.p, 0.179_799_207_208_670_4),
            (found.distance, 0.035_166_666_666_666_68),
        ] {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
        bench.clock.advance(minutes(240));
        bench.pipeline.tick();
        assert_eq!(shape(), None, "no documents any more");
    }
    let bench = Bench::new(super::with_baseline(0.90));
    bench.totals(0.90, 1);
    let shape = bench.drift.status("invoice", "total").shape;
    assert_eq!(shape, None, "only the mean was given");
}

#[test]
fn a_shape_that_is_as_before_ends_its_incident() {
    let bench = bench();
    pass(&bench, |n| if n % 4 == 0 { 0.66 } else { 0.98 });
    assert_eq!(bench.pipeline.incidents().len(), 1);
    let mut chance = Chance::new(4);
    (0..3).for_each(|_| pass(&bench, |_| chance.beta_18_2()));
    assert_eq!(bench.state(), DriftState::Healthy);
    assert_eq!(bench.pipeline.incidents(), []);
}
