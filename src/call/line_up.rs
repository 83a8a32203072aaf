//! The live versions and the role of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::version::Version;
use crate::error::Error;
use crate::name::VersionId;

/// The role of a version in a line-up. Ordered from least to most cautious: the candidate is the
/// boldest choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::exhaustive_enums,
    reason = "a line-up has exactly three roles, and code matches on them"
)]
pub enum Role {
    /// In a rollout: serves only the share that a rollout guard gives it.
    Candidate,
    /// The production version.
    Stable,
    /// The production version before this one, kept as the fallback.
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

/// The live versions: production, and optionally the previous version and a candidate.
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
    /// A line-up with only a production version.
    pub fn new(stable: Version) -> Self {
        Self {
            stable,
            previous: None,
            candidate: None,
        }
    }

    /// The same line-up with a previous version to fall back to.
    pub fn with_previous(mut self, previous: Version) -> Self {
        self.previous = Some(previous);
        self
    }

    /// The same line-up with a candidate. It serves nothing until a rollout guard gives it a share.
    pub fn with_candidate(mut self, candidate: Version) -> Self {
        self.candidate = Some(candidate);
        self
    }

    /// The production version.
    pub fn stable(&self) -> &Version {
        &self.stable
    }

    /// The previous version, to fall back to.
    pub fn previous(&self) -> Option<&Version> {
        self.previous.as_ref()
    }

    /// The candidate.
    pub fn candidate(&self) -> Option<&Version> {
        self.candidate.as_ref()
    }

    /// The version with this role.
    pub fn get(&self, role: Role) -> Option<&Version> {
        match role {
            Role::Candidate => self.candidate(),
            Role::Stable => Some(&self.stable),
            Role::Previous => self.previous(),
        }
    }

    /// The role of this version, if it is live.
    pub fn role_of(&self, version: &VersionId) -> Option<Role> {
        let mut roles = [Role::Candidate, Role::Stable, Role::Previous].into_iter();
        roles.find(|role| self.get(*role).is_some_and(|live| live.id() == version))
    }

    /// The version that takes over from the one with this role: production takes over from the
    /// candidate, the previous version from production.
    pub fn fallback_of(&self, role: Role) -> Option<&Version> {
        match role {
            Role::Candidate => Some(&self.stable),
            Role::Stable => self.previous(),
            Role::Previous => None,
        }
    }

    /// The version with this id, if it is live. Send its prompt when a ticket names it.
    pub fn version(&self, id: &VersionId) -> Option<&Version> {
        self.versions().find(|version| version.id() == id)
    }

    /// All versions, the boldest first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.candidate
            .iter()
            .chain(Some(&self.stable))
            .chain(&self.previous)
    }

    /// Checks that no version has two roles.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let twice = |field, id: &VersionId, other: Role| {
            let allowed = format!("a version other than the {other} version");
            Err(Error::invalid(field, id, allowed))
        };
        if let Some(previous) = &self.previous {
            if *previous.id() == *self.stable.id() {
                return twice("previous version", previous.id(), Role::Stable);
            }
        }
        if let Some(candidate) = &self.candidate {
            if *candidate.id() == *self.stable.id() {
                return twice("candidate version", candidate.id(), Role::Stable);
            }
            if self
                .previous
                .as_ref()
                .is_some_and(|previous| previous.id() == candidate.id())
            {
                return twice("candidate version", candidate.id(), Role::Previous);
            }
        }
        Ok(())
    }
}
