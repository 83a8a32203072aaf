//! The permanent record of one call: stored with the document, and passed back with feedback about
//! its answer.

use std::fmt;
use std::ops::Not;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Call;
use super::line_up::Role;
use super::pin::Pin;
use super::version::{Fingerprint, Version};
use crate::format::Format;
use crate::name::{BatchKey, DocumentId, DocumentType, ModelName, VersionId};
use crate::time::Timestamp;
use crate::tokens::Measurement;

/// The id of a call: unique across processes, replicas and restarts. Serialised as text,
/// `instance-sequence`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId {
    instance: u64,
    sequence: u64,
}

impl TicketId {
    /// The id of the call with this sequence number in the pipeline with this instance number
    /// ([`Builder::instance`](crate::pipeline::Builder::instance)). For tests: a pipeline assigns
    /// its own ids.
    pub const fn new(instance: u64, sequence: u64) -> Self {
        Self { instance, sequence }
    }

    /// Whether one pipeline assigned both ids; then the greater id is that of the later call.
    pub fn is_of_pipeline(self, other: Self) -> bool {
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
                "`instance-sequence`, as printed by a ticket",
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

/// Identifies one admitted or diverted call: store it with the document, and pass it back with a
/// reviewer's correction, even days later.
///
/// It records the version and the rollout stage of the call, so late feedback counts for these and
/// not for what is live when it arrives. Serialised as an object with `"format": 1`; reading
/// another format is an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    format: Format<1>,
    id: TicketId,
    document: DocumentId,
    document_type: DocumentType,
    version: VersionId,
    #[serde(default)]
    fingerprint: Fingerprint,
    role: Role,
    model: ModelName,
    stage: Option<u8>,
    admitted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measurement: Option<Measurement>,
    #[serde(default, skip_serializing_if = "Not::not")]
    lost_pin: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<BatchKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<u64>,
}

/// What a pipeline adds to a call and its version on a ticket.
pub(crate) struct Given {
    pub(crate) id: TicketId,
    pub(crate) role: Role,
    pub(crate) model: ModelName,
    pub(crate) stage: Option<u8>,
    pub(crate) admitted_at: Timestamp,
    pub(crate) measurement: Option<Measurement>,
    pub(crate) lost_pin: bool,
}

impl Ticket {
    /// The ticket of a call that this version serves as production. For tests of a guard: a
    /// pipeline makes its own tickets. By default its id has the instance 0 and the sequence 0, and
    /// it was admitted at the epoch.
    pub fn new(call: &Call<'_>, version: &Version) -> Self {
        let given = Given {
            id: TicketId::new(0, 0),
            role: Role::Stable,
            model: version.model().clone(),
            stage: None,
            admitted_at: Timestamp::EPOCH,
            measurement: None,
            lost_pin: false,
        };
        Self::given(call, version, given)
    }

    /// In one piece, because a ticket is large to move.
    pub(crate) fn given(call: &Call<'_>, version: &Version, given: Given) -> Self {
        Self {
            format: Format,
            id: given.id,
            document: call.document().clone(),
            document_type: call.document_type().clone(),
            version: version.id().clone(),
            fingerprint: version.fingerprint(),
            role: given.role,
            model: given.model,
            stage: given.stage,
            admitted_at: given.admitted_at,
            measurement: given.measurement,
            lost_pin: given.lost_pin,
            batch: call.batch().cloned(),
            thresholds: None,
        }
    }

    /// The same ticket with this id.
    pub fn with_id(mut self, id: TicketId) -> Self {
        self.id = id;
        self
    }

    /// The same ticket with this role of the version.
    pub fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The same ticket for this model.
    pub fn with_model(mut self, model: ModelName) -> Self {
        self.model = model;
        self
    }

    /// The same ticket in this stage of a rollout.
    pub fn with_stage(mut self, stage: impl Into<Option<u8>>) -> Self {
        self.stage = stage.into();
        self
    }

    /// The same ticket, admitted at this time.
    pub fn with_admitted_at(mut self, at: Timestamp) -> Self {
        self.admitted_at = at;
        self
    }

    /// The same ticket with the measurement of a token budget.
    pub fn with_measurement(mut self, measurement: impl Into<Option<Measurement>>) -> Self {
        self.measurement = measurement.into();
        self
    }

    /// The same ticket, for a call that was pinned to another version.
    pub fn with_lost_pin(mut self) -> Self {
        self.lost_pin = true;
        self
    }

    /// The same ticket for an answer that was reviewed with this generation of thresholds.
    pub fn with_thresholds(mut self, generation: impl Into<Option<u64>>) -> Self {
        self.set_thresholds(generation.into());
        self
    }

    /// In place, because a ticket is large to move.
    pub(crate) fn set_thresholds(&mut self, generation: Option<u64>) {
        self.thresholds = generation;
    }

    /// The id of the call.
    pub fn id(&self) -> TicketId {
        self.id
    }

    /// The document.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// The batch, if the document is in one.
    pub fn batch(&self) -> Option<&BatchKey> {
        self.batch.as_ref()
    }

    /// The type of the document.
    pub fn document_type(&self) -> &DocumentType {
        &self.document_type
    }

    /// The prompt version that serves the call.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// A hash of what the version sends with every call. Tickets with the same version id but
    /// different fingerprints come from deployments whose prompts, models or tools differ.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The role of the version when the call was admitted; `Previous` means that the fallback
    /// served the document.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The model to call: the version's own, or the larger one that a token budget chose.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The stage of the rollout in which the call was admitted, counted from 1.
    pub fn stage(&self) -> Option<u8> {
        self.stage
    }

    /// The measurement of a token budget, if the pipeline has one.
    pub fn measurement(&self) -> Option<&Measurement> {
        self.measurement.as_ref()
    }

    /// The generation of the acceptance thresholds with which the answer was accepted or sent to
    /// review, if a drift monitor has any. The monitor's events say which generation a threshold
    /// began with, so an audit can tell why a document went where it did.
    pub fn thresholds(&self) -> Option<u64> {
        self.thresholds
    }

    /// Whether the call was [pinned](Call::pinned_to) to another version than that of the ticket.
    pub fn has_lost_pin(&self) -> bool {
        self.lost_pin
    }

    /// When the call was admitted.
    pub fn admitted_at(&self) -> Timestamp {
        self.admitted_at
    }
}

impl From<&Ticket> for Pin {
    /// To the version of that call.
    fn from(ticket: &Ticket) -> Self {
        Self::new(ticket.version.clone(), ticket.fingerprint)
    }
}
