//! One document type: what came in, what came out, and since when nothing did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ends::Ends;
use crate::call::Outcome;
use crate::time::{Timestamp, millis};

/// So many documents must wait in vain before "nothing comes out" is said.
const WAITING: u64 = 3;
/// So many documents must have come before a type's absence is noticed without being declared.
const KNOWN: u64 = 20;
/// A type is silent when it stays away for so many of its usual gaps.
const GAPS: u32 = 10;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrivals {
    pub(super) ends: Ends,
    arrived: u64,
    first: Timestamp,
    last: Timestamp,
    silence_reported: bool,
    /// Since when documents arrive and nothing comes out, and how many.
    waiting: Option<(Timestamp, u64)>,
    waiting_reported: bool,
}

impl Arrivals {
    /// A type that is expected, and has not come yet.
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

    /// How many documents have waited for how long, if that has just become too much.
    pub(super) fn nothing_comes_out(
        &mut self,
        now: Timestamp,
        limit: Duration,
    ) -> Option<(u64, Duration)> {
        let (since, arrived) = self.waiting?;
        let waited = now.since(since);
        if self.waiting_reported || arrived < WAITING || waited < limit {
            return None;
        }
        self.waiting_reported = true;
        Some((arrived, waited))
    }

    /// When the last document came and how long ago that is, if that has just become too long.
    pub(super) fn is_silent(
        &mut self,
        now: Timestamp,
        declared: Option<Duration>,
        silence: Duration,
    ) -> Option<(Timestamp, Duration)> {
        let silent_for = now.since(self.last);
        let limit = match declared {
            Some(declared) => declared,
            None if self.arrived >= KNOWN => silence.max(self.usual_gap().saturating_mul(GAPS)),
            None => return None,
        };
        if self.silence_reported || silent_for <= limit {
            return None;
        }
        self.silence_reported = true;
        Some((self.last, silent_for))
    }

    fn usual_gap(&self) -> Duration {
        let gaps = self.arrived.saturating_sub(1).max(1);
        Duration::from_millis(millis(self.last.since(self.first)) / gaps)
    }
}
