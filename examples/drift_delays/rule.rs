//! The rules that are compared: each is a monitor in which the others are switched off.

use fusebox::drift::ConfidenceDriftMonitorBuilder;
use fusebox::event::{DriftEvent, IncidentChange};
use fusebox::{Confidence, ConfidenceDriftMonitor, Event, EventKind, Ratio};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The mean over 4 hours is down by more than 0.05, over any number of documents.
    AnyNumber,
    /// The same, from 30 documents on.
    Plain,
    /// The same, with as many documents as the variance needs, and by 4 standard errors.
    Guarded,
    Sequential,
    Shape,
}

/// Farther than any mean falls here.
const NEVER: Confidence = Confidence::percent(99);

impl Rule {
    pub(crate) const ALL: [Self; 5] = [
        Self::AnyNumber,
        Self::Plain,
        Self::Guarded,
        Self::Sequential,
        Self::Shape,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::AnyNumber => "plain mean, any number",
            Self::Plain => "plain mean, from 30",
            Self::Guarded => "mean",
            Self::Sequential => "sequential test",
            Self::Shape => "shape",
        }
    }

    pub(crate) fn builder(self) -> ConfidenceDriftMonitorBuilder {
        let builder = ConfidenceDriftMonitor::builder();
        match self {
            Self::AnyNumber => builder.plain_mean().min_documents(1),
            Self::Plain => builder.plain_mean(),
            Self::Guarded => builder.false_alarms_a_month(Ratio::ZERO),
            Self::Sequential => builder.max_drop(NEVER),
            Self::Shape => builder.max_drop(NEVER).false_alarms_a_month(Ratio::ZERO),
        }
    }

    /// Whether the event says that this rule has found a change.
    pub(crate) fn is_in(self, event: &Event) -> bool {
        let is_it = match event.kind {
            EventKind::Drift(DriftEvent::DriftDetected { .. }) => self != Self::Shape,
            EventKind::Drift(DriftEvent::ShapeChanged { .. }) => self == Self::Shape,
            _ => false,
        };
        let change = event.incident.as_ref().map(|incident| incident.change);
        is_it && change == Some(IncidentChange::Opened)
    }
}
