//! Replays traces: incidents as data, which drive one guard on the mock clock and state what each
//! step must show.
//!
//! `cargo run --release --example trace -- FILE.json ...` prints a line of JSON for each case. It
//! exits with 1 if a case fails, and with 2 if it cannot read a file. `--print` prints what each
//! step showed. The format is in `docs/traces.md`.

mod replay;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Replay traces of guards on the mock clock.
#[derive(Parser)]
#[command(name = "trace")]
struct Args {
    /// Files with one case or a list of cases
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print what each step showed
    #[arg(long)]
    print: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut all_passed = true;
    for file in &args.files {
        let results = match replay::file(file) {
            Ok(results) => results,
            Err(error) => {
                eprintln!("trace: {error}");
                return ExitCode::from(2);
            }
        };
        for result in results {
            all_passed &= result.passed;
            if print(&result, args.print).is_err() {
                return ExitCode::FAILURE;
            }
        }
    }
    if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(result: &replay::CaseResult, observed: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if observed {
        for (step, seen) in (1..).zip(&result.observed) {
            writeln!(
                out,
                "# {} step {step}: {}",
                result.id,
                serde_json::Value::Object(seen.clone())
            )?;
        }
    }
    writeln!(out, "{}", serde_json::to_string(result)?)
}
