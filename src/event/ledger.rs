//! The events of ledgers, as data and as one line of text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::also::Also;
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
    /// pipeline is empty. `also` names up to nine other types of which the same was found at the
    /// same tick, `more` is the number of further ones.
    NothingComesOut {
        document_type: DocumentType,
        arrived: u64,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
        #[serde(default)]
        also: Vec<DocumentType>,
        #[serde(default)]
        more: u64,
    },
    /// A call has been open for too long without an outcome.
    Overdue {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "crate::time::as_millis")]
        open_for: Duration,
    },
    /// Documents have waited for a person for longer than `limit`: `waiting` of them, of which
    /// `document` has waited for longest.
    ReviewQueue {
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "crate::time::as_millis")]
        waited: Duration,
        waiting: u64,
        #[serde(with = "crate::time::as_millis")]
        limit: Duration,
    },
    /// Documents of a type have stopped arriving. `last_seen` is the arrival of the last one;
    /// `None` for a declared type that has not arrived yet. `also` and `more` are as in
    /// `NothingComesOut`.
    Silent {
        document_type: DocumentType,
        last_seen: Option<Timestamp>,
        #[serde(with = "crate::time::as_millis")]
        silent_for: Duration,
        #[serde(default)]
        also: Vec<DocumentType>,
        #[serde(default)]
        more: u64,
    },
    /// Neither a call nor a tick came for this time: the pipeline was not running, so the silence of
    /// types is measured from now on.
    WatchedAnew {
        #[serde(with = "crate::time::as_millis")]
        lasted: Duration,
    },
    /// The operator wrote off a call that could not end.
    WrittenOff {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "crate::time::as_millis")]
        open_for: Duration,
        who: String,
        why: String,
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
            Self::ReviewQueue { .. } => "review_queue",
            Self::Silent { .. } => "silent",
            Self::WatchedAnew { .. } => "watched_anew",
            Self::WrittenOff { .. } => "written_off",
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
                also,
                more,
            } => {
                let silent_for = humantime::format_duration(*silent_for);
                write!(
                    f,
                    "no document of type {document_type} came out for {silent_for}, {arrived} \
                     arrived: their calls failed, were abandoned or are still open{}",
                    Also(also, *more)
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
            Self::ReviewQueue {
                document,
                waited,
                waiting,
                limit,
                ..
            } => {
                let documents = if *waiting == 1 {
                    "document"
                } else {
                    "documents"
                };
                let limit = humantime::format_duration(*limit);
                let waited = humantime::format_duration(*waited);
                write!(
                    f,
                    "{waiting} {documents} waited for more than {limit} for a person, {document} for \
                     {waited}: nobody picks them up"
                )
            }
            Self::Silent {
                document_type,
                last_seen,
                silent_for,
                also,
                more,
            } => {
                let silent_for = humantime::format_duration(*silent_for);
                write!(f, "no document of type {document_type} ")?;
                match last_seen {
                    Some(last_seen) => write!(f, "arrived for {silent_for}, since {last_seen}"),
                    None => write!(f, "has arrived yet, in {silent_for}"),
                }?;
                write!(f, ": check its source{}", Also(also, *more))
            }
            Self::WatchedAnew { lasted } => {
                let lasted = humantime::format_duration(*lasted);
                write!(
                    f,
                    "no call and no tick for {lasted}: the silence of document types is measured \
                     anew"
                )
            }
            Self::WrittenOff {
                document,
                open_for,
                who,
                why,
                ..
            } => {
                let open_for = humantime::format_duration(*open_for);
                write!(f, "{who} wrote off {document}, open for {open_for}: {why}")
            }
        }
    }
}
