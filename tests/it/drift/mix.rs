//! A mean over all documents that falls although no type has fallen.
//!
//! Invoices have a mean of 0.95 and contracts one of 0.80. At 80 and 20 % that is 0.92, and at 40
//! and 60 % it is 0.86 (Simpson's paradox).

use fusebox::drift::{ConfidenceDriftMonitorBuilder, TypeShare};
use fusebox::event::DriftEvent;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, Event, EventKind, LineUp, Ratio, Report, Severity, Version,
};

use super::{Bench, HOUR, confidence, plain, state_of};
use crate::operator::rebaseline;
use crate::support::minutes;

fn builder() -> ConfidenceDriftMonitorBuilder {
    ConfidenceDriftMonitor::builder()
}

/// Two fields with a mean of 0.95, and one that is no confidence.
fn invoices(bench: &Bench, documents: u64) {
    for _ in 0..documents {
        let report = Report::new().confidence("total", 0.97);
        let report = report.confidence("date", 0.93).confidence("iban", 7.0);
        let _ = bench.answer("invoice", report);
    }
}

fn of_type(bench: &Bench, document_type: &str, score: f64, documents: u64) {
    for _ in 0..documents {
        let _ = bench.answer(document_type, Report::new().confidence("total", score));
    }
}

fn contracts(bench: &Bench, documents: u64) {
    of_type(bench, "contract", 0.80, documents);
}

fn half_an_hour(bench: &Bench) {
    bench.clock.advance(minutes(30));
    bench.pipeline.tick();
}

/// After a day with 80 % invoices, of 1,200 documents, and five hours in which none came; so many
/// of the invoices, and with their mean, were memos.
fn after_a_day(builder: ConfidenceDriftMonitorBuilder, memos: u64) -> Bench {
    let bench = Bench::new(builder);
    invoices(&bench, 959 - memos);
    contracts(&bench, 240);
    of_type(&bench, "memo", 0.95, memos);
    bench.clock.advance(24 * HOUR);
    bench.pipeline.tick();
    invoices(&bench, 1);
    bench.clock.advance(5 * HOUR);
    bench.pipeline.tick();
    assert_eq!(shifts(&bench), []);
    bench
}

fn is_shift(event: &Event) -> bool {
    matches!(event.kind, EventKind::Drift(DriftEvent::MixShift { .. }))
}

fn shifts(bench: &Bench) -> Vec<Event> {
    bench.sink.events().into_iter().filter(is_shift).collect()
}

/// A type, its share before and now, and its mean.
type Share = (String, Ratio, Ratio, f64);

/// What the first shift says: the means before and now, the parts by the mix and within types, and
/// the types.
fn said(bench: &Bench) -> (Confidence, Confidence, [f64; 2], Vec<Share>) {
    let event = shifts(bench).remove(0);
    assert_eq!(event.severity, Severity::Warning);
    let EventKind::Drift(DriftEvent::MixShift {
        before,
        mean,
        by_mix,
        within_types,
        types,
        ..
    }) = event.kind
    else {
        panic!("{event}")
    };
    let share = |share: TypeShare| {
        let mean = share.mean.unwrap().as_millionths();
        (
            share.document_type.to_string(),
            share.before,
            share.now,
            f64::from(mean) / 1e6,
        )
    };
    let types = types.into_iter().map(share).collect();
    (before, mean, [by_mix, within_types], types)
}

fn of(document_type: &str, before: u32, now: u32, mean: f64) -> Share {
    let [before, now] = [before, now].map(Ratio::percent);
    (document_type.to_owned(), before, now, mean)
}

#[test]
fn a_fall_that_no_type_has_is_a_shift_of_the_mix_and_raises_nothing() {
    let bench = after_a_day(builder(), 0);
    for _ in 0..8 {
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
    }
    assert_eq!(shifts(&bench).len(), 1, "told once");
    let types = vec![of("contract", 20, 60, 0.80), of("invoice", 80, 40, 0.95)];
    let expected = (confidence(0.92), confidence(0.86), [0.06, 0.0], types);
    assert_eq!(said(&bench), expected);
    assert_eq!(bench.sink.pages(), []);
    for document_type in ["invoice", "contract"] {
        let threshold = bench.drift.threshold(document_type, "total");
        assert_eq!(threshold, Confidence::percent(80));
    }
    let incidents = bench.pipeline.incidents();
    let keys: Vec<_> = incidents.iter().map(|open| open.key.to_string()).collect();
    assert!(
        keys.contains(&"confidence-drift/mix/v7/1".to_owned()),
        "{keys:?}"
    );
}

