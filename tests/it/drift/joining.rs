//! Fields and types that fall together are one incident, and one page names the worst of them.

use std::collections::BTreeSet;

use fusebox::event::DriftEvent;
use fusebox::{ConfidenceDriftMonitor, Event, EventKind, Report, Severity};

use super::{Bench, is_detected};
use crate::support::minutes;

/// An answer with 40 fields, whose scores are this much lower than 0.95; those of later fields fall
/// more.
fn forty_fields(lower: f64) -> Report {
    (0..40).fold(Report::new(), |report, field| {
        let score = 0.95 - lower * (1.0 + f64::from(field) / 100.0);
        report.confidence(format!("field-{field:02}"), score)
    })
}

fn named(event: &Event) -> (String, Vec<String>, u64) {
    let EventKind::Drift(DriftEvent::DriftDetected {
        document_type,
        field,
        also,
        more,
        ..
    }) = &event.kind
    else {
        panic!("{event:?}");
    };
    (format!("{document_type}.{field}"), also.clone(), *more)
}

fn generation(event: &Event) -> u64 {
    match event.kind {
        EventKind::Drift(DriftEvent::DriftDetected { generation, .. }) => generation,
        _ => panic!("{event:?}"),
    }
}

/// 400 pairs of ten types and forty fields.
#[test]
fn what_falls_in_one_bucket_is_one_page_and_is_named_when_the_bucket_ends() {
    let bench = Bench::new(ConfidenceDriftMonitor::builder());
    let types: Vec<_> = (0..10).map(|n| format!("type-{n}")).collect();
    let answers = |lower: f64, documents: u64| {
        for _ in 0..documents {
            for of_type in &types {
                let _ = bench.answer(of_type, forty_fields(lower));
            }
        }
    };
    answers(0.0, 100);
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    bench.sink.take();
    answers(0.40, 60);
    let events = bench.sink.take();
    let detected: Vec<_> = events.iter().filter(|event| is_detected(event)).collect();
    assert_eq!(detected.len(), 400, "each has its event");
    let generations: BTreeSet<_> = detected.iter().map(|event| generation(event)).collect();
    assert_eq!(generations.len(), 400, "and its generation");
    let (pages, others): (Vec<_>, Vec<_>) = detected
        .into_iter()
        .partition(|event| event.severity == Severity::Page);
    assert!(others.iter().all(|event| event.severity == Severity::Info));
    assert_eq!(pages.len(), 1, "{pages:#?}");
    let (worst, also, more) = named(pages[0]);
    assert_eq!(
        (worst.as_str(), also.len()),
        ("type-0.field-39", 9),
        "more {more}"
    );
    bench.clock.advance(minutes(5));
    bench.pipeline.tick();
    let events = bench.sink.take();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].severity, Severity::Warning);
    let (worst, also, more) = named(&events[0]);
    assert_eq!(worst, "type-0.field-39");
    assert_eq!(also[8], "type-9.field-39", "the deepest of all types");
    assert_eq!(more, 390);
    for _ in 0..12 * 24 {
        bench.clock.advance(minutes(5));
        bench.pipeline.tick();
    }
    assert_eq!(bench.sink.pages(), [], "and no other page");
    assert_eq!(bench.pipeline.incidents().len(), 1);
}

/// Without a tick at its end, the next fall names what the last bucket left.
#[test]
fn a_bucket_ends_with_the_next_fall_at_the_latest() {
    let bench = Bench::new(super::plain().baseline_documents(30));
    for field in ["date", "total", "vendor"] {
        for _ in 0..30 {
            let _ = bench.answer("invoice", Report::new().confidence(field, 0.95));
        }
    }
    bench.clock.advance(minutes(250));
    let fall = |field: &str| {
        for _ in 0..30 {
            let _ = bench.answer("invoice", Report::new().confidence(field, 0.60));
        }
    };
    fall("date");
    fall("total");
    let is_news = |event: &&Event| is_detected(event) && event.severity > Severity::Info;
    let events = bench.sink.take();
    assert_eq!(events.iter().filter(is_news).count(), 1);
    bench.clock.advance(minutes(10));
    fall("vendor");
    let events = bench.sink.take();
    let detected: Vec<_> = events.iter().filter(is_news).collect();
    assert_eq!(detected.len(), 2, "{events:#?}");
    let (worst, also, _) = named(detected[0]);
    assert_eq!(
        (worst.as_str(), also),
        ("invoice.date", vec!["invoice.total".to_owned()])
    );
    assert_eq!(named(detected[1]).0, "invoice.vendor");
}
