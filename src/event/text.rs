//! Each kind of event as one line for a person.

use std::collections::BTreeSet;
use std::fmt;

use super::kind::{BreakerMode, EventKind, NotCounted, ProbeFailure, RolloutCommand, TripReason};
use crate::call::Reason;

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
                        "with {version}: the last needs {tokens}, the limit is {limit}"
                    ),
                    None => write!(f, "with {version}: the last was not measured"),
                }
            }
            Self::CountWrong {
                document,
                version,
                model,
                counted,
                reported,
                ..
            } => {
                write!(
                    f,
                    "the token budget counted {counted} for {document} with {version}, and {model} "
                )?;
                match reported {
                    Some(reported) => write!(f, "reports {reported}: the guard counts wrong"),
                    None => f.write_str("says that it is too long: the guard counts wrong"),
                }
            }
            Self::BoundMissed {
                document_type,
                model,
                misses,
                documents,
            } => write!(
                f,
                "{misses} of {documents} documents of type {document_type} had more tokens than the bound learnt for \
                 {model}; it is following"
            ),
            Self::BreakerReset => {
                f.write_str("every version is in service again, with empty windows")
            }
            Self::BreakerSwitched { mode } => write!(f, "the breaker {mode}"),
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
            Self::GuardPanicked { guard } => write!(
                f,
                "guard {guard} panicked; its word counts as the strictest"
            ),
            Self::IncidentResolved {
                version,
                opened_at,
                times,
                ..
            } => write!(
                f,
                "the outage of {version} that began at {opened_at} is over (it failed {times} times)"
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
            Self::LittleHeadroom {
                document_type,
                version,
                documents,
                p99,
                largest_prompt,
            } => write!(
                f,
                "99 % of {documents} documents of type {document_type} need up to {p99} tokens with {version}, which is \
                 more than 80 % of the {largest_prompt} that the model reads"
            ),
            Self::LostInRestart {
                document, ticket, ..
            } => {
                write!(
                    f,
                    "{document} was open when the process ended (ticket {ticket}): its end is not known"
                )
            }
            Self::ModelEnds { model, at } => {
                write!(f, "the provider switches {model} off at {at}")
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
            Self::PromptCut {
                document,
                model,
                counted,
                reported,
                ..
            } => write!(
                f,
                "{model} read {reported} tokens of {document}, which has {counted}: the service cut the prompt"
            ),
            Self::Rearmed { version } => write!(f, "{version} may serve again"),
            Self::Recovered { version } => {
                write!(f, "{version} was tried and is in service again")
            }
            Self::ReviewRequested {
                candidate,
                diverged,
                compared,
                threshold,
            } => write!(
                f,
                "{diverged} of {compared} shadow answers of {candidate} diverge (threshold {threshold}): please look"
            ),
            Self::ApprovalNeeded {
                candidate,
                stage,
                findings,
            } => write!(
                f,
                "{candidate} has met the conditions of stage {} and waits for an approval: {findings}",
                stage + 1
            ),
            Self::RolloutCommanded {
                candidate,
                stage,
                command,
            } => write!(
                f,
                "a person said {command} to {candidate} at stage {}",
                stage + 1
            ),
            Self::RolloutHolds {
                candidate,
                stage,
                reason,
                findings,
            } => {
                let stage = stage + 1;
                write!(
                    f,
                    "{candidate} waits at stage {stage}: {reason}; {findings}"
                )?;
                match findings.next_look {
                    Some(at) => write!(f, "; next look at {at}"),
                    None => Ok(()),
                }
            }
            Self::TypeExcluded {
                candidate,
                stage,
                document_type,
                findings,
            } => write!(
                f,
                "{document_type} stays with production from stage {} of {candidate} on: {findings}",
                stage + 1
            ),
            Self::CorrectionNotCounted {
                document,
                document_type,
                version,
                reason,
            } => write!(
                f,
                "what was said of {document} ({document_type}, {version}) is not counted: {reason}"
            ),
            Self::RolloutEscalated {
                candidate,
                stage,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} waits for a decision at stage {}: {findings}",
                    stage + 1
                )
            }
            Self::RolloutPromoted {
                candidate,
                findings,
            } => write!(f, "{candidate} serves everything: {findings}"),
            Self::RolledBack {
                candidate,
                stage,
                findings,
            } => {
                write!(
                    f,
                    "{candidate} rolled back at stage {}: {findings}",
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
                findings,
            } => {
                write!(
                    f,
                    "{candidate} gets {share} of the documents (stage {}): {findings}",
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
            Self::Custom { name, message } => write!(f, "{name}: {message}"),
        }
    }
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

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoAnswer => "it has no answer yet",
            Self::NotCompared => "it is not among the documents that are compared",
            Self::NothingToRetract => "there is no such correction to take back",
        })
    }
}

impl fmt::Display for RolloutCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Abort => "abort",
            Self::Approve => "approve",
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Resume => "resume",
        })
    }
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ConsecutiveFailures | Self::ErrorRate | Self::LastCalls => "failed",
            Self::SlowCalls => "took too long",
        })
    }
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CallFailed => "a call failed",
            Self::LeaseExpired => "a call did not end in time",
        })
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
