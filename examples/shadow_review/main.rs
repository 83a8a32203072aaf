//! A shadow run of a new prompt: version 8 reads 500 documents beside version 7, and its answers are
//! compared and dropped. Reviewers correct some of version 7's answers meanwhile. Prints what became
//! of the documents and the verdicts, and writes the page on which people review what diverged.
//!
//! ```text
//! cargo run --release --features report,tokio --example shadow_review -- --out shadow_review.html
//! ```
//!
//! Mark the divergences on the page, save the marks, and run it again with `--marks FILE`: what was
//! accepted no longer counts.

mod accepted;
#[path = "../shared/chance.rs"]
mod chance;
mod documents;
mod extraction;
#[path = "../shared/folder.rs"]
mod folder;
mod mistakes;
mod reviewers;
mod run;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use fusebox::report::ReviewReportBuilder;
use fusebox::shadow::IgnoreRules;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Simulates a shadow run of a new prompt, prints its findings and writes its review page.
#[derive(Debug, Parser)]
#[command(name = "shadow_review")]
struct Args {
    /// The page to write; into the folder for temporary files if not set. The same as JSON Lines
    /// goes beside it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Marks that were saved from a page: what they accept does not count
    #[arg(long, value_name = "FILE")]
    marks: Option<PathBuf>,
    /// What chance does follows from it
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shadow_review: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), AnyError> {
    let rules = match &args.marks {
        Some(file) => accepted::rules(file)?,
        None => IgnoreRules::new(),
    };
    let report = run::simulate(args.seed, rules).await?;
    let review = ReviewReportBuilder::try_from(&report)?.build()?;
    let page = args
        .out
        .unwrap_or_else(|| std::env::temp_dir().join("shadow_review.html"));
    let lines = page.with_extension("jsonl");
    let mut json = Vec::new();
    review.json_lines(&mut json)?;
    write(&page, review.html().as_bytes())?;
    write(&lines, &json)?;
    summary::print(&report, &page, &lines);
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), AnyError> {
    fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()).into())
}
