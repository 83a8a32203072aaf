//! Which answers go to people, and what is no confidence at all.

use fusebox::event::DriftEvent;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, EventKind, Reason, Report, Settlement, Severity,
};

use super::{Bench, confidence, is_accepted, names, with_baseline};

fn reasons(settlement: Settlement) -> Vec<Reason> {
    match settlement {
        Settlement::NeedsReview { reasons, .. } => reasons.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_confidence_is_shown_to_a_programmer_in_full() {
    let confidence = Confidence::new(0.950_001).unwrap();
    assert_eq!(format!("{confidence:?}"), "950001e-6");
    assert_eq!(confidence.to_string(), "0.950");
}

#[test]
fn an_answer_at_the_threshold_is_accepted_and_one_below_needs_review() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    assert!(is_accepted(&bench.total(0.80)));
    let (_, field) = names();
    assert_eq!(
        reasons(bench.total(0.799_999)),
        [Reason::LowConfidence {
            field,
            confidence: confidence(0.799_999),
            threshold: Confidence::percent(80),
        }]
    );
}

#[test]
fn a_raised_threshold_judges_the_next_answer_of_that_field_only() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 29);
    assert!(is_accepted(&bench.total(0.84)), "judged before it counts");
    assert!(!is_accepted(&bench.total(0.849_999)));
    assert!(is_accepted(&bench.total(0.85)));
    assert!(is_accepted(
        &bench.answer("contract", Report::new().confidence("total", 0.84))
    ));
    assert!(is_accepted(
        &bench.answer("invoice", Report::new().confidence("vendor", 0.84))
    ));
}

#[test]
fn every_field_below_its_threshold_is_a_reason() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    let report = Report::new()
        .confidence("vendor", 0.10)
        .confidence("total", 0.20)
        .confidence("date", 0.99);
    assert_eq!(reasons(bench.answer("invoice", report)).len(), 2);
}

#[test]
fn a_report_without_confidences_is_accepted_and_teaches_nothing() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    assert!(is_accepted(&bench.answer("invoice", Report::new())));
    assert_eq!(bench.drift.means("invoice", "total").baseline_documents, 0);
}

#[test]
fn a_score_that_is_no_confidence_needs_review_and_counts_in_no_mean() {
    for score in [
        f64::NAN,
        2.0,
        -1.0,
        f64::INFINITY,
        1.000_000_1,
        -0.000_000_1,
    ] {
        let bench = Bench::of(ConfidenceDriftMonitor::default());
        let report = Report::new()
            .confidence("total", score)
            .confidence("total", score)
            .confidence("vendor", 0.9);
        let (_, field) = names();
        assert_eq!(
            reasons(bench.answer("invoice", report)),
            [Reason::InvalidConfidence { field }],
            "{score}"
        );
        let events = bench.sink.events();
        assert_eq!(events.len(), 1, "{score}");
        assert_eq!(events[0].severity, Severity::Warning);
        assert!(matches!(
            events[0].kind,
            EventKind::Drift(DriftEvent::InvalidConfidence { .. })
        ));
        assert_eq!(bench.drift.means("invoice", "total").window_documents, 0);
        assert_eq!(bench.drift.means("invoice", "vendor").window_documents, 1);
    }
}

#[test]
fn zero_and_one_are_confidences() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    assert!(is_accepted(&bench.total(1.0)));
    assert!(matches!(
        reasons(bench.total(0.0))[..],
        [Reason::LowConfidence { .. }]
    ));
}

#[test]
fn a_field_that_is_named_often_counts_once_with_its_mean() {
    let bench = Bench::new(with_baseline(0.90));
    let report = Report::new()
        .confidence("total", 0.90)
        .confidence("vendor", 0.99)
        .confidence("total", 0.80)
        .confidence("total", f64::NAN);
    let _ = bench.answer("invoice", report);
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.window_documents, 1);
    assert_eq!(means.window, Some(confidence(0.85)));
}
