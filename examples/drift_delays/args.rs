//! The command line.

use clap::Parser;

/// Simulates falls of a confidence and prints how soon each rule sees them, in Markdown.
///
/// Narrow intervals: --runs 400 --months 100.
#[derive(Debug, Parser)]
#[command(name = "drift_delays")]
pub(crate) struct Args {
    /// The number of falls of each line
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) runs: u32,
    /// The number of months without a fall of each line
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) months: u32,
    /// The seed of the first run
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
    /// The number of documents on which a baseline is measured; a monitor by itself takes 100
    #[arg(long, value_name = "N", default_value = "5000", value_parser = clap::value_parser!(u32).range(30..=1_000_000))]
    pub(crate) baseline: u32,
}
