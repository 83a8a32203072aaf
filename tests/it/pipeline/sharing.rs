//! A guard belongs to one pipeline: in two, each would count the other's calls as its own.

use std::sync::Arc;

use fusebox::clock::MockClock;
use fusebox::{
    BlueGreenPolicy, CanaryPolicy, ConfidenceDriftMonitor, DocumentType, Error, ErrorRateBreaker,
    Guard, Pipeline, RouteLedger, ShadowComparator, TokenBudget, VersionId,
};

use crate::support::{line_up, refused};

fn build(guard: Arc<dyn Guard>) -> Result<Pipeline, Error> {
    let builder = Pipeline::builder(line_up()).clock(MockClock::new());
    builder.guard(guard).build()
}

fn message(name: &str) -> String {
    format!(
        "guard: got `{name}`, expected a guard that no pipeline holds yet; make one for each \
         pipeline, or clone the pipeline"
    )
}

#[test]
fn no_built_in_guard_can_be_in_two_pipelines() {
    let guards: [Arc<dyn Guard>; 7] = [
        Arc::new(BlueGreenPolicy::default()),
        Arc::new(CanaryPolicy::default()),
        Arc::new(ConfidenceDriftMonitor::default()),
        Arc::new(ErrorRateBreaker::default()),
        Arc::new(RouteLedger::default()),
        Arc::new(
            ShadowComparator::builder(VersionId::new("v8").unwrap())
                .build()
                .unwrap(),
        ),
        Arc::new(TokenBudget::builder().build().unwrap()),
    ];
    for guard in guards {
        let first = build(Arc::clone(&guard)).unwrap();
        refused(build(Arc::clone(&guard)), &message(guard.name()));
        refused(build(Arc::clone(&guard)), &message(guard.name()));
        let clone = first.clone();
        drop(first);
        refused(build(Arc::clone(&guard)), &message(guard.name()));
        drop(clone);
        build(guard).expect("after the last clone is dropped");
    }
}

#[test]
fn an_open_call_keeps_its_pipeline() {
    let ledger: Arc<dyn Guard> = Arc::new(RouteLedger::default());
    let pipeline = build(Arc::clone(&ledger)).unwrap();
    let permit = pipeline
        .admit(&crate::support::call("inv-1", "invoice"))
        .permit();
    drop(pipeline);
    refused(build(Arc::clone(&ledger)), &message("ledger"));
    drop(permit);
    build(ledger).unwrap();
}

#[test]
fn one_guard_under_two_names_counts_each_call_twice() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let only = |name: &str| {
        let document_type = DocumentType::new(name).unwrap();
        Arc::clone(&breaker).only_for(document_type).named(name)
    };
    let builder = || Pipeline::builder(line_up());
    refused(
        builder()
            .guard(only("invoice"))
            .guard(only("contract"))
            .build(),
        &message("contract"),
    );
    assert!(builder().guard(only("invoice")).build().is_ok());
}

#[test]
fn a_build_that_fails_takes_no_guard() {
    let ledger = Arc::new(RouteLedger::default());
    let twice = Pipeline::builder(line_up())
        .guard(Arc::clone(&ledger))
        .guard(RouteLedger::default())
        .build();
    assert!(twice.is_err());
    build(ledger).unwrap();
}

#[test]
fn a_boxed_guard_is_the_same_guard() {
    let ledger: Arc<Box<dyn Guard>> = Arc::new(Box::new(RouteLedger::default()));
    let _first = build(Arc::new(Arc::clone(&ledger))).unwrap();
    refused(build(Arc::new(ledger)), &message("ledger"));
}
