//! A document in a review.

use serde::Serialize;

use crate::call::{Comparison, Difference, DifferenceKind, ShadowEnd, Ticket};
use crate::name::{DocumentId, DocumentType, ModelName, VersionId};
use crate::time::Timestamp;

/// A document on which a candidate diverged from production or failed, for a review.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct ReviewItem {
    /// The document.
    pub document: DocumentId,
    /// Its type.
    pub document_type: DocumentType,
    /// The version that served it.
    pub production: VersionId,
    /// The version that ran beside it.
    pub candidate: VersionId,
    /// Production's model.
    pub model: ModelName,
    /// The candidate's model, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_model: Option<ModelName>,
    /// When the document came.
    pub at: Timestamp,
    /// How it ended, with the fields that differ.
    pub end: ShadowEnd,
}

impl ReviewItem {
    /// The document of production's ticket, on which this candidate ended so.
    pub fn new(ticket: &Ticket, candidate: VersionId, end: impl Into<ShadowEnd>) -> Self {
        Self {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            production: ticket.version().clone(),
            candidate,
            model: ticket.model().clone(),
            candidate_model: None,
            at: ticket.admitted_at(),
            end: end.into(),
        }
    }

    /// The same where the candidate has another model than production.
    pub fn with_candidate_model(mut self, model: ModelName) -> Self {
        self.candidate_model = Some(model);
        self
    }

    /// What a reviewer marks: each difference that counts, or all if none does; the document as a
    /// whole if there are none.
    pub(super) fn marked(&self) -> Vec<Option<&Difference>> {
        let all = self.differences();
        let any_counts = all.iter().any(|difference| difference.critical);
        let marked = all
            .iter()
            .filter(|difference| difference.critical || !any_counts);
        let marked: Vec<_> = marked.map(Some).collect();
        if marked.is_empty() {
            vec![None]
        } else {
            marked
        }
    }

    /// The differences that do not count, beside others that do.
    pub(super) fn unmarked(&self) -> Vec<&Difference> {
        let all = self.differences();
        if all.iter().all(|difference| !difference.critical) {
            return Vec::new();
        }
        all.iter()
            .filter(|difference| !difference.critical)
            .collect()
    }

    pub(super) fn differences(&self) -> &[Difference] {
        match &self.end {
            ShadowEnd::Compared(Comparison::Diverged(all) | Comparison::Ignored(all)) => all,
            _ => &[],
        }
    }
}

/// In which way a document or a field of it diverges, as a page says and filters it.
pub(super) fn kind(end: &ShadowEnd, difference: Option<&Difference>) -> String {
    match (end, difference.map(|difference| difference.kind)) {
        (_, Some(DifferenceKind::Added)) => "only the candidate has a value".to_owned(),
        (_, Some(DifferenceKind::Changed)) => "value differs".to_owned(),
        (_, Some(DifferenceKind::Missing)) => "only production has a value".to_owned(),
        (_, Some(DifferenceKind::TypeChanged)) => "type of value differs".to_owned(),
        (ShadowEnd::Compared(Comparison::Diverged(_)), None) => "whole answer differs".to_owned(),
        (ShadowEnd::CandidateFailed(kind), None) => {
            format!("candidate failed: {}", kind.name().replace('_', " "))
        }
        (ShadowEnd::CandidatePanicked, None) => "candidate panicked".to_owned(),
        (ShadowEnd::ComparatorPanicked, None) => "comparator panicked".to_owned(),
        (ShadowEnd::TimedOut, None) => "candidate timed out".to_owned(),
        (_, None) => "not compared".to_owned(),
    }
}
