//! The events of ledgers, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::TicketId;
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::time::Timestamp;

/// The events of a [`RouteLedger`](crate::RouteLedger).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum LedgerEvent {
    /// A permit was dropped without an outcome.
    Abandoned {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
    },
    /// A call was open in the snapshot that was restored; its outcome is unknown.
    LostInRestart {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
    },
    /// Documents of a type arrive, but none is answered, diverted or released: the queue after the
    /// pipeline is empty.
    NothingComesOut {
        document_type: DocumentType,
        arrived: u64,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
    },
    /// A call has been open for too long without an outcome.
    Overdue {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "crate::time::as_millis")]
        open_for: Duration,
    },
    /// Documents of a type have stopped arriving. `last_seen` is the arrival of the last one, or
    /// the start of the ledger for a declared type that has not arrived yet.
    Silent {
        document_type: DocumentType,
        last_seen: Timestamp,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
    },
}

impl LedgerEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Abandoned { .. } => "abandoned",
            Self::LostInRestart { .. } => "lost_in_restart",
            Self::NothingComesOut { .. } => "nothing_comes_out",
            Self::Overdue { .. } => "overdue",
            Self::Silent { .. } => "silent",
        }
    }
}

impl fmt::Display for LedgerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned {
                document, version, ..
            } => {
                write!(
                    f,
                    "{document} abandoned: the permit of its call to {version} was dropped without \
                     an outcome"
                )
            }
            Self::LostInRestart {
                document, ticket, ..
            } => {
                write!(
                    f,
                    "{document} was open at the restart (ticket {ticket}): its outcome is unknown, \
                     check whether it was processed"
                )
            }
            Self::NothingComesOut {
                document_type,
                arrived,
                silent_for,
            } => {
                let silent_for = humantime::format_duration(*silent_for);
                write!(
                    f,
                    "no document of type {document_type} came out for {silent_for}, {arrived} \
                     arrived: their calls failed, were abandoned or are still open"
                )
            }
            Self::Overdue {
                document,
                ticket,
                open_for,
                ..
            } => {
                let open_for = humantime::format_duration(*open_for);
                write!(
                    f,
                    "{document} has been open for {open_for} without an outcome (ticket {ticket})"
                )
            }
            Self::Silent {
                document_type,
                last_seen,
                silent_for,
            } => {
                let silent_for = humantime::format_duration(*silent_for);
                write!(
                    f,
                    "no document of type {document_type} arrived for {silent_for}, since \
                     {last_seen}: check its source"
                )
            }
        }
    }
}
