//! Prompt versions.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use twox_hash::XxHash3_64;

use crate::error::Error;
use crate::name::{ModelName, VersionId};
use crate::tokens::flattened;

/// A prompt version: the unit that is deployed, compared and rolled back. It names the model to
/// call and what to send before the document.
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
#[serde(from = "Stored")]
pub struct Version {
    id: VersionId,
    model: ModelName,
    system_prompt: SystemPrompt,
    tools: Option<Arc<Value>>,
    reserved_answer_tokens: u64,
    #[serde(skip)]
    fingerprint: Fingerprint,
}

/// A hash of what a version sends with every call: its model, its system prompt (or only its token
/// count, if no text was given) and its tools. It is the same on every machine and in every
/// release.
///
/// Printed and serialised as 16 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

/// A version as it is stored, without the fingerprint, which follows from the other fields.
#[derive(Deserialize)]
struct Stored {
    id: VersionId,
    model: ModelName,
    #[serde(default)]
    system_prompt: SystemPrompt,
    #[serde(default)]
    tools: Option<Value>,
    reserved_answer_tokens: u64,
}

impl From<Stored> for Version {
    fn from(stored: Stored) -> Self {
        let version = Self {
            id: stored.id,
            model: stored.model,
            system_prompt: stored.system_prompt,
            tools: stored.tools.map(|tools| Arc::new(flattened(tools))),
            reserved_answer_tokens: stored.reserved_answer_tokens,
            fingerprint: Fingerprint::default(),
        };
        version.fingerprinted()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = u64::from_str_radix(&text, 16);
        hash.map(Self).map_err(serde::de::Error::custom)
    }
}

/// What is known about a version's system prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SystemPrompt {
    /// Neither text nor token count.
    #[default]
    Unmeasured,
    /// A token count, used as given.
    Counted(u64),
    /// The text.
    Text(Arc<str>),
}

impl Version {
    /// A version with this id that calls this model; an error when either is empty.
    pub fn new(id: impl AsRef<str>, model: impl AsRef<str>) -> Result<Self, Error> {
        let version = Self {
            id: VersionId::new(id)?,
            model: ModelName::new(model)?,
            system_prompt: SystemPrompt::Unmeasured,
            tools: None,
            reserved_answer_tokens: 0,
            fingerprint: Fingerprint::default(),
        };
        Ok(version.fingerprinted())
    }

    /// The system prompt. It is counted once for each model that may receive it, when the version
    /// is declared. For a version without a prompt, pass an empty text:
    /// [`TokenBudget`](crate::TokenBudget) refuses a version whose system prompt is unknown.
    pub fn with_system_prompt(mut self, text: impl Into<Arc<str>>) -> Self {
        self.system_prompt = SystemPrompt::Text(text.into());
        self.fingerprinted()
    }

    /// The token count of the system prompt, when the version does not hold its text.
    pub fn with_system_prompt_tokens(mut self, tokens: u64) -> Self {
        self.system_prompt = SystemPrompt::Counted(tokens);
        self.fingerprinted()
    }

    /// The definitions of the tools to send with every call: a list, as the API takes them. What
    /// is nested deeper than 64 levels is kept as text.
    pub fn with_tools(mut self, tools: Value) -> Self {
        self.tools = Some(Arc::new(flattened(tools)));
        self.fingerprinted()
    }

    /// The tokens of the context window to reserve for the answer (zero by default).
    pub fn with_reserved_answer_tokens(mut self, tokens: u64) -> Self {
        self.reserved_answer_tokens = tokens;
        self
    }

    /// Its id.
    pub fn id(&self) -> &VersionId {
        &self.id
    }

    /// The model to call.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The tokens reserved for the answer.
    pub fn reserved_answer_tokens(&self) -> u64 {
        self.reserved_answer_tokens
    }

    /// The text of the system prompt, if it was given. Send it when a ticket names this version.
    pub fn system_prompt(&self) -> Option<&str> {
        match &self.system_prompt {
            SystemPrompt::Text(text) => Some(text),
            SystemPrompt::Counted(_) | SystemPrompt::Unmeasured => None,
        }
    }

    /// The token count of the system prompt, if that was given instead of its text.
    pub fn system_prompt_tokens(&self) -> Option<u64> {
        match self.system_prompt {
            SystemPrompt::Counted(tokens) => Some(tokens),
            SystemPrompt::Text(_) | SystemPrompt::Unmeasured => None,
        }
    }

    /// The tool definitions, if there are any.
    pub fn tools(&self) -> Option<&Value> {
        self.tools.as_deref()
    }

    /// A hash of what it sends with every call.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn fingerprinted(mut self) -> Self {
        let hash = |seed, bytes: &[u8]| XxHash3_64::oneshot_with_seed(seed, bytes);
        let model = hash(0, self.model.as_str().as_bytes());
        let prompt = match &self.system_prompt {
            SystemPrompt::Unmeasured => hash(model, b"unmeasured"),
            SystemPrompt::Counted(tokens) => hash(model ^ 1, &tokens.to_le_bytes()),
            SystemPrompt::Text(text) => hash(model ^ 2, text.as_bytes()),
        };
        let tools = self.tools.as_ref().map(ToString::to_string);
        self.fingerprint =
            Fingerprint(tools.map_or(prompt, |tools| hash(prompt, tools.as_bytes())));
        self
    }

    pub(crate) fn prompt(&self) -> &SystemPrompt {
        &self.system_prompt
    }

    /// Whether it has a text to count.
    pub(crate) fn has_text(&self) -> bool {
        matches!(self.system_prompt, SystemPrompt::Text(_)) || self.tools.is_some()
    }

    /// Whether a token budget counts both versions alike.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            && self.id == other.id
            && self.reserved_answer_tokens == other.reserved_answer_tokens
    }
}
