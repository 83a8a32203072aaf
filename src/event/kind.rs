//! The kinds of events, with the numbers that a person needs to act on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::FailureKind;
use crate::name::{DocumentId, DocumentType, Field, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::signal::Confidence;
use crate::ticket::TicketId;
use crate::time::Timestamp;
use crate::verdict::{Destination, Reason, Route};

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
        tokens: Option<u64>,
        limit: u64,
    },
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
    /// A version's error rate is above the threshold. It serves no more until it is armed again.
    ErrorRateExceeded {
        version: VersionId,
        errors: u64,
        calls: u64,
        threshold: Ratio,
        kinds: BTreeMap<FailureKind, u64>,
        fallback: Option<VersionId>,
    },
    /// Falling back did not help: no version is left, and documents go to people.
    Exhausted {
        version: VersionId,
        errors: u64,
        calls: u64,
    },
    /// A guard panicked; its word was taken as the strictest.
    GuardPanicked { guard: String },
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
    /// A version may serve again.
    Rearmed { version: VersionId },
    /// A shadow run diverges too much: a person should look.
    ReviewRequested {
        candidate: VersionId,
        diverged: u64,
        compared: u64,
        threshold: Ratio,
    },
    /// A rollout waits for a person: the evidence is not clear, and the time for it is over.
    RolloutEscalated {
        candidate: VersionId,
        stage: u8,
        evidence: String,
    },
    /// A rollout is through: the candidate serves everything.
    RolloutPromoted {
        candidate: VersionId,
        evidence: String,
    },
    /// A candidate was worse: it serves nothing any more.
    RolledBack {
        candidate: VersionId,
        stage: u8,
        evidence: String,
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
        evidence: String,
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
    /// An event of a guard of your own.
    Custom { name: String, message: String },
}

impl EventKind {
    pub(crate) fn would_reroute(
        document: DocumentId,
        document_type: DocumentType,
        route: Route,
    ) -> Self {
        Self::WouldAct {
            document,
            document_type,
            route: Some(format!("{route:?}")),
            reasons: BTreeSet::new(),
        }
    }
}

impl fmt::Display for EventKind {
    #[allow(clippy::too_many_lines, reason = "one line of text for each kind")]
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
            Self::AbandonedRateExceeded {
                version,
                abandoned,
                calls,
                threshold,
            } => {
                write!(
                    f,
                    "{abandoned} of {calls} calls to {version} were abandoned (threshold {threshold})"
                )
            }
            Self::BudgetAlarm {
                document_type,
                version,
                documents,
                within,
                tokens,
                limit,
            } => {
                let within = humantime::format_duration(*within);
                write!(
                    f,
                    "{documents} documents of type {document_type} over the token budget within {within} "
                )?;
                match tokens {
                    Some(tokens) => write!(
                        f,
                        "with {version}: the last needs {tokens} tokens, the limit is {limit}"
                    ),
                    None => write!(f, "with {version}: the last was not measured"),
                }
            }
            Self::Deployed {
                stable,
                previous,
                candidate,
            } => {
                write!(f, "{stable} serves")?;
                if let Some(previous) = previous {
                    write!(f, ", {previous} is kept to fall back to")?;
                }
                if let Some(candidate) = candidate {
                    write!(f, ", {candidate} is on trial")?;
                }
                Ok(())
            }
            Self::Diverted {
                document,
                destination,
                reasons,
                ..
            } => {
                write!(f, "{document} goes to {destination}: {}", Listed(reasons))
            }
            Self::DriftDetected {
                document_type,
                field,
                baseline,
                mean,
                documents,
                threshold,
            } => write!(
                f,
                "confidence of {document_type}.{field} fell from {baseline} to {mean} over {documents} documents; \
                 answers below {threshold} now go to people"
            ),
            Self::DriftResolved {
                document_type,
                field,
                threshold,
            } => {
                write!(
                    f,
                    "shift of {document_type}.{field} resolved; the threshold is {threshold} again"
                )
            }
            Self::ErrorRateExceeded {
                version,
                errors,
                calls,
                threshold,
                kinds,
                fallback,
            } => {
                write!(
                    f,
                    "{errors} of {calls} calls to {version} failed (threshold {threshold}"
                )?;
                for (kind, count) in kinds {
                    write!(f, ", {count} {kind}")?;
                }
                match fallback {
                    Some(fallback) => write!(f, "); {fallback} serves now"),
                    None => write!(
                        f,
                        "); there is no version to fall back to, so it still serves"
                    ),
                }
            }
            Self::Exhausted {
                version,
                errors,
                calls,
            } => write!(
                f,
                "{errors} of {calls} calls to {version} failed as well: falling back did not help, \
                 documents go to human review"
            ),
            Self::GuardPanicked { guard } => write!(
                f,
                "guard {guard} panicked; its word counts as the strictest"
            ),
            Self::InvalidConfidence {
                document, field, ..
            } => {
                write!(
                    f,
                    "the confidence of {field} in {document} is not a number from 0 to 1"
                )
            }
            Self::KeysExhausted { limit, first } => {
                write!(
                    f,
                    "{limit} keys are watched, from `{first}` on all new ones are watched as one"
                )
            }
            Self::LargerModel {
                document,
                version,
                model,
                ..
            } => {
                write!(
                    f,
                    "{document} goes to {model}: too large for the model of {version}"
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
            Self::Rearmed { version } => write!(f, "{version} may serve again"),
            Self::ReviewRequested {
                candidate,
                diverged,
                compared,
                threshold,
            } => write!(
                f,
                "{diverged} of {compared} shadow answers of {candidate} diverge (threshold {threshold}): please look"
            ),
            Self::RolloutEscalated {
                candidate,
                stage,
                evidence,
            } => {
                write!(
                    f,
                    "{candidate} waits for a decision at stage {}: {evidence}",
                    stage + 1
                )
            }
            Self::RolloutPromoted {
                candidate,
                evidence,
            } => write!(f, "{candidate} serves everything: {evidence}"),
            Self::RolledBack {
                candidate,
                stage,
                evidence,
            } => {
                write!(
                    f,
                    "{candidate} rolled back at stage {}: {evidence}",
                    stage + 1
                )
            }
            Self::ShadowFinished {
                candidate,
                diverged,
                compared,
                not_comparable,
            } => write!(
                f,
                "shadow run of {candidate} is over: {diverged} of {compared} diverge, {not_comparable} not comparable"
            ),
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
            Self::StageStarted {
                candidate,
                stage,
                share,
                evidence,
            } => {
                write!(
                    f,
                    "{candidate} gets {share} of the documents (stage {}): {evidence}",
                    stage + 1
                )
            }
            Self::UrgentFailure { version, failure } => {
                write!(
                    f,
                    "a call to {version} failed with `{failure}`: a person must act"
                )
            }
            Self::WouldAct {
                document,
                route,
                reasons,
                ..
            } => match route {
                Some(route) => write!(f, "{document} would have been routed to {route}"),
                None => write!(
                    f,
                    "{document} would have been held back: {}",
                    Listed(reasons)
                ),
            },
            Self::Custom { name, message } => write!(f, "{name}: {message}"),
        }
    }
}

struct Listed<'a>(&'a BTreeSet<Reason>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
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
