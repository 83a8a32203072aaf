//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Shows the headroom of each document type in a model's context window, and which documents a
/// change would divert, before it ships.
///
/// Without DIR and --trace, it uses the example's own documents and the change that started the
/// outage.
#[derive(Debug, Parser)]
#[command(name = "headroom")]
pub(crate) struct Args {
    /// A folder of text files; a sub-folder is a document type
    #[arg(value_name = "DIR")]
    pub(crate) documents: Option<PathBuf>,
    /// Recorded token counts (columns TIMESTAMP,ContextTokens,GeneratedTokens) instead of
    /// documents; may be repeated, and the name of the file is the document type
    #[arg(long, value_name = "FILE.csv", conflicts_with = "documents")]
    pub(crate) trace: Vec<PathBuf>,
    /// The model of the current version
    #[arg(long, default_value = "gpt-4o-mini")]
    pub(crate) model: String,
    /// Its context window, if it differs from the catalogue
    #[arg(long, value_name = "TOKENS")]
    pub(crate) window: Option<u64>,
    /// The system prompt of the current version: a number of tokens, or a file
    #[arg(long, value_name = "TOKENS|FILE", default_value = "0")]
    pub(crate) prompt: String,
    /// The tokens reserved for the answer
    #[arg(long, value_name = "TOKENS", default_value = "800")]
    pub(crate) answer: u64,
    /// The model of the next version; it inherits every setting that is not given
    #[arg(long, value_name = "MODEL")]
    pub(crate) next_model: Option<String>,
    /// The context window of that model, if it differs from the catalogue
    #[arg(long, value_name = "TOKENS")]
    pub(crate) next_window: Option<u64>,
    /// The system prompt of the next version: a number of tokens, or a file
    #[arg(long, value_name = "TOKENS|FILE")]
    pub(crate) next_prompt: Option<String>,
    /// The tokens that the next version reserves for the answer
    #[arg(long, value_name = "TOKENS")]
    pub(crate) next_answer: Option<u64>,
    /// A larger model for documents that do not fit: MODEL, or MODEL=TOKENS with its context
    /// window; may be repeated
    #[arg(long, value_name = "MODEL[=TOKENS]")]
    pub(crate) fallback: Vec<String>,
    /// The share of the available input that a prompt may need, in percent (default 90)
    #[arg(long, value_name = "PERCENT")]
    pub(crate) limit: Option<u32>,
    /// Prints one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// Without other arguments, the example's own story: the prompt of version 7 is 215 tokens
    /// longer, and the limit is what the API itself accepts.
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
