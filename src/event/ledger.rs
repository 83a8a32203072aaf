//! What ledgers report, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::TicketId;
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::time::Timestamp;

/// What a [`RouteLedger`](crate::RouteLedger) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum LedgerEvent {
    /// A permit was dropped unsaid.
    Abandoned {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
    },
    /// A call was open when the process ended; how it ended is not known.
    LostInRestart {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
    },
    /// Documents of a type arrive, and no answer comes out: the queue behind is empty.
    NothingComesOut {
        document_type: DocumentType,
        arrived: u64,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
    },
    /// A call has been open for too long.
    Overdue {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "crate::time::as_millis")]
        open_for: Duration,
    },
    /// Documents of a type have stopped arriving.
    Silent {
        document_type: DocumentType,
        last_seen: Timestamp,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
    },
}

impl LedgerEvent {
    /// Which event it is, as `"event"` says in JSON.
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
                    "{document} was abandoned: its call to {version} ended without a word"
                )
            }
            Self::LostInRestart {
                document, ticket, ..
            } => {
                write!(
                    f,
                    "{document} was open when the process ended (ticket {ticket}): its end is not known"
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
                    "{arrived} documents of type {document_type} arrived, and no answer came out for {silent_for}"
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
                    "{document} has been open for {open_for} (ticket {ticket})"
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
                    "no document of type {document_type} for {silent_for}, the last at {last_seen}"
                )
            }
        }
    }
}
