//! The events of error-rate breakers, as data and as one line of text.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, TicketId};
use crate::failure::{Cause, FailureKind};
use crate::name::VersionId;
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// The events of an [`ErrorRateBreaker`](crate::ErrorRateBreaker).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum BreakerEvent {
    /// Too large a share of a version's calls was abandoned. A hanging call that is cancelled ends
    /// without an error, so the error rate does not show it.
    AbandonedRateExceeded {
        version: VersionId,
        abandoned: u64,
        calls: u64,
        threshold: Ratio,
    },
    /// The operator changed the breaker's settings: `before` and `after` are all of them as one text.
    /// In the other commands they are the status, and empty where the event was written by an earlier
    /// version.
    BreakerReconfigured {
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// The operator reset the breaker: it enforces again, all circuits are closed and all windows
    /// empty.
    BreakerReset {
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// The operator switched the breaker to another mode.
    BreakerSwitched {
        mode: BreakerMode,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// Too many calls of a version failed or were slow. If there is a version to fall back to, the
    /// circuit opens and `fallback` serves; otherwise the version keeps serving.
    ///
    /// `kinds` counts the failures in the window by kind, or those in a row where the row is longer;
    /// `first_failed` and `last_failed` are the tickets of the first and the last of them. Calls that
    /// were slow or abandoned, and those of the last calls that have left the window, are not among
    /// them. `cause` is [`Cause::Provider`] when the
    /// [provider is at fault](crate::breaker::ErrorRateBreakerBuilder::provider_recovery), and else
    /// [`Cause::Prompt`]; `failed_alike` are the versions that prove it. `probes_at` is when the
    /// version is probed, if it is.
    ErrorRateExceeded {
        version: VersionId,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
        kinds: BTreeMap<FailureKind, u64>,
        first_failed: Option<TicketId>,
        last_failed: Option<TicketId>,
        fallback: Option<VersionId>,
        cause: Cause,
        failed_alike: Vec<VersionId>,
        probes_at: Option<Timestamp>,
    },
    /// Too many calls of a version failed or were slow, and no other version is in service:
    /// documents go to `destination`. If the version served instead of production, this belongs to
    /// the incident of production; the fields are as in `ErrorRateExceeded`.
    Exhausted {
        version: VersionId,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
        kinds: BTreeMap<FailureKind, u64>,
        first_failed: Option<TicketId>,
        last_failed: Option<TicketId>,
        destination: Destination,
        cause: Cause,
        failed_alike: Vec<VersionId>,
        probes_at: Option<Timestamp>,
    },
    /// A version that was out of service serves again, because the line-up has no version to fall
    /// back to any more.
    FallbackMissing { version: VersionId },
    /// The previous version is out of service while `version` serves: if that fails, documents go to
    /// `destination`.
    FallbackOutOfService {
        version: VersionId,
        fallback: VersionId,
        destination: Destination,
    },
    /// The circuit of a half-open version opened again, because of a `failure` if a probe ended with
    /// one. It turns half-open again at `next_at`; without that time, the version turned out to be at
    /// fault itself and stays out of service until the operator rearms it.
    ProbesFailed {
        version: VersionId,
        reason: ProbeFailure,
        failure: Option<FailureKind>,
        next_at: Option<Timestamp>,
    },
    /// The circuit of a version is half-open: up to `probes` calls go to the version.
    ProbesStarted { version: VersionId, probes: u32 },
    /// The operator rearmed a version: its circuit is closed and its window empty.
    Rearmed {
        version: VersionId,
        who: String,
        why: String,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    },
    /// All probes of a half-open version succeeded: its circuit is closed and its window empty.
    /// With `proven_by`, answers of that version proved that the provider is well again.
    Recovered {
        version: VersionId,
        proven_by: Option<VersionId>,
    },
    /// The API throttled too large a share of a version's calls. No circuit opens: another prompt
    /// version meets the same limit.
    ThrottledRateExceeded {
        version: VersionId,
        throttled: u64,
        calls: u64,
        threshold: Ratio,
    },
    /// A failure that pages at once, whatever the error rate: credentials, model name, quota.
    UrgentFailure {
        version: VersionId,
        failure: FailureKind,
    },
    /// A breaker in the mode [`ObserveOnly`](BreakerMode::ObserveOnly) would have fallen back, or
    /// paged where it cannot.
    WouldTrip {
        version: VersionId,
        reason: TripReason,
        errors: u64,
        calls: u64,
        threshold: Ratio,
    },
}

impl BreakerEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AbandonedRateExceeded { .. } => "abandoned_rate_exceeded",
            Self::BreakerReconfigured { .. } => "breaker_reconfigured",
            Self::BreakerReset { .. } => "breaker_reset",
            Self::BreakerSwitched { .. } => "breaker_switched",
            Self::ErrorRateExceeded { .. } => "error_rate_exceeded",
            Self::Exhausted { .. } => "exhausted",
            Self::FallbackMissing { .. } => "fallback_missing",
            Self::FallbackOutOfService { .. } => "fallback_out_of_service",
            Self::ProbesFailed { .. } => "probes_failed",
            Self::ProbesStarted { .. } => "probes_started",
            Self::Rearmed { .. } => "rearmed",
            Self::Recovered { .. } => "recovered",
            Self::ThrottledRateExceeded { .. } => "throttled_rate_exceeded",
            Self::UrgentFailure { .. } => "urgent_failure",
            Self::WouldTrip { .. } => "would_trip",
        }
    }
}

