//! P8: every failure mode has a signal, an alert, and a drill that proves that it fires: within
//! half an hour, where what the guard waits for allows it.

use std::time::Duration;

use fusebox::drill::{DrillReport, Fault, Traffic};
use fusebox::pipeline::Builder;
use fusebox::{DocumentType, Drill, Error, ErrorRateBreaker, Pipeline, RouteLedger, TokenBudget};

use crate::support::{line_up, minutes};

#[cfg(feature = "toml")]
mod coverage;
mod diary;
mod expectations;
mod faults;
mod fields;
#[cfg(feature = "report")]
mod page;
#[cfg(feature = "report")]
mod page_sample;
mod pagers;
mod readiness;
mod recorded;
mod replay;
mod runbooks;
mod runs;
#[cfg(feature = "toml")]
mod scenarios;
mod sets;
mod traffic;

/// What a service builds, without its sinks.
fn production() -> Result<Builder, Error> {
    let expected = RouteLedger::builder().expect(DocumentType::new("statement")?, minutes(20));
    Ok(Pipeline::builder(line_up())
        .guard(TokenBudget::builder().build()?)
        .guard(ErrorRateBreaker::default())
        .guard(expected.build()?))
}

const HEALTHY: Duration = minutes(60);

fn drill(production: impl Fn() -> Result<Builder, Error>, fault: Fault) -> DrillReport {
    Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .fault(HEALTHY, fault)
        .run_for(minutes(180))
        .unwrap()
}
