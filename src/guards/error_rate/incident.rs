//! Incidents: one page for one outage, however often a version goes and comes back meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{EventKind, Severity};
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::Timestamp;

/// What is wrong with a version, from its first page until it has been well for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Incident {
    key: String,
    opened_at: Timestamp,
    times: u32,
    /// Since when the version is in service again.
    well_since: Option<Timestamp>,
}

/// The incidents that are open, by version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Incidents(BTreeMap<VersionId, Incident>);

impl Incidents {
    /// A version breaks the rule: the incident's key, and how urgent it is to tell. What belongs to an incident that is
    /// open wakes nobody again. `cause` is the version whose incident this is a part of, if there is one.
    pub(super) fn breaks(
        &mut self,
        version: &VersionId,
        cause: Option<&VersionId>,
        hold_open: Duration,
        now: Timestamp,
        cx: &Cx<'_>,
    ) -> (String, Severity) {
        self.resolve_if(cx, |known, incident| {
            known == version && incident.is_over(hold_open, now)
        });
        if let Some(incident) = self.0.get_mut(version) {
            incident.times = incident.times.saturating_add(1);
            incident.well_since = None;
            return (incident.key.clone(), Severity::Warning);
        }
        let cause = cause.and_then(|cause| self.0.get(cause));
        let own = || format!("{}/{version}/{now}", cx.guard());
        let incident = Incident {
            key: cause.map_or_else(own, |cause| cause.key.clone()),
            opened_at: now,
            times: 1,
            well_since: None,
        };
        let key = incident.key.clone();
        self.0.insert(version.clone(), incident);
        (key, Severity::Page)
    }

    /// A version is in service again.
    pub(super) fn is_well(&mut self, version: &VersionId, now: Timestamp) {
        if let Some(incident) = self.0.get_mut(version) {
            incident.well_since.get_or_insert(now);
        }
    }

    /// A person put a version into service again.
    pub(super) fn resolve(&mut self, version: &VersionId, cx: &Cx<'_>) {
        self.resolve_if(cx, |known, _| known == version);
    }

    /// A person put all versions into service again.
    pub(super) fn resolve_all(&mut self, cx: &Cx<'_>) {
        self.resolve_if(cx, |_, _| true);
    }

    /// What has been well for long enough, and what is not live any more, is over.
    pub(super) fn let_time_pass(&mut self, hold_open: Duration, now: Timestamp, cx: &Cx<'_>) {
        self.resolve_if(cx, |version, incident| {
            let mut live = cx.line_up().versions();
            incident.is_over(hold_open, now) || !live.any(|live| live.id() == version)
        });
    }

    fn resolve_if(&mut self, cx: &Cx<'_>, is_over: impl Fn(&VersionId, &Incident) -> bool) {
        self.0.retain(|version, incident| {
            let over = is_over(version, incident);
            if over {
                let kind = EventKind::IncidentResolved {
                    version: version.clone(),
                    incident: incident.key.clone(),
                    opened_at: incident.opened_at,
                    times: incident.times,
                };
                cx.emit(Severity::Info, kind);
            }
            !over
        });
    }
}

impl Incident {
    fn is_over(&self, hold_open: Duration, now: Timestamp) -> bool {
        self.well_since
            .is_some_and(|since| now.since(since) >= hold_open)
    }
}
