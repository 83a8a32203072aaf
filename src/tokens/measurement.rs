//! What a token budget found before a call, to be held against what the API reports after it.

use serde::{Deserialize, Serialize};

use super::count::TokenCount;
use crate::name::ModelName;

/// What a token budget found when it admitted a call: kept on the ticket, so that what the API reports can be held against
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measurement {
    pub(crate) model: ModelName,
    pub(crate) prompt: TokenCount,
    pub(crate) raw: Option<u64>,
    pub(crate) version_model: ModelName,
    pub(crate) brought: TokenCount,
}

impl Measurement {
    /// The model that it was measured for: the one to be called.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The whole prompt.
    pub fn prompt(&self) -> TokenCount {
        self.prompt
    }

    /// What the caller brings, document and conversation, as the version's own model reads it.
    pub fn brought(&self) -> TokenCount {
        self.brought
    }
}
