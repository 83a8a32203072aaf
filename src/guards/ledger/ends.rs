//! The ends that documents come to, counted.

use serde::{Deserialize, Serialize};

use crate::call::Outcome;

/// How many documents came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ends {
    /// The permit was dropped unsaid.
    pub abandoned: u64,
    /// Answered, and the answer may be acted on.
    pub accepted: u64,
    /// Sent elsewhere before a call was made.
    pub diverted: u64,
    /// The call failed, or its answer was a failure.
    pub failed: u64,
    /// Open when the process ended.
    pub lost: u64,
    /// Answered, and a person must look.
    pub needs_review: u64,
    /// The call was never made, by the caller's choice.
    pub released: u64,
}

impl Ends {
    /// All of them.
    pub fn total(self) -> u64 {
        let made = self.abandoned + self.accepted + self.failed + self.needs_review;
        made + self.diverted + self.lost + self.released
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
