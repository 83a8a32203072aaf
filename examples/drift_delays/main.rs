//! Simulates a field whose confidence falls, through the public API, and prints how soon each rule of
//! a drift monitor sees it, and how often each is wrong.
//!
//! ```text
//! cargo run --release --example drift_delays -- --runs 400 --months 100
//! ```

mod args;
#[path = "../shared/chance.rs"]
mod chance;
mod delays;
mod false_alarms;
mod law;
mod rule;
#[path = "../shared/runs.rs"]
mod runs;
#[path = "../shared/share.rs"]
mod share;
mod stream;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use law::Law;

fn main() -> ExitCode {
    match print(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drift_delays: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(args: &Args) -> Result<(), fusebox::Error> {
    let Args {
        runs,
        months,
        seed,
        baseline,
    } = *args;
    println!(
        "{runs} runs for each delay, {months} months for each false alarm, from seed {seed}. The \
         baseline is measured on {baseline} documents. Shares with their 95 % interval.\n"
    );
    for law in Law::ALL {
        println!("{}", delays::markdown(law, args)?);
    }
    println!("{}", false_alarms::markdown(args)?);
    Ok(())
}
