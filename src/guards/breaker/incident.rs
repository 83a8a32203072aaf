//! Incidents: one page for one outage, however often a version goes and comes back meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{BreakerEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::time::Timestamp;

/// What is wrong with a version, from its first page until it has been well for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Incident {
    version: VersionId,
    /// The type of document, if it is not about all.
    #[serde(default)]
    only_for: Option<DocumentType>,
    key: String,
    opened_at: Timestamp,
    /// When the version last broke the rule.
    latest: Timestamp,
    times: u32,
    /// Since when the version is in service again.
    well_since: Option<Timestamp>,
}

/// The incidents that are open: one for a version and what is judged of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Incidents(Vec<Incident>);

impl Incidents {
    /// A version breaks the rule: the incident's key, and how urgent it is to tell. What belongs to an incident that is
    /// open wakes nobody again, nor does a type of document in which a version breaks the rule soon after it did in
    /// another or in all. `cause` is the version whose incident this is a part of, if there is one.
    pub(super) fn breaks(
        &mut self,
        version: &VersionId,
        cause: Option<&VersionId>,
        hold_open: Duration,
        now: Timestamp,
        cx: &Cx<'_>,
    ) -> (String, Severity) {
        self.resolve_if(cx, |incident| {
            incident.is_of(version, cx.scope()) && incident.is_over(hold_open, now)
        });
        if let Some(incident) = self.find_mut(version, cx.scope()) {
            incident.times = incident.times.saturating_add(1);
            incident.latest = now;
            incident.well_since = None;
            return (incident.key.clone(), Severity::Warning);
        }
        let soon_after = |incident: &&Incident| {
            incident.version == *version && now.since(incident.latest) < hold_open
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

    /// A version is in service again.
    pub(super) fn is_well(&mut self, version: &VersionId, now: Timestamp, cx: &Cx<'_>) {
        if let Some(incident) = self.find_mut(version, cx.scope()) {
            incident.well_since.get_or_insert(now);
        }
    }

    /// A person put a version into service again.
    pub(super) fn resolve(&mut self, version: &VersionId, cx: &Cx<'_>) {
        self.resolve_if(cx, |incident| incident.version == *version);
    }

    /// A person put all versions into service again.
    pub(super) fn resolve_all(&mut self, cx: &Cx<'_>) {
        self.resolve_if(cx, |_| true);
    }

    /// What has been well for long enough, and what is not live any more, is over.
    pub(super) fn let_time_pass(&mut self, hold_open: Duration, now: Timestamp, cx: &Cx<'_>) {
        self.resolve_if(cx, |incident| {
            let mut live = cx.line_up().versions();
            incident.is_over(hold_open, now) || !live.any(|live| *live.id() == incident.version)
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

    fn is_over(&self, hold_open: Duration, now: Timestamp) -> bool {
        self.well_since
            .is_some_and(|since| now.since(since) >= hold_open)
    }
}
