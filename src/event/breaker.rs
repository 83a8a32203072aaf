//! What breakers report, as data and as one line of text.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, TicketId};
use crate::failure::FailureKind;
use crate::name::VersionId;
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// What an [`ErrorRateBreaker`](crate::ErrorRateBreaker) reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum BreakerEvent {
    /// Too large a share of a version's calls was abandoned: hanging calls complete with no error.
    AbandonedRateExceeded {
        version: VersionId,
        abandoned: u64,
        calls: u64,
        threshold: Ratio,
    },
    /// A breaker puts every version into service again, with empty windows.
    BreakerReset,
    /// A breaker was told to do more or less than usual.
    BreakerSwitched { mode: BreakerMode },
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
    /// An outage is over: the version has been well for as long as the breaker waits, a person put it into service again,
    /// or it is not live any more.
    IncidentResolved {
        version: VersionId,
        incident: String,
        opened_at: Timestamp,
        times: u32,
    },
    /// A version that is tried goes out of service again, and is tried anew later.
    ProbesFailed {
        version: VersionId,
        reason: ProbeFailure,
        next_at: Timestamp,
    },
    /// A version that is out of service is tried with a few calls.
    ProbesStarted { version: VersionId, probes: u32 },
    /// A version may serve again.
    Rearmed { version: VersionId },
    /// A version that was tried is in service again, with an empty window.
    Recovered { version: VersionId },
    /// A failure that no rate must be waited for: credentials, model name, quota.
    UrgentFailure {
        version: VersionId,
        failure: FailureKind,
    },
    /// A breaker that only watches would have taken a version out of service.
    WouldTrip {
        version: VersionId,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
    },
}

impl BreakerEvent {
    /// Which event it is, as `"event"` says in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AbandonedRateExceeded { .. } => "abandoned_rate_exceeded",
            Self::BreakerReset { .. } => "breaker_reset",
            Self::BreakerSwitched { .. } => "breaker_switched",
            Self::ErrorRateExceeded { .. } => "error_rate_exceeded",
            Self::Exhausted { .. } => "exhausted",
            Self::IncidentResolved { .. } => "incident_resolved",
            Self::ProbesFailed { .. } => "probes_failed",
            Self::ProbesStarted { .. } => "probes_started",
            Self::Rearmed { .. } => "rearmed",
            Self::Recovered { .. } => "recovered",
            Self::UrgentFailure { .. } => "urgent_failure",
            Self::WouldTrip { .. } => "would_trip",
        }
    }
}

impl fmt::Display for BreakerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::BreakerReset => {
                f.write_str("every version is in service again, with empty windows")
            }
            Self::BreakerSwitched { mode } => write!(f, "the breaker {mode}"),
            Self::ErrorRateExceeded {
                version,
                reason,
                errors,
                calls,
                threshold,
                kinds,
                fallback,
                ..
            } => {
                write!(
                    f,
                    "{errors} of {calls} calls to {version} {reason} (threshold {threshold}"
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
                reason,
                errors,
                calls,
                threshold,
                kinds,
                destination,
                ..
            } => {
                write!(
                    f,
                    "{errors} of {calls} calls to {version} {reason} as well (threshold {threshold}"
                )?;
                for (kind, count) in kinds {
                    write!(f, ", {count} {kind}")?;
                }
                write!(
                    f,
                    "): falling back did not help, documents go to {destination}"
                )
            }
            Self::IncidentResolved {
                version,
                opened_at,
                times,
                ..
            } => write!(
                f,
                "the outage of {version} that began at {opened_at} is over (it failed {times} times)"
            ),
            Self::ProbesFailed {
                version,
                reason,
                next_at,
            } => write!(
                f,
                "{version} was tried and goes out of service again ({reason}); it is tried anew at {next_at}"
            ),
            Self::ProbesStarted { version, probes } => {
                write!(f, "{version} is tried with {probes} calls")
            }
            Self::Rearmed { version } => write!(f, "{version} may serve again"),
            Self::Recovered { version } => {
                write!(f, "{version} was tried and is in service again")
            }
            Self::UrgentFailure { version, failure } => {
                write!(
                    f,
                    "a call to {version} failed with `{failure}`: a person must act"
                )
            }
            Self::WouldTrip {
                version,
                reason,
                errors,
                calls,
                threshold,
                ..
            } => write!(
                f,
                "{errors} of {calls} calls to {version} {reason} (threshold {threshold}): it would be taken out of service"
            ),
        }
    }
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

impl fmt::Display for BreakerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Disabled => "only counts",
            Self::Enforce => "acts again",
            Self::ForcedFallback => "sends every call to the version behind production",
            Self::ObserveOnly => "only says what it would do",
        })
    }
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

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CallFailed => "a call failed",
            Self::LeaseExpired => "a call did not end in time",
        })
    }
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

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ConsecutiveFailures | Self::ErrorRate | Self::LastCalls => "failed",
            Self::SlowCalls => "took too long",
        })
    }
}
