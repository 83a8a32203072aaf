//! The full rules: how many documents a mean needs, and what a field's status says of it.

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftRule, DriftState};
use fusebox::event::DriftEvent;
use fusebox::{Confidence, ConfidenceDriftMonitor, EventKind};

use super::{Bench, HOUR, confidence, is_detected, names, with_baseline};
use crate::support::minutes;

/// Documents that are in one bucket with the first of their segment have no bets: here only the
/// mean can find a fall.
fn mean_only() -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    ConfidenceDriftMonitor::builder().baseline(invoice, total, confidence(0.90), 1_000_000)
}

#[test]
fn a_drop_of_exactly_five_hundredths_is_no_shift_for_the_full_rule() {
    for (score, state) in [(0.85, DriftState::Healthy), (0.849_999, DriftState::Raised)] {
        let bench = Bench::new(mean_only());
        bench.totals(score, 40);
        assert_eq!(bench.state(), state, "{score}");
    }
}

/// Scores of 0.6 and 1.0 in turn have a mean of 0.8 and, over 108 documents, a variance of 0.04 *
/// 108 / 107; 16 times that, divided by 0.05^2, is 258.4. Of 0.7 and 0.9 it is 0.01, and 64.
#[test]
fn scores_that_vary_more_need_more_documents() {
    for (low, high, needed) in [(0.7, 0.9, 66), (0.6, 1.0, 258)] {
        let bench = Bench::new(mean_only());
        for _ in 0..needed / 2 - 1 {
            bench.totals(low, 1);
            bench.totals(high, 1);
        }
        assert_eq!(bench.state(), DriftState::InsufficientData, "{needed}");
        bench.totals(low, 2);
        bench.totals(high, 2);
        assert_eq!(bench.state(), DriftState::Raised, "{needed}");
    }
}

/// With a baseline of few documents, the mean must fall further: of 100 documents with scores of
/// 0.8 and 1.0, the standard error is 0.01005. So a fall to 0.84 of scores of 0.74 and 0.94 has a z
/// of 0.06 / sqrt(0.0101 / 100 + 0.0101 / n), which is 4 from n = 82 on.
#[test]
fn a_baseline_of_few_documents_leaves_doubt() {
    let (invoice, total) = names();
    let scores = [0.8, 1.0].map(confidence).into_iter().cycle().take(100);
    let bench =
        Bench::new(ConfidenceDriftMonitor::builder().baseline_confidences(invoice, total, scores));
    for _ in 0..40 {
        bench.totals(0.94, 1);
        bench.totals(0.74, 1);
    }
    assert_eq!(bench.state(), DriftState::Healthy);
    bench.totals(0.94, 1);
    bench.totals(0.74, 1);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn a_status_says_on_what_it_stands() {
    let bench = Bench::new(mean_only());
    let status = || bench.drift.status("invoice", "total");
    assert!(status().is_thin);
    assert_eq!(
        (status().standard_error, status().detectable_drop),
        (None, None)
    );
    assert_eq!(status().baseline_number, 1);
    for _ in 0..20 {
        bench.totals(0.8, 1);
        bench.totals(1.0, 1);
    }
    // sqrt(0.01 / 39), rounded to millionths.
    assert_eq!(status().standard_error, Some(confidence(0.016_013)));
    assert!(status().is_thin, "64 are needed");
    for _ in 0..20 {
        bench.totals(0.8, 1);
        bench.totals(1.0, 1);
    }
    assert!(!status().is_thin);
    crate::operator::rebaseline(&bench.drift, "invoice", "total").unwrap();
    assert_eq!(status().baseline_number, 2);
    assert_eq!(status().state, DriftState::Warming);
}

/// 14 documents in 30 minutes, and a mean over four hours that falls by an eighth of a drop within
/// them: the bare rule sees 0.40.
#[test]
fn the_smallest_drop_seen_in_half_an_hour_is_stated() {
    let drop = |builder: ConfidenceDriftMonitorBuilder, documents: u64| {
        let bench = Bench::new(builder);
        for _ in 0..48 {
            bench.totals(0.84, documents);
            bench.totals(0.96, documents);
            bench.clock.advance(minutes(5));
        }
        bench.drift.status("invoice", "total").detectable_drop
    };
    assert_eq!(drop(with_baseline(0.90), 1), Some(confidence(0.401)));
    let full: Vec<_> = [1, 5, 25]
        .map(|documents| drop(mean_only(), documents))
        .into();
    assert!(full.windows(2).all(|pair| pair[1] < pair[0]), "{full:?}");
    // By 3c of the notes on which the test rests, 14 documents reveal 0.15, 45 reveal 0.05.
    assert!(
        full[0] < Some(confidence(0.22)) && full[0] > Some(confidence(0.12)),
        "{full:?}"
    );
    assert!(full[1] < Some(confidence(0.07)), "{full:?}");
}

#[test]
fn the_worst_fields_of_a_document_are_named_in_one_page() {
    let (invoice, _) = names();
    let fields: Vec<_> = (0..14).map(|n| format!("field-{n:02}")).collect();
    let builder = fields
        .iter()
        .fold(ConfidenceDriftMonitor::builder(), |builder, name| {
            let field = fusebox::Field::new(name).unwrap();
            builder.baseline(invoice.clone(), field, confidence(0.90), 5_000)
        });
    let bench = Bench::new(builder);
    for _ in 0..30 {
        let scores = (0_u32..)
            .zip(&fields)
            .map(|(n, name)| (name, 0.80 - f64::from(n) / 100.0));
        let report = scores.fold(fusebox::Report::new(), |report, (name, score)| {
            report.confidence(name, score)
        });
        let _ = bench.answer("invoice", report);
    }
    let pages = bench.sink.pages();
    assert_eq!(pages.len(), 1);
    let EventKind::Drift(DriftEvent::DriftDetected {
        field,
        also,
        more,
        rule,
        ..
    }) = &pages[0].kind
    else {
        panic!("{pages:?}")
    };
    let named: Vec<_> = (4..13)
        .rev()
        .map(|n| format!("invoice.field-{n:02}"))
        .collect();
    assert_eq!((field.as_str(), also, *more), ("field-13", &named, 4));
    assert_eq!(*rule, DriftRule::Mean);
    let events = bench.sink.events();
    let detected = events.iter().filter(|event| is_detected(event));
    assert_eq!(detected.count(), 14, "each field has its event");
    assert_eq!(bench.pipeline.incidents()[0].things, 14);
}

#[test]
fn a_raised_threshold_without_documents_says_so_after_two_windows() {
    let bench = Bench::new(mean_only());
    bench.totals(0.10, 30);
    assert_eq!(bench.state(), DriftState::Raised);
    let said = || {
        let events = bench.sink.events();
        let names = events.iter().map(|event| event.kind.name());
        names.filter(|name| *name == "raised_without_data").count()
    };
    bench.clock.advance(4 * HOUR);
    bench.pipeline.tick();
    assert!(bench.drift.status("invoice", "total").is_thin);
    bench.clock.advance(4 * HOUR);
    bench.pipeline.tick();
    assert_eq!(said(), 0);
    bench.clock.advance(4 * HOUR);
    bench.pipeline.tick();
    assert_eq!(said(), 1);
    bench.clock.advance(8 * HOUR);
    bench.pipeline.tick();
    assert_eq!((said(), bench.state()), (1, DriftState::Raised));
    assert_eq!(bench.threshold(), Confidence::percent(85));
}
