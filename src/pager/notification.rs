//! What a person is told about one incident.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::line::cut;
use crate::event::{EventKind, IncidentKey, OpenIncident, Severity};
use crate::name::{PipelineName, VersionId};
use crate::time::Timestamp;

/// The longest summary, in characters: what a phone shows.
const LONGEST_SUMMARY: usize = 200;
/// Where the runbooks of this crate are read.
const RUNBOOKS: &str = "https://docs.rs/fusebox/latest/fusebox/documentation/runbooks";

/// What is told of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It is open.
    Trigger,
    /// It is over.
    Resolve,
    /// It opened and ended while it could not be told: for the record, it wakes nobody.
    Missed,
}

impl Action {
    /// The word, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Resolve => "resolve",
            Self::Missed => "missed",
        }
    }
}

/// What a person is told about one incident: the effect first, then what was done, what still goes
/// wrong, what to do, and where to read on.
///
/// It holds no content of a document. Serialised as one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notification {
    /// What is told.
    pub action: Action,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The incident. Together with the pipeline, it is what a pager knows the incident by.
    pub incident: IncidentKey,
    /// The guard that reports it.
    pub guard: String,
    /// The version that it is about, if it is about one.
    pub version: Option<VersionId>,
    /// How urgent it is.
    pub severity: Severity,
    /// When it opened; the same in its end.
    pub since: Timestamp,
    /// When a person was to be told last: when it opened or grew.
    pub told_at: Timestamp,
    /// When it ended, if it did.
    pub ended_at: Option<Timestamp>,
    /// How many things are wrong in it: document types, fields, kinds of failure.
    pub things: u64,
    /// Since when nothing in it is wrong any more; `None` while something is.
    pub well_since: Option<Timestamp>,
    /// One line of at most 200 characters: what happened.
    pub summary: String,
    /// What the guard has done already.
    pub done_already: String,
    /// What ends it.
    pub ends_when: String,
    /// What a person can do, and how to take back what the guard did.
    pub undo: String,
    /// The numbers: the fields of the event, flat.
    pub evidence: Map<String, Value>,
    /// The address of the page that says what it means and what to do.
    pub runbook: String,
}

impl Notification {
    /// That this incident is open.
    pub fn triggered(pipeline: &PipelineName, open: &OpenIncident) -> Self {
        Self {
            action: Action::Trigger,
            pipeline: pipeline.clone(),
            incident: open.key.clone(),
            guard: open.guard.clone(),
            version: open.version.clone(),
            severity: open.severity,
            since: open.since,
            told_at: open.told_at,
            ended_at: None,
            things: open.things,
            well_since: open.well_since,
            summary: summary(pipeline, &open.summary),
            done_already: open.done_already.clone(),
            ends_when: open.ends_when.clone(),
            undo: open.undo.clone(),
            evidence: evidence(&open.evidence),
            runbook: runbook(open),
        }
    }

    /// That nothing is wrong: an incident that is opened to see that it arrives.
    pub(crate) fn of_test(pipeline: &PipelineName, at: Timestamp) -> Self {
        let message = "a test of the way to you: nothing is wrong, and it ends by itself";
        let open = OpenIncident {
            key: IncidentKey::new("pipeline", "self-test", None, 1),
            guard: "pipeline".to_owned(),
            version: None,
            since: at,
            told_at: at,
            severity: Severity::Page,
            things: 1,
            well_since: None,
            summary: message.to_owned(),
            evidence: EventKind::custom("self_test", message),
            done_already: "nothing".to_owned(),
            ends_when: "its end arrives, at once".to_owned(),
            undo: "nothing to do".to_owned(),
        };
        Self::triggered(pipeline, &open)
    }

    /// That the same incident is over.
    pub fn ended(&self, action: Action, at: Timestamp) -> Self {
        Self {
            action,
            ended_at: Some(at.max(self.since)),
            ..self.clone()
        }
    }

    /// The key that a pager knows the incident by: `pipeline/guard/what is wrong/version/number`,
    /// at most 255 bytes.
    pub fn dedup_key(&self) -> String {
        self.incident.in_pipeline(&self.pipeline)
    }
}

/// At most 200 characters, in one line.
fn summary(pipeline: &PipelineName, text: &str) -> String {
    cut(&format!("{pipeline}: {text}"), LONGEST_SUMMARY)
}

fn evidence(kind: &EventKind) -> Map<String, Value> {
    match serde_json::to_value(kind) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The section of the runbook: a page for each guard, a section for what is wrong.
fn runbook(open: &OpenIncident) -> String {
    let what = open.key.what();
    let page = match &open.evidence {
        EventKind::Breaker(_) => "error_rate",
        EventKind::Budget(_) => "token_budget",
        EventKind::Drift(_) => "confidence_drift",
        EventKind::Ledger(_) => "ledger",
        EventKind::Rollout(_) => "rollout",
        EventKind::Pipeline(_)
        | EventKind::Custom { .. }
        | EventKind::Incident(_)
        | EventKind::Shadow(_) => "pipeline",
    };
    format!("{RUNBOOKS}/{page}/index.html#{what}")
}
