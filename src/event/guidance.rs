//! What a person is told besides what happened: what was done, what ends it, and what to do.

use super::breaker::BreakerEvent;
use super::budget::BudgetEvent;
use super::drift::DriftEvent;
use super::kind::EventKind;
use super::ledger::LedgerEvent;
use super::pipeline::PipelineEvent;
use super::rollout::RolloutEvent;
use crate::name::VersionId;

/// What a person who is paged must know besides what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guidance {
    pub(crate) done_already: String,
    /// Completes "it ends when ..".
    pub(crate) ends_when: String,
    pub(crate) undo: String,
}

impl Guidance {
    fn new(
        done_already: impl Into<String>,
        ends_when: impl Into<String>,
        undo: impl Into<String>,
    ) -> Self {
        Self {
            done_already: done_already.into(),
            ends_when: ends_when.into(),
            undo: undo.into(),
        }
    }

    /// The guidance for an event.
    pub(crate) fn of(kind: &EventKind) -> Self {
        match kind {
            EventKind::Breaker(event) => Self::of_breaker(event),
            EventKind::Budget(event) => Self::of_budget(event),
            EventKind::Drift(event) => Self::of_drift(event),
            EventKind::Ledger(event) => Self::of_ledger(event),
            EventKind::Pipeline(event) => Self::of_pipeline(event),
            EventKind::Rollout(event) => Self::of_rollout(event),
            EventKind::Custom { .. } | EventKind::Incident(_) | EventKind::Shadow(_) => {
                Self::general()
            }
        }
    }

    fn general() -> Self {
        Self::new(
            "nothing",
            "the guard that reports it no longer does",
            "look at the guard that reports it",
        )
    }

    fn of_breaker(event: &BreakerEvent) -> Self {
        match event {
            BreakerEvent::AbandonedRateExceeded { .. } => Self::new(
                "nothing: an abandoned call is neither good nor bad",
                "the share of abandoned calls has been at most half the threshold for as long as \
                 the breaker holds incidents open",
                "look for callers that drop their calls, and for calls that hang",
            ),
            BreakerEvent::ErrorRateExceeded {
                version,
                fallback: Some(fallback),
                probes_at: Some(_),
                ..
            } => Self::new(
                format!("{fallback} serves instead of {version}, which is probed"),
                back_in_service(version),
                look_at_the_provider(version),
            ),
            BreakerEvent::ErrorRateExceeded {
                version,
                fallback: Some(fallback),
                ..
            } => Self::new(
                format!("{fallback} serves instead of {version}"),
                back_in_service(version),
                format!(
                    "put {version} back with `rearm`, or deploy a corrected prompt under a new id"
                ),
            ),
            BreakerEvent::ErrorRateExceeded { version, .. } => Self::new(
                format!("nothing: {version} still serves, no version stands behind it"),
                format!("{version} has been well for as long as the breaker holds incidents open"),
                "check the prompt and the provider; deploy a corrected prompt under a new id",
            ),
            BreakerEvent::Exhausted {
                version,
                destination,
                probes_at: Some(_),
                ..
            } => Self::new(
                format!("documents go to {destination}, and {version} is probed"),
                back_in_service(version),
                look_at_the_provider(version),
            ),
            BreakerEvent::Exhausted {
                version,
                destination,
                ..
            } => Self::new(
                format!("documents go to {destination}"),
                back_in_service(version),
                "check the provider first; put a version back with `rearm`, or all with `reset`",
            ),
            BreakerEvent::FallbackMissing { version } => Self::new(
                format!("nothing: {version} serves again, because no version stands behind it"),
                format!("{version} has been well for as long as the breaker holds incidents open"),
                "deploy the line-up with its previous version, or a corrected prompt under a new id",
            ),
            BreakerEvent::ProbesFailed {
                version,
                next_at: None,
                ..
            } => Self::new(
                format!("{version} is no longer probed and stays out of service"),
                back_in_service(version),
                format!(
                    "deploy a corrected prompt under a new id, or put {version} back with `rearm`"
                ),
            ),
            BreakerEvent::ThrottledRateExceeded { .. } => Self::new(
                "nothing: another prompt version meets the same limit",
                "the share of throttled calls has been at most half the threshold for as long as \
                 the breaker holds incidents open",
                "slow the callers down, raise the rate limit of the account, or use another model",
            ),
            BreakerEvent::UrgentFailure { failure, .. } => Self::new(
                "nothing: no prompt version can cure it",
                format!("no call has failed with {failure} for 15 minutes"),
                "check the key, the model name, and the quota of the account",
            ),
            _ => Self::general(),
        }
    }

