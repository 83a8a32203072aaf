//! The name of one admitted call for ever: stored with the document, handed back with the truth about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::line_up::Role;
use crate::format::Format;
use crate::name::{DocumentId, DocumentType, ModelName, VersionId};
use crate::time::Timestamp;
use crate::tokens::Measurement;

/// Which call: unique across processes, replicas and restarts. Serialised as text, `instance-sequence`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId {
    instance: u64,
    sequence: u64,
}

impl TicketId {
    pub(crate) const fn new(instance: u64, sequence: u64) -> Self {
        Self { instance, sequence }
    }

    /// Whether both tickets were given by one pipeline: then the greater one is the later one.
    pub(crate) fn is_of_pipeline(self, other: Self) -> bool {
        self.instance == other.instance
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.instance, self.sequence)
    }
}

impl fmt::Debug for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TicketId {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').and_then(|(instance, sequence)| {
            Some(Self {
                instance: u64::from_str_radix(instance, 16).ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        parts.ok_or_else(|| {
            crate::Error::invalid(
                "ticket id",
                text,
                "`instance-sequence`, as a ticket prints it",
            )
        })
    }
}

impl Serialize for TicketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TicketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Names one admitted or diverted call: store it with the document, and hand it back with a person's correction, even
/// days later.
///
/// It says which version and which stage of a rollout the call belonged to, so late truth is counted where it belongs
/// and not where it arrives. Serialised as an object with `"format": 1`; another format is refused when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    format: Format<1>,
    id: TicketId,
    document: DocumentId,
    document_type: DocumentType,
    version: VersionId,
    role: Role,
    model: ModelName,
    stage: Option<u8>,
    admitted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measurement: Option<Measurement>,
}

/// What a ticket says beside its id and the document; put together by the pipeline.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) version: VersionId,
    pub(crate) role: Role,
    pub(crate) model: ModelName,
    pub(crate) stage: Option<u8>,
    pub(crate) measurement: Option<Measurement>,
}

impl Ticket {
    pub(crate) fn new(
        id: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        assignment: Assignment,
        admitted_at: Timestamp,
    ) -> Self {
        Self {
            format: Format,
            id,
            document,
            document_type,
            version: assignment.version,
            role: assignment.role,
            model: assignment.model,
            stage: assignment.stage,
            admitted_at,
            measurement: assignment.measurement,
        }
    }

    /// Which call.
    pub fn id(&self) -> TicketId {
        self.id
    }

    /// Which document.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// What type of document.
    pub fn document_type(&self) -> &DocumentType {
        &self.document_type
    }

    /// The prompt version that serves it.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// The part that the version played when the call was admitted; `Previous` says that the document was served by
    /// the fallback.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The model to call: the version's own, or the larger one that a token budget chose.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The stage of the rollout that was on when the call was admitted, counted from 0.
    pub fn stage(&self) -> Option<u8> {
        self.stage
    }

    /// How many tokens a token budget found in the prompt, if there is one in the pipeline.
    pub fn measurement(&self) -> Option<&Measurement> {
        self.measurement.as_ref()
    }

    /// When the call was admitted.
    pub fn admitted_at(&self) -> Timestamp {
        self.admitted_at
    }
}
