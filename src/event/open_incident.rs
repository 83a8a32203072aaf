//! What is wrong now: an open incident as a person or a pager reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Severity;
use super::incident::IncidentKey;
use super::kind::EventKind;
use crate::name::VersionId;
use crate::time::Timestamp;

/// An incident that is open: what is wrong now, since when, with which evidence, what was done, and
/// what ends it.
///
/// A pager that compares the list of [`Pipeline::incidents`](crate::Pipeline::incidents) with what
/// it has delivered loses no page, even if it lost an event. Serialised as one object. What each
/// incident means and what to do is in the [runbooks](crate::documentation::runbooks).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenIncident {
    /// Its key, the same in all of its events.
    pub key: IncidentKey,
    /// The guard that reports it; `pipeline` for the pipeline itself.
    pub guard: String,
    /// The version that it is about, if it is about one.
    pub version: Option<VersionId>,
    /// When it opened.
    pub since: Timestamp,
    /// When a person was last told: when it opened or grew.
    pub told_at: Timestamp,
    /// How urgent it is.
    pub severity: Severity,
    /// How many things are wrong in it: document types, fields, kinds of failure. One cause is one
    /// incident.
    pub things: u64,
    /// Since when nothing in it is wrong any more; `None` while something is. It is then held open
    /// for a while, because what comes back soon is the same outage.
    pub well_since: Option<Timestamp>,
    /// One line: what happened, as it was told last.
    pub summary: String,
    /// The same as data.
    pub evidence: EventKind,
    /// What the guard has done already.
    pub done_already: String,
    /// What ends it.
    pub ends_when: String,
    /// What a person can do, and how to take back what the guard did.
    pub undo: String,
}

impl fmt::Display for OpenIncident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {}: {}", self.key, self.since, self.summary)
    }
}
