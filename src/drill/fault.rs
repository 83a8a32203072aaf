//! What a drill can break.

use crate::call::LineUp;
use crate::confidence::Confidence;
use crate::failure::FailureKind;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;

/// Something that breaks in a [`Drill`](crate::Drill).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// People correct a share of this version's answers.
    Corrections {
        /// Whose answers.
        version: VersionId,
        /// How many.
        share: Ratio,
    },
    /// Other versions are deployed, such as one with a longer prompt.
    Deploy(LineUp),
    /// A share of the calls fails; of all versions, or of one; for all types of document, or for one.
    Fail {
        /// How.
        kind: FailureKind,
        /// How many.
        share: Ratio,
        /// Only with this version.
        version: Option<VersionId>,
        /// Only for this type.
        document_type: Option<DocumentType>,
    },
    /// A share of the calls never comes back.
    Hang {
        /// How many.
        share: Ratio,
    },
    /// The model is less sure of every field, by so much.
    LowerConfidence {
        /// By how much.
        by: Confidence,
    },
    /// Documents of a type stop arriving.
    Stop {
        /// Which type.
        document_type: DocumentType,
    },
}

impl Fault {
    /// A share of all calls fails in this way.
    pub fn fail(kind: FailureKind, share: Ratio) -> Self {
        Self::Fail {
            kind,
            share,
            version: None,
            document_type: None,
        }
    }

    /// A share of the calls for one type of document fails in this way.
    pub fn fail_type(document_type: DocumentType, kind: FailureKind, share: Ratio) -> Self {
        Self::Fail {
            kind,
            share,
            version: None,
            document_type: Some(document_type),
        }
    }
}