    fn of_budget(event: &BudgetEvent) -> Self {
        match event {
            BudgetEvent::BudgetAlarm { version, .. } => Self::new(
                "documents that do not fit go to a larger model, or are diverted",
                "no document of this type has been over the budget for 15 minutes",
                format!("shorten the prompt of {version}, or choose a larger model for the type"),
            ),
            BudgetEvent::CountWrong { model, .. } => Self::new(
                "nothing: the count of later documents may be wrong as well",
                format!(
                    "a person acknowledges it, or no count for {model} has been wrong for a day"
                ),
                format!("check the tokenizer and the framing that are set for {model}"),
            ),
            BudgetEvent::ModelEnds { model, .. } => Self::new(
                "nothing",
                "a person acknowledges it",
                format!("deploy a version on a successor of {model}"),
            ),
            BudgetEvent::UsageNotBelieved { model, .. } => Self::new(
                "nothing is learnt from such a report",
                "no report has been so large for a day",
                format!(
                    "check what is reported as the usage of {model}, images and tools included"
                ),
            ),
            BudgetEvent::PromptCut { model, .. } => Self::new(
                "the answers go to human review",
                "no prompt has been cut for a day",
                format!("raise the context length that the service of {model} runs with"),
            ),
            _ => Self::general(),
        }
    }

    fn of_drift(event: &DriftEvent) -> Self {
        match event {
            DriftEvent::DriftDetected { threshold, .. } => Self::new(
                format!("answers below {threshold} go to human review"),
                "the operator resolves the drift or asks for a new baseline",
                "look at some answers; then `resolve` the drift, or roll the version back",
            ),
            DriftEvent::AcknowledgementExpired { threshold, .. } => Self::new(
                format!("answers below {threshold} still go to human review"),
                "the operator resolves the drift, asks for a new baseline, or acknowledges it again",
                "do what was planned when it was acknowledged; then `resolve` it, or give it more time",
            ),
            DriftEvent::ReviewCapacityReached { accepted, .. } => Self::new(
                format!("{accepted} documents are accepted that should be reviewed"),
                "the capacity has sufficed for a whole window, or no threshold is raised",
                "find more reviewers, roll the version back, or hold back what was accepted",
            ),
            DriftEvent::ConfidenceConstant { .. } => Self::new(
                "nothing: the threshold cannot tell good answers from bad ones",
                "the confidence varies again, or no more documents come",
                "check where the confidence comes from; only then trust answers above the threshold",
            ),
            DriftEvent::ConfidenceMissing { field, .. } => Self::new(
                "nothing: such answers are accepted",
                format!("at least half as many answers have a confidence of {field} as before"),
                "check the prompt, and the code that reads the answer",
            ),
            DriftEvent::MixShift { version, .. } => Self::new(
                "nothing: the thresholds stay as they are",
                format!(
                    "the mean over all documents is near that of the reference again, types \
                     themselves have fallen, or {version} is no longer live"
                ),
                "check the sources of the types that grew; `rebaseline` a field if they stay",
            ),
            DriftEvent::ShapeChanged { .. } => Self::new(
                "nothing: the threshold stays as it is",
                "the confidences are distributed like those of the baseline again",
                "look at some answers; if they are right, `rebaseline` the field",
            ),
            DriftEvent::SlowDrift { .. } => Self::new(
                "nothing: the threshold stays as it is",
                "the mean over 7 days is near the baseline again",
                "look at some answers; if they are right, `rebaseline` the field",
            ),
            _ => Self::general(),
        }
    }

    fn of_ledger(event: &LedgerEvent) -> Self {
        match event {
            LedgerEvent::LostInRestart { .. } => Self::new(
                "nothing: whether these calls were answered is unknown",
                "a person acknowledges it",
                "check the documents, and process again those that have no result",
            ),
            LedgerEvent::NothingComesOut { .. } => Self::new(
                "nothing",
                "a document of each such type comes out again",
                "check the provider, the code after the call, and the queue of open calls",
            ),
            LedgerEvent::Overdue { .. } => Self::new(
                "nothing: the call is still open",
                "each such call has ended or was written off",
                "look for callers that hang; write off a call that cannot end",
            ),
            LedgerEvent::ReviewQueue { .. } => Self::new(
                "nothing: the documents wait",
                "no document has waited for longer than the limit",
                "find out who empties the queue; report `PickedUp` or `Reviewed` for each document",
            ),
            LedgerEvent::Silent { .. } => Self::new(
                "nothing",
                "documents of each such type arrive again",
                "check the source of the documents",
            ),
            _ => Self::general(),
        }
    }

