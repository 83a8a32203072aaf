//! What scenario files cannot express: drills of incidents that come from guards of one's own, from
//! what an operator does, or from weeks.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusebox::drill::{ConfidenceDistribution, DrillOutcome, DrillReport, Fault, Traffic};
use fusebox::guard::{Cx, Verdict};
use fusebox::{
    Call, Confidence, ConfidenceDriftMonitor, DocumentType, Drill, EventKind, Field, Guard,
    Pipeline, RouteLedger, Severity, Version,
};

use crate::support::{line_up, minutes};

const fn hours(n: u64) -> Duration {
    minutes(60 * n)
}

/// Panics where an update has broken it.
#[derive(Debug, Default)]
struct Flaky(Arc<AtomicBool>);

impl Guard for Flaky {
    fn name(&self) -> &'static str {
        "flaky"
    }

    fn check(&self, _: &Call<'_>, _: &Version, _: &Cx<'_>) -> Verdict {
        if self.0.load(Ordering::SeqCst) {
            resume_unwind(Box::new("without the hook, which would print it"));
        }
        Verdict::Proceed
    }
}

fn a_guard_panics() -> DrillReport {
    let is_broken = Arc::new(AtomicBool::new(false));
    let set = |to| {
        let is_broken = Arc::clone(&is_broken);
        move |_: &Pipeline| is_broken.store(to, Ordering::SeqCst)
    };
    Drill::new(|| {
        Ok(Pipeline::builder(line_up())
            .guard(Flaky(Arc::clone(&is_broken)))
            .guard(RouteLedger::default()))
    })
    .traffic(Traffic::of("invoice", 600).unwrap())
    .command(hours(1), set(true))
    .command(minutes(90), set(false))
    .expect_page("flaky/panicked")
    .expect_event("guard_panicked")
    .expect_resolve()
    .loses_nothing()
    .must_fail_without("flaky")
    .run_for(hours(3))
    .unwrap()
}

/// Leaves this many events at its next tick.
#[derive(Debug, Default)]
struct Chatty(Arc<AtomicU64>);

impl Guard for Chatty {
    fn name(&self) -> &'static str {
        "chatty"
    }

    fn tick(&self, cx: &Cx<'_>) {
        for _ in 0..self.0.swap(0, Ordering::SeqCst) {
            cx.emit(Severity::Info, EventKind::custom("chat", "x"));
        }
    }
}

fn events_are_lost() -> DrillReport {
    let events = Arc::new(AtomicU64::new(0));
    let production = || {
        Ok(Pipeline::builder(line_up())
            .guard(Chatty(Arc::clone(&events)))
            .guard(RouteLedger::default()))
    };
    let chats = Arc::clone(&events);
    Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .command(hours(1), move |_| chats.store(2_000, Ordering::SeqCst))
        .expect_page("pipeline/events-lost")
        .expect_resolve()
        .must_fail_without("chatty")
        .run_for(hours(3))
        .unwrap()
}

/// An operator acknowledges a drift until two hours later, and comes back an hour too late.
fn nobody_resolves_a_drift_in_time() -> DrillReport {
    let handle = Arc::new(Mutex::new(Arc::new(ConfidenceDriftMonitor::default())));
    let production = || {
        let drift = Arc::new(ConfidenceDriftMonitor::default());
        *handle.lock().unwrap() = Arc::clone(&drift);
        Ok(Pipeline::builder(line_up()).guard(drift))
    };
    let invoices = Traffic::of("invoice", 600).unwrap();
    let scores = ConfidenceDistribution::beta(Confidence::percent(92), 0.04).unwrap();
    let (acknowledged, resolved) = (Arc::clone(&handle), Arc::clone(&handle));
    // Without the monitor in the pipeline it has no drift, and refuses.
    Drill::new(production)
        .traffic(invoices.confidence(Field::new("total").unwrap(), scores))
        .fault(
            hours(4),
            Fault::lower_confidence(Confidence::percent(10)).lasting(hours(4)),
        )
        .command(hours(5), move |pipeline| {
            let drift = acknowledged.lock().unwrap();
            let seen = drift.status("invoice", "total").revision;
            let until = pipeline.now() + hours(2);
            let _ = drift.acknowledge("invoice", "total", seen, until, "ada", "rescanning");
        })
        .command(hours(8), move |_| {
            let drift = resolved.lock().unwrap();
            let seen = drift.status("invoice", "total").revision;
            let _ = drift.resolve("invoice", "total", seen, "ada", "rescanned");
        })
        .detects_within(minutes(30))
        .expect_page("confidence-drift/unresolved")
        .expect_event("acknowledgement_expired")
        .expect_resolve()
        .must_fail_without("confidence-drift")
        .run_for(hours(9))
        .unwrap()
}

/// A mean that lies 0.022 below its baseline for a week: too few documents for the tests that page.
fn a_confidence_falls_slowly() -> DrillReport {
    let (contract, total) = (
        DocumentType::new("contract").unwrap(),
        Field::new("total").unwrap(),
    );
    let mut every_other_hour = [100; 24];
    (0..24)
        .step_by(2)
        .for_each(|hour| every_other_hour[hour] = 0);
    let scores = ConfidenceDistribution::beta(Confidence::percent(90), 0.03).unwrap();
    let contracts = Traffic::of("contract", 1)
        .unwrap()
        .by_hour(every_other_hour);
    let production = || {
        let baseline = Confidence::percent(90);
        let monitor = ConfidenceDriftMonitor::builder();
        let monitor = monitor.baseline(contract.clone(), total.clone(), baseline, 1_000_000);
        Ok(Pipeline::builder(line_up()).guard(monitor.build()?))
    };
    Drill::new(production)
        .traffic(contracts.confidence(total.clone(), scores))
        .fault(
            hours(24),
            Fault::lower_confidence(Confidence::new(0.022).unwrap()).lasting(hours(24 * 8)),
        )
        .expect_end("confidence-drift/slow")
        .expect_event("slow_drift")
        .expect_no_page()
        .must_fail_without("confidence-drift")
        .run_for(hours(24 * 20))
        .unwrap()
}

/// A drill by its name.
type NamedDrill = (&'static str, fn() -> DrillReport);

/// The drills of this file.
pub(super) const DRILLS: [NamedDrill; 4] = [
    ("a_guard_panics", a_guard_panics),
    ("events_are_lost", events_are_lost),
    (
        "nobody_resolves_a_drift_in_time",
        nobody_resolves_a_drift_in_time,
    ),
    ("a_confidence_falls_slowly", a_confidence_falls_slowly),
];

#[test]
fn each_drill_passes_and_fails_without_its_guard() {
    for (name, drill) in DRILLS {
        let report = drill();
        assert_eq!(report.outcome(), DrillOutcome::Passed, "{name}: {report}");
    }
}
