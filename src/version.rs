//! Prompt versions, and the line-up of versions that are live.

use std::fmt;
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

/// The part that a version plays in a line-up. Ordered by caution: the candidate is the boldest choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::exhaustive_enums,
    reason = "a line-up has three places, and code matches on them"
)]
pub enum Role {
    /// On trial: serves only what a rollout guard gives it.
    Candidate,
    /// In production.
    Stable,
    /// What was in production before, kept to fall back to.
    Previous,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candidate => "candidate",
            Self::Stable => "stable",
            Self::Previous => "previous",
        })
    }
}

/// The versions that are live: one in production, and optionally the one before it and one on trial.
///
/// ```
/// use fusebox::{LineUp, Version};
///
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?)
///     .with_previous(Version::new("v6", "gpt-4o")?);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineUp {
    stable: Version,
    previous: Option<Version>,
    candidate: Option<Version>,
}

impl LineUp {
    /// A line-up with nothing but a version in production.
    pub fn new(stable: Version) -> Self {
        Self {
            stable,
            previous: None,
            candidate: None,
        }
    }

    /// With the version to fall back to.
    pub fn with_previous(mut self, previous: Version) -> Self {
        self.previous = Some(previous);
        self
    }

    /// With a version on trial. It serves nothing until a rollout guard gives it a share.
    pub fn with_candidate(mut self, candidate: Version) -> Self {
        self.candidate = Some(candidate);
        self
    }

    /// The version in production.
    pub fn stable(&self) -> &Version {
        &self.stable
    }

    /// The version to fall back to.
    pub fn previous(&self) -> Option<&Version> {
        self.previous.as_ref()
    }

    /// The version on trial.
    pub fn candidate(&self) -> Option<&Version> {
        self.candidate.as_ref()
    }

    /// The version that plays a part.
    pub fn get(&self, role: Role) -> Option<&Version> {
        match role {
            Role::Candidate => self.candidate(),
            Role::Stable => Some(&self.stable),
            Role::Previous => self.previous(),
        }
    }

    /// Every version, boldest first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.candidate
            .iter()
            .chain(Some(&self.stable))
            .chain(&self.previous)
    }

    /// Checks that no version plays two parts.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let twice = |field, id: &VersionId, other: Role| {
            let allowed = format!("a version other than the {other} one");
            Err(Error::invalid(field, id, allowed))
        };
        if let Some(previous) = &self.previous {
            if previous.id == self.stable.id {
                return twice("previous version", &previous.id, Role::Stable);
            }
        }
        if let Some(candidate) = &self.candidate {
            if candidate.id == self.stable.id {
                return twice("candidate version", &candidate.id, Role::Stable);
            }
            if self
                .previous
                .as_ref()
                .is_some_and(|previous| previous.id == candidate.id)
            {
                return twice("candidate version", &candidate.id, Role::Previous);
            }
        }
        Ok(())
    }
}
