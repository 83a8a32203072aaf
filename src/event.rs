//! Everything that fusebox reports to an operator.

mod also;
pub(crate) mod breaker;
mod budget;
pub(crate) mod drift;
pub(crate) mod findings;
mod guidance;
pub(crate) mod hold_reason;
mod incident;
mod kind;
mod ledger;
mod open_incident;
mod outbox;
mod pipeline;
pub(crate) mod rollout;
mod shadow;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::name::DocumentType;
use crate::time::Timestamp;

pub use breaker::BreakerEvent;
pub(crate) use breaker::{BreakerMode, ProbeFailure, TripReason};
pub use budget::BudgetEvent;
pub use drift::DriftEvent;
pub(crate) use drift::{DriftRule, ShapeChange, TypeShare};
pub(crate) use findings::{Decision, Evidence, Findings, Maturity, Measure, NotServing, Tally};
pub(crate) use guidance::Guidance;
pub(crate) use hold_reason::HoldReason;
pub use incident::{InIncident, IncidentChange, IncidentEvent, IncidentKey};
pub use kind::EventKind;
pub use ledger::LedgerEvent;
pub use open_incident::OpenIncident;
pub use outbox::Outbox;
pub use pipeline::PipelineEvent;
pub use rollout::RolloutEvent;
pub(crate) use rollout::{NotCounted, RolloutCommand};
pub use shadow::ShadowEvent;

/// How urgent an event is, from least to most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::exhaustive_enums,
    reason = "sinks filter by severity, and a new level would bypass their filters"
)]
pub enum Severity {
    /// For the log.
    Info,
    /// For working hours.
    Warning,
    /// The operator on call must act now. A page opens an incident, or tells that one grew.
    Page,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Page => "page",
        })
    }
}

/// One thing that happened: when, which guard reports it, how urgent it is, and what happened.
///
/// Serialised as one flat object with `"format": 1`: `"event"` names the kind, and its fields are
/// on the same level. Printed as one line of text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    format: Format<1>,
    /// When it happened, by the pipeline's clock.
    pub at: Timestamp,
    /// The name of the guard that reports it; `pipeline` for the pipeline itself.
    pub guard: String,
    /// How urgent it is.
    pub severity: Severity,
    /// The document type it is about, where a guard evaluates each type separately; `None` where it
    /// is about all types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_for: Option<DocumentType>,
    /// Whether the guard is in a dry run: it reports what it would have done, without doing it.
    pub dry_run: bool,
    /// The incident that it belongs to, and what it does to it. Every page has one.
    #[serde(flatten)]
    pub incident: Option<InIncident>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event about documents of all types, from a guard that is not in a dry run.
    pub fn new(
        at: Timestamp,
        guard: impl Into<String>,
        severity: Severity,
        kind: EventKind,
    ) -> Self {
        Self {
            format: Format,
            at,
            guard: guard.into(),
            severity,
            only_for: None,
            dry_run: false,
            incident: None,
            kind,
        }
    }

    /// The same event, about documents of one type only.
    pub fn only_for(mut self, document_type: DocumentType) -> Self {
        self.only_for = Some(document_type);
        self
    }

    /// The same event from a guard in a dry run: at most a warning, and in no incident.
    pub fn into_dry_run(mut self) -> Self {
        self.severity = self.severity.min(Severity::Warning);
        self.dry_run = true;
        self.incident = None;
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:7} {}", self.at, self.severity, self.guard)?;
        if let Some(document_type) = &self.only_for {
            write!(f, " ({document_type} only)")?;
        }
        if self.dry_run {
            f.write_str(" (dry run)")?;
        }
        write!(f, ": {}", self.kind)
    }
}
