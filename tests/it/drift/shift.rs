//! P2: the confidence of each field is watched, and a fall sends more answers to people.

use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState};
use fusebox::event::{DriftEvent, Outbox};
use fusebox::guard::{Cx, State};
use fusebox::pipeline::Snapshot;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Confidence, ConfidenceDriftMonitor, DocumentType, Event, EventKind, FailureKind, Field,
    Guard, LineUp, Pipeline, Reason, Report, Settlement, Severity, Timestamp, Version,
};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// The beginning of a bucket of five minutes.
const NOON: Timestamp = Timestamp::from_millis(1_763_899_200_000);

struct Bench {
    pipeline: Pipeline,
    drift: Arc<ConfidenceDriftMonitor>,
    clock: MockClock,
    sink: MemorySink,
}

impl Bench {
    fn new(builder: ConfidenceDriftMonitorBuilder) -> Self {
        Self::of(builder.build().unwrap())
    }

    fn of(drift: ConfidenceDriftMonitor) -> Self {
        let (drift, clock, sink) = (Arc::new(drift), MockClock::at(NOON), MemorySink::new());
        let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o").unwrap()))
            .guard(Arc::clone(&drift))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .unwrap();
        sink.take();
        Self {
            pipeline,
            drift,
            clock,
            sink,
        }
    }

    fn answer(&self, document_type: &str, report: Report) -> Settlement {
        let call = Call::new("document", document_type).unwrap();
        self.pipeline.admit(&call).permit().unwrap().answer(report)
    }

    fn total(&self, score: f64) -> Settlement {
        self.answer("invoice", Report::new().confidence("total", score))
    }

    fn totals(&self, score: f64, documents: u64) {
        for _ in 0..documents {
            let _ = self.total(score);
        }
    }

    fn state(&self) -> DriftState {
        self.drift.state("invoice", "total")
    }

    fn threshold(&self) -> Confidence {
        self.drift.threshold("invoice", "total")
    }

    /// The same after a restart, at the time of this one.
    fn restarted(&self, builder: ConfidenceDriftMonitorBuilder) -> Self {
        let text = serde_json::to_string(&self.pipeline.snapshot().unwrap()).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
        let next = Self::new(builder);
        next.clock.set(snapshot.at());
        next.pipeline.restore(&snapshot).unwrap();
        next
    }
}

fn names() -> (DocumentType, Field) {
    (
        DocumentType::new("invoice").unwrap(),
        Field::new("total").unwrap(),
    )
}

fn confidence(score: f64) -> Confidence {
    Confidence::new(score).unwrap()
}

fn with_baseline(mean: f64) -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    ConfidenceDriftMonitor::builder().baseline(invoice, total, confidence(mean), 5_000)
}

fn is_accepted(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Accepted { .. })
}

fn reasons(settlement: Settlement) -> Vec<Reason> {
    match settlement {
        Settlement::NeedsReview { reasons, .. } => reasons.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

fn is_detected(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Drift(DriftEvent::DriftDetected { .. })
    )
}

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
            baseline: confidence(0.90),
            mean: confidence(0.849_999),
            documents: 30,
            threshold: Confidence::percent(85),
        })
    );
}

#[test]
fn a_drop_is_compared_without_rounding() {
    // A fall of a third of a millionth more than 0.05: rounded means would not show it.
    let bench = Bench::new(ConfidenceDriftMonitor::builder().baseline_documents(3));
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
        (47 * 5 * MINUTE, DriftState::Raised),
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
fn the_baseline_is_learnt_from_the_first_hundred_documents() {
    let bench = Bench::of(ConfidenceDriftMonitor::default());
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
    let bench = Bench::of(ConfidenceDriftMonitor::default());
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
fn resolving_takes_effect_at_the_next_tick_and_forgets_what_raised_it() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let (invoice, total) = names();
    bench.drift.resolve(&invoice, &total);
    bench.drift.resolve(&invoice, &total);
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::InsufficientData);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    let resolved: Vec<_> = bench
        .sink
        .events()
        .into_iter()
        .filter(|event| !is_detected(event))
        .collect();
    assert_eq!(resolved.len(), 1);
    assert_eq!(
        resolved[0].kind,
        EventKind::Drift(DriftEvent::DriftResolved {
            document_type: invoice,
            field: total,
            threshold: Confidence::percent(80),
        })
    );
    bench.totals(0.10, 29);
    assert_eq!(bench.state(), DriftState::InsufficientData);
    bench.totals(0.10, 1);
    assert_eq!(bench.state(), DriftState::Raised, "the same baseline");
    assert_eq!(bench.sink.pages().len(), 2);
}

