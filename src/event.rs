//! Everything that can be told to an operator.

pub(crate) mod breaker;
mod budget;
mod drift;
pub(crate) mod findings;
mod kind;
mod ledger;
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
pub(crate) use findings::{Decision, Evidence, Findings, HoldReason, Maturity, Measure, Tally};
pub use kind::EventKind;
pub use ledger::LedgerEvent;
pub use outbox::Outbox;
pub use pipeline::PipelineEvent;
pub use rollout::RolloutEvent;
pub(crate) use rollout::{NotCounted, RolloutCommand};
pub use shadow::ShadowEvent;

/// How much an event wants somebody's attention. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::exhaustive_enums,
    reason = "sinks filter by it, and a new level would pass their filters unseen"
)]
pub enum Severity {
    /// For the record.
    Info,
    /// For working hours.
    Warning,
    /// Wake somebody up.
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

/// One thing that happened: when, which guard says so, how urgent it is, and what.
///
/// Serialised as one flat object with `"format": 1`; `"event"` names the kind, and its data stands beside it. Printed
/// as one line for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    format: Format<1>,
    /// When, by the pipeline's clock.
    pub at: Timestamp,
    /// The name of the guard that says so; `pipeline` for the pipeline itself.
    pub guard: String,
    /// How urgent it is.
    pub severity: Severity,
    /// The type of document that it is about, where a guard judges types by themselves; `None` where it is about all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_for: Option<DocumentType>,
    /// Whether the guard only watches: it says what it would have done, and has not done it.
    pub dry_run: bool,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of a guard that acts.
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
            kind,
        }
    }

    /// The same about documents of one type only.
    pub fn only_for(mut self, document_type: DocumentType) -> Self {
        self.only_for = Some(document_type);
        self
    }

    /// The same from a guard that only watches: nobody is woken up for it.
    pub fn into_dry_run(mut self) -> Self {
        self.severity = self.severity.min(Severity::Warning);
        self.dry_run = true;
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry_run = if self.dry_run { " (dry run)" } else { "" };
        write!(
            f,
            "{} {:7} {}{dry_run}: ",
            self.at, self.severity, self.guard
        )?;
        if let Some(document_type) = &self.only_for {
            write!(f, "for {document_type} only, ")?;
        }
        fmt::Display::fmt(&self.kind, f)
    }
}
