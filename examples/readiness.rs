//! What a rollout needs before it begins, for a service with every guard.
//!
//! `cargo run --release --example readiness` drills the service, prints the list of gaps, and begins
//! the rollout if there are none; otherwise it exits with 1. `-- --without error-rate` leaves a
//! guard out, `-- --who anna --why "hotfix for ticket 4711"` overrides the gate.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fusebox::drill::{DetectionMatrix, DrillSet, FailureMode, Fault, Readiness, Traffic};
use fusebox::pipeline::Builder;
use fusebox::sink::{self, Filter};
use fusebox::{
    CanaryPolicy, Confidence, ConfidenceDriftMonitor, DocumentType, Error, ErrorRateBreaker,
    FailureKind, LineUp, Pipeline, Ratio, RouteLedger, Severity, TokenBudget, Version, VersionId,
    rollout,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// What a rollout needs before it begins.
#[derive(Parser)]
#[command(name = "readiness")]
struct Args {
    /// Leave this guard out
    #[arg(long, value_parser = ["token-budget", "error-rate", "confidence-drift", "ledger", "canary"])]
    without: Option<String>,
    /// Override the gate, by this name
    #[arg(long, requires = "why")]
    who: Option<String>,
    /// For this reason
    #[arg(long, requires = "who")]
    why: Option<String>,
}

/// A service with every guard but one, and a pager.
fn production(line_up: LineUp, without: Option<&str>) -> Result<Builder, Error> {
    let has = |guard: &str| without != Some(guard);
    let budget = has("token-budget").then(|| TokenBudget::builder().build());
    let ledger = RouteLedger::builder().expect(DocumentType::new("invoice")?, HOUR / 3);
    let ledger = has("ledger").then(|| ledger.build());
    let pager = sink::pager(sink::from_fn(|event| eprintln!("page: {event}")));
    Ok(Pipeline::builder(line_up)
        .guard(budget.transpose()?)
        .guard(has("error-rate").then(ErrorRateBreaker::default))
        .guard(has("confidence-drift").then(ConfidenceDriftMonitor::default))
        .guard(ledger.transpose()?)
        .guard(has("canary").then(CanaryPolicy::default))
        .sink(Filter::at_least(Severity::Page, pager)))
}

fn version(id: &str) -> Result<Version, Error> {
    let version = Version::new(id, "gpt-4o")?;
    Ok(version
        .with_system_prompt_tokens(1_000)
        .with_reserved_answer_tokens(500))
}

fn live() -> Result<LineUp, Error> {
    Ok(LineUp::new(version("v7")?).with_previous(version("v6")?))
}

fn next() -> Result<LineUp, Error> {
    Ok(live()?.with_candidate(version("v8")?))
}

/// The drills run with the candidate, so that what is worse about it is found too; each fault begins
/// after an hour, while the rollout is still in its first stage.
fn drilled(without: Option<&str>) -> Result<DetectionMatrix, Error> {
    let mut set = DrillSet::new(|| production(next()?, without))
        .traffic(Traffic::of("invoice", 600)?)
        .settling(HOUR)
        .watching(24 * HOUR)
        .healthy(24 * HOUR);
    for kind in [
        FailureKind::ServerError,
        FailureKind::Throttled,
        FailureKind::Overloaded,
        FailureKind::Truncated,
        FailureKind::MalformedOutput,
        FailureKind::EmptyOutput,
    ] {
        let fault = Fault::fail(kind).share(Ratio::percent(20));
        set = set.fault(format!("20 % fail: {kind}"), fault);
    }
    let worse = Fault::correct(Ratio::percent(50)).of_version(VersionId::new("v8")?);
    set.fault("prompts grow", Fault::add_tokens(120_000))
        .fault("calls hang", Fault::hang())
        .fault(
            "confidence falls",
            Fault::lower_confidence(Confidence::percent(15)),
        )
        .fault("the candidate is worse", worse)
        .fault("corrections stop", Fault::stop_feedback())
        .fault("documents are dropped", Fault::abandon())
        .fault("documents stop", Fault::silence())
        .run()
}

fn readiness(without: Option<&str>) -> Result<Readiness, Error> {
    let invoices = [(DocumentType::new("invoice")?, 600.0)];
    let traffic = rollout::Traffic::new(invoices, Ratio::percent(3))?;
    Readiness::of(|| production(live()?, without), next()?)
        .drilled(&drilled(without)?)
        .rollout(
            &CanaryPolicy::default(),
            &traffic.reviewed_after(Duration::from_secs(15 * 60)),
        )
        .accept(
            FailureMode::ConfidenceSpreads,
            "it raises no threshold, a warning in working hours is enough",
        )
        .check()
}

fn run(args: &Args) -> Result<ExitCode, Error> {
    let without = args.without.as_deref();
    let mut readiness = readiness(without)?;
    if let (Some(who), Some(why)) = (&args.who, &args.why) {
        readiness = readiness.overridden_by(who, why)?;
    }
    print!("{readiness}");
    let pipeline = production(live()?, without)?
        .sink(sink::from_fn(|event| println!("{}", event.kind)))
        .build()?;
    if let Err(error) = pipeline.begin_rollout(&readiness) {
        eprintln!("readiness: {error}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("readiness: {error}");
        ExitCode::from(2)
    })
}
