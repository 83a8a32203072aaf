//! When a mean over four hours has fallen, and when it has not.

use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::drift::{DriftRule, DriftState};
use fusebox::event::DriftEvent;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Confidence, EventKind, FailureKind, Guard, LineUp, Pipeline, Report, Severity, Version,
};
use proptest::prelude::*;

use super::{
    Bench, HOUR, NOON, confidence, is_accepted, is_detected, names, plain, state_of, with_baseline,
};
use crate::support::minutes;

#[test]
fn a_drop_of_exactly_five_hundredths_is_no_shift() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.85, 40);
    assert_eq!(bench.state(), DriftState::Healthy);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    assert_eq!(bench.sink.events(), []);
}

#[test]
fn a_drop_of_a_millionth_more_raises_the_threshold_and_pages_once() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.849_999, 40);
    assert_eq!(bench.state(), DriftState::Raised);
    assert_eq!(bench.threshold(), Confidence::percent(85));
    let events = bench.sink.events();
    let (document_type, field) = names();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].severity, Severity::Page);
    assert_eq!(
        events[0].kind,
        EventKind::Drift(DriftEvent::DriftDetected {
            document_type,
            field,
            version: Some(crate::support::v7()),
            baseline: confidence(0.90),
            rule: DriftRule::Mean,
            baseline_number: 1,
            mean: confidence(0.849_999),
            standard_error: Confidence::percent(0),
            documents: 30,
            threshold: Confidence::percent(85),
            generation: 1,
            // 30 minutes of a window of 4 hours must lower its mean by more than 0.05.
            detectable_drop: Some(confidence(0.401)),
            compared_with: None,
            also: Vec::new(),
            more: 0,
        })
    );
}

#[test]
fn a_drop_is_compared_without_rounding() {
    // A fall of a third of a millionth more than 0.05: rounded means would not show it.
    let bench = Bench::new(plain().baseline_documents(3));
    bench.totals(0.900_000, 2);
    bench.totals(0.900_001, 1);
    bench.clock.advance(5 * HOUR);
    bench.totals(0.85, 30);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn twenty_nine_documents_are_not_enough_and_thirty_are() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 29);
    assert_eq!(bench.state(), DriftState::InsufficientData);
    bench.totals(0.10, 1);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn documents_count_until_their_four_hours_are_over() {
    for (later, state) in [
        (minutes(47 * 5), DriftState::Raised),
        (
            (4 * HOUR).saturating_sub(Duration::from_millis(1)),
            DriftState::Raised,
        ),
        (4 * HOUR, DriftState::InsufficientData),
    ] {
        let bench = Bench::new(with_baseline(0.90));
        bench.totals(0.10, 29);
        bench.clock.advance(later);
        bench.totals(0.10, 1);
        assert_eq!(bench.state(), state, "{later:?}");
    }
}

#[test]
fn the_baseline_is_learnt_from_the_first_hundred_documents() {
    let bench = Bench::new(plain());
    assert_eq!(bench.state(), DriftState::Warming);
    bench.totals(0.95, 50);
    bench.totals(0.85, 49);
    assert_eq!(bench.state(), DriftState::Warming);
    bench.totals(0.85, 1);
    assert_eq!(bench.state(), DriftState::Healthy);
    bench.clock.advance(5 * HOUR);
    bench.totals(0.85, 40);
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.90)));
    assert_eq!(means.baseline_documents, 100);
    assert_eq!(means.window, Some(confidence(0.85)));
    assert_eq!(means.window_documents, 40);
    assert_eq!(bench.state(), DriftState::Healthy);
}

#[test]
fn a_baseline_is_not_talked_down_by_a_slow_slide() {
    let bench = Bench::new(plain());
    bench.totals(0.95, 100);
    // A hundredth every day: 0.90 is not a shift, 0.89 is.
    for (day, score) in [0.94, 0.93, 0.92, 0.91, 0.90].into_iter().enumerate() {
        bench.clock.advance(24 * HOUR);
        bench.totals(score, 40);
        assert_eq!(bench.state(), DriftState::Healthy, "day {day}");
    }
    bench.clock.advance(24 * HOUR);
    bench.totals(0.89, 40);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn answers_held_for_review_count_and_failed_calls_do_not() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 5);
    for _ in 0..5 {
        let report = Report::new().confidence("total", 0.10);
        let _ = bench.answer("invoice", report.failed(FailureKind::Refusal));
        let permit = bench
            .pipeline
            .admit(&Call::new("document", "invoice").unwrap());
        drop(permit);
    }
    assert_eq!(bench.drift.means("invoice", "total").window_documents, 5);
}

#[test]
fn raised_stays_raised_when_documents_stop() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    for _ in 0..100 {
        bench.clock.advance(HOUR);
        bench.pipeline.tick();
    }
    assert_eq!(bench.state(), DriftState::Raised);
    assert_eq!(bench.drift.means("invoice", "total").window_documents, 0);
    bench.totals(0.99, 100);
    assert_eq!(bench.state(), DriftState::Raised, "nobody has resolved it");
    assert_eq!(bench.sink.pages().len(), 1);
}

#[test]
fn silence_alone_raises_nothing() {
    // Good documents leave the window first; what stays is low, and no answer has come since.
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.99, 30);
    bench.clock.advance(2 * HOUR);
    bench.totals(0.81, 31);
    bench.clock.advance(2 * HOUR);
    bench.pipeline.tick();
    assert_eq!(bench.drift.means("invoice", "total").window_documents, 31);
    assert_eq!(bench.state(), DriftState::Healthy);
    bench.totals(0.81, 1);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn a_dry_run_warns_and_accepts() {
    let (clock, sink) = (MockClock::at(NOON), MemorySink::new());
    let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o").unwrap()))
        .guard(with_baseline(0.90).build().unwrap().dry_run())
        .clock(clock)
        .sink(sink.clone())
        .build()
        .unwrap();
    for _ in 0..30 {
        let call = Call::new("document", "invoice").unwrap();
        let report = Report::new().confidence("total", 0.10);
        let settlement = pipeline.admit(&call).permit().unwrap().answer(report);
        assert!(is_accepted(&settlement));
    }
    assert_eq!(sink.pages(), []);
    assert_eq!(sink.events().iter().filter(|e| is_detected(e)).count(), 1);
}

proptest! {
    #[test]
    fn the_order_of_documents_in_a_bucket_does_not_matter(
        scores in prop::collection::vec(700_000_u32..1_000_000, 30),
        seed in any::<prop::sample::Index>(),
    ) {
        let score = |millionths: &u32| f64::from(*millionths) / 1e6;
        let mut turned = scores.clone();
        turned.rotate_left(seed.index(scores.len()));
        turned.reverse();
        let mut sorted = scores.clone();
        sorted.sort_unstable();
        let runs: Vec<_> = [&scores, &turned, &sorted]
            .into_iter()
            .map(|scores| {
                let bench = Bench::new(with_baseline(0.90));
                for one in scores {
                    let _ = bench.total(score(one));
                }
                (bench.state(), bench.drift.means("invoice", "total"), state_of(&bench.drift))
            })
            .collect();
        prop_assert_eq!(&runs[0], &runs[1]);
        prop_assert_eq!(&runs[0], &runs[2]);
        let sum: u32 = scores.iter().sum();
        let falls = 900_000 * 30 - i64::from(sum) > 50_000 * 30;
        let state = if falls { DriftState::Raised } else { DriftState::Healthy };
        prop_assert_eq!(runs[0].0, state);
    }
}
