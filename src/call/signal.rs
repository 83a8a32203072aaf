//! What guards learn: how calls ended, and what is said about their answers later.

use serde::{Deserialize, Serialize};

use super::feedback::{Comparison, Correction};
use super::outcome::Outcome;
use super::report::Report;
use super::ticket::Ticket;

/// Something that guards learn. The pipeline sends the first two; the application sends the others with
/// [`Pipeline::observe`](crate::Pipeline::observe) when a person or a shadow run has spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// A call was admitted.
    Opened {
        /// Its ticket.
        ticket: Ticket,
    },
    /// A call ended.
    Settled {
        /// Its ticket.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
        /// What the application said of the answer; empty when there was none.
        report: Report,
    },
    /// A person corrected a field of an answer.
    Corrected {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
        /// What was corrected.
        correction: Correction,
    },
    /// A correction was taken back: the answer was right.
    Retracted {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
        /// The correction, with the field and the id that it had.
        correction: Correction,
    },
    /// A person looked at an answer. Fields that were wrong are told apart, as corrections.
    Reviewed {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
    },
    /// A shadow run was compared with production.
    Compared {
        /// The ticket of production's call.
        ticket: Ticket,
        /// What came of it.
        comparison: Comparison,
    },
}

impl Signal {
    /// A person corrected the answer that `ticket` stands for: a [`Field`] will do, or a [`Correction`] that says more.
    pub fn corrected(ticket: Ticket, correction: impl Into<Correction>) -> Self {
        Self::Corrected {
            ticket,
            correction: correction.into(),
        }
    }

    /// A person took a correction back. It is found by its ticket, its field and its id.
    pub fn retracted(ticket: Ticket, correction: impl Into<Correction>) -> Self {
        Self::Retracted {
            ticket,
            correction: correction.into(),
        }
    }

    /// A person looked at the answer that `ticket` stands for, whatever came of it.
    pub fn reviewed(ticket: Ticket) -> Self {
        Self::Reviewed { ticket }
    }

    /// A candidate's answer was compared with the one that `ticket` stands for.
    pub fn compared(ticket: Ticket, comparison: Comparison) -> Self {
        Self::Compared { ticket, comparison }
    }

    /// The ticket that it is about.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Opened { ticket }
            | Self::Settled { ticket, .. }
            | Self::Corrected { ticket, .. }
            | Self::Retracted { ticket, .. }
            | Self::Reviewed { ticket }
            | Self::Compared { ticket, .. } => ticket,
        }
    }

    pub(crate) fn into_ticket(self) -> Ticket {
        match self {
            Self::Opened { ticket }
            | Self::Settled { ticket, .. }
            | Self::Corrected { ticket, .. }
            | Self::Retracted { ticket, .. }
            | Self::Reviewed { ticket }
            | Self::Compared { ticket, .. } => ticket,
        }
    }
}
