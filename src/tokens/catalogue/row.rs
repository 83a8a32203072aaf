//! The rows of a catalogue, and those of a file that cannot be one.

use std::fmt;

use crate::time::Timestamp;
use crate::tokens::model::Model;

/// A row of a catalogue: a model as one provider serves it, and where its limits come from.
///
/// Printed as one line for a person who checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueRow {
    pub(super) name: String,
    pub(super) model: Model,
    pub(super) source: String,
    pub(super) date: Option<Timestamp>,
    pub(super) assumption: Option<&'static str>,
}

impl CatalogueRow {
    /// The name with the provider: `openai/gpt-4o`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Where the row comes from; empty if its file does not say.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The day on which the row was last checked; `LiteLLM`'s rows have none.
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// What was assumed because the file leaves it open, in words; `None` if nothing was.
    pub fn assumption(&self) -> Option<&str> {
        self.assumption
    }
}

impl fmt::Display for CatalogueRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name.escape_debug())?;
        if self.source.is_empty() {
            f.write_str("no source")?;
        } else {
            write!(f, "{}", self.source.escape_debug())?;
        }
        if let Some(date) = self.date {
            let date = date.to_string();
            let day = date.split('T').next().unwrap_or_default();
            write!(f, " ({day})")?;
        }
        match self.assumption {
            Some(assumption) => write!(f, "; assumed: {assumption}"),
            None => Ok(()),
        }
    }
}

/// A row of a file that the catalogue does not have, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    pub(super) name: String,
    pub(super) reason: String,
}

impl SkippedRow {
    /// The name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the row cannot be used: the field, its value, and what was expected.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SkippedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.escape_debug(), self.reason)
    }
}
