//! What is raised stays so until a person has understood why.

use fusebox::drift::DriftState;
use fusebox::event::DriftEvent;
use fusebox::{Call, Confidence, ErrorKind, EventKind, Report};

use super::{Bench, confidence, is_accepted, is_detected, names, state_of, with_baseline};
use crate::operator::{rebaseline, resolve};

#[test]
fn resolving_takes_effect_at_once_and_forgets_what_raised_it() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let (invoice, total) = names();
    resolve(&bench.drift, &invoice, &total).unwrap();
    assert_eq!(bench.state(), DriftState::InsufficientData, "at once");
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
            generation: 2,
            who: "ada".to_owned(),
            why: "looked at it".to_owned(),
            before: "raised, threshold 0.850".to_owned(),
            after: "insufficient data, threshold 0.800".to_owned(),
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
    resolve(&bench.drift, "invoice", "total").unwrap();
    let report = Report::new().confidence("total", 0.80);
    assert!(is_accepted(&open.answer(report)));
}

#[test]
fn resolving_what_is_not_raised_is_an_error_and_changes_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.88, 30);
    bench.pipeline.tick();
    let before = state_of(&bench.drift);
    for (refused, expected) in [
        (
            resolve(&bench.drift, "invoice", "total"),
            "confidence-drift resolve: got `invoice.total healthy`, expected a field whose \
             threshold is raised",
        ),
        (
            resolve(&bench.drift, "letter", "total"),
            "field: got `letter.total`, expected a field that has been reported",
        ),
        (
            rebaseline(&bench.drift, "letter", "total"),
            "field: got `letter.total`, expected a field that has been reported",
        ),
        (
            resolve(&bench.drift, "", "total"),
            "document type: got ``, expected at least one character",
        ),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }
    assert_eq!(state_of(&bench.drift), before);
    assert_eq!(bench.sink.events(), []);
}

/// Two people look at the same drift.
#[test]
fn the_second_of_two_commands_is_told_what_has_happened_since() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let seen = bench.drift.status("invoice", "total").revision;
    let resolve = |who| {
        bench
            .drift
            .resolve("invoice", "total", seen, who, "understood")
    };
    resolve("ada").unwrap();
    let refused = resolve("bob").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Outdated);
    assert_eq!(
        refused.to_string(),
        format!(
            "confidence-drift resolve: meant for revision {seen}, but it is {} now: invoice.total \
             insufficient data",
            bench.drift.status("invoice", "total").revision
        )
    );
    bench.totals(0.10, 30);
    assert_eq!(bench.state(), DriftState::Raised, "another drift");
    assert_eq!(resolve("bob").unwrap_err().kind(), ErrorKind::Outdated);
    let seen = bench.drift.status("invoice", "total").revision;
    let blank = bench.drift.resolve("invoice", "total", seen, "bob", " ");
    assert_eq!(
        blank.unwrap_err().to_string(),
        "why: got ` `, expected at least one character"
    );
    assert_eq!(bench.state(), DriftState::Raised);
}

#[test]
fn a_new_baseline_accepts_the_shift() {
    let bench = Bench::new(with_baseline(0.90).baseline_documents(40));
    bench.totals(0.82, 30);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
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
