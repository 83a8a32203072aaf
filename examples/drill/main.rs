//! Runs a folder of scenarios against the pipeline of a configuration file: a gate for those who
//! write no Rust.
//!
//! `cargo run --release --features toml --example drill` runs the starter set in
//! `examples/drill/scenarios` against `examples/drill/pipeline.toml`, in a few seconds. `-- --pipeline
//! FILE --scenarios FOLDER` runs yours, `-- --only NAME` one of them. It exits with 1 if a scenario
//! does not pass, and with 2 if a file cannot be read.
//!
//! `examples/drill/strict` has a second pipeline and its scenarios: types of documents evaluated one
//! by one, reviewers with a capacity, and a canary that needs an approval.

mod configuration;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fusebox::drill::{DrillOutcome, DrillReport, Scenario, ScenarioSet};
use indicatif::{ProgressBar, ProgressStyle};

use configuration::Configuration;

/// Run a folder of scenarios against the pipeline of a configuration file.
#[derive(Parser)]
#[command(name = "drill")]
struct Args {
    /// The file with the versions and the guards
    #[arg(
        long,
        value_name = "FILE",
        default_value = "examples/drill/pipeline.toml"
    )]
    pipeline: PathBuf,
    /// The folder with a file for each scenario
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "examples/drill/scenarios"
    )]
    scenarios: PathBuf,
    /// Run only the scenario with this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("drill: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns how many scenarios did not pass.
fn run(args: &Args) -> Result<usize, Box<dyn std::error::Error>> {
    let configuration = Configuration::from_path(&args.pipeline)?;
    let set = ScenarioSet::from_folder(&args.scenarios)?;
    let chosen: Vec<_> = set
        .scenarios()
        .iter()
        .filter(|scenario| {
            args.only
                .as_deref()
                .is_none_or(|only| only == scenario.name())
        })
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = set.scenarios().iter().map(Scenario::name).collect();
        return Err(format!("no scenario has this name; there are: {}", names.join(", ")).into());
    }
    let bar = ProgressBar::new(chosen.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut not_passed = 0;
    for scenario in chosen {
        bar.set_message(scenario.name().to_owned());
        let report = scenario
            .run(|| configuration.builder())
            .map_err(|error| format!("{}: {error}", scenario.name()))?;
        not_passed += usize::from(report.outcome() != DrillOutcome::Passed);
        bar.suspend(|| print(scenario, &report));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(not_passed)
}

fn print(scenario: &Scenario, report: &DrillReport) {
    println!("{:<7} {}", report.outcome(), scenario.name());
    for check in report.checks() {
        println!("        {check}");
    }
}
