//! One document type: when documents arrived, how they ended, and how long nothing has come out.

use std::mem;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::documents::Sighting;
use super::ends::Ends;
use crate::call::Outcome;
use crate::time::{Timestamp, millis};

/// The number of documents that must wait before the ledger reports that nothing comes out.
const MIN_WAITING: u64 = 3;
/// The number of documents from which the silence of an undeclared type is reported.
const MIN_ARRIVED: u64 = 20;
/// The number of mean gaps without a document after which an undeclared type is silent.
const SILENT_GAPS: u32 = 10;

/// The time at which the ledger looks, and since when the pipeline has run without a pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) now: Timestamp,
    pub(super) since: Timestamp,
}

impl Watch {
    /// How long something has been watched that began at `begin`.
    fn lasted_since(self, begin: Timestamp) -> Duration {
        self.now.since(begin.max(self.since))
    }
}

/// Documents of a type that are missing: they do not arrive, or do not come out.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    /// Whether it was not reported yet.
    pub(super) is_new: bool,
    pub(super) lasted: Duration,
    pub(super) arrived: u64,
    pub(super) last_seen: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrivals {
    pub(super) ends: Ends,
    /// How many documents arrived; a further call for one that is remembered is no arrival.
    arrived: u64,
    first: Timestamp,
    last: Timestamp,
    silence_reported: bool,
    /// When the first waiting document arrived, and the number of waiting documents.
    waiting: Option<(Timestamp, u64)>,
    waiting_reported: bool,
    /// How often something came out while documents waited.
    #[serde(skip)]
    came_out: u64,
}

impl Arrivals {
    pub(super) fn came_out(&self) -> u64 {
        self.came_out
    }

    /// A call for a document.
    pub(super) fn arrive(&mut self, now: Timestamp, sighting: Sighting) {
        if self.arrived == 0 {
            self.first = now;
        }
        self.last = now;
        self.silence_reported = false;
        if sighting.is_new {
            self.arrived += 1;
        }
        if sighting.begins_to_wait {
            let (since, waiting) = self.waiting.unwrap_or((now, 0));
            self.waiting = Some((since, waiting + 1));
        }
    }

    pub(super) fn end(&mut self, outcome: &Outcome) {
        self.ends.count(outcome);
        match outcome {
            Outcome::Accepted | Outcome::Diverted(_) | Outcome::NeedsReview | Outcome::Released => {
                self.waiting = None;
                self.waiting_reported = false;
                self.came_out += 1;
            }
            Outcome::Abandoned | Outcome::Failed(_) => {}
        }
    }

    /// The number of waiting documents and how long they have waited, once both have reached their
    /// limits.
    pub(super) fn nothing_comes_out(&mut self, watch: Watch, limit: Duration) -> Option<Missing> {
        let (since, arrived) = self.waiting?;
        if arrived < MIN_WAITING || watch.lasted_since(since) < limit {
            return None;
        }
        let lasted = watch.now.since(since);
        Some(Missing {
            is_new: !mem::replace(&mut self.waiting_reported, true),
            lasted,
            arrived,
            last_seen: Some(self.last),
        })
    }

    /// How long no document has arrived, once that has exceeded the limit.
    pub(super) fn silence(
        &mut self,
        watch: Watch,
        declared: Option<Duration>,
        min_silence: Duration,
    ) -> Option<Missing> {
        let limit = match declared {
            Some(declared) => declared,
            None if self.arrived >= MIN_ARRIVED => {
                min_silence.max(self.mean_gap().saturating_mul(SILENT_GAPS))
            }
            None => return None,
        };
        if watch.lasted_since(self.last) <= limit {
            return None;
        }
        let has_arrived = self.arrived > 0;
        let lasted = if has_arrived {
            watch.now.since(self.last)
        } else {
            watch.lasted_since(self.last)
        };
        Some(Missing {
            is_new: !mem::replace(&mut self.silence_reported, true),
            lasted,
            arrived: self.arrived,
            last_seen: has_arrived.then_some(self.last),
        })
    }

    fn mean_gap(&self) -> Duration {
        let gaps = self.arrived.saturating_sub(1).max(1);
        Duration::from_millis(millis(self.last.since(self.first)) / gaps)
    }
}