    fn of_pipeline(event: &PipelineEvent) -> Self {
        match event {
            PipelineEvent::EventsLost { .. } => Self::new(
                "pages were kept: of what is lost, the lowest severity goes first",
                "no event has been lost for an hour",
                "put a slow sink behind `sink::background`; look for a guard that leaves very many \
                 events",
            ),
            PipelineEvent::NoTick { .. } => Self::new(
                "nothing: guards that act on time do not act",
                "ticks come again, for 15 minutes",
                "call `Pipeline::tick` every few seconds; look for the task that did",
            ),
            PipelineEvent::SinkBroken { .. } => Self::new(
                "the other sinks still get every event",
                "no sink has panicked for an hour",
                "look for the panic in the log; `Pipeline::incidents` lists the pages that it missed",
            ),
            PipelineEvent::PagesUndelivered { route, .. } => Self::new(
                "each is tried again every two minutes, and backup routes have it",
                format!("the pages on route {route} are taken"),
                format!("check the address and the key of route {route}, and the way to it"),
            ),
            PipelineEvent::StoreDown { .. } => Self::new(
                "calls, guards and pages go on from memory",
                "the store is written again",
                "make room, or mend what the reason names; do not restart the service before",
            ),
            PipelineEvent::FactsDropped { .. } => Self::new(
                "the youngest are kept",
                "none has been dropped for an hour",
                "give the store more room, or keep facts for a shorter time",
            ),
            PipelineEvent::StoreReplaced { .. } => Self::new(
                "the state of all guards and what is open was written to the new one",
                "an hour has passed without another loss",
                "keep the old file, and look at the disk; feedback and commands that only it had are \
                 still in it",
            ),
            PipelineEvent::StoreShared { .. } => Self::new(
                "nothing: each process goes on with what it knows, and ends no page of the other",
                "no other process has written to the store for 15 minutes",
                "stop all processes but one, or give each a name or a file of its own; the ids of \
                 its tickets begin with the number of a process",
            ),
            PipelineEvent::GuardPanicked { guard } => Self::new(
                "where its vote was missing, documents went to human review",
                "the guard has not panicked for an hour",
                format!("a panic is a bug: report it with the log; take `{guard}` out if it lasts"),
            ),
            _ => Self::general(),
        }
    }

    fn of_rollout(event: &RolloutEvent) -> Self {
        match event {
            RolloutEvent::ApprovalNeeded { candidate, .. } => Self::new(
                format!("{candidate} keeps its share"),
                "the operator promotes, holds or aborts the candidate",
                "look at the findings; then `promote` or `abort`",
            ),
            RolloutEvent::FoundWorse {
                candidate, stable, ..
            } => Self::new(
                format!("nothing: {candidate} still serves"),
                format!("a person acknowledges it, or {candidate} is no longer live"),
                format!("deploy {stable} as production, or a corrected prompt with a new id"),
            ),
            RolloutEvent::RolledBack { candidate, .. } => Self::new(
                format!("{candidate} no longer serves"),
                format!("a person acknowledges it, or {candidate} is no longer live"),
                format!(
                    "deploy without {candidate}; a corrected prompt needs a new id, and `readmit` \
                     starts this one again"
                ),
            ),
            RolloutEvent::RolloutEscalated { candidate, .. } => Self::new(
                format!("{candidate} keeps its share"),
                "the operator promotes or aborts the candidate, or the evidence becomes clear",
                "look at the findings; then `promote` or `abort`",
            ),
            RolloutEvent::TypeExcluded {
                candidate,
                document_type,
                ..
            } => Self::new(
                format!("production serves {document_type}; {candidate} goes on with the others"),
                format!("a person acknowledges it, or {candidate} is no longer live"),
                "look at the findings; `abort` if other types suffer as well",
            ),
            _ => Self::general(),
        }
    }
}

fn look_at_the_provider(version: &VersionId) -> String {
    format!(
        "look at the provider; {version} serves again when its probes succeed, or at once after \
         `rearm`"
    )
}

fn back_in_service(version: &VersionId) -> String {
    format!(
        "{version} has been in service and well for as long as the breaker holds incidents open, or \
         is no longer live"
    )
}
