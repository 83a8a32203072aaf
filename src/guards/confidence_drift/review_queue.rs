//! How many of a type's documents go to review, and the cap on what raised thresholds add to it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::threshold::Settings;
use crate::confidence::Confidence;
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// The capacity is a share of so many newest documents.
pub(super) const NEWEST: usize = 30;

/// The newest documents of one type by one version, while a threshold of it is raised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReviewQueue {
    newest: VecDeque<Reviewed>,
    /// Until when it counts as full: for a window after the last document that had no place.
    full_until: Option<Timestamp>,
    /// How many documents have been accepted for want of a place.
    accepted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reviewed {
    demand: Demand,
    is_reviewed: bool,
}

/// At which threshold a document goes to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Demand {
    /// At each one above this; 0 where it goes there whatever is raised.
    above: Confidence,
    /// Whether it goes there with the thresholds that the drift asks for.
    is_wanted: bool,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            above: Confidence::CERTAIN,
            is_wanted: false,
        }
    }
}

impl Demand {
    /// Adds a field with this score, and its threshold if it is raised.
    pub(super) fn add(
        &mut self,
        score: Confidence,
        raised: Option<Confidence>,
        normal: Confidence,
    ) {
        if score < normal {
            (self.above, self.is_wanted) = (Confidence::percent(0), true);
        } else if let Some(raised) = raised {
            self.above = self.above.min(score);
            self.is_wanted |= score < raised;
        }
    }

    /// Whether the document goes to review with raised thresholds that have this cap.
    pub(super) fn is_within(self, cap: Confidence) -> bool {
        self.is_wanted && self.above < cap
    }
}

/// That reviewers have no time for all that should be reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Of the newest documents, how many should be reviewed, and how many there are.
    pub(super) wanted: u64,
    pub(super) documents: u64,
    pub(super) accepted: u64,
}

impl ReviewQueue {
    /// The highest threshold for the next document, at least the normal one. Where all places are
    /// taken, nothing more goes to review for a raised one; else those documents do that have the
    /// lowest confidences of the newest.
    pub(super) fn cap(&self, capacity: Ratio, settings: &Settings) -> Confidence {
        let places = capacity.of(NEWEST as u64);
        let remain = self.newest.iter().rev().take(NEWEST - 1);
        let taken = remain
            .clone()
            .filter(|document| document.is_reviewed)
            .count() as u64;
        if taken >= places {
            return settings.threshold;
        }
        let above = self.newest.iter().map(|document| document.demand.above);
        let mut above: Vec<_> = above.collect();
        above.sort_unstable();
        let last = usize::try_from(places).ok().and_then(|at| above.get(at));
        let Some(last) = last.copied() else {
            return Confidence::CERTAIN;
        };
        // Those with the same confidence as the last get the places that the lower ones leave.
        let lower = above.iter().filter(|above| **above < last).count() as u64;
        let of_last = remain.filter(|document| document.demand.above == last);
        let alike = of_last.filter(|document| document.is_reviewed).count() as u64;
        let cap = if lower + alike < places {
            last.next_above()
        } else {
            last
        };
        cap.max(settings.threshold)
    }

    /// Counts a document, and whether it was reviewed. Returns whether it was accepted for want of a
    /// place.
    pub(super) fn add(
        &mut self,
        demand: Demand,
        is_reviewed: bool,
        now: Timestamp,
        settings: &Settings,
    ) -> bool {
        if self.newest.len() >= NEWEST {
            self.newest.pop_front();
        }
        self.newest.push_back(Reviewed {
            demand,
            is_reviewed,
        });
        let has_no_place = demand.is_wanted && !is_reviewed;
        if has_no_place {
            self.accepted = self.accepted.saturating_add(1);
            self.full_until = Some(now + settings.span.length());
        }
        has_no_place
    }

    /// What is the matter, while the queue counts as full.
    pub(super) fn full(&self, now: Timestamp) -> Option<Full> {
        self.full_until.filter(|until| now < *until)?;
        let wanted = self
            .newest
            .iter()
            .filter(|document| document.demand.is_wanted);
        Some(Full {
            wanted: wanted.count() as u64,
            documents: self.newest.len() as u64,
            accepted: self.accepted,
        })
    }
}
