//! What is raised stays so until a person has understood why.

use fusebox::drift::DriftState;
use fusebox::event::DriftEvent;
use fusebox::{Call, Confidence, EventKind, Report};

use super::{Bench, confidence, is_accepted, is_detected, names, state_of, with_baseline};

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
    assert_eq!(resolved.len(), 2, "and that its incident is over");
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
