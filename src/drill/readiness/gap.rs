//! What is missing before a rollout, and what to do about it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::drill::expectation::quoted;
use crate::drill::failure_mode::FailureMode;
use crate::guard::SettingsHash;
use crate::name::{DocumentType, VersionId};
use crate::time::{as_millis, as_optional_millis};

/// Something that a rollout is not ready without. Printed as one line: what is missing, and what to
/// do about it. [docs/readiness.md](crate::documentation::readiness) explains each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "gap", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum Gap {
    /// No guard that acts is made for this failure mode, and no drill has shown a page for it.
    NoSignal { mode: FailureMode },
    /// The guards that page for this failure mode are mounted for the `covered` document types
    /// only. `uncovered` are the other types of the traffic that is expected; it is empty if none
    /// was stated, and then means every other type.
    PartialSignal {
        mode: FailureMode,
        covered: BTreeSet<DocumentType>,
        uncovered: BTreeSet<DocumentType>,
    },
    /// No drill has injected this failure mode.
    NoDrill { mode: FailureMode },
    /// A drill of this fault was not known within the time; `seen` is when a page came, if one did.
    DrillFailed {
        mode: FailureMode,
        fault: String,
        #[serde(rename = "seen_ms", with = "as_optional_millis")]
        seen: Option<Duration>,
        #[serde(rename = "within_ms", with = "as_millis")]
        within: Duration,
    },
    /// A drill of this fault proves nothing, for this reason.
    DrillBlind {
        mode: FailureMode,
        fault: String,
        why: String,
    },
    /// The drills ran with other guards, or with other settings of them.
    DrillsOutdated {
        drilled: SettingsHash,
        now: SettingsHash,
    },
    /// Healthy traffic paged in the drills.
    HealthyPages {
        pages: u64,
        #[serde(rename = "healthy_ms", with = "as_millis")]
        healthy: Duration,
    },
    /// No sink reaches the operator on call.
    NoPager,
    /// No guard that acts gives the candidate a share and compares it.
    NoRolloutGuard,
    /// Nothing says whether the rollout can be judged.
    NoForecast,
    /// The forecast is of a plan that no guard of the pipeline follows.
    OtherPlan { plan: String },
    /// With the traffic that is expected, the rollout cannot be judged, or not in time.
    CannotBeJudged { why: String },
    /// A change of high stakes has no shadow run; `why` says what makes it one.
    NoShadowRun { candidate: VersionId, why: String },
    /// The shadow run does not clear the candidate: it is not over, or nobody has reviewed it.
    NotCleared { candidate: VersionId, why: String },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSignal { mode } => {
                let guards = mode.guards().join("` or `");
                write!(
                    f,
                    "{mode}: no guard pages for it; add `{guards}`, not in a dry run"
                )
            }
            Self::PartialSignal {
                mode,
                covered,
                uncovered,
            } => {
                let covered = quoted(covered.iter().map(DocumentType::as_str));
                let uncovered = quoted(uncovered.iter().map(DocumentType::as_str));
                let uncovered = if uncovered.is_empty() {
                    "every other type"
                } else {
                    &uncovered
                };
                write!(
                    f,
                    "{mode}: guards page for it for {covered} only, and not for {uncovered}; mount \
                     one for all types"
                )
            }
            Self::NoDrill { mode } => write!(
                f,
                "{mode}: no drill has shown that a page comes; inject it in the drill set"
            ),
            Self::DrillFailed {
                mode,
                fault,
                seen,
                within,
            } => {
                let within = humantime::format_duration(*within);
                write!(f, "{mode}: in the drill `{fault}` ")?;
                match seen {
                    Some(seen) => {
                        let seen = humantime::format_duration(*seen);
                        write!(f, "a page came after {seen}, not within {within}")?;
                    }
                    None => write!(f, "no page came, and one must within {within}")?,
                }
                f.write_str("; change the guard's settings, or the time that is accepted")
            }
            Self::DrillBlind { mode, fault, why } => write!(
                f,
                "{mode}: the drill `{fault}` proves nothing: {why}; give it traffic that the \
                 fault meets"
            ),
            Self::DrillsOutdated { drilled, now } => write!(
                f,
                "the drills ran with other guards or settings ({drilled}) than those of now \
                 ({now}); run them again"
            ),
            Self::HealthyPages { pages, healthy } => {
                let noun = if *pages == 1 { "page" } else { "pages" };
                let healthy = humantime::format_duration(*healthy);
                write!(
                    f,
                    "healthy traffic: {pages} {noun} in {healthy} of drills; change the settings \
                     of the guard that paged"
                )
            }
            Self::NoPager => f.write_str(
                "no sink reaches the operator on call; mark the one that does with `sink::pager`",
            ),
            Self::NoRolloutGuard => f.write_str(
                "no guard gives the candidate a share and compares it; add `canary` or \
                 `blue-green`, not in a dry run",
            ),
            Self::NoForecast => f.write_str(
                "nothing says whether the rollout can be judged; state its policy and the traffic",
            ),
            Self::OtherPlan { plan } => write!(
                f,
                "the forecast is of a {plan} plan that the pipeline does not follow; state the \
                 policy of the pipeline"
            ),
            Self::CannotBeJudged { why } => write!(f, "the rollout's plan: {why}"),
            Self::NoShadowRun { candidate, why } => write!(
                f,
                "{candidate} has no shadow run, and {why}; run it beside production first"
            ),
            Self::NotCleared { candidate, why } => write!(
                f,
                "the shadow run does not clear {candidate}: {why}; let it finish, review what \
                 diverged, and acknowledge it"
            ),
        }
    }
}
