//! How far a threshold rises, how many fields are watched one by one, and which numbers are
//! refused.

use std::time::Duration;

use fusebox::drift::DriftState;
use fusebox::{Confidence, ConfidenceDriftMonitor, Report};

use super::{Bench, HOUR, names, plain, state_of, with_baseline};
use crate::operator::resolve;

#[test]
fn a_threshold_never_rises_above_its_highest() {
    let builder = with_baseline(0.99)
        .threshold(Confidence::percent(93))
        .step(Confidence::percent(10));
    let bench = Bench::new(builder);
    bench.totals(0.10, 30);
    assert_eq!(bench.threshold(), Confidence::percent(95));
}

#[test]
fn past_the_limit_pairs_share_one_entry_in_which_a_document_counts_once() {
    let builder = plain().max_keys(1).baseline_documents(10);
    let bench = Bench::new(builder);
    bench.totals(0.99, 1);
    let odd = |score: f64| {
        let report = Report::new().confidence("a", score).confidence("b", score);
        bench.answer("letter", report)
    };
    for _ in 0..10 {
        let _ = odd(0.95);
    }
    bench.clock.advance(5 * HOUR);
    bench.pipeline.tick();
    for _ in 0..29 {
        let _ = odd(0.10);
    }
    assert_eq!(
        bench.drift.state("letter", "c"),
        DriftState::InsufficientData
    );
    let _ = odd(0.10);
    assert_eq!(bench.drift.state("letter", "c"), DriftState::Raised);
    assert_eq!(
        bench.drift.threshold("letter", "a"),
        Confidence::percent(85)
    );
    assert_eq!(bench.state(), DriftState::Warming);
    let next = bench.restarted(plain().max_keys(1).baseline_documents(10));
    let _ = next.answer("memo", Report::new().confidence("a", 0.5));
    assert_eq!(next.drift.state("memo", "a"), DriftState::Raised);
    assert_eq!(next.sink.events(), [], "said once");
    resolve(&bench.drift, "letter", "a").unwrap();
    bench.pipeline.tick();
    let shown: Vec<_> = bench
        .sink
        .events()
        .iter()
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "limit of 1 keys reached: `letter.a` and later new keys are not tracked separately",
            "mean confidence of other.other by v7 fell from 0.950 to 0.100 over 30 documents; answers below \
             0.850 now go to human review",
            "ada resolved the drift of other.other: answers below 0.800 go to human review again (looked at it)",
            "incident (drift_detected, other.other) resolved: opened at 2025-11-23T17:00:00.000Z, \
             happened once",
        ]
    );
}

#[test]
fn numbers_outside_their_range_are_refused_by_name() {
    let builder = ConfidenceDriftMonitor::builder;
    let (invoice, total) = names();
    let nothing = Confidence::percent(0);
    for (builder, message) in [
        (
            builder().threshold(Confidence::percent(95)),
            "drift threshold: got `0.950`, expected more than 0 and less than max_threshold (0.950)",
        ),
        (
            builder().threshold(nothing),
            "drift threshold: got `0.000`, expected more than 0 and less than max_threshold (0.950)",
        ),
        (
            builder().step(nothing),
            "drift step: got `0.000`, expected more than 0 and less than 1",
        ),
        (
            builder().max_drop(Confidence::CERTAIN),
            "drift max_drop: got `1.000`, expected more than 0 and less than 1",
        ),
        (
            builder().slow_drop(nothing),
            "drift slow_drop: got `0.000`, expected more than 0 and less than 1",
        ),
        (
            builder().exit_drop(Confidence::percent(6)),
            "drift exit_drop: got `0.060`, expected more than 0 and at most max_drop (0.050)",
        ),
        (
            builder().exit_drop(nothing),
            "drift exit_drop: got `0.000`, expected more than 0 and at most max_drop (0.050)",
        ),
        (
            builder().shape_distance(Confidence::CERTAIN),
            "drift shape_distance: got `1.000`, expected less than 1",
        ),
        (
            builder().average_run_length(0),
            "drift average_run_length: got `0`, expected 1 to 1000000000000 documents",
        ),
        (
            builder().baseline_confidences(names().0, names().1, []),
            "drift baseline of invoice.total: got `0`, expected 1 to 1000000000000 documents",
        ),
        (
            builder().min_documents(0),
            "drift min_documents: got `0`, expected at least 1",
        ),
        (
            builder().baseline_documents(0),
            "drift baseline_documents: got `0`, expected 1 to 1000000000000 documents",
        ),
        (
            builder().baseline(invoice, total, Confidence::percent(90), 0),
            "drift baseline of invoice.total: got `0`, expected 1 to 1000000000000 documents",
        ),
        (
            builder().max_keys(0),
            "drift max_keys: got `0`, expected at least 1 and at least the number of given baselines (0)",
        ),
        (
            builder().window(Duration::ZERO),
            "drift window: got `0s`, expected longer than zero",
        ),
        (
            builder().buckets(7),
            "drift window: got `4h`, expected a multiple of the number of buckets (7), in whole milliseconds",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
}

#[test]
fn a_built_monitor_has_the_default_numbers() {
    let (built, default) = (
        ConfidenceDriftMonitor::builder().build().unwrap(),
        ConfidenceDriftMonitor::default(),
    );
    assert_eq!(format!("{built:?}"), format!("{default:?}"));
    assert_eq!(state_of(&built), state_of(&default));
}
