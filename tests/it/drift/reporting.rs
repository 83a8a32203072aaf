//! Confidences that are missing, always the same, or none.

use fusebox::event::DriftEvent;
use fusebox::{ConfidenceDriftMonitor, EventKind, Report, Severity};

use super::{Bench, HOUR, names};
use crate::support::minutes;

fn named(bench: &Bench, name: &str) -> Vec<Severity> {
    let events = bench.sink.events();
    let named = events.iter().filter(|event| event.kind.name() == name);
    named.map(|event| event.severity).collect()
}

fn end_bucket(bench: &Bench) {
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
}

#[test]
fn a_confidence_that_has_become_constant_is_a_page() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    for _ in 0..50 {
        bench.totals(0.95, 1);
        bench.totals(0.97, 1);
    }
    bench.clock.advance(5 * HOUR);
    bench.totals(1.0, 99);
    end_bucket(&bench);
    assert_eq!(named(&bench, "confidence_constant"), []);
    bench.totals(1.0, 1);
    end_bucket(&bench);
    assert_eq!(named(&bench, "confidence_constant"), [Severity::Page]);
    bench.totals(0.99, 1);
    (0..4).for_each(|_| end_bucket(&bench));
    assert_eq!(bench.pipeline.incidents().len(), 1, "the shape is left");
}

/// 112 documents in four hours: the comparison covers three to four hours, and so 84 to 112.
#[test]
fn a_constant_confidence_of_a_quiet_field_is_one_page() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    for _ in 0..50 {
        bench.totals(0.95, 1);
        bench.totals(0.97, 1);
    }
    bench.clock.advance(5 * HOUR);
    for _ in 0..2 * 112 {
        bench.totals(1.0, 1);
        bench.clock.advance(4 * HOUR / 112);
        bench.pipeline.tick();
    }
    assert_eq!(named(&bench, "confidence_constant"), [Severity::Page]);
    assert_eq!(bench.pipeline.incidents().len(), 2);
    bench.totals(0.99, 1);
    (0..4).for_each(|_| end_bucket(&bench));
    assert_eq!(bench.pipeline.incidents().len(), 1, "the shape is left");
}

/// A service that says 1.0 of everything from the beginning: no outage, but worth knowing.
#[test]
fn a_confidence_that_has_always_been_constant_is_a_warning() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    bench.totals(1.0, 100);
    end_bucket(&bench);
    assert_eq!(named(&bench, "confidence_constant"), [Severity::Warning]);
}

#[test]
fn a_confidence_that_most_answers_no_longer_have_is_a_page() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    let (with, without) = (
        || {
            Report::new()
                .confidence("total", 0.9)
                .confidence("date", 0.9)
        },
        || Report::new().confidence("date", 0.9),
    );
    for n in 0..100 {
        let report = with().confidence("iban", 0.9 + f64::from(n) / 1e4);
        let _ = bench.answer("invoice", report);
    }
    bench.clock.advance(5 * HOUR);
    bench.pipeline.tick();
    // Half of 40 is not less than half; the `iban` of all is.
    for n in 0..40 {
        let _ = bench.answer("invoice", if n % 2 == 0 { with() } else { without() });
    }
    end_bucket(&bench);
    let missing: Vec<_> = bench
        .sink
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Drift(DriftEvent::ConfidenceMissing {
                field,
                documents,
                answers,
                ..
            }) => Some((event.severity, field.to_string(), documents, answers)),
            _ => None,
        })
        .collect();
    assert_eq!(missing, [(Severity::Page, "iban".to_owned(), 0, 40)]);
    assert_eq!(bench.pipeline.incidents()[0].things, 1);
    let _ = bench.answer("invoice", without());
    end_bucket(&bench);
    let incidents = bench.pipeline.incidents();
    assert_eq!(
        (incidents.len(), incidents[0].things),
        (1, 2),
        "and `total`"
    );
}

/// A report without any confidence counts as an answer of its type.
#[test]
fn answers_without_any_confidence_are_missed() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    bench.totals(0.9, 100);
    bench.clock.advance(5 * HOUR);
    for n in 0..30 {
        assert_eq!(named(&bench, "confidence_missing"), [], "{n}");
        let _ = bench.answer("invoice", Report::new());
        end_bucket(&bench);
    }
    assert_eq!(named(&bench, "confidence_missing"), [Severity::Page]);
}

/// A field of every third document is not missing where it comes in every third.
#[test]
fn a_field_that_is_seldom_there_is_not_missing() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    for n in 0..600 {
        let report = Report::new().confidence("date", 0.9);
        let report = if n % 3 == 0 {
            report.confidence("iban", 0.9)
        } else {
            report
        };
        let _ = bench.answer("invoice", report);
        if n % 2 == 0 {
            end_bucket(&bench);
        }
    }
    assert_eq!(named(&bench, "confidence_missing"), []);
}

#[test]
fn scores_that_are_no_confidences_are_counted_and_change_nothing() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
    let before = bench.drift.means("invoice", "total");
    for score in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        let _ = bench.answer("invoice", Report::new().confidence("total", score));
    }
    assert_eq!(bench.drift.invalid_confidences(), 4);
    let (document_type, field) = names();
    assert_eq!(bench.drift.means(document_type, field), before);
    let next = bench.restarted(ConfidenceDriftMonitor::builder());
    assert_eq!(next.drift.invalid_confidences(), 4);
}