/// 35 invoices and 40 contracts have a mean of 0.87.
#[test]
fn a_fall_of_exactly_five_hundredths_is_no_shift_of_the_mix() {
    for (of_contracts, expected) in [(40, 0), (41, 1)] {
        let bench = after_a_day(builder(), 0);
        invoices(&bench, 35);
        contracts(&bench, of_contracts);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{of_contracts}");
    }
}

/// Of n documents, 40 % with 0.95 and 60 % with 0.80, the variance is 0.0054 * n / (n - 1); 16
/// times that, divided by 0.05^2, is 35.6 for 35 documents, and 35.4 for 40.
#[test]
fn a_fall_needs_as_many_documents_as_the_mean_of_a_field() {
    for (of_invoices, of_contracts, expected) in [(14, 21, 0), (16, 24, 1)] {
        let bench = after_a_day(builder(), 0);
        invoices(&bench, of_invoices);
        contracts(&bench, of_contracts);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{of_contracts}");
    }
}

/// Contracts that fell to 0.75 are 60 % of the documents: 0.03 of a fall of 0.09 are within types.
#[test]
fn where_types_fall_as_well_it_is_no_shift_of_the_mix() {
    for (score, expected) in [(0.75, 1), (0.749, 0)] {
        let bench = after_a_day(builder(), 0);
        invoices(&bench, 40);
        of_type(&bench, "contract", score, 60);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{score}");
        if expected == 1 {
            let (_, mean, parts, _) = said(&bench);
            assert_eq!((mean, parts), (confidence(0.83), [0.06, 0.03]));
        }
    }
}

/// 30 % memos with 0.70 make 0.854 of 0.92.
#[test]
fn a_new_type_is_mix() {
    for (keys, name) in [(10_000, "memo"), (2, "other")] {
        let bench = after_a_day(builder().max_keys(keys), 0);
        invoices(&bench, 56);
        contracts(&bench, 14);
        of_type(&bench, "memo", 0.70, 15);
        of_type(&bench, if keys == 2 { "note" } else { "memo" }, 0.70, 15);
        half_an_hour(&bench);
        let types = vec![
            of(name, 0, 30, 0.70),
            of("invoice", 80, 56, 0.95),
            of("contract", 20, 14, 0.80),
        ];
        let expected = (confidence(0.92), confidence(0.854), [0.066, 0.0], types);
        assert_eq!(said(&bench), expected, "{name}");
    }
}

/// Memos had 0.95, and have 0.70 now: a fall of 0.075 within types, if they were enough for a mean.
#[test]
fn a_type_with_fewer_than_thirty_documents_in_the_reference_is_new() {
    for (memos, expected) in [(29, 1), (30, 0)] {
        let bench = after_a_day(builder(), memos);
        invoices(&bench, 56);
        contracts(&bench, 14);
        of_type(&bench, "memo", 0.70, 30);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{memos}");
    }
}

#[test]
fn at_most_five_types_are_named() {
    let bench = after_a_day(builder(), 0);
    for n in 0..9 {
        of_type(&bench, &format!("type-{n}"), 0.70, 10 + n);
    }
    half_an_hour(&bench);
    let names: Vec<_> = said(&bench)
        .3
        .into_iter()
        .map(|of_type| of_type.0)
        .collect();
    assert_eq!(names, ["invoice", "contract", "type-8", "type-7", "type-6"]);
}

/// With 15 invoices and 10 contracts the mean is 0.89.
#[test]
fn a_shift_ends_when_the_mean_is_near_the_reference_and_not_at_the_limit_of_its_begin() {
    for (of_invoices, is_over) in [(15, false), (16, true)] {
        let bench = after_a_day(builder(), 0);
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
        for _ in 0..9 {
            invoices(&bench, of_invoices);
            contracts(&bench, 10);
            half_an_hour(&bench);
        }
        half_an_hour(&bench);
        let events = bench.sink.events();
        let ends = events.iter().filter(|event| {
            let text = event.kind.to_string();
            text.contains("mix_shift") && event.kind.name() == "incident_resolved"
        });
        assert_eq!(ends.count() == 1, is_over, "{of_invoices}");
        assert_eq!(shifts(&bench).len(), 1);
    }
}

