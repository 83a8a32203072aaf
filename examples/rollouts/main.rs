//! Simulates whole rollouts through the public API, and prints tables of how they end.
//!
//! ```text
//! cargo run --release --example rollouts -- --runs 400 base rivals
//! ```

mod args;
mod measure;
mod rivals;
#[path = "../shared/runs.rs"]
mod runs;
mod simulation;
mod tables;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use args::{Args, TableName};

fn main() -> ExitCode {
    match print(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rollouts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(args: &Args) -> Result<(), fusebox::Error> {
    let chosen: &[TableName] = match &args.tables[..] {
        [] => &TableName::ALL,
        chosen => chosen,
    };
    println!(
        "{} runs a line, from seed {}. Shares with their 95 % interval; a wrong verdict is bold. \
         Hours: the median time to the verdict.\n",
        args.runs, args.seed
    );
    for name in chosen {
        let began = now();
        let (text, documents) = measure::markdown(&name.table(), args.runs, args.seed)?;
        println!("{text}");
        let took = began.elapsed();
        let each = took.as_nanos() / u128::from(documents.max(1));
        eprintln!("{documents} documents in {took:.1?}: {each} ns each");
    }
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "how fast it runs is measured in real time"
)]
fn now() -> Instant {
    Instant::now()
}
