//! What reviewers found of the answers of a field: before its type drifted, and since.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::stats::{float, wilson};
use crate::time::Timestamp;

/// So many reviewed documents say something of a share.
const ENOUGH: u64 = 30;
/// With so many since a drift began, it would show in their corrections.
const PLENTY: u64 = 100;
/// So many of the latest reports are known, so that one that comes again counts once.
const MOST_REPORTS: usize = 4_096;

/// Documents that reviewers saw, and how many of them had the field corrected: before the drift, and
/// since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DriftCorrections {
    /// The documents that were reviewed before the drift ..
    pub reviewed_before: u64,
    /// .. and those in which the field was corrected.
    pub corrected_before: u64,
    /// The documents that were admitted and reviewed since the drift was found ..
    pub reviewed_since: u64,
    /// .. and those in which the field was corrected.
    pub corrected_since: u64,
}

impl DriftCorrections {
    pub(super) fn of(reviews: Reviews, corrected: BeforeAndSince) -> Self {
        Self {
            reviewed_before: reviews.reviewed.before,
            corrected_before: corrected.before,
            reviewed_since: reviews.reviewed.since,
            corrected_since: corrected.since,
        }
    }

    /// The same, where some of those since belong to the time before.
    pub(super) fn without(self, (reviewed, corrected): (u64, u64)) -> Self {
        Self {
            reviewed_before: self.reviewed_before.saturating_add(reviewed),
            corrected_before: self.corrected_before.saturating_add(corrected),
            reviewed_since: self.reviewed_since.saturating_sub(reviewed),
            corrected_since: self.corrected_since.saturating_sub(corrected),
        }
    }

    /// Whether corrections confirm the drift: `Some(true)` when the field is corrected more often
    /// than before (the 95 % Wilson intervals of both shares do not meet, from 30 reviewed documents
    /// on), `Some(false)` when 100 documents have been reviewed since and the share of corrections
    /// lies within the interval of the one before, or below it, and `None` as long as nobody can
    /// tell.
    pub fn confirm(&self) -> Option<bool> {
        let least = self.reviewed_before.min(self.reviewed_since);
        if least < ENOUGH {
            return None;
        }
        let interval = |corrected: u64, reviewed: u64| wilson(corrected.min(reviewed), reviewed);
        let (_, most_before) = interval(self.corrected_before, self.reviewed_before);
        let (least_since, _) = interval(self.corrected_since, self.reviewed_since);
        let since = float(self.corrected_since) / float(self.reviewed_since);
        if least_since > most_before {
            Some(true)
        } else {
            let is_as_before = self.reviewed_since >= PLENTY && since <= most_before;
            is_as_before.then_some(false)
        }
    }
}

/// Two counts: of documents before a drift, and since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BeforeAndSince {
    pub(super) before: u64,
    pub(super) since: u64,
}

impl BeforeAndSince {
    pub(super) fn add(&mut self, is_since: bool) {
        let count = self.count(is_since);
        *count = count.saturating_add(1);
    }

    pub(super) fn take_back(&mut self, is_since: bool) {
        let count = self.count(is_since);
        *count = count.saturating_sub(1);
    }

    fn count(&mut self, is_since: bool) -> &mut u64 {
        if is_since {
            &mut self.since
        } else {
            &mut self.before
        }
    }

    /// The drift is over: what was found since belongs to the time before the next.
    pub(super) fn settle(&mut self) {
        self.before = self.before.saturating_add(self.since);
        self.since = 0;
    }
}

/// The reviews of a type's answers by one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reviews {
    pub(super) reviewed: BeforeAndSince,
    /// Since when a threshold of the type is raised.
    drifts_since: Option<Timestamp>,
}

impl Reviews {
    /// A threshold of the type was raised.
    pub(super) fn begin_drift(&mut self, now: Timestamp) {
        self.drifts_since.get_or_insert(now);
    }

    /// No threshold of the type is raised any more.
    pub(super) fn end_drift(&mut self) {
        self.reviewed.settle();
        self.drifts_since = None;
    }

    /// Whether a threshold of the type is raised, or was until the last tick.
    pub(super) fn has_drift(&self) -> bool {
        self.drifts_since.is_some()
    }

    /// Whether a call that was admitted then belongs to the drift.
    pub(super) fn is_since(&self, admitted_at: Timestamp) -> bool {
        self.drifts_since.is_some_and(|since| admitted_at >= since)
    }
}

/// The latest reports, by the hash of what they are about and of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownReports(VecDeque<(u64, u64)>);

impl KnownReports {
    /// Notes a report; returns whether it is the first about this.
    pub(super) fn add(&mut self, about: u64, report: u64) -> bool {
        let is_first = !self.has(about);
        if !self.0.contains(&(about, report)) {
            if self.0.len() >= MOST_REPORTS {
                self.0.pop_front();
            }
            self.0.push_back((about, report));
        }
        is_first
    }

    /// Forgets a report that is taken back; returns whether it was the last about this.
    pub(super) fn remove(&mut self, about: u64, report: u64) -> bool {
        let place = self.0.iter().position(|known| *known == (about, report));
        place.and_then(|place| self.0.remove(place)).is_some() && !self.has(about)
    }

    fn has(&self, about: u64) -> bool {
        self.0.iter().any(|(known, _)| *known == about)
    }
}
