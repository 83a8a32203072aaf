//! The answer to asking for a call: a permit, or a diversion.

use std::collections::BTreeSet;
use std::fmt;

use super::permit::Permit;
use crate::call::{Destination, Reason, Ticket};
use crate::guard::Divert;

/// Whether a call may be made.
#[derive(Debug)]
#[must_use = "an admitted call must be made, and a diverted document sent on"]
#[allow(
    clippy::exhaustive_enums,
    reason = "there is no third way, and callers match on both"
)]
pub enum Admission {
    /// Make the call, and report how it ended.
    Admitted(Permit),
    /// Do not make the call; send the document on.
    Diverted(Diversion),
}

impl Admission {
    /// The permit, if the call was admitted.
    pub fn permit(self) -> Option<Permit> {
        match self {
            Self::Admitted(permit) => Some(permit),
            Self::Diverted(_) => None,
        }
    }

    /// The ticket; a diverted document has one too.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Admitted(permit) => permit.ticket(),
            Self::Diverted(diversion) => diversion.ticket(),
        }
    }
}

/// A call that must not be made: send the document to [`destination`](Self::destination).
///
/// It is a value and not an error, so that `?` cannot swallow a document. The ledger has already
/// counted this outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the document goes nowhere unless you send it to the diversion's destination"]
pub struct Diversion {
    ticket: Ticket,
    divert: Divert,
}

impl Diversion {
    pub(crate) fn new(ticket: Ticket, divert: Divert) -> Self {
        Self { ticket, divert }
    }

    /// The ticket, to store with the document.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Where the document goes.
    pub fn destination(&self) -> &Destination {
        self.divert.destination()
    }

    /// Why: at least one reason.
    pub fn reasons(&self) -> &BTreeSet<Reason> {
        self.divert.reasons()
    }

    /// Keeps the ticket alone.
    pub fn into_ticket(self) -> Ticket {
        self.ticket
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} goes to {}: ",
            self.ticket.document(),
            self.destination()
        )?;
        for (at, reason) in self.reasons().iter().enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            write!(f, "{comma}{reason}")?;
        }
        Ok(())
    }
}
