//! The kinds of events, with the numbers that a person needs to act on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rollout::{Findings, HoldReason};
use crate::call::{Destination, Reason, TicketId};
use crate::confidence::Confidence;
use crate::failure::FailureKind;
use crate::name::{DocumentId, DocumentType, Field, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::time::Timestamp;
use crate::tokens::TokenCount;

/// What happened. Durations are serialised in milliseconds, rates as counts, so that nothing is lost by rounding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum EventKind {
    /// A permit was dropped unsaid.
    Abandoned {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
    },
    /// A stage of a rollout has met all conditions, and a person must approve the next.
    ApprovalNeeded {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// Too large a share of a version's calls was abandoned: hanging calls complete with no error.
    AbandonedRateExceeded {
        version: VersionId,
        abandoned: u64,
        calls: u64,
        threshold: Ratio,
    },
    /// Documents of one type keep going over the token budget since this version serves.
    BudgetAlarm {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        #[serde(with = "millis")]
        within: Duration,
        tokens: Option<TokenCount>,
        limit: u64,
    },
    /// An API reported another number of tokens than was counted, or refused a prompt that should fit: the guard itself
    /// is wrong.
    CountWrong {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
        counted: TokenCount,
        reported: Option<u64>,
    },
    /// A correction, its retraction or a review could not be counted by the rollout that is on. Told for the first of each
    /// reason; the rollout's status counts them all.
    CorrectionNotCounted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        reason: NotCounted,
    },
    /// More documents than promised have more tokens than the bound that was learnt for their type.
    BoundMissed {
        document_type: DocumentType,
        model: ModelName,
        misses: u64,
        documents: u64,
    },
    /// A breaker puts every version into service again, with empty windows.
    BreakerReset,
    /// A breaker was told to do more or less than usual.
    BreakerSwitched { mode: BreakerMode },
    /// The versions that are live from now on.
    Deployed {
        stable: VersionId,
        previous: Option<VersionId>,
        candidate: Option<VersionId>,
    },
    /// A document was diverted.
    Diverted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        destination: Destination,
        reasons: BTreeSet<Reason>,
    },
    /// The confidence of a field fell, and its acceptance threshold rose.
    DriftDetected {
        document_type: DocumentType,
        field: Field,
        baseline: Confidence,
        mean: Confidence,
        documents: u64,
        threshold: Confidence,
    },
    /// A person understood a shift; the threshold is back where it was.
    DriftResolved {
        document_type: DocumentType,
        field: Field,
        threshold: Confidence,
    },
    /// Too many calls of a version failed. It is out of service from here on, if there is one to fall back to.
    ///
    /// `incident` is the same for all that belongs to one outage: use it as the key under which a pager groups. The
    /// tickets are those of the first and the last call that failed.
    ErrorRateExceeded {
        version: VersionId,
        incident: String,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
        kinds: BTreeMap<FailureKind, u64>,
        first_failed: Option<TicketId>,
        last_failed: Option<TicketId>,
        fallback: Option<VersionId>,
    },
    /// Falling back did not help: no version is left, and documents go elsewhere. `incident` is that of the version that
    /// failed first; all else is as in `ErrorRateExceeded`.
    Exhausted {
        version: VersionId,
        incident: String,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
        kinds: BTreeMap<FailureKind, u64>,
        first_failed: Option<TicketId>,
        last_failed: Option<TicketId>,
        destination: Destination,
    },
    /// A guard panicked; its word was taken as the strictest.
    GuardPanicked { guard: String },
    /// An outage is over: the version has been well for as long as the breaker waits, a person put it into service again,
    /// or it is not live any more.
    IncidentResolved {
        version: VersionId,
        incident: String,
        opened_at: Timestamp,
        times: u32,
    },
    /// A confidence was not a number from 0 to 1; the answer goes to a person.
    InvalidConfidence {
        document: DocumentId,
        document_type: DocumentType,
        field: Field,
    },
    /// A guard watches as many keys as it may; what is new is watched together, as one.
    KeysExhausted { limit: usize, first: String },
    /// A document goes to a larger model.
    LargerModel {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
    },
    /// Documents of a type have little room left in what the model can read.
    LittleHeadroom {
        document_type: DocumentType,
        version: VersionId,
        documents: u64,
        p99: u64,
        largest_prompt: u64,
    },
    /// A call was open when the process ended; how it ended is not known.
    LostInRestart {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
    },
    /// The provider switches a model off soon, or has done so.
    ModelEnds { model: ModelName, at: Timestamp },
    /// Documents of a type arrive, and no answer comes out: the queue behind is empty.
    NothingComesOut {
        document_type: DocumentType,
        arrived: u64,
        #[serde(with = "millis")]
        silent_for: Duration,
    },
    /// A call has been open for too long.
    Overdue {
        ticket: TicketId,
        document: DocumentId,
        document_type: DocumentType,
        #[serde(with = "millis")]
        open_for: Duration,
    },
    /// A version that is tried goes out of service again, and is tried anew later.
    ProbesFailed {
        version: VersionId,
        reason: ProbeFailure,
        next_at: Timestamp,
    },
    /// A version that is out of service is tried with a few calls.
    ProbesStarted { version: VersionId, probes: u32 },
    /// A service read fewer tokens than the prompt has: it cut the prompt, and the answer is not accepted.
    PromptCut {
        document: DocumentId,
        document_type: DocumentType,
        model: ModelName,
        counted: TokenCount,
        reported: u64,
    },
    /// A version may serve again.
    Rearmed { version: VersionId },
    /// A version that was tried is in service again, with an empty window.
    Recovered { version: VersionId },
    /// A shadow run diverges too much: a person should look.
    ReviewRequested {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        threshold: Ratio,
    },
    /// A candidate is worse for one document type: production keeps the type, the candidate goes on with the others.
    TypeExcluded {
        candidate: VersionId,
        stage: u8,
        document_type: DocumentType,
        findings: Box<Findings>,
    },
    /// A rollout waits, for another reason than before.
    RolloutHolds {
        candidate: VersionId,
        stage: u8,
        reason: HoldReason,
        findings: Box<Findings>,
    },
    /// A rollout waits for a person: the evidence is not clear, and the time for it is over.
    RolloutEscalated {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// A person told a rollout to do otherwise than planned.
    RolloutCommanded {
        candidate: VersionId,
        stage: u8,
        command: RolloutCommand,
    },
    /// A rollout is through: the candidate serves everything.
    RolloutPromoted {
        candidate: VersionId,
        findings: Box<Findings>,
    },
    /// A candidate was worse: it serves nothing any more.
    RolledBack {
        candidate: VersionId,
        stage: u8,
        findings: Box<Findings>,
    },
    /// A shadow run has seen enough.
    ShadowFinished {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        not_comparable: u64,
    },
    /// Documents of a type have stopped arriving.
    Silent {
        document_type: DocumentType,
        last_seen: Timestamp,
        #[serde(with = "millis")]
        silent_for: Duration,
    },
    /// A candidate was exposed to a larger share.
    StageStarted {
        candidate: VersionId,
        stage: u8,
        share: Ratio,
        findings: Box<Findings>,
    },
    /// A failure that no rate must be waited for: credentials, model name, quota.
    UrgentFailure {
        version: VersionId,
        failure: FailureKind,
    },
    /// A guard that only watches would have diverted or rerouted a document.
    WouldAct {
        document: DocumentId,
        document_type: DocumentType,
        route: Option<String>,
        reasons: BTreeSet<Reason>,
    },
    /// A breaker that only watches would have taken a version out of service.
    WouldTrip {
        version: VersionId,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
    },
    /// An event of a guard of your own.
    Custom { name: String, message: String },
}

