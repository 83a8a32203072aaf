//! Commands of the operator. A command changes the state at once; its event and the end of the
//! incident come with the next step.

use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::confidence::Confidence;
use crate::event::DriftEvent;
use crate::order::Order;
use crate::time::Timestamp;

/// A command of the operator whose event is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) asks: Asks,
    pub(super) key: Key,
    pub(super) order: Order,
    /// That of the thresholds since then.
    pub(super) generation: u64,
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asks {
    Acknowledge { until: Timestamp },
    Rebaseline,
    Resolve,
    UndoRebaseline,
}

impl Asks {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge",
            Self::Rebaseline => "rebaseline",
            Self::Resolve => "resolve",
            Self::UndoRebaseline => "undo_rebaseline",
        }
    }

    /// Whether the threshold is back at its normal value.
    pub(super) fn changes_threshold(self) -> bool {
        !matches!(self, Self::Acknowledge { .. })
    }
}

impl Command {
    /// The event, under the name of the entry that the field has; `threshold` is the normal one.
    pub(super) fn event(self, named: Key, threshold: Confidence) -> DriftEvent {
        let Key {
            document_type,
            field,
        } = named;
        let generation = self.generation;
        let Order {
            who,
            why,
            before,
            after,
        } = self.order;
        match self.asks {
            Asks::Acknowledge { until } => DriftEvent::DriftAcknowledged {
                document_type,
                field,
                until,
                who,
                note: why,
                before,
                after,
            },
            Asks::Rebaseline => DriftEvent::BaselineRestarted {
                document_type,
                field,
                threshold,
                generation,
                who,
                why,
                before,
                after,
            },
            Asks::Resolve => DriftEvent::DriftResolved {
                document_type,
                field,
                threshold,
                generation,
                who,
                why,
                before,
                after,
            },
            Asks::UndoRebaseline => DriftEvent::BaselineRestored {
                document_type,
                field,
                threshold,
                generation,
                who,
                why,
                before,
                after,
            },
        }
    }
}
