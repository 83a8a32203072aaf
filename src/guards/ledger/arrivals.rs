//! One document type: when documents arrived, how they ended, and how long nothing has come out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ends::Ends;
use crate::call::Outcome;
use crate::time::{Timestamp, millis};

/// The number of documents that must wait before the ledger reports that nothing comes out.
const MIN_WAITING: u64 = 3;
/// The number of documents from which the silence of an undeclared type is reported.
const MIN_ARRIVED: u64 = 20;
/// The number of mean gaps without a document after which an undeclared type is silent.
const SILENT_GAPS: u32 = 10;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrivals {
    pub(super) ends: Ends,
    arrived: u64,
    first: Timestamp,
    last: Timestamp,
    silence_reported: bool,
    /// When the first waiting document arrived, and the number of waiting documents.
    waiting: Option<(Timestamp, u64)>,
    waiting_reported: bool,
}

impl Arrivals {
    /// A declared type of which no document has arrived yet.
    pub(super) fn expected_since(since: Timestamp) -> Self {
        Self {
            first: since,
            last: since,
            ..Self::default()
        }
    }

    pub(super) fn arrive(&mut self, now: Timestamp) {
        if self.arrived == 0 {
            self.first = now;
        }
        self.arrived += 1;
        self.last = now;
        self.silence_reported = false;
        let (since, waiting) = self.waiting.unwrap_or((now, 0));
        self.waiting = Some((since, waiting + 1));
    }

    pub(super) fn end(&mut self, outcome: &Outcome) {
        self.ends.count(outcome);
        match outcome {
            Outcome::Accepted | Outcome::Diverted(_) | Outcome::NeedsReview | Outcome::Released => {
                self.waiting = None;
                self.waiting_reported = false;
            }
            Outcome::Abandoned | Outcome::Failed(_) => {}
        }
    }

    /// The number of waiting documents and how long they have waited, if both have just reached
    /// their limits.
    pub(super) fn nothing_comes_out(
        &mut self,
        now: Timestamp,
        limit: Duration,
    ) -> Option<(u64, Duration)> {
        let (since, arrived) = self.waiting?;
        let waited = now.since(since);
        if self.waiting_reported || arrived < MIN_WAITING || waited < limit {
            return None;
        }
        self.waiting_reported = true;
        Some((arrived, waited))
    }

    /// When the last document arrived and how long ago, if that has just exceeded the limit.
    pub(super) fn silence(
        &mut self,
        now: Timestamp,
        declared: Option<Duration>,
        min_silence: Duration,
    ) -> Option<(Timestamp, Duration)> {
        let silent_for = now.since(self.last);
        let limit = match declared {
            Some(declared) => declared,
            None if self.arrived >= MIN_ARRIVED => {
                min_silence.max(self.mean_gap().saturating_mul(SILENT_GAPS))
            }
            None => return None,
        };
        if self.silence_reported || silent_for <= limit {
            return None;
        }
        self.silence_reported = true;
        Some((self.last, silent_for))
    }

    fn mean_gap(&self) -> Duration {
        let gaps = self.arrived.saturating_sub(1).max(1);
        Duration::from_millis(millis(self.last.since(self.first)) / gaps)
    }
}
