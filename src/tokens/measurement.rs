//! What a token budget found before a call, to be held against what the API reports after it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::count::TokenCount;
use crate::name::ModelName;

/// What a token budget found when it admitted a call: kept on the ticket, so that what the API reports can be held against
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Measurement {
    pub(crate) model: ModelName,
    pub(crate) prompt: TokenCount,
    pub(crate) raw: Option<u64>,
    pub(crate) version_model: ModelName,
    pub(crate) brought: TokenCount,
    /// The guard that measured it; set by the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guard: Option<Arc<str>>,
}

impl Measurement {
    /// A prompt of this size, measured for this model: for a token budget of your own.
    pub fn new(model: ModelName, prompt: TokenCount) -> Self {
        Self {
            version_model: model.clone(),
            model,
            prompt,
            raw: None,
            brought: prompt,
            guard: None,
        }
    }

    /// The guard that measured it, by the name under which the pipeline holds it.
    pub fn guard(&self) -> Option<&str> {
        self.guard.as_deref()
    }

    /// The model that it was measured for: the one to be called.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The whole prompt.
    pub fn prompt(&self) -> TokenCount {
        self.prompt
    }

    /// The same where the caller brings only this part of the prompt: document, conversation and images, as the version's
    /// own model counts them.
    pub fn with_brought(mut self, version_model: ModelName, brought: TokenCount) -> Self {
        (self.version_model, self.brought) = (version_model, brought);
        self
    }

    /// The same with what another tokenizer counted, where the model's own is not published.
    pub fn with_raw(mut self, tokens: u64) -> Self {
        self.raw = Some(tokens);
        self
    }

    /// What another tokenizer counted, where the model's own is not published.
    pub fn raw(&self) -> Option<u64> {
        self.raw
    }

    /// The version's own model, which may be smaller than the one to be called.
    pub fn version_model(&self) -> &ModelName {
        &self.version_model
    }

    /// What the caller brings, document and conversation, as the version's own model reads it.
    pub fn brought(&self) -> TokenCount {
        self.brought
    }
}
