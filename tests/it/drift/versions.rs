//! Each version has its own baseline, window and threshold.

use fusebox::drift::DriftState;
use fusebox::{Call, ConfidenceDriftMonitor, LineUp, Report, Version};

use super::{Bench, is_accepted, plain};
use crate::operator::resolve;
use crate::support::minutes;

fn version(id: &str) -> Version {
    Version::new(id, "gpt-4o").unwrap()
}

#[test]
fn a_new_version_is_compared_with_its_own_baseline() {
    let bench = Bench::new(plain());
    bench.totals(0.95, 100);
    assert_eq!(bench.state(), DriftState::Healthy);
    let line_up = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(line_up).unwrap();
    bench.totals(0.85, 100);
    assert_eq!(bench.state(), DriftState::Healthy, "what v8 is like");
    bench.totals(0.10, 30);
    assert_eq!(bench.state(), DriftState::Raised);
    // A call that v7 served before.
    assert!(!is_accepted(&bench.total(0.84)));
    let back = LineUp::new(version("v7")).with_previous(version("v8"));
    bench.pipeline.deploy(back).unwrap();
    assert!(
        is_accepted(&bench.total(0.84)),
        "the threshold of v7 is not raised"
    );
    resolve(&bench.drift, "invoice", "total").unwrap();
    assert_eq!(
        bench.state(),
        DriftState::Healthy,
        "that of v7, which kept its baseline"
    );
}

#[test]
fn a_version_that_is_no_longer_live_is_forgotten_and_its_incident_ends() {
    let bench = Bench::of(ConfidenceDriftMonitor::with_plain_mean());
    bench.totals(0.95, 100);
    bench.totals(0.10, 100);
    assert_eq!(bench.pipeline.incidents().len(), 1);
    bench.pipeline.deploy(LineUp::new(version("v8"))).unwrap();
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::Warming);
    for _ in 0..2 {
        bench.clock.advance(minutes(16));
        bench.pipeline.tick();
    }
    assert_eq!(bench.pipeline.incidents(), []);
}

#[test]
fn an_answer_after_its_version_has_gone_breaks_nothing() {
    let bench = Bench::new(plain());
    let call = Call::new("document", "invoice").unwrap();
    let late = bench.pipeline.admit(&call).permit().unwrap();
    bench.pipeline.deploy(LineUp::new(version("v8"))).unwrap();
    bench.pipeline.tick();
    let _ = late.answer(Report::new().confidence("total", 0.9));
    bench.totals(0.9, 1);
    bench.pipeline.tick();
    assert_eq!(bench.drift.means("invoice", "total").baseline_documents, 1);
}
