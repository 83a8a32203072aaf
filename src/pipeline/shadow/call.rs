//! What a candidate's call is told.

use std::sync::Arc;

use crate::call::Ticket;
use crate::name::{DocumentId, DocumentType, VersionId};

/// A call of a shadow run: which version to call for which document.
///
/// It is no permit: the call goes through no guard of the pipeline, counts for no budget, breaker or
/// rollout, and there is no way from here to [`LiveEffects`](crate::pipeline::LiveEffects). Make the
/// call once: no retries, no fallback, and no tools that act.
#[derive(Clone, Debug)]
pub struct ShadowCall {
    ticket: Ticket,
    version: VersionId,
    origin: Arc<str>,
    is_baseline: bool,
}

impl ShadowCall {
    pub(super) fn of_candidate(ticket: &Ticket, version: &VersionId, origin: Arc<str>) -> Self {
        Self {
            ticket: ticket.clone(),
            version: version.clone(),
            origin,
            is_baseline: false,
        }
    }

    pub(super) fn of_baseline(ticket: &Ticket, origin: Arc<str>) -> Self {
        Self {
            version: ticket.version().clone(),
            ticket: ticket.clone(),
            origin,
            is_baseline: true,
        }
    }

    /// The version to call: the candidate, or production's own version when the run measures how
    /// often that differs from itself.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// Whether it is the second call of production's own version: it must bypass caches.
    pub fn is_baseline(&self) -> bool {
        self.is_baseline
    }

    /// The document.
    pub fn document(&self) -> &DocumentId {
        self.ticket.document()
    }

    /// The type of the document.
    pub fn document_type(&self) -> &DocumentType {
        self.ticket.document_type()
    }

    /// Where the call comes from, as `fusebox-shadow/` and the name of the experiment: send it with
    /// the request, as a header or in its metadata, so that the model's provider and your own
    /// dashboards can tell shadow calls from production's.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}
