//! Which fault is known after which time, by which guard: the table of `docs/detection.md`.
//!
//! `cargo run --release --example detection_matrix` prints it in a few seconds, `-- --json` as JSON.
//! With `--features report`, `-- --html FILE` writes it as a page with a timeline of each fault.
//! `-- --check FILE` prints nothing and exits with 1 if the file does not have the table. It also
//! exits with 1 if healthy traffic pages.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fusebox::drill::{DetectionMatrix, DrillSet, Fault, Traffic};
use fusebox::pipeline::Builder;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, DocumentType, Error, ErrorRateBreaker, FailureKind, Field,
    LineUp, Pipeline, Ratio, RouteLedger, TokenBudget, Version,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A service with the guards as they are by default, but that it expects its rare type.
fn production() -> Result<Builder, Error> {
    let statement = DocumentType::new("statement")?;
    let ledger = RouteLedger::builder().expect(statement, Duration::from_secs(20 * 60));
    Ok(
        Pipeline::builder(LineUp::new(prompt("v7", 1_000)?).with_previous(prompt("v6", 1_000)?))
            .guard(TokenBudget::builder().build()?)
            .guard(ErrorRateBreaker::default())
            .guard(ConfidenceDriftMonitor::default())
            .guard(ledger.build()?),
    )
}

fn prompt(id: &str, tokens: u64) -> Result<Version, Error> {
    let version = Version::new(id, "gpt-4")?;
    Ok(version
        .with_system_prompt_tokens(tokens)
        .with_reserved_answer_tokens(500))
}

/// Which fault is known after which time, by which guard.
#[derive(Parser)]
#[command(name = "detection_matrix")]
struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with a timeline of each fault (needs `--features report`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "check"])]
    html: Option<PathBuf>,
    /// Only say whether this file has the table
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    check: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let shown = measure()
        .map_err(Into::into)
        .and_then(|matrix| show(&matrix, &args));
    let complaint = match shown {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some(complaint)) => complaint,
        Err(error) => {
            eprintln!("detection_matrix: {error}");
            return ExitCode::from(2);
        }
    };
    eprintln!("detection_matrix: {complaint}");
    ExitCode::FAILURE
}

/// Returns what is wrong with it.
fn show(
    matrix: &DetectionMatrix,
    args: &Args,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    if let Some(file) = &args.check {
        let text = std::fs::read_to_string(file)?;
        if !text.contains(&matrix.to_string()) {
            let file = file.display();
            return Ok(Some(format!("{file} does not have the table as it is now")));
        }
    } else if let Some(file) = &args.html {
        write_page(matrix, file)?;
    } else if args.json {
        println!("{}", serde_json::to_string_pretty(matrix)?);
    } else {
        print!("{matrix}");
    }
    let pages = matrix.false_pages();
    Ok((pages > 0).then(|| format!("healthy traffic paged {pages} times")))
}

#[cfg(feature = "report")]
fn write_page(matrix: &DetectionMatrix, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let report = fusebox::report::DetectionReport::of(matrix.clone());
    std::fs::write(
        file,
        report.named("the guards as they are by default").html(),
    )?;
    println!("written: {}", file.display());
    Ok(())
}

#[cfg(not(feature = "report"))]
fn write_page(_: &DetectionMatrix, _: &Path) -> Result<(), Box<dyn std::error::Error>> {
    Err("a page needs the feature: `cargo run --features report --example detection_matrix`".into())
}

fn measure() -> Result<DetectionMatrix, Error> {
    let field = Field::new("total")?;
    let mut set = DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600)?)
        .traffic(Traffic::of("long_invoice", 30)?.tokens(5_800))
        .traffic(Traffic::of("statement", 12)?.confidence(field, Confidence::percent(90)))
        .healthy(7 * 24 * HOUR);
    for (name, kind) in [
        ("calls fail", FailureKind::ServerError),
        ("calls are throttled", FailureKind::Throttled),
        ("the provider is overloaded", FailureKind::Overloaded),
        ("answers are cut off", FailureKind::Truncated),
        ("answers cannot be read", FailureKind::MalformedOutput),
        ("answers are empty", FailureKind::EmptyOutput),
    ] {
        for percent in [100, 20, 6] {
            let fault = Fault::fail(kind).share(Ratio::percent(percent));
            set = set.fault(format!("{name}, {percent} %"), fault);
        }
    }
    let statement = DocumentType::new("statement")?;
    let too_long = Fault::fail(FailureKind::ContextLengthExceeded).of_type(statement.clone());
    set = set.fault("every statement fails, 2 % of all", too_long);
    for percent in [100, 20, 5] {
        let hang = Fault::hang().share(Ratio::percent(percent));
        set = set.fault(format!("calls hang, {percent} %"), hang);
    }
    for points in [45, 15, 10, 5] {
        let fault = Fault::lower_confidence(Confidence::percent(points));
        set = set.fault(format!("confidence falls by 0.{points:02}"), fault);
    }
    let longer = LineUp::new(prompt("v8", 1_200)?).with_previous(prompt("v7", 1_000)?);
    set.fault(
        "confidence spreads by 0.05, same mean",
        Fault::spread_confidence(Confidence::percent(5)),
    )
    .fault(
        "a prompt of 200 more tokens is deployed",
        Fault::deploy(longer),
    )
    .fault("prompts grow by 200 tokens", Fault::add_tokens(200))
    .fault("prompts grow by 8,000 tokens", Fault::add_tokens(8_000))
    .fault(
        "statements stop arriving",
        Fault::silence().of_type(statement),
    )
    .fault("all documents stop arriving", Fault::silence())
    .fault("corrections stop arriving", Fault::stop_feedback())
    .fault(
        "the clock jumps an hour forward",
        Fault::jump_clock_forward(HOUR),
    )
    .fault("the clock jumps an hour back", Fault::jump_clock_back(HOUR))
    .run()
}
