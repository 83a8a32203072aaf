//! A week of one field: its confidence falls on Tuesday at 14:00, the operator resolves the drift on
//! Wednesday, on Thursday its shape changes, and no document comes at the weekend. Prints the events
//! as an operator sees them, and writes the picture of the week as an HTML page.
//!
//! ```text
//! cargo run --release --features report --example drift_week -- --out drift_week.html
//! ```

#[path = "../shared/chance.rs"]
mod chance;
mod week;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

type AnyError = Box<dyn std::error::Error>;

/// Simulates a week of one field, prints its events and writes its picture.
#[derive(Debug, Parser)]
#[command(name = "drift_week")]
struct Args {
    /// The page to write; into the folder for temporary files if not set
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What chance does follows from it
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drift_week: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), AnyError> {
    let timeline = week::simulate(args.seed)?;
    let out = args
        .out
        .unwrap_or_else(|| std::env::temp_dir().join("drift_week.html"));
    std::fs::write(&out, timeline.to_html())
        .map_err(|error| format!("{}: {error}", out.display()))?;
    println!("\nThe picture of the week: {}", out.display());
    Ok(())
}