impl fmt::Display for BreakerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breach = Breach(self);
        match self {
            Self::AbandonedRateExceeded { .. } | Self::ThrottledRateExceeded { .. } => {
                write!(f, "{}", LostCalls(self))
            }
            Self::BreakerReconfigured { .. }
            | Self::BreakerReset { .. }
            | Self::BreakerSwitched { .. }
            | Self::Rearmed { .. } => write!(f, "{}", Commanded(self)),
            Self::ErrorRateExceeded {
                version,
                fallback: Some(fallback),
                ..
            } => write!(
                f,
                "circuit of {version} opened: {breach}; {fallback} serves now{}",
                Recovering(self)
            ),
            Self::ErrorRateExceeded { version, .. } => write!(
                f,
                "circuit of {version} alarmed: {breach}; no version to fall back to, so {version} \
                 still serves"
            ),
            Self::Exhausted {
                version,
                destination,
                ..
            } => write!(
                f,
                "circuit of {version} opened: {breach}; no version left to serve, so documents go \
                 to {destination}{}",
                Recovering(self)
            ),
            Self::FallbackMissing { version } => write!(
                f,
                "circuit of {version} alarmed: {version} was out of service, but the line-up has \
                 no version to fall back to any more, so {version} serves again"
            ),
            Self::FallbackOutOfService {
                version,
                fallback,
                destination,
            } => write!(
                f,
                "{fallback}, the fallback of {version}, is out of service: if {version} fails, \
                 documents go to {destination}"
            ),
            Self::ProbesFailed {
                version,
                reason,
                failure,
                next_at,
            } => {
                write!(f, "circuit of {version} opened again: {reason}")?;
                if let Some(failure) = failure {
                    write!(f, " with {failure}")?;
                }
                match next_at {
                    Some(at) => write!(f, "; next probes at {at}"),
                    None => write!(
                        f,
                        "; {version} is at fault itself: rearm it when it is mended"
                    ),
                }
            }
            Self::ProbesStarted { version, probes } => {
                let calls = if *probes == 1 {
                    "call probes"
                } else {
                    "calls probe"
                };
                write!(
                    f,
                    "circuit of {version} half-open: {probes} {calls} {version}"
                )
            }
            Self::Recovered {
                version,
                proven_by: None,
            } => write!(
                f,
                "circuit of {version} closed: all probes succeeded, {version} serves again"
            ),
            Self::Recovered {
                version,
                proven_by: Some(proof),
            } => write!(
                f,
                "circuit of {version} closed: the answers of {proof} show that the provider is well"
            ),
            Self::UrgentFailure { version, failure } => {
                let advice = advice(*failure);
                write!(f, "a call to {version} failed with {failure}: {advice}")
            }
            Self::WouldTrip { version, .. } => write!(
                f,
                "{version} would have tripped: {breach}; the breaker only observes, so {version} \
                 still serves"
            ),
        }
    }
}

/// What the operator did, and why.
struct Commanded<'a>(&'a BreakerEvent);

impl fmt::Display for Commanded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BreakerEvent::BreakerReconfigured { who, why, .. } => {
                write!(f, "{who} changed the breaker's settings ({why})")
            }
            BreakerEvent::BreakerReset { who, why, .. } => write!(
                f,
                "{who} reset the breaker: all circuits are closed, all windows empty ({why})"
            ),
            BreakerEvent::BreakerSwitched { mode, who, why, .. } => {
                let effect = mode.effect();
                write!(f, "{who} switched the breaker to {mode}: {effect} ({why})")
            }
            BreakerEvent::Rearmed {
                version, who, why, ..
            } => write!(
                f,
                "{who} rearmed {version}: its circuit is closed, its window empty ({why})"
            ),
            _ => Ok(()),
        }
    }
}

/// Which share of the calls brought no answer, and what to do.
struct LostCalls<'a>(&'a BreakerEvent);