#[test]
fn resolving_is_in_time_for_the_next_answer() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let call = Call::new("document", "invoice").unwrap();
    let open = bench.pipeline.admit(&call).permit().unwrap();
    bench.drift.resolve("invoice", "total");
    let report = Report::new().confidence("total", 0.80);
    assert!(is_accepted(&open.answer(report)));
}

fn state_of(drift: &ConfidenceDriftMonitor) -> Option<State> {
    let (line_up, outbox) = (
        LineUp::new(Version::new("v7", "gpt-4o").unwrap()),
        Outbox::new(),
    );
    let cx = Cx::new(NOON, &line_up, &outbox, "confidence-drift");
    drift.snapshot(&cx).unwrap()
}

#[test]
fn resolving_what_is_not_raised_changes_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.88, 30);
    for (document_type, field) in [("invoice", "total"), ("invoice", "vendor"), ("", "")] {
        bench.drift.resolve(document_type, field);
        bench.pipeline.tick();
    }
    let before = state_of(&bench.drift);
    bench.drift.resolve("letter", "total");
    bench.drift.rebaseline("letter", "total");
    assert_eq!(
        state_of(&bench.drift),
        before,
        "a slip of the pen is not kept"
    );
    assert_eq!(bench.state(), DriftState::Healthy);
    assert_eq!(bench.sink.events(), []);
}

#[test]
fn a_new_baseline_accepts_the_shift() {
    let bench = Bench::new(with_baseline(0.90).baseline_documents(40));
    bench.totals(0.82, 30);
    bench.drift.rebaseline("invoice", "total");
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::Warming);
    assert_eq!(bench.threshold(), Confidence::percent(80));
    bench.totals(0.82, 100);
    assert_eq!(bench.state(), DriftState::Healthy);
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.82)));
    assert_eq!(means.baseline_documents, 40);
    assert_eq!(bench.sink.pages().len(), 1);
}

#[test]
fn a_restart_keeps_raised_baseline_and_window() {
    let raised = Bench::new(with_baseline(0.90));
    raised.totals(0.10, 30);
    let next = raised.restarted(ConfidenceDriftMonitor::builder());
    assert_eq!(next.state(), DriftState::Raised);
    assert_eq!(next.threshold(), Confidence::percent(85));
    assert!(!is_accepted(&next.total(0.84)));
    assert_eq!(next.sink.pages(), [], "paged before the restart");

    let learnt = Bench::of(ConfidenceDriftMonitor::default());
    learnt.totals(0.95, 60);
    let learnt = learnt.restarted(ConfidenceDriftMonitor::builder());
    learnt.totals(0.95, 40);
    learnt.clock.advance(5 * HOUR);
    learnt.totals(0.10, 29);
    let next = learnt.restarted(ConfidenceDriftMonitor::builder());
    assert_eq!(
        next.drift.means("invoice", "total"),
        learnt.drift.means("invoice", "total")
    );
    assert_eq!(next.state(), DriftState::InsufficientData);
    next.totals(0.10, 1);
    assert_eq!(next.state(), DriftState::Raised);
}

#[test]
fn a_restart_keeps_what_a_person_has_just_said() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    bench.drift.resolve("invoice", "total");
    let next = bench.restarted(with_baseline(0.90));
    assert_eq!(next.state(), DriftState::Raised);
    next.pipeline.tick();
    assert_eq!(next.state(), DriftState::InsufficientData);
}

