//! Prompt versions, the models they call, and the line-up of versions that are live.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name::{ModelName, VersionId};

/// A model that can be called: its exact name and how much it can read and write in one call.
///
/// Ordered by context window, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Model {
    context_window: u64,
    name: ModelName,
}

impl Model {
    /// The model `name` with a context window of so many tokens (prompt and answer together); an error when the name
    /// is empty or the window zero.
    pub fn new(name: impl AsRef<str>, context_window: u64) -> Result<Self, Error> {
        let name = ModelName::new(name)?;
        if context_window == 0 {
            let field = format!("context window of model `{name}`");
            return Err(Error::invalid(field, context_window, "at least 1 token"));
        }
        Ok(Self {
            context_window,
            name,
        })
    }

    /// The name, as the API knows it.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// Tokens of prompt and answer together.
    pub fn context_window(&self) -> u64 {
        self.context_window
    }
}

/// A prompt version: what is deployed, compared, rolled back. It names the model that it calls and says how many tokens
/// it needs before a document is added.
///
/// ```
/// use fusebox::Version;
///
/// let v7 = Version::new("v7", "gpt-4o-mini")?
///     .with_system_prompt_tokens(1_012)
///     .with_reserved_answer_tokens(800);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    id: VersionId,
    model: ModelName,
    system_prompt_tokens: Option<u64>,
    reserved_answer_tokens: u64,
}

impl Version {
    /// A version with this id that calls this model; an error when either is empty.
    pub fn new(id: impl AsRef<str>, model: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self {
            id: VersionId::new(id)?,
            model: ModelName::new(model)?,
            system_prompt_tokens: None,
            reserved_answer_tokens: 0,
        })
    }

    /// How many tokens the system prompt has. [`TokenBudget`](crate::TokenBudget) refuses a version that does not say.
    pub fn with_system_prompt_tokens(mut self, tokens: u64) -> Self {
        self.system_prompt_tokens = Some(tokens);
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

    /// Tokens of the system prompt; `None` when nobody counted them.
    pub fn system_prompt_tokens(&self) -> Option<u64> {
        self.system_prompt_tokens
    }

    /// Tokens kept free for the answer.
    pub fn reserved_answer_tokens(&self) -> u64 {
        self.reserved_answer_tokens
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