impl fmt::Display for LostCalls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BreakerEvent::AbandonedRateExceeded {
                version,
                abandoned,
                calls,
                threshold,
            } => write!(
                f,
                "{abandoned} of {calls} calls to {version} were abandoned (threshold {threshold}): \
                 check for hanging or cancelled calls"
            ),
            BreakerEvent::ThrottledRateExceeded {
                version,
                throttled,
                calls,
                threshold,
            } => write!(
                f,
                "{throttled} of {calls} calls to {version} were throttled (threshold \
                 {threshold}): send fewer calls, or raise the rate limit"
            ),
            _ => Ok(()),
        }
    }
}

/// How the calls of an event broke a rule.
struct Breach<'a>(&'a BreakerEvent);

impl fmt::Display for Breach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, errors, calls, threshold, kinds) = match self.0 {
            BreakerEvent::ErrorRateExceeded {
                reason,
                errors,
                calls,
                threshold,
                kinds,
                ..
            }
            | BreakerEvent::Exhausted {
                reason,
                errors,
                calls,
                threshold,
                kinds,
                ..
            } => (reason, errors, calls, threshold, Some(kinds)),
            BreakerEvent::WouldTrip {
                reason,
                errors,
                calls,
                threshold,
                ..
            } => (reason, errors, calls, threshold, None),
            _ => return Ok(()),
        };
        match reason {
            TripReason::ConsecutiveFailures => {
                write!(f, "consecutive failures, {errors} of {calls} calls failed")
            }
            TripReason::ErrorRate => write!(f, "{errors} of {calls} calls failed"),
            TripReason::LastCalls => write!(f, "{errors} of the last {calls} calls failed"),
            TripReason::SlowCalls => write!(f, "{errors} of {calls} calls took too long"),
        }?;
        write!(f, " (threshold {threshold}")?;
        for (kind, count) in kinds.into_iter().flatten() {
            write!(f, ", {count} {kind}")?;
        }
        f.write_str(")")
    }
}

/// Whose fault it is, and when the version is probed.
struct Recovering<'a>(&'a BreakerEvent);

impl fmt::Display for Recovering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (BreakerEvent::ErrorRateExceeded {
            cause,
            failed_alike,
            probes_at,
            ..
        }
        | BreakerEvent::Exhausted {
            cause,
            failed_alike,
            probes_at,
            ..
        }) = self.0
        else {
            return Ok(());
        };
        if *cause == Cause::Provider {
            f.write_str("; the provider is at fault")?;
        }
        if !failed_alike.is_empty() {
            let names: Vec<_> = failed_alike.iter().map(VersionId::as_str).collect();
            write!(f, ": {} failed alike", names.join(" and "))?;
        }
        match probes_at {
            Some(at) => write!(f, "; probes at {at}"),
            None => Ok(()),
        }
    }
}

fn advice(failure: FailureKind) -> &'static str {
    match failure {
        FailureKind::Auth => "check the API key and its permissions",
        FailureKind::NotFound => "check the model name and the endpoint",
        FailureKind::QuotaExhausted => "check the quota and the billing of the account",
        _ => "configured to page at once",
    }
}

/// How far an error-rate breaker acts on the calls that it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerMode {
    /// It counts calls; no circuit opens.
    Disabled,
    /// It opens circuits and falls back.
    #[default]
    Enforce,
    /// The previous version serves every call, until the operator switches the mode or resets the
    /// breaker.
    ForcedFallback,
    /// It counts calls and reports which versions would have tripped.
    ObserveOnly,
}

impl BreakerMode {
    fn effect(self) -> &'static str {
        match self {
            Self::Disabled => "it only counts, no circuit opens",
            Self::Enforce => "it opens circuits and falls back",
            Self::ForcedFallback => "the previous version serves every call",
            Self::ObserveOnly => "it only reports which versions would trip",
        }
    }
}

impl fmt::Display for BreakerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Disabled => "disabled",
            Self::Enforce => "enforce",
            Self::ForcedFallback => "forced fallback",
            Self::ObserveOnly => "observe only",
        })
    }
}

/// Why the circuit of a half-open version opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeFailure {
    /// A probe failed.
    CallFailed,
    /// A probe did not end within its lease.
    LeaseExpired,
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CallFailed => "a probe failed",
            Self::LeaseExpired => "a probe did not end in time",
        })
    }
}

/// Which rule of an error-rate breaker a version broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TripReason {
    /// Too many consecutive failures, while the window had too few calls for a rate.
    ConsecutiveFailures,
    /// Too many of the last calls failed, whatever their age, while the window had too few calls
    /// for a rate.
    LastCalls,
    /// Too large a share of the calls failed.
    ErrorRate,
    /// Too large a share of the calls took too long or is still open after that time.
    SlowCalls,
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ConsecutiveFailures => "consecutive failures",
            Self::ErrorRate => "error rate",
            Self::LastCalls => "last calls",
            Self::SlowCalls => "slow calls",
        })
    }
}
