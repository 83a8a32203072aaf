//! The command line.

use clap::{Parser, ValueEnum};

/// Simulates rollouts through the public API and prints tables of how they end, in Markdown.
///
/// Narrow intervals: --runs 400.
#[derive(Debug, Parser)]
#[command(name = "rollouts")]
pub(crate) struct Args {
    /// The tables to print; all if none is named
    #[arg(value_enum, value_name = "TABLE")]
    pub(crate) tables: Vec<TableName>,
    /// The number of runs of each line
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) runs: u32,
    /// The seed of the first run
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
}

/// The name of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum TableName {
    /// The default canary, by traffic and by how much worse the candidate is
    Base,
    /// Other rules on the same documents
    Rivals,
    /// Wrong answers with one cause come one after another
    Batches,
    /// Some documents fail whichever version serves them, and are tried again
    Retries,
    /// All calls of one version fail for two minutes, twice a day
    Bursts,
    /// Reviewers look at more of one version's answers
    Attention,
    /// The provider is down for an hour
    Outage,
    /// Corrections come hours later
    Delays,
    /// Documents come from 8 to 18 only
    Hours,
    /// 30 and 100 documents an hour
    LowTraffic,
    /// The candidate is worse for one type alone
    Types,
    /// The candidate's calls fail more often, or its answers are cut
    Measures,
}
