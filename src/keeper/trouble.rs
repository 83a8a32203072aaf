//! What is wrong with the store, as incidents.

use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, StoreFault};
use crate::event::{PipelineEvent, Severity};
use crate::guard::Trouble;
use crate::pipeline::Pipeline;
use crate::time::{Timestamp, hours};

/// A store that fails for longer than this is an incident.
const FAILS_FOR: Duration = Duration::from_secs(10);

/// What is wrong with the store, to be said before the next tick.
#[derive(Debug, Default)]
pub(super) struct StoreTrouble(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Since when it has not answered.
    asked_at: Option<Timestamp>,
    failure: Option<Failure>,
    /// Why what it had is lost.
    replaced: Option<String>,
}

#[derive(Clone, Debug)]
struct Failure {
    since: Timestamp,
    reason: String,
}

impl StoreTrouble {
    /// The store is asked. If an exchange was dropped without an answer, it has been asked since then.
    pub(super) fn asked(&self, now: Timestamp) {
        self.0.lock().asked_at.get_or_insert(now);
    }

    /// The store has answered, or the state could not be made for this reason; whether what the store
    /// had is lost.
    pub(super) fn answered(
        &self,
        result: &Result<(), Error>,
        unmade: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let error = result.as_ref().err();
        let is_lost = |error: &Error| error.kind() == ErrorKind::Store(StoreFault::Replaced);
        let mut known = self.0.lock();
        let asked_at = known.asked_at.take().unwrap_or(now);
        let since = known.failure.as_ref().map_or(asked_at, |known| known.since);
        let reason = error
            .map(Error::to_string)
            .or_else(|| Some(unmade?.to_owned()));
        known.failure = reason.map(|reason| Failure { since, reason });
        let lost = error.filter(|error| is_lost(error)).map(Error::to_string);
        let is_lost = lost.is_some();
        known.replaced = lost.or_else(|| known.replaced.take());
        is_lost
    }

    pub(super) fn tell(&self, pipeline: &Pipeline) {
        // Not under its lock: a sink may report feedback, which takes it.
        let (failure, replaced) = {
            let mut known = self.0.lock();
            let unanswered = known.asked_at.map(|since| Failure {
                since,
                reason: "it does not answer".to_owned(),
            });
            (known.failure.clone().or(unanswered), known.replaced.take())
        };
        if let Some(Failure { since, reason }) = failure {
            let lasted = pipeline.now().since(since);
            if lasted >= FAILS_FOR {
                let wrong = PipelineEvent::StoreDown { lasted, reason };
                pipeline.still(&trouble("store-down"), wrong);
            }
        }
        if let Some(reason) = replaced {
            let wrong = PipelineEvent::StoreReplaced { reason };
            pipeline.page(&trouble("store-replaced").seen(), wrong);
        }
    }
}

/// Something that goes wrong around a keeper, held open for as long as its runbook says.
pub(super) fn trouble(what: &'static str) -> Trouble<'static> {
    Trouble::new(what).held_open_for(hours(1))
}

/// Says that facts went before their time, if any did.
pub(super) fn tell_of_dropped(
    pipeline: &Pipeline,
    facts: u64,
    until: Option<Timestamp>,
    reason: &str,
) {
    if facts > 0 {
        let wrong = PipelineEvent::FactsDropped {
            facts,
            until,
            reason: reason.to_owned(),
        };
        let trouble = trouble("facts-dropped").seen();
        pipeline.page(&trouble.told_as(Severity::Warning), wrong);
    }
}
