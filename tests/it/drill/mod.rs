//! P8: every failure mode has a signal, an alert, and a drill that proves that it fires: within
//! half an hour, where what the guard waits for allows it.

use std::time::Duration;

use fusebox::drill::{DrillReport, Fault, Traffic};
use fusebox::pipeline::Builder;
use fusebox::{DocumentType, Drill, ErrorRateBreaker, Pipeline, RouteLedger, TokenBudget};

use crate::support::{line_up, minutes};

mod faults;
mod runs;

/// What a service builds, without its sinks.
fn production() -> Builder {
    let expected =
        RouteLedger::builder().expect(DocumentType::new("statement").unwrap(), minutes(20));
    Pipeline::builder(line_up())
        .guard(TokenBudget::builder().build().unwrap())
        .guard(ErrorRateBreaker::default())
        .guard(expected.build().unwrap())
}

const HEALTHY: Duration = minutes(60);

fn drill(production: Builder, fault: Fault) -> DrillReport {
    Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .fault(HEALTHY, fault)
        .run_for(minutes(180))
        .unwrap()
}
