//! What is watched: a field of a document type.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::call::Ticket;
use crate::error::Error;
use crate::name::{DocumentType, Field, VersionId};

/// A pair that is watched separately.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) document_type: DocumentType,
    pub(super) field: Field,
}

impl Key {
    pub(super) fn of(ticket: &Ticket, field: &Field) -> Self {
        Self {
            document_type: ticket.document_type().clone(),
            field: field.clone(),
        }
    }

    /// The key with these names; an error when one is empty, since no pair has an empty name.
    pub(super) fn new(
        document_type: impl AsRef<str>,
        field: impl AsRef<str>,
    ) -> Result<Self, Error> {
        Ok(Self {
            document_type: DocumentType::new(document_type)?,
            field: Field::new(field)?,
        })
    }

    /// The key under which the shared entry is reported.
    pub(super) fn other() -> Self {
        Self {
            document_type: DocumentType::other(),
            field: Field::other(),
        }
    }
}

/// Two names as a key of a map, to look it up by borrowed ones.
pub(super) trait Names {
    fn names(&self) -> (&str, &str);
}

/// Hashes as the keys do that are looked up.
impl Hash for dyn Names + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names().hash(state);
    }
}

impl PartialEq for dyn Names + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for dyn Names + '_ {}

impl Names for (&DocumentType, &Field) {
    fn names(&self) -> (&str, &str) {
        (self.0.as_str(), self.1.as_str())
    }
}

impl Names for (&DocumentType, &VersionId) {
    fn names(&self) -> (&str, &str) {
        (self.0.as_str(), self.1.as_str())
    }
}

impl Names for Key {
    fn names(&self) -> (&str, &str) {
        (self.document_type.as_str(), self.field.as_str())
    }
}

impl Names for (DocumentType, VersionId) {
    fn names(&self) -> (&str, &str) {
        (self.0.as_str(), self.1.as_str())
    }
}

impl<'a> Borrow<dyn Names + 'a> for Key {
    fn borrow(&self) -> &(dyn Names + 'a) {
        self
    }
}

impl<'a> Borrow<dyn Names + 'a> for (DocumentType, VersionId) {
    fn borrow(&self) -> &(dyn Names + 'a) {
        self
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.document_type, self.field)
    }
}
