//! The events of the pipeline, as data and as one line of text.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, Reason};
use crate::name::{DocumentId, DocumentType, ModelName, RouteName, VersionId};
use crate::time::Timestamp;

/// The events of a [`Pipeline`](crate::Pipeline) itself, and those that several guards share. What
/// its pages mean and what to do: [the runbook](crate::documentation::runbooks::pipeline).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum PipelineEvent {
    /// A line-up went live: these versions serve from now on.
    Deployed {
        stable: VersionId,
        previous: Option<VersionId>,
        candidate: Option<VersionId>,
    },
    /// A document was diverted before its call.
    Diverted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        destination: Destination,
        reasons: BTreeSet<Reason>,
    },
    /// Events were lost: too many were waiting, or one step left too many. `lost` counts from the
    /// start of the pipeline.
    EventsLost { lost: u64 },
    /// What had to be kept was dropped before its time, or could not be read: `facts` pieces of
    /// feedback, commands and tickets, up to those of `until`, because of `reason`.
    FactsDropped {
        facts: u64,
        until: Option<Timestamp>,
        reason: String,
    },
    /// A guard panicked. Where its vote is missing, the document goes to human review.
    GuardPanicked {
        // `guard` in the flat JSON is the guard that reports the event.
        #[serde(rename = "panicked_guard")]
        guard: String,
    },
    /// A bounded map of a guard is full: it no longer tracks new keys separately. `first` is the
    /// first key in the overflow.
    KeysExhausted { limit: usize, first: String },
    /// A document is too large for the model of its version and goes to a larger one.
    LargerModel {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
    },
    /// Calls come, and [`Pipeline::tick`](crate::Pipeline::tick) was not called for this time.
    NoTick {
        #[serde(with = "crate::time::as_millis")]
        lasted: Duration,
    },
    /// Pages were not delivered on a route for this time: `pages` of them wait, and `reason` is why
    /// the last try failed.
    PagesUndelivered {
        route: RouteName,
        pages: u64,
        #[serde(with = "crate::time::as_millis")]
        lasted: Duration,
        reason: String,
    },
    /// A call was pinned to a version, and another serves it.
    PinLost {
        document: DocumentId,
        document_type: DocumentType,
        pinned_to: VersionId,
        version: VersionId,
    },
    /// A person began a rollout although its [`Readiness`](crate::drill::Readiness) had these gaps.
    RolloutForced {
        candidate: VersionId,
        who: String,
        why: String,
        gaps: Vec<String>,
    },
    /// A sink panicked, so events did not reach it. `panics` counts from the start of the pipeline.
    SinkBroken { panics: u64 },
    /// The store could not be written for this time. A restart would lose what has changed since.
    StoreDown {
        #[serde(with = "crate::time::as_millis")]
        lasted: Duration,
        reason: String,
    },
    /// What the store had is lost, for this reason, and a new one is written.
    StoreReplaced { reason: String },
    /// Another process, whose tickets begin with the number `other`, has been writing to the store
    /// under the name of this pipeline since then: each decides by itself, and the next start goes
    /// on with the state of only one.
    StoreShared { other: String, since: Timestamp },
    /// A guard in a dry run would have sent a document to another version or model (`route`),
    /// diverted it, or sent its answer to human review (`reasons`).
    WouldAct {
        document: DocumentId,
        document_type: DocumentType,
        route: Option<String>,
        reasons: BTreeSet<Reason>,
    },
    /// A guard in a dry run would have refused a line-up.
    WouldRefuse { reason: String },
}

impl PipelineEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deployed { .. } => "deployed",
            Self::Diverted { .. } => "diverted",
            Self::EventsLost { .. } => "events_lost",
            Self::FactsDropped { .. } => "facts_dropped",
            Self::GuardPanicked { .. } => "guard_panicked",
            Self::KeysExhausted { .. } => "keys_exhausted",
            Self::LargerModel { .. } => "larger_model",
            Self::NoTick { .. } => "no_tick",
            Self::PagesUndelivered { .. } => "pages_undelivered",
            Self::PinLost { .. } => "pin_lost",
            Self::RolloutForced { .. } => "rollout_forced",
            Self::SinkBroken { .. } => "sink_broken",
            Self::StoreDown { .. } => "store_down",
            Self::StoreReplaced { .. } => "store_replaced",
            Self::StoreShared { .. } => "store_shared",
            Self::WouldAct { .. } => "would_act",
            Self::WouldRefuse { .. } => "would_refuse",
        }
    }
}

