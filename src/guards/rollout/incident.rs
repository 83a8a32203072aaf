//! What a person must look at, as its incident knows it.

use std::time::Duration;

use crate::event::Severity;
use crate::guard::Trouble;
use crate::name::{DocumentType, VersionId};

/// A candidate was rolled back.
pub(super) fn rolled_back(candidate: &VersionId) -> Trouble<'_> {
    let trouble = Trouble::new("rolled-back").of_version(candidate);
    trouble.until_acknowledged().worse()
}

/// A promoted candidate is worse than the version before it.
pub(super) fn found_worse(candidate: &VersionId) -> Trouble<'_> {
    let trouble = Trouble::new("found-worse").of_version(candidate);
    trouble.until_acknowledged().worse()
}

/// A candidate was excluded from a document type.
pub(super) fn type_excluded<'a>(
    candidate: &'a VersionId,
    document_type: &'a DocumentType,
) -> Trouble<'a> {
    let trouble = Trouble::new("type-excluded").of_version(candidate);
    trouble.about(document_type.as_str()).until_acknowledged()
}

/// A stage did not meet its conditions in time; over at the tick after the operator's command.
pub(super) fn escalated(candidate: &VersionId) -> Trouble<'_> {
    let trouble = Trouble::new("escalated").of_version(candidate);
    trouble.held_open_for(Duration::ZERO).worse()
}

/// A stage waits for an approval; over at the tick after it.
pub(super) fn approval_needed(candidate: &VersionId) -> Trouble<'_> {
    let trouble = Trouble::new("approval").of_version(candidate);
    trouble
        .held_open_for(Duration::ZERO)
        .told_as(Severity::Warning)
}
