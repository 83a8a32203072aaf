//! The gate before a rollout: each gap appears when it should, and goes when it is closed.

use std::sync::LazyLock;
use std::time::Duration;

use fusebox::drill::{
    DetectionMatrix, DrillSet, FailureMode, Fault, Gap, Readiness, ReadinessBuilder, Traffic,
};
use fusebox::guard::Clearance;
use fusebox::pipeline::Builder;
use fusebox::sink::{self, MemorySink};
use fusebox::{
    CanaryPolicy, DocumentType, Error, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio,
    Severity, VersionId, rollout,
};

use crate::support::{line_up, minutes, refused, version};

mod drills;
mod gate;
mod rollouts;
mod settings;
mod signals;

const HOUR: Duration = minutes(60);

fn pager() -> sink::Pager<MemorySink> {
    sink::pager(MemorySink::new())
}

fn breaker_and_canary() -> Result<Builder, Error> {
    Ok(Pipeline::builder(line_up())
        .guard(ErrorRateBreaker::builder().build()?)
        .guard(CanaryPolicy::default())
        .sink(pager()))
}

fn next() -> LineUp {
    line_up().with_candidate(version("v8"))
}

fn outage() -> Fault {
    Fault::fail(FailureKind::ServerError).share(Ratio::percent(20))
}

fn drilled<P: Fn() -> Result<Builder, Error>>(production: P, fault: Fault) -> DetectionMatrix {
    DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .settling(HOUR)
        .watching(HOUR)
        .healthy(HOUR)
        .fault("the fault", fault)
        .run()
        .unwrap()
}

fn enough_traffic() -> rollout::Traffic {
    let invoices = [(DocumentType::new("invoice").unwrap(), 600.0)];
    let traffic = rollout::Traffic::new(invoices, Ratio::percent(3)).unwrap();
    traffic.reviewed_after(minutes(15))
}

/// Asks about one failure mode alone.
fn only<P: Fn() -> Result<Builder, Error>>(
    mode: FailureMode,
    production: P,
) -> ReadinessBuilder<P> {
    let others = FailureMode::ALL.into_iter().filter(|other| *other != mode);
    others.fold(Readiness::of(production, next()), |asked, other| {
        asked.accept(other, "another test asks for it")
    })
}

fn gaps<P: Fn() -> Result<Builder, Error>>(asked: ReadinessBuilder<P>) -> Vec<Gap> {
    asked.check().unwrap().gaps().to_vec()
}

/// Asked once, as the forecast simulates hundreds of rollouts.
fn ready() -> Readiness {
    static READY: LazyLock<Readiness> = LazyLock::new(|| {
        only(FailureMode::CallsFail, breaker_and_canary)
            .drilled(&drilled(breaker_and_canary, outage()))
            .rollout(&CanaryPolicy::default(), &enough_traffic())
            .check()
            .unwrap()
    });
    READY.clone()
}

#[derive(Debug)]
struct Reviewed(Result<(), String>);

impl Clearance for Reviewed {
    fn clears(&self, _: &VersionId) -> Result<(), String> {
        self.0.clone()
    }
}

#[test]
fn a_pipeline_whose_failures_were_drilled_is_ready() {
    let readiness = ready();
    assert!(readiness.is_ready(), "{readiness}");
    let text = readiness.to_string();
    assert!(
        text.starts_with("rollout of v8: ready\naccepted: "),
        "{text}"
    );
    assert_eq!(readiness.accepted().len(), 13);
}

#[test]
fn a_sink_pages_only_where_somebody_says_so() {
    use fusebox::sink::{Fanout, Filter, JsonLines, Sink};
    assert!(!MemorySink::new().reaches_operator());
    assert!(!JsonLines::new(Vec::new()).reaches_operator());
    assert!(!sink::from_fn(|_| {}).reaches_operator());
    assert!(!Fanout::new().and(MemorySink::new()).reaches_operator());
    assert!(
        Fanout::new()
            .and(MemorySink::new())
            .and(pager())
            .reaches_operator()
    );
    assert!(Filter::at_least(Severity::Page, pager()).reaches_operator());
    assert!(std::sync::Arc::new(pager()).reaches_operator());
    assert!(
        sink::background("pager", 10, pager())
            .unwrap()
            .reaches_operator()
    );
    assert!(
        !sink::background("file", 10, MemorySink::new())
            .unwrap()
            .reaches_operator()
    );
    assert!(sink::pager(sink::channel(10).0).reaches_operator());
}

#[test]
fn a_readiness_says_what_it_needs() {
    refused(
        Readiness::of(breaker_and_canary, line_up()).check(),
        "line-up of a rollout: got `none`, expected a candidate to roll out; add it with `.with_candidate(..)`",
    );
    let asked = || Readiness::of(breaker_and_canary, next());
    refused(
        asked().accept(FailureMode::CallsHang, " ").check(),
        "reason to accept a failure mode: got ` `, expected at least one character",
    );
    refused(
        asked()
            .known_within(FailureMode::CallsHang, Duration::ZERO)
            .check(),
        "time within which `calls hang` must be known: got `none`, expected more than no time",
    );
    assert!(
        Readiness::of(|| Err(Error::invalid("a", "b", "c")), next())
            .check()
            .is_err()
    );
}
