//! Shows the headroom of documents in a model's context window, and which documents a longer
//! prompt, another model or a larger answer would divert, before it ships.
//!
//! `cargo run --release --example headroom -- --help` lists the options.

mod args;
#[path = "../shared/arrivals.rs"]
mod arrivals;
#[path = "../shared/folder.rs"]
mod folder;
mod report;
mod traffic;
mod versions;

use std::process::ExitCode;

use clap::Parser;
use fusebox::tokens::Catalogue;
use fusebox::{Call, Guard, LineUp, TokenBudget, Version};

use args::Args;
use report::{Report, thousands};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args = Args::parse().or_story();
    match run(&args) {
        Ok(report) => {
            if args.json {
                report.print_json();
            } else {
                report.print();
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("headroom: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<Report, AnyError> {
    let (now, next) = versions::versions(args)?;
    let budget = versions::budget(args)?;
    let described = |version: &Version| described(&budget, version);
    let (now_described, next_described) =
        (described(&now)?, next.as_ref().map(described).transpose()?);
    let traffic = traffic::record(args, &budget, &now)?;
    let what_if = match &next {
        Some(next) => budget.what_if(next)?,
        None => Vec::new(),
    };
    Ok(Report {
        traffic,
        now: now_described,
        next: next_described,
        headroom: budget.headroom(),
        what_if,
    })
}

/// A version in words. Returns an error if it or a fallback model cannot serve.
fn described(budget: &TokenBudget, version: &Version) -> Result<String, AnyError> {
    budget.check_line_up(&LineUp::new(version.clone()))?;
    let empty = Call::new("none", "none")?.with_document("");
    let breakdown = budget.count(&empty, version)?;
    let model = version.model();
    let unpublished = Catalogue::bundled()
        .model(model.as_str())
        .is_none_or(|model| model.encoding().is_none());
    let note = if unpublished {
        "; its tokenizer is not published, so sizes are upper bounds"
    } else {
        ""
    };
    let prompt = thousands(breakdown.system.upper().unwrap_or(u64::MAX));
    let answer = thousands(breakdown.answer);
    Ok(format!(
        "{model}, system prompt of {prompt} tokens, {answer} reserved for the answer{note}"
    ))
}
