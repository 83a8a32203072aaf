//! The faults that a drill injects.

use crate::call::LineUp;
use crate::confidence::Confidence;
use crate::failure::FailureKind;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;

/// A fault that a [`Drill`](crate::Drill) injects.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Reviewers correct a share of a version's answers.
    Corrections {
        /// Which version.
        version: VersionId,
        /// Which share of its answers.
        share: Ratio,
    },
    /// Other versions are deployed, such as a version with a longer prompt.
    Deploy(LineUp),
    /// A share of the calls fails, for one version and one document type or for all.
    Fail {
        /// How they fail.
        kind: FailureKind,
        /// Which share of the calls.
        share: Ratio,
        /// Only calls to this version; `None` for all.
        version: Option<VersionId>,
        /// Only documents of this type; `None` for all.
        document_type: Option<DocumentType>,
    },
    /// A share of the calls never ends.
    Hang {
        /// Which share of the calls.
        share: Ratio,
    },
    /// The confidence of every field falls.
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
    /// A share of all calls fails with this kind of failure.
    pub fn fail(kind: FailureKind, share: Ratio) -> Self {
        Self::Fail {
            kind,
            share,
            version: None,
            document_type: None,
        }
    }

    /// A share of the calls for one document type fails with this kind of failure.
    pub fn fail_type(document_type: DocumentType, kind: FailureKind, share: Ratio) -> Self {
        Self::Fail {
            kind,
            share,
            version: None,
            document_type: Some(document_type),
        }
    }
}
