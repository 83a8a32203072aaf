//! What a guard gives away to be kept beside its state.

use serde::{Deserialize, Serialize};
use serde_json::{Value, to_value};

use crate::error::Error;
use crate::time::Timestamp;

/// Something that happened. Of two with the same kind and id, the first counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fact {
    /// What kind of thing: `feedback`, `command`, `ticket`.
    pub kind: String,
    /// What it is known by among its kind.
    pub id: String,
    /// What it is about, such as a document, if it is to be found by that.
    pub about: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, JSON.
    pub value: Value,
}

impl Fact {
    /// A fact of this kind.
    pub fn new(
        kind: impl Into<String>,
        id: impl Into<String>,
        at: Timestamp,
        value: Value,
    ) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            about: None,
            at,
            value,
        }
    }

    /// A fact with this value; an error if it is none in JSON.
    pub(crate) fn write(
        kind: &'static str,
        id: impl Into<String>,
        at: Timestamp,
        value: &impl Serialize,
    ) -> Result<Self, Error> {
        let value = to_value(value).map_err(|error| Error::unreadable(kind, error))?;
        Ok(Self::new(kind, id, at, value))
    }

    /// The same, to be found by what it is about.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

/// What a guard gives away, to be kept beside its state.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Share {
    /// What has happened, the oldest first.
    pub facts: Vec<Fact>,
}

impl Share {
    /// These facts.
    pub fn of_facts(facts: Vec<Fact>) -> Self {
        Self { facts }
    }
}