/// Which rule of an error-rate breaker a version broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TripReason {
    /// Too many failures in a row, while there were too few calls for a rate.
    ConsecutiveFailures,
    /// Too many of the last calls failed, however long ago they were, while there were too few for a rate.
    LastCalls,
    /// Too large a share of the calls failed.
    ErrorRate,
    /// Too large a share of the calls took too long, or hangs.
    SlowCalls,
}

/// Why a rollout could not count what a person said of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotCounted {
    /// Its document has no answer yet, as far as is known here.
    NoAnswer,
    /// The answer is not one that this rollout compares: of another version, from before it began, or from after the candidate
    /// was promoted.
    NotCompared,
    /// The correction that is taken back was never told.
    NothingToRetract,
}

/// What a person tells a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutCommand {
    /// Take the candidate out of service.
    Abort,
    /// Go on when all conditions are met.
    Approve,
    /// Ask before the next stage.
    Hold,
    /// Stop the time of the stage.
    Pause,
    /// Go on to the next stage now.
    Promote,
    /// Go on after a pause.
    Resume,
}

/// What an error-rate breaker does with what it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerMode {
    /// It counts, and takes no version out of service.
    Disabled,
    /// It takes versions out of service and falls back.
    #[default]
    Enforce,
    /// Every call is served by the version behind production, until a person says otherwise.
    ForcedFallback,
    /// It counts, and says what it would do.
    ObserveOnly,
}

/// Why the trial of a version ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeFailure {
    /// A call failed.
    CallFailed,
    /// A call did not end in time.
    LeaseExpired,
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(crate::time::millis(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
