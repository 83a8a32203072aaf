//! The command line.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::folder;

/// Watch the outage that fusebox grew out of, without guards and with them.
#[derive(Debug, Parser)]
#[command(name = "invoice_night")]
pub(crate) struct Args {
    /// A folder of text files to use instead of the example's own; a sub-folder is a document type
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// Replay arrivals and token counts (columns TIMESTAMP,ContextTokens,GeneratedTokens) instead
    /// of documents
    #[arg(long, value_name = "FILE.csv", conflicts_with = "documents")]
    pub(crate) trace: Option<PathBuf>,
    /// The model's context window
    #[arg(long, value_name = "TOKENS", default_value = "32000")]
    pub(crate) window: NonZeroU64,
    /// The model that both prompt versions call
    #[arg(long, default_value = "gpt-4o-mini")]
    pub(crate) model: String,
    /// Which calls fail in the third act: calls with version 7's prompt, or all calls
    #[arg(long, value_enum, default_value_t = FaultOf::Prompt)]
    pub(crate) fault: FaultOf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a line for each document, and every event
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// With a key, the same code calls the service at `OPENAI_BASE_URL`: once for each document
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true, hide = true)]
    pub(crate) api_key: Option<String>,
    /// The address of that service
    #[arg(long, env = "OPENAI_BASE_URL", hide = true)]
    pub(crate) base_url: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FaultOf {
    Prompt,
    Provider,
}

impl Args {
    pub(crate) fn folder(&self) -> PathBuf {
        self.documents.clone().unwrap_or_else(folder::own)
    }
}
