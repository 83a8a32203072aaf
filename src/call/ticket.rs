//! The name of one admitted call for ever: stored with the document, handed back with the truth about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Call;
use super::line_up::Role;
use super::version::{Fingerprint, Version};
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
    /// The call with this number among those of one pipeline, which [`Builder::instance`](crate::pipeline::Builder::instance)
    /// tells from others. For tests: a pipeline gives its own.
    pub const fn new(instance: u64, sequence: u64) -> Self {
        Self { instance, sequence }
    }

    /// Whether both tickets were given by one pipeline: then the greater one is the later one.
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
    #[serde(default)]
    fingerprint: Fingerprint,
    role: Role,
    model: ModelName,
    stage: Option<u8>,
    admitted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measurement: Option<Measurement>,
}

impl Ticket {
    /// The ticket of a call that this version serves as production, for a test of a guard: a pipeline makes its own. Its id
    /// is that of no pipeline, and it was admitted at the epoch, unless you say otherwise.
    pub fn new(call: &Call<'_>, version: &Version) -> Self {
        Self {
            format: Format,
            id: TicketId::new(0, 0),
            document: call.document().clone(),
            document_type: call.document_type().clone(),
            version: version.id().clone(),
            fingerprint: version.fingerprint(),
            role: Role::Stable,
            model: version.model().clone(),
            stage: None,
            admitted_at: Timestamp::EPOCH,
            measurement: None,
        }
    }

    /// The same under another id.
    pub fn with_id(mut self, id: TicketId) -> Self {
        self.id = id;
        self
    }

    /// The same where the version plays another part.
    pub fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The same for another model.
    pub fn with_model(mut self, model: ModelName) -> Self {
        self.model = model;
        self
    }

    /// The same in a stage of a rollout.
    pub fn with_stage(mut self, stage: impl Into<Option<u8>>) -> Self {
        self.stage = stage.into();
        self
    }

    /// The same, admitted at another time.
    pub fn with_admitted_at(mut self, at: Timestamp) -> Self {
        self.admitted_at = at;
        self
    }

    /// The same with what a token budget measured.
    pub fn with_measurement(mut self, measurement: impl Into<Option<Measurement>>) -> Self {
        self.measurement = measurement.into();
        self
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

    /// What that version sends with every call, as a hash: two tickets with the same version and another fingerprint come from
    /// deployments that differ although their version has one name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
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

    /// What a token budget measured, if there is one in the pipeline.
    pub fn measurement(&self) -> Option<&Measurement> {
        self.measurement.as_ref()
    }

    /// When the call was admitted.
    pub fn admitted_at(&self) -> Timestamp {
        self.admitted_at
    }
}
