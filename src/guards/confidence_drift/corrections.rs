//! What reviewers found of the answers of a field: before its type drifted, and since.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::stats::{float, wilson};
use crate::time::Timestamp;

/// So many reviewed documents say something of a share.
const ENOUGH: u64 = 30;
/// With so many since a drift began, it would show in their corrections.
const PLENTY: u64 = 100;
/// So many of the latest reports are known, so that one that comes again counts once.
const MOST_REPORTS: usize = 4_096;
/// They are stored in parts of so many by their numbers, and so many parts have them all. A later
/// report takes the part of one that is forgotten.
const PART: u64 = 64;
const PARTS: u64 = 65;

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
#[derive(Debug, Default)]
pub(super) struct KnownReports {
    /// The oldest first.
    latest: VecDeque<KnownReport>,
    /// How many there ever were: the number of the next.
    next: u64,
    /// How many of them there are about each thing. Most are the first, for which none of the
    /// others is looked at.
    about: HashMap<u64, u32, RandomState>,
    /// The parts that have changed since they were last stored, a bit each.
    changed: u128,
}

/// A report: its number, what it is about, and itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KnownReport(u64, u64, u64);

impl KnownReport {
    fn is(&self, about: u64, report: u64) -> bool {
        (self.1, self.2) == (about, report)
    }

    /// The part in which it is stored.
    fn part(&self) -> u64 {
        self.0 / PART % PARTS
    }
}

impl KnownReports {
    /// Notes a report; returns whether it is the first about this.
    pub(super) fn add(&mut self, about: u64, report: u64) -> bool {
        let is_first = !self.about.contains_key(&about);
        if is_first || !self.latest.iter().any(|known| known.is(about, report)) {
            if self.latest.len() >= MOST_REPORTS {
                if let Some(oldest) = self.latest.pop_front() {
                    self.forget(oldest);
                }
            }
            self.push(about, report);
        }
        is_first
    }

    fn push(&mut self, about: u64, report: u64) {
        let new = KnownReport(self.next, about, report);
        self.next += 1;
        self.latest.push_back(new);
        self.changed |= 1 << new.part();
        *self.about.entry(about).or_default() += 1;
    }

    /// Forgets a report that is taken back; returns whether it was the last about this.
    pub(super) fn remove(&mut self, about: u64, report: u64) -> bool {
        let mut latest = self.latest.iter();
        let place = latest.position(|known| known.is(about, report));
        let Some(removed) = place.and_then(|place| self.latest.remove(place)) else {
            return false;
        };
        self.forget(removed);
        !self.about.contains_key(&about)
    }

    /// One report about this is no longer known.
    fn forget(&mut self, report: KnownReport) {
        self.changed |= 1 << report.part();
        if let Entry::Occupied(mut reports) = self.about.entry(report.1) {
            *reports.get_mut() -= 1;
            if *reports.get() == 0 {
                reports.remove();
            }
        }
    }

    /// What is stored of it.
    pub(super) fn stored(&self) -> VecDeque<(u64, u64)> {
        let latest = self.latest.iter();
        latest
            .map(|KnownReport(_, about, report)| (*about, *report))
            .collect()
    }

    /// The parts that have changed since this was last asked, or all, by their numbers.
    pub(super) fn take_changed(&mut self, all: bool) -> BTreeMap<u64, Vec<KnownReport>> {
        let changed = std::mem::take(&mut self.changed);
        let is_changed = |part: u64| changed >> part & 1 == 1;
        let changed = (0..PARTS).filter(|part| !all && is_changed(*part));
        let mut parts: BTreeMap<_, Vec<_>> = changed.map(|part| (part, Vec::new())).collect();
        if !all && parts.is_empty() {
            return parts;
        }
        for report in &self.latest {
            if all || is_changed(report.part()) {
                parts.entry(report.part()).or_default().push(*report);
            }
        }
        parts
    }

    pub(super) fn restored(latest: VecDeque<(u64, u64)>) -> Self {
        let mut known = Self::default();
        for (about, report) in latest {
            known.push(about, report);
        }
        known
    }

    /// The reports of all parts, as they are [stored](Self::stored) as a whole.
    pub(super) fn of_parts(parts: Vec<Vec<KnownReport>>) -> VecDeque<(u64, u64)> {
        let mut latest: Vec<_> = parts.into_iter().flatten().collect();
        latest.sort_unstable();
        let latest = latest.into_iter();
        latest
            .map(|KnownReport(_, about, report)| (about, report))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The list alone says the same, only more slowly; so does what was stored of it.
        #[test]
        fn reports_are_known_as_in_a_plain_list(
            reports in prop::collection::vec((0_u64..4, 0_u64..4, any::<bool>()), 0..60),
        ) {
            let (mut known, mut list) = (KnownReports::default(), Vec::new());
            for (about, report, is_new) in reports {
                let has = |list: &[(u64, u64)]| list.iter().any(|(known, _)| *known == about);
                let place = list.iter().position(|known| *known == (about, report));
                if is_new {
                    prop_assert_eq!(known.add(about, report), !has(&list));
                    if place.is_none() {
                        list.push((about, report));
                    }
                } else {
                    let removed = place.map(|place| list.remove(place));
                    let is_last = removed.is_some() && !has(&list);
                    prop_assert_eq!(known.remove(about, report), is_last);
                }
                prop_assert_eq!(known.stored(), list.clone());
                known = KnownReports::restored(known.stored());
            }
        }
    }

    #[test]
    fn past_the_limit_the_oldest_report_is_forgotten() {
        let mut known = KnownReports::default();
        for about in 0..MOST_REPORTS as u64 {
            assert!(known.add(about, about));
        }
        assert!(!known.add(0, 0));
        assert!(known.add(4_096, 4_096));
        assert_eq!(known.stored().len(), MOST_REPORTS);
        assert!(known.add(0, 0), "it came first, and counts again");
        assert!(!known.add(2, 2));
    }
}