#[test]
fn after_a_restart_a_given_baseline_counts_if_it_is_a_new_one() {
    let bench = Bench::new(with_baseline(0.90).baseline_documents(30));
    bench.totals(0.82, 30);
    bench.drift.rebaseline("invoice", "total");
    bench.pipeline.tick();
    bench.totals(0.82, 30);
    let baseline = |bench: &Bench| bench.drift.means("invoice", "total").baseline;
    let same = bench.restarted(with_baseline(0.90));
    assert_eq!(baseline(&same), Some(confidence(0.82)), "learnt since");
    let other = bench.restarted(with_baseline(0.99));
    assert_eq!(baseline(&other), Some(confidence(0.99)));
    let none = bench.restarted(ConfidenceDriftMonitor::builder());
    assert_eq!(baseline(&none), Some(confidence(0.82)));
}

#[test]
fn a_restart_with_another_window_starts_an_empty_one() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 29);
    let next = bench.restarted(with_baseline(0.90).window(HOUR).buckets(12));
    assert_eq!(next.state(), DriftState::InsufficientData);
    assert_eq!(next.drift.means("invoice", "total").window_documents, 0);
    next.totals(0.10, 30);
    assert_eq!(next.state(), DriftState::Raised);
}

#[test]
fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let text = serde_json::to_string(&bench.pipeline.snapshot().unwrap()).unwrap();
    let baseline = r#""baseline":[5000,4500000000]"#;
    assert!(text.contains(baseline));
    for (from, to) in [
        (baseline, r#""baseline":[1,18446744073709551615]"#),
        (baseline, r#""baseline":[18446744073709551615,0]"#),
        (baseline, r#""baseline":null"#),
        (r#""commands":[]"#, r#""commands":7"#),
        (r#""commands":[],"format":1"#, r#""commands":[],"format":2"#),
    ] {
        assert!(text.contains(from), "{from}");
        let snapshot: Snapshot = serde_json::from_str(&text.replace(from, to)).unwrap();
        let error = bench.pipeline.restore(&snapshot).unwrap_err();
        assert!(error.to_string().contains("confidence-drift"), "{error}");
        assert_eq!(bench.state(), DriftState::Raised);
    }
}

#[test]
fn a_clock_that_jumps_back_an_hour_loses_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 29);
    bench.clock.set(Timestamp::from_millis(
        NOON.as_millis() - u64::try_from(HOUR.as_millis()).unwrap(),
    ));
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::InsufficientData);
    bench.totals(0.10, 1);
    assert_eq!(bench.state(), DriftState::Raised);
    bench.clock.set(NOON);
    bench.clock.advance(4 * HOUR);
    bench.pipeline.tick();
    assert_eq!(bench.drift.means("invoice", "total").window_documents, 0);
}

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
    let builder = ConfidenceDriftMonitor::builder()
        .max_keys(1)
        .baseline_documents(10);
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
    let next = bench.restarted(
        ConfidenceDriftMonitor::builder()
            .max_keys(1)
            .baseline_documents(10),
    );
    let _ = next.answer("memo", Report::new().confidence("a", 0.5));
    assert_eq!(next.drift.state("memo", "a"), DriftState::Raised);
    assert_eq!(next.sink.events(), [], "said once");
    bench.drift.resolve("letter", "a");
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
            "mean confidence of other.other fell from 0.950 to 0.100 over 30 documents; answers below \
             0.850 now go to human review",
            "operator resolved the drift of other.other: answers below 0.800 go to human review again",
        ]
    );
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

#[test]
fn numbers_outside_their_range_are_refused_by_name() {
    let builder = ConfidenceDriftMonitor::builder;
    let (invoice, total) = names();
    let nothing = Confidence::percent(0);
    for (builder, message) in [
        (
            builder().threshold(Confidence::percent(95)),
            "drift threshold: got `0.950`, expected more than 0 and less than max_threshold 0.950",
        ),
        (
            builder().threshold(nothing),
            "drift threshold: got `0.000`, expected more than 0 and less than max_threshold 0.950",
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
            "drift max_keys: got `0`, expected at least 1, and no fewer than the 0 baselines that are given",
        ),
        (
            builder().window(Duration::ZERO),
            "drift window: got `0s`, expected longer than zero",
        ),
        (
            builder().buckets(7),
            "drift window: got `4h`, expected a multiple of its number of buckets (7), in whole milliseconds",
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