impl fmt::Display for PipelineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployed {
                stable,
                previous,
                candidate,
            } => write_deployed(f, stable, previous.as_ref(), candidate.as_ref()),
            Self::Diverted {
                document,
                destination,
                reasons,
                ..
            } => write!(
                f,
                "{document} diverted to {destination}: {}",
                Listed(reasons)
            ),
            Self::EventsLost { lost } => write!(
                f,
                "{lost} {} lost: too many were waiting for a slow sink, or one step left more than \
                 1000",
                one_or_more(*lost, "event was", "events were")
            ),
            Self::FactsDropped {
                facts,
                until,
                reason,
            } => write_dropped(f, *facts, *until, reason),
            Self::GuardPanicked { guard } => write!(
                f,
                "guard {guard} panicked: documents without its vote go to human review"
            ),
            Self::KeysExhausted { limit, first } => write!(
                f,
                "limit of {limit} keys reached: `{first}` and later new keys are not tracked \
                 separately"
            ),
            Self::LargerModel {
                document,
                version,
                model,
                ..
            } => write!(
                f,
                "{document} goes to the larger model {model}: too large for the model of {version}"
            ),
            Self::NoTick { lasted } => write!(
                f,
                "no tick for {}: silent types, overdue calls and the end of stages go unnoticed",
                humantime::format_duration(*lasted)
            ),
            Self::PagesUndelivered {
                route,
                pages,
                lasted,
                reason,
            } => write_undelivered(f, route, *pages, *lasted, reason),
            Self::PinLost {
                document,
                pinned_to,
                version,
                ..
            } => write!(
                f,
                "{document} is pinned to {pinned_to}, and {version} serves it"
            ),
            Self::RolloutForced {
                candidate,
                who,
                why,
                gaps,
            } => write!(
                f,
                "{who} began the rollout of {candidate}, which is not ready: {} ({why})",
                gaps.join("; ")
            ),
            Self::SinkBroken { panics } => write!(
                f,
                "a sink panicked ({panics} {} since the start): events did not reach it",
                one_or_more(*panics, "panic", "panics")
            ),
            Self::StoreDown { lasted, reason } => write!(
                f,
                "nothing was stored for {}: {}",
                humantime::format_duration(*lasted),
                reason.escape_debug()
            ),
            Self::StoreReplaced { reason } => {
                write!(f, "what was stored is lost: {}", reason.escape_debug())
            }
            Self::StoreShared { other, since } => write_shared(f, other, *since),
            Self::WouldAct {
                document,
                route,
                reasons,
                ..
            } => write_would_act(f, document, route.as_deref(), reasons),
            Self::WouldRefuse { reason } => {
                write!(f, "would have refused the deployment: {reason}")
            }
        }
    }
}

fn write_deployed(
    f: &mut fmt::Formatter<'_>,
    stable: &VersionId,
    previous: Option<&VersionId>,
    candidate: Option<&VersionId>,
) -> fmt::Result {
    write!(f, "deployed: production {stable}")?;
    if let Some(previous) = previous {
        write!(f, ", previous version {previous}")?;
    }
    if let Some(candidate) = candidate {
        write!(f, ", candidate {candidate}")?;
    }
    Ok(())
}

fn write_dropped(
    f: &mut fmt::Formatter<'_>,
    facts: u64,
    until: Option<Timestamp>,
    reason: &str,
) -> fmt::Result {
    let noun = one_or_more(facts, "fact was", "facts were");
    write!(f, "{facts} {noun} dropped too early")?;
    if let Some(until) = until {
        write!(f, ", up to those of {until}")?;
    }
    write!(f, ": {}", reason.escape_debug())
}

fn write_undelivered(
    f: &mut fmt::Formatter<'_>,
    route: &RouteName,
    pages: u64,
    lasted: Duration,
    reason: &str,
) -> fmt::Result {
    let noun = one_or_more(pages, "page waits", "pages wait");
    let lasted = humantime::format_duration(lasted);
    let reason = reason.escape_debug();
    write!(
        f,
        "{pages} {noun} on route {route}, the oldest for {lasted}: {reason}"
    )
}

fn write_shared(f: &mut fmt::Formatter<'_>, other: &str, since: Timestamp) -> fmt::Result {
    let other = other.escape_debug();
    write!(
        f,
        "process {other} has written to the same store since {since}: each decides by itself, and \
         the next start keeps the state of only one"
    )
}

fn write_would_act(
    f: &mut fmt::Formatter<'_>,
    document: &DocumentId,
    route: Option<&str>,
    reasons: &BTreeSet<Reason>,
) -> fmt::Result {
    match route {
        Some(route) => write!(f, "{document} would have gone to {route}"),
        None => write!(
            f,
            "{document} would have been diverted or sent to review: {}",
            Listed(reasons)
        ),
    }
}

fn one_or_more(count: u64, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
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