/// Contracts that have fallen by 0.08 are 60 % of the documents: 0.048 are within types; by 0.09,
/// it is 0.054.
#[test]
fn a_shift_ends_when_types_fall_as_well() {
    let open = |bench: &Bench| {
        let incidents = bench.pipeline.incidents();
        let keys = incidents.iter().map(|open| open.key.to_string());
        keys.filter(|key| key.contains("/mix/")).count()
    };
    for (score, expected) in [(0.72, 1), (0.71, 0)] {
        let bench = after_a_day(builder(), 0);
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
        for _ in 0..10 {
            invoices(&bench, 20);
            of_type(&bench, "contract", score, 30);
            half_an_hour(&bench);
        }
        assert_eq!(open(&bench), expected, "{score}");
    }
}

/// 1,000 documents and a day, with baselines of 100.
#[test]
fn a_reference_has_ten_times_the_documents_of_a_baseline_and_a_whole_day() {
    for (baseline, expected) in [(100, 0), (50, 1)] {
        let bench = Bench::new(builder().baseline_documents(baseline));
        invoices(&bench, 400);
        contracts(&bench, 100);
        bench.clock.advance(24 * HOUR);
        invoices(&bench, 1);
        bench.clock.advance(5 * HOUR);
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{baseline}");
    }
    for (time, expected) in [(minutes(18 * 60 + 55), 0), (19 * HOUR, 1)] {
        let bench = Bench::new(builder());
        invoices(&bench, 959);
        contracts(&bench, 240);
        bench.clock.advance(time);
        bench.pipeline.tick();
        bench.clock.advance(5 * HOUR);
        contracts(&bench, 60);
        half_an_hour(&bench);
        assert_eq!(shifts(&bench).len(), expected, "{time:?}");
    }
}

/// A fall that the operator accepts would be one within types for ever.
#[test]
fn with_a_new_baseline_the_mix_is_measured_anew() {
    let bench = after_a_day(builder(), 0);
    let pass = || {
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
    };
    pass();
    rebaseline(&bench.drift, "contract", "total").unwrap();
    (0..8).for_each(|_| pass());
    let incidents = bench.pipeline.incidents();
    let keys: Vec<_> = incidents.iter().map(|open| open.key.to_string()).collect();
    assert!(keys.iter().all(|key| !key.contains("/mix/")), "{keys:?}");
    assert_eq!(shifts(&bench).len(), 1);
}

#[test]
fn each_version_has_its_own_mix() {
    let bench = after_a_day(builder(), 0);
    let v8 = LineUp::new(Version::new("v8", "gpt-4o").unwrap());
    bench.pipeline.deploy(v8).unwrap();
    for _ in 0..4 {
        invoices(&bench, 20);
        contracts(&bench, 30);
        half_an_hour(&bench);
    }
    assert_eq!(shifts(&bench), []);
}

#[test]
fn the_bare_rule_has_no_mix() {
    let bench = after_a_day(plain(), 0);
    invoices(&bench, 20);
    contracts(&bench, 30);
    half_an_hour(&bench);
    assert_eq!(shifts(&bench), []);
}

/// What is said and stored is the same, whenever the process restarts; with another window, the
/// reference is kept.
#[test]
fn a_restart_keeps_the_mix() {
    let run = |restart: Option<u32>, next: &ConfidenceDriftMonitorBuilder| {
        let mut bench = Bench::new(builder());
        let mut events = Vec::new();
        for n in 0..40 {
            let share = if n < 28 { [40, 10] } else { [20, 30] };
            invoices(&bench, share[0] / 2);
            contracts(&bench, share[1]);
            if restart == Some(n) {
                events.extend(bench.sink.take());
                bench = bench.restarted(next.clone());
            }
            invoices(&bench, share[0] / 2);
            bench.clock.advance(HOUR);
            bench.pipeline.tick();
        }
        events.extend(bench.sink.take());
        let shifts = events.into_iter().filter(is_shift);
        let kinds: Vec<_> = shifts.map(|event| event.kind).collect();
        (kinds, state_of(&bench.drift))
    };
    let expected = run(None, &builder());
    assert_eq!(expected.0.len(), 1);
    for restart in [0, 10, 23, 24, 25, 28, 30, 31, 32, 39] {
        assert_eq!(run(Some(restart), &builder()), expected, "{restart}");
    }
    let other = builder().window(2 * HOUR);
    assert_eq!(run(Some(26), &other).0.len(), 1);
}
