//! A token budget's measurement of a call, to compare with the usage that the API reports.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::count::TokenCount;
use crate::name::ModelName;

/// A token budget's measurement of an admitted call. The ticket keeps it, so that the budget can
/// compare it with the usage that the API reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Measurement {
    pub(crate) model: ModelName,
    pub(crate) prompt: TokenCount,
    pub(crate) raw: Option<u64>,
    #[serde(default, skip_serializing_if = "Basis::is_own")]
    pub(crate) basis: Basis,
    /// The tokens of the prompt beside the texts that `raw` counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) beside: u64,
    pub(crate) version_model: ModelName,
    pub(crate) brought: TokenCount,
    /// The guard that measured it; set by the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guard: Option<Arc<str>>,
}

/// What the count of the texts rests on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Basis {
    /// The model's own tokenizer.
    #[default]
    Own,
    /// Their length in bytes.
    Bytes,
    /// Another tokenizer and a factor, which a few documents exceed.
    Factor,
}

impl Basis {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

impl Measurement {
    /// A measurement of the whole prompt for this model, for a token budget of your own.
    pub fn new(model: ModelName, prompt: TokenCount) -> Self {
        Self {
            version_model: model.clone(),
            model,
            prompt,
            raw: None,
            basis: Basis::Own,
            beside: 0,
            brought: prompt,
            guard: None,
        }
    }

    /// The guard that measured it, by its name in the pipeline.
    pub fn guard(&self) -> Option<&str> {
        self.guard.as_deref()
    }

    /// The model that it was measured for, and that is called.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The whole prompt.
    pub fn prompt(&self) -> TokenCount {
        self.prompt
    }

    /// Sets the call's part of the prompt: document, conversation and images, as the version's own
    /// model counts them.
    pub fn with_brought(mut self, version_model: ModelName, brought: TokenCount) -> Self {
        (self.version_model, self.brought) = (version_model, brought);
        self
    }

    /// Sets the count by another tokenizer, if the model's own is not published.
    pub fn with_raw(mut self, tokens: u64) -> Self {
        self.raw = Some(tokens);
        self.basis = Basis::Factor;
        self
    }

    /// The count by another tokenizer, if the model's own is not published.
    pub fn raw(&self) -> Option<u64> {
        self.raw
    }

    /// The version's own model, which may be smaller than the model that is called.
    pub fn version_model(&self) -> &ModelName {
        &self.version_model
    }

    /// The call's part of the prompt (document, conversation and images), as the version's own
    /// model counts it.
    pub fn brought(&self) -> TokenCount {
        self.brought
    }
}
