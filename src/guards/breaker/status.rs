//! The status of a breaker: what is out of service, and the revision that a command must name.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::circuit::BreakerState;
use crate::event::BreakerMode;
use crate::name::{DocumentType, VersionId};
use crate::revision::Revision;

/// The status of a breaker, as of the last call or tick.
///
/// ```
/// use fusebox::ErrorRateBreaker;
///
/// let status = ErrorRateBreaker::default().status();
/// assert_eq!(status.to_string(), "enforce, every version in service");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerStatus {
    /// The revision, for the next command. Commands change it, and versions that go out of service
    /// or come back for all documents. Probes, alarms and the states of single
    /// document types do not change it.
    pub revision: Revision,
    /// What the breaker does when a version breaks a rule.
    pub mode: BreakerMode,
    /// The versions that had calls, for all documents.
    pub versions: BTreeMap<VersionId, BreakerState>,
    /// The document types in which a version is out of service, with
    /// [`by_document_type`](super::ErrorRateBreakerBuilder::by_document_type); those that are in
    /// service are left out.
    pub types: BTreeMap<DocumentType, BTreeMap<VersionId, BreakerState>>,
}

impl fmt::Display for BreakerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, types, .. } = self;
        let all = self.versions.iter();
        let mut unwell = all
            .filter(|(_, state)| **state != BreakerState::Closed)
            .peekable();
        write!(f, "{mode}")?;
        if unwell.peek().is_none() && types.is_empty() {
            return f.write_str(", every version in service");
        }
        for (version, state) in unwell {
            write!(f, ", {version} {state}")?;
        }
        match types.len() {
            0 => Ok(()),
            1 => f.write_str(", a version out of service for 1 document type"),
            n => write!(f, ", versions out of service for {n} document types"),
        }
    }
}
