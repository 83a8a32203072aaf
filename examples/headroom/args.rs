//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// How much room documents have in a model's context window, type by type, and what a change would divert before it
/// ships.
///
/// Without DIR and without --trace: the example's own documents and the change that the outage began with.
#[derive(Debug, Parser)]
#[command(name = "headroom")]
pub(crate) struct Args {
    /// A folder of text files; a sub-folder is a document type
    #[arg(value_name = "DIR")]
    pub(crate) documents: Option<PathBuf>,
    /// Recorded token counts (columns TIMESTAMP,ContextTokens,GeneratedTokens) instead of documents; may be repeated,
    /// and the name of the file is the document type
    #[arg(long, value_name = "FILE.csv", conflicts_with = "documents")]
    pub(crate) trace: Vec<PathBuf>,
    /// The model that serves now
    #[arg(long, default_value = "gpt-4o-mini")]
    pub(crate) model: String,
    /// Its context window, if it is not the one in the catalogue
    #[arg(long, value_name = "TOKENS")]
    pub(crate) window: Option<u64>,
    /// The system prompt that serves now: a number of tokens, or a file
    #[arg(long, value_name = "TOKENS|FILE", default_value = "0")]
    pub(crate) prompt: String,
    /// What is reserved for the answer
    #[arg(long, value_name = "TOKENS", default_value = "800")]
    pub(crate) answer: u64,
    /// The model of the next version; what is not given for it stays as it is
    #[arg(long, value_name = "MODEL")]
    pub(crate) next_model: Option<String>,
    /// The context window of that model, if it is not the one in the catalogue
    #[arg(long, value_name = "TOKENS")]
    pub(crate) next_window: Option<u64>,
    /// The system prompt of the next version: a number of tokens, or a file
    #[arg(long, value_name = "TOKENS|FILE")]
    pub(crate) next_prompt: Option<String>,
    /// What the next version reserves for the answer
    #[arg(long, value_name = "TOKENS")]
    pub(crate) next_answer: Option<u64>,
    /// A larger model that documents may move to: MODEL, or MODEL=TOKENS with its context window; may be repeated
    #[arg(long, value_name = "MODEL[=TOKENS]")]
    pub(crate) fallback: Vec<String>,
    /// The share of the window that a prompt may need, in percent (90 by default)
    #[arg(long, value_name = "PERCENT")]
    pub(crate) limit: Option<u32>,
    /// One JSON object for machines
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// The example's own story, where nothing else is asked for: version 7 has a prompt that is 215 tokens longer, and what the API
    /// itself lets through is the limit.
    pub(crate) fn or_story(mut self) -> Self {
        let is_story = self.documents.is_none() && self.trace.is_empty() && self.prompt == "0";
        if is_story && !self.plans_a_change() {
            self.window = self.window.or(Some(32_000));
            self.limit = self.limit.or(Some(100));
            "1289".clone_into(&mut self.prompt);
            self.next_prompt = Some("1504".to_owned());
        }
        self
    }

    pub(crate) fn plans_a_change(&self) -> bool {
        self.next_model.is_some()
            || self.next_window.is_some()
            || self.next_prompt.is_some()
            || self.next_answer.is_some()
    }
}
