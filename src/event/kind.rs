//! All events, grouped by the guard that reports them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::breaker::BreakerEvent;
use super::budget::BudgetEvent;
use super::drift::DriftEvent;
use super::incident::IncidentEvent;
use super::ledger::LedgerEvent;
use super::pipeline::PipelineEvent;
use super::rollout::RolloutEvent;
use super::shadow::ShadowEvent;

/// What happened, grouped by the guard that reports it. Printed as one line of text; serialised
/// flat, with the event's name as `"event"`.
///
/// Durations are serialised in milliseconds and rates as counts, so that rounding loses nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An event of a guard of your own.
    Custom {
        /// The name that you gave it.
        name: String,
        /// The text that is printed.
        message: String,
    },
    /// An event of an [`ErrorRateBreaker`](crate::ErrorRateBreaker).
    #[serde(untagged)]
    Breaker(BreakerEvent),
    /// An event of a [`TokenBudget`](crate::TokenBudget).
    #[serde(untagged)]
    Budget(BudgetEvent),
    /// An event of a [`ConfidenceDriftMonitor`](crate::ConfidenceDriftMonitor).
    #[serde(untagged)]
    Drift(DriftEvent),
    /// The end of an incident.
    #[serde(untagged)]
    Incident(IncidentEvent),
    /// An event of a [`RouteLedger`](crate::RouteLedger).
    #[serde(untagged)]
    Ledger(LedgerEvent),
    /// An event of the [`Pipeline`](crate::Pipeline) itself.
    #[serde(untagged)]
    Pipeline(PipelineEvent),
    /// An event of a [`CanaryPolicy`](crate::CanaryPolicy) or a
    /// [`BlueGreenPolicy`](crate::BlueGreenPolicy).
    #[serde(untagged)]
    Rollout(RolloutEvent),
    /// An event of a [`ShadowComparator`](crate::ShadowComparator).
    #[serde(untagged)]
    Shadow(ShadowEvent),
}

impl EventKind {
    /// Whether it is the command of a person: it says who gave it, and why.
    pub fn is_command(&self) -> bool {
        match self {
            Self::Breaker(event) => matches!(
                event,
                BreakerEvent::BreakerReconfigured { .. }
                    | BreakerEvent::BreakerReset { .. }
                    | BreakerEvent::BreakerSwitched { .. }
                    | BreakerEvent::Rearmed { .. }
            ),
            Self::Drift(event) => matches!(
                event,
                DriftEvent::BaselineRestarted { .. }
                    | DriftEvent::BaselineRestored { .. }
                    | DriftEvent::DriftAcknowledged { .. }
                    | DriftEvent::DriftResolved { .. }
            ),
            Self::Incident(event) => matches!(event, IncidentEvent::IncidentAcknowledged { .. }),
            Self::Ledger(event) => matches!(event, LedgerEvent::WrittenOff { .. }),
            Self::Pipeline(event) => matches!(event, PipelineEvent::RolloutForced { .. }),
            Self::Rollout(event) => matches!(event, RolloutEvent::RolloutCommanded { .. }),
            Self::Shadow(event) => matches!(event, ShadowEvent::ReviewAcknowledged { .. }),
            Self::Budget(_) | Self::Custom { .. } => false,
        }
    }

    /// An event of a guard of your own.
    pub fn custom(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Custom {
            name: name.into(),
            message: message.into(),
        }
    }

    /// The event's name, the same as `"event"` in its JSON; there are few, so metrics can use it as
    /// a label.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Breaker(event) => event.name(),
            Self::Budget(event) => event.name(),
            Self::Custom { .. } => "custom",
            Self::Drift(event) => event.name(),
            Self::Incident(event) => event.name(),
            Self::Ledger(event) => event.name(),
            Self::Pipeline(event) => event.name(),
            Self::Rollout(event) => event.name(),
            Self::Shadow(event) => event.name(),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(event) => event.fmt(f),
            Self::Budget(event) => event.fmt(f),
            Self::Custom { name, message } => write!(f, "{name}: {message}"),
            Self::Drift(event) => event.fmt(f),
            Self::Incident(event) => event.fmt(f),
            Self::Ledger(event) => event.fmt(f),
            Self::Pipeline(event) => event.fmt(f),
            Self::Rollout(event) => event.fmt(f),
            Self::Shadow(event) => event.fmt(f),
        }
    }
}

impl From<BreakerEvent> for EventKind {
    fn from(event: BreakerEvent) -> Self {
        Self::Breaker(event)
    }
}

impl From<BudgetEvent> for EventKind {
    fn from(event: BudgetEvent) -> Self {
        Self::Budget(event)
    }
}

impl From<DriftEvent> for EventKind {
    fn from(event: DriftEvent) -> Self {
        Self::Drift(event)
    }
}

impl From<IncidentEvent> for EventKind {
    fn from(event: IncidentEvent) -> Self {
        Self::Incident(event)
    }
}

impl From<LedgerEvent> for EventKind {
    fn from(event: LedgerEvent) -> Self {
        Self::Ledger(event)
    }
}

impl From<PipelineEvent> for EventKind {
    fn from(event: PipelineEvent) -> Self {
        Self::Pipeline(event)
    }
}

impl From<RolloutEvent> for EventKind {
    fn from(event: RolloutEvent) -> Self {
        Self::Rollout(event)
    }
}

impl From<ShadowEvent> for EventKind {
    fn from(event: ShadowEvent) -> Self {
        Self::Shadow(event)
    }
}
