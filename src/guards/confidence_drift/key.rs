//! What is watched: a field of a document type.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Ticket;
use crate::error::Error;
use crate::name::{DocumentType, Field};

/// A pair that is watched separately. Cloning copies two pointers, so a lookup does not allocate.
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.document_type, self.field)
    }
}
