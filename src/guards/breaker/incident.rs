//! Incidents: one page for one outage, however often a version trips and recovers in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{BreakerEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::time::Timestamp;

/// An outage of a version, from its first trip until the version has been healthy for `hold_open`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Incident {
    version: VersionId,
    /// The document type; `None` when the incident is about all documents.
    #[serde(default)]
    only_for: Option<DocumentType>,
    key: String,
    opened_at: Timestamp,
    /// When the version last tripped.
    latest: Timestamp,
    times: u32,
    /// When the version came back into service.
    well_since: Option<Timestamp>,
}

/// How long a version must be healthy before its incident is resolved, and the present time.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldOpen {
    pub(super) duration: Duration,
    pub(super) now: Timestamp,
}

impl HoldOpen {
    fn has_passed_since(self, at: Timestamp) -> bool {
        self.now.since(at) >= self.duration
    }
}

/// The open incidents: at most one for each version and scope (all documents, or one type).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Incidents(Vec<Incident>);

impl Incidents {
    /// Records that a version tripped: the incident's key, and the severity of the event. A trip
    /// within an open incident is a warning. So is the trip of a document type that follows a trip
    /// of the same version in another type, or in all documents, within `hold_open`. `cause` is the
    /// version whose incident this trip belongs to, if any.
    pub(super) fn record_trip(
        &mut self,
        version: &VersionId,
        cause: Option<&VersionId>,
        hold_open: HoldOpen,
        cx: &Cx<'_>,
    ) -> (String, Severity) {
        let now = hold_open.now;
        self.resolve_if(cx, |incident| {
            incident.is_of(version, cx.scope()) && incident.is_over(hold_open)
        });
        if let Some(incident) = self.find_mut(version, cx.scope()) {
            incident.times = incident.times.saturating_add(1);
            incident.latest = now;
            incident.well_since = None;
            return (incident.key.clone(), Severity::Warning);
        }
        let soon_after = |incident: &&Incident| {
            incident.version == *version && !hold_open.has_passed_since(incident.latest)
        };
        let open = cx.scope().and_then(|_| self.0.iter().find(soon_after));
        let cause = cause.and_then(|cause| {
            let is_cause = |incident: &&Incident| {
                incident.is_of(cause, cx.scope()) || incident.is_of(cause, None)
            };
            self.0.iter().find(is_cause)
        });
        let severity = if open.is_some() {
            Severity::Warning
        } else {
            Severity::Page
        };
        let own = || match cx.scope() {
            Some(document_type) => format!("{}/{document_type}/{version}/{now}", cx.guard()),
            None => format!("{}/{version}/{now}", cx.guard()),
        };
        let key = open
            .or(cause)
            .map_or_else(own, |incident| incident.key.clone());
        self.0.push(Incident {
            version: version.clone(),
            only_for: cx.scope().cloned(),
            key: key.clone(),
            opened_at: now,
            latest: now,
            times: 1,
            well_since: None,
        });
        (key, severity)
    }

    fn find_mut(
        &mut self,
        version: &VersionId,
        only_for: Option<&DocumentType>,
    ) -> Option<&mut Incident> {
        let mut incidents = self.0.iter_mut();
        incidents.find(|incident| incident.is_of(version, only_for))
    }

    /// Records that a version is in service again.
    pub(super) fn record_recovery(&mut self, version: &VersionId, now: Timestamp, cx: &Cx<'_>) {
        if let Some(incident) = self.find_mut(version, cx.scope()) {
            incident.well_since.get_or_insert(now);
        }
    }

    /// Resolves the incidents of a version that the operator rearmed.
    pub(super) fn resolve(&mut self, version: &VersionId, cx: &Cx<'_>) {
        self.resolve_if(cx, |incident| incident.version == *version);
    }

    /// Resolves all incidents, after a reset.
    pub(super) fn resolve_all(&mut self, cx: &Cx<'_>) {
        self.resolve_if(cx, |_| true);
    }

    /// Resolves incidents whose version has been healthy for `hold_open`, or is no longer live.
    pub(super) fn resolve_due(&mut self, hold_open: HoldOpen, cx: &Cx<'_>) {
        self.resolve_if(cx, |incident| {
            let mut live = cx.line_up().versions();
            incident.is_over(hold_open) || !live.any(|live| *live.id() == incident.version)
        });
    }

    fn resolve_if(&mut self, cx: &Cx<'_>, is_over: impl Fn(&Incident) -> bool) {
        self.0.retain(|incident| {
            let over = is_over(incident);
            if over {
                let kind = EventKind::Breaker(BreakerEvent::IncidentResolved {
                    version: incident.version.clone(),
                    incident: incident.key.clone(),
                    opened_at: incident.opened_at,
                    times: incident.times,
                });
                match &incident.only_for {
                    Some(document_type) => cx.only_for(document_type).emit(Severity::Info, kind),
                    None => cx.emit(Severity::Info, kind),
                }
            }
            !over
        });
    }
}

impl Incident {
    fn is_of(&self, version: &VersionId, only_for: Option<&DocumentType>) -> bool {
        self.version == *version && self.only_for.as_ref() == only_for
    }

    fn is_over(&self, hold_open: HoldOpen) -> bool {
        let well_since = self.well_since;
        well_since.is_some_and(|since| hold_open.has_passed_since(since))
    }
}
