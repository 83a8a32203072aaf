//! Prompt versions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::name::{ModelName, VersionId};

/// A prompt version: what is deployed, compared, rolled back. It names the model that it calls and says what is sent
/// before a document is added.
///
/// ```
/// use fusebox::Version;
/// use serde_json::json;
///
/// let v7 = Version::new("v7", "gpt-4o-mini")?
///     .with_system_prompt("You read invoices. Answer with ..")
///     .with_tools(json!([{ "type": "function", "function": { "name": "find_supplier" } }]))
///     .with_reserved_answer_tokens(800);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    id: VersionId,
    model: ModelName,
    #[serde(default)]
    system_prompt: SystemPrompt,
    #[serde(default)]
    tools: Option<Arc<Value>>,
    reserved_answer_tokens: u64,
}

/// What is known of a version's system prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SystemPrompt {
    /// Nothing: nobody counted it.
    #[default]
    Unmeasured,
    /// A number, taken at its word.
    Counted(u64),
    /// The text itself.
    Text(Arc<str>),
}

impl Version {
    /// A version with this id that calls this model; an error when either is empty.
    pub fn new(id: impl AsRef<str>, model: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self {
            id: VersionId::new(id)?,
            model: ModelName::new(model)?,
            system_prompt: SystemPrompt::Unmeasured,
            tools: None,
            reserved_answer_tokens: 0,
        })
    }

    /// The system prompt. It is counted once for each model that may read it, when the version is declared. Without a
    /// prompt, say so with an empty text; [`TokenBudget`](crate::TokenBudget) refuses a version that says nothing.
    pub fn with_system_prompt(mut self, text: impl Into<Arc<str>>) -> Self {
        self.system_prompt = SystemPrompt::Text(text.into());
        self
    }

    /// How many tokens the system prompt has, when the text itself is elsewhere.
    pub fn with_system_prompt_tokens(mut self, tokens: u64) -> Self {
        self.system_prompt = SystemPrompt::Counted(tokens);
        self
    }

    /// The definitions of the tools that are sent with every call, as the API takes them: a list.
    pub fn with_tools(mut self, tools: Value) -> Self {
        self.tools = Some(Arc::new(tools));
        self
    }

    /// How many tokens of the context window are kept free for the answer (zero by default).
    pub fn with_reserved_answer_tokens(mut self, tokens: u64) -> Self {
        self.reserved_answer_tokens = tokens;
        self
    }

    /// The id.
    pub fn id(&self) -> &VersionId {
        &self.id
    }

    /// The model that it calls.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// Tokens kept free for the answer.
    pub fn reserved_answer_tokens(&self) -> u64 {
        self.reserved_answer_tokens
    }

    pub(crate) fn system_prompt(&self) -> &SystemPrompt {
        &self.system_prompt
    }

    /// Whether there is a text to be counted.
    pub(crate) fn has_text(&self) -> bool {
        matches!(self.system_prompt, SystemPrompt::Text(_)) || self.tools.is_some()
    }

    pub(crate) fn tools(&self) -> Option<&Value> {
        self.tools.as_deref()
    }

    /// Whether both send the same before a document is added. Clones are known by their address.
    pub(crate) fn sends_the_same_as(&self, other: &Self) -> bool {
        let same_prompt = match (&self.system_prompt, &other.system_prompt) {
            (SystemPrompt::Text(one), SystemPrompt::Text(other)) => {
                Arc::ptr_eq(one, other) || one == other
            }
            (one, other) => one == other,
        };
        let same_tools = match (&self.tools, &other.tools) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (one, other) => one.is_none() && other.is_none(),
        };
        same_prompt
            && same_tools
            && self.id == other.id
            && self.model == other.model
            && self.reserved_answer_tokens == other.reserved_answer_tokens
    }
}
