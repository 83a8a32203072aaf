//! Counts of how calls ended.

use serde::{Deserialize, Serialize};

use crate::call::Outcome;

/// The number of calls that ended in each way: one for each ticket, so a document that needed three
/// calls is in three of these counts, or three times in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ends {
    /// The permit was dropped without an outcome.
    pub abandoned: u64,
    /// The answer was accepted.
    pub accepted: u64,
    /// The document was diverted before a call was made.
    pub diverted: u64,
    /// The call failed, or its answer was a failure.
    pub failed: u64,
    /// The call was open in a snapshot that was restored.
    pub lost: u64,
    /// The answer needs human review.
    pub needs_review: u64,
    /// The caller released the permit without making the call.
    pub released: u64,
    /// The operator wrote the open call off, and it has not ended since.
    pub written_off: u64,
}

impl Ends {
    /// The number of calls that have ended.
    pub fn total(self) -> u64 {
        let made = self.abandoned + self.accepted + self.failed + self.needs_review;
        made + self.diverted + self.lost + self.released + self.written_off
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            abandoned: self.abandoned + other.abandoned,
            accepted: self.accepted + other.accepted,
            diverted: self.diverted + other.diverted,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
            needs_review: self.needs_review + other.needs_review,
            released: self.released + other.released,
            written_off: self.written_off + other.written_off,
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome) {
        let end = match outcome {
            Outcome::Abandoned => &mut self.abandoned,
            Outcome::Accepted => &mut self.accepted,
            Outcome::Diverted(_) => &mut self.diverted,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::NeedsReview => &mut self.needs_review,
            Outcome::Released => &mut self.released,
        };
        *end += 1;
    }
}
