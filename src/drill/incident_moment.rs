//! What an incident did in a drill, and how long after the fault.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Event, IncidentChange, IncidentKey, Severity};

/// An event of a drill that opened an incident, told that it grew, or ended it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IncidentMoment {
    /// The time from the fault to the event.
    #[serde(rename = "after_ms", with = "crate::time::as_millis")]
    pub after: Duration,
    /// The guard that reported it.
    pub guard: String,
    /// The incident.
    pub incident: IncidentKey,
    /// What the event did to it.
    pub change: IncidentChange,
    /// How urgent it was.
    pub severity: Severity,
    /// The event in words.
    pub text: String,
}

impl IncidentMoment {
    /// `None` if the event is about no incident, or if that one goes on as it was.
    pub(super) fn of(after: Duration, event: &Event) -> Option<Self> {
        let incident = event.incident.as_ref()?;
        (incident.change != IncidentChange::Continues).then(|| Self {
            after,
            guard: event.guard.clone(),
            incident: incident.key.clone(),
            change: incident.change,
            severity: event.severity,
            text: event.kind.to_string(),
        })
    }
}
