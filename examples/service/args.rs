//! What is started, and with what.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// A service around calls to a model; without a command, the demonstration
#[derive(Parser)]
#[command(name = "service")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start all parts, kill the service with -9, and show what survives
    Demo,
    /// Start the simulated model
    Model,
    /// Start the receiver of pages
    Receiver {
        /// The key with which pages are signed, at least 16 bytes
        #[arg(long, env = "WEBHOOK_KEY", hide_env_values = true)]
        webhook_key: String,
    },
    /// Start the service
    Serve(Serve),
}

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// The SQLite file of the state
    #[arg(long)]
    pub(crate) state: PathBuf,
    /// The address of an API like OpenAI's, such as <http://127.0.0.1:8000/v1>
    #[arg(long)]
    pub(crate) model: String,
    /// The address that gets the pages
    #[arg(long)]
    pub(crate) webhook: String,
    /// The key with which pages are signed, at least 16 bytes
    #[arg(long, env = "WEBHOOK_KEY", hide_env_values = true)]
    pub(crate) webhook_key: String,
    /// Where to listen; nothing here asks who sends a request
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) address: SocketAddr,
    /// How long a version that failed stays out of service before it is probed
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration)]
    pub(crate) probe_after: Duration,
    /// How long a version must be healthy before its incident ends
    #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
    pub(crate) hold_open: Duration,
}
