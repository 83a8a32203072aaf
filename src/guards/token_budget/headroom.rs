//! The sizes of the documents of each type: the traffic on which a new prompt or model is tried
//! before it ships.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::estimate::Estimator;
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::stats::Histogram;
use crate::time::Timestamp;
use crate::tokens::{Factor, TokenCount};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// Today and the seven days before.
const DAYS: u64 = 8;

/// A type raises a warning if its 99th percentile is above this share of the available input ..
const LITTLE_ROOM: Ratio = Ratio::percent(80);
/// .. over at least this many documents, evaluated after every `EVALUATE_EVERY`.
const MIN_DOCUMENTS: u64 = 100;
const EVALUATE_EVERY: u64 = 20;

/// The room that a version leaves in a model's window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    pub(super) largest_prompt: u64,
    pub(super) limit: u64,
    pub(super) own: u64,
}

impl Space {
    pub(super) fn of(estimator: &Estimator, assumed: Factor) -> Self {
        let own = estimator.own_tokens(assumed);
        Self {
            largest_prompt: estimator.largest_prompt,
            limit: estimator.limit,
            own: own.upper().unwrap_or(u64::MAX),
        }
    }
}

/// The number of a day.
fn day_of(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MILLIS
}

/// The document sizes of one type for one model, day by day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    /// The oldest first.
    days: VecDeque<Day>,
    version: VersionId,
    /// The tokens that the version leaves for the document.
    pub(super) room: u64,
    /// The version for which little headroom was already reported.
    warned: Option<VersionId>,
}

/// The sizes of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    number: u64,
    exact: Histogram,
    /// The lower and upper ends of sizes that are only known as an interval.
    lower: Histogram,
    upper: Histogram,
    measured: u64,
    unmeasured: u64,
}

impl Day {
    fn add(&mut self, lower: u64, upper: u64) {
        self.measured += 1;
        if lower == upper {
            self.exact.add(lower);
        } else {
            self.lower.add(lower);
            self.upper.add(upper);
        }
    }

    /// The sizes, by their upper ends.
    fn largest(&self) -> Histogram {
        let mut all = self.exact.clone();
        all.merge(&self.upper);
        all
    }

    /// How many are certainly larger than `most`, and how many may be larger than `least`.
    fn over(&self, most: u64, least: u64) -> (u64, u64) {
        (
            self.exact.above(most).0 + self.lower.above(most).0,
            self.exact.above(least).1 + self.upper.above(least).1,
        )
    }
}

/// The document sizes of a type, and how many documents fit: the result of
/// [`TokenBudget::headroom`](crate::TokenBudget::headroom). Sizes are tokens of document,
/// conversation and images together; percentiles are at most 0.8 % too high.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Headroom {
    /// The document type.
    pub document_type: DocumentType,
    /// The model of the version that serves it.
    pub model: ModelName,
    /// The version that served the latest document.
    pub version: VersionId,
    /// The number of documents measured, today and in the seven days before.
    pub documents: u64,
    /// The number of further documents of which only the length is known: they fit, and no usage
    /// was reported.
    pub unmeasured: u64,
    /// The median size.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The tokens that the version leaves for the document: the limit minus system prompt, tools
    /// and framing.
    pub room: u64,
    /// How many documents need more than that.
    pub over: CountRange,
    /// The mean size on the days before the latest.
    pub mean_before: Option<u64>,
    /// The mean size on the latest day.
    pub mean_latest: Option<u64>,
}

/// A number of documents, as an interval: sizes are kept in buckets, and some are only bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "the two ends of an interval")]
pub struct CountRange {
    /// The number of documents that are certainly included.
    pub at_least: u64,
    /// The number if every uncertain document is included.
    pub at_most: u64,
}

impl std::fmt::Display for CountRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at_least == self.at_most {
            return f.pad(&self.at_least.to_string());
        }
        f.pad(&format!("{} to {}", self.at_least, self.at_most))
    }
}

impl Sizes {
    pub(super) fn new(version: &VersionId, room: u64) -> Self {
        Self {
            days: VecDeque::new(),
            version: version.clone(),
            room,
            warned: None,
        }
    }

    /// Sets the version that serves the type, and the room that it leaves.
    pub(super) fn serves(&mut self, version: &VersionId, room: u64) {
        if self.version != *version {
            self.version = version.clone();
        }
        self.room = room;
    }

    /// Adds the size of a document of now. Days that are still to come, which somebody recorded, are
    /// forgotten.
    pub(super) fn add(&mut self, size: TokenCount, now: Timestamp) {
        self.forget_days_to_come(now);
        self.add_at(size, now);
    }

    fn forget_days_to_come(&mut self, now: Timestamp) {
        let number = day_of(now);
        while self.days.back().is_some_and(|day| day.number > number) {
            self.days.pop_back();
        }
    }

    /// Adds the size of a document of another time, which may be past.
    pub(super) fn add_at(&mut self, size: TokenCount, at: Timestamp) {
        if let Some(day) = self.day(day_of(at)) {
            day.add(size.lower(), size.upper().unwrap_or(u64::MAX));
        }
    }

    /// Adds a document of now of which only the length is known, and that it fits.
    pub(super) fn add_unmeasured(&mut self, now: Timestamp) {
        self.forget_days_to_come(now);
        if let Some(day) = self.day(day_of(now)) {
            day.unmeasured += 1;
        }
    }

    /// The day of this number, unless it is too old to be kept.
    fn day(&mut self, number: u64) -> Option<&mut Day> {
        let newest = self
            .days
            .back()
            .map_or(number, |day| day.number.max(number));
        while self
            .days
            .front()
            .is_some_and(|day| newest - day.number >= DAYS)
        {
            self.days.pop_front();
        }
        if newest - number >= DAYS {
            return None;
        }
        let at = self.days.partition_point(|day| day.number < number);
        if self.days.get(at).is_none_or(|day| day.number != number) {
            self.days.insert(
                at,
                Day {
                    number,
                    ..Day::default()
                },
            );
        }
        self.days.get_mut(at)
    }

    pub(super) fn warn_of_little_room(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        space: Space,
        cx: &Cx<'_>,
    ) {
        let documents = self.documents();
        if documents < MIN_DOCUMENTS
            || documents % EVALUATE_EVERY != 0
            || self.warned.as_ref() == Some(version)
        {
            return;
        }
        let room = LITTLE_ROOM
            .of(space.largest_prompt)
            .saturating_sub(space.own);
        let larger = self.over(room, |room| room, |room| room).at_most;
        if larger > documents - (documents * 99).div_ceil(100) {
            let p99 = self.largest().percentile(99).unwrap_or(0);
            self.warned = Some(version.clone());
            let kind = EventKind::Budget(BudgetEvent::LittleHeadroom {
                document_type: document_type.clone(),
                version: version.clone(),
                documents,
                p99: p99.saturating_add(space.own),
                largest_prompt: space.largest_prompt,
            });
            cx.emit(Severity::Warning, kind);
        }
    }

    pub(super) fn documents(&self) -> u64 {
        self.days.iter().map(|day| day.measured).sum()
    }

    /// How many documents are larger than `room`, if another tokenizer's counts can be larger or
    /// smaller by the given conversions.
    pub(super) fn over(
        &self,
        room: u64,
        stretch: impl Fn(u64) -> u64,
        shrink: impl Fn(u64) -> u64,
    ) -> CountRange {
        let (most, least) = (stretch(room), shrink(room));
        let days = self.days.iter();
        let counts = days.map(|day| day.over(most, least));
        let (at_least, at_most) = counts.fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
        CountRange { at_least, at_most }
    }

    pub(super) fn headroom(&self, document_type: &DocumentType, model: &ModelName) -> Headroom {
        let largest = self.largest();
        let percentile = |percent| largest.percentile(percent).unwrap_or(0);
        let (latest, before) = self.means();
        Headroom {
            document_type: document_type.clone(),
            model: model.clone(),
            version: self.version.clone(),
            documents: self.documents(),
            unmeasured: self.days.iter().map(|day| day.unmeasured).sum(),
            p50: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
            room: self.room,
            over: self.over(self.room, |room| room, |room| room),
            mean_before: before,
            mean_latest: latest,
        }
    }

    fn means(&self) -> (Option<u64>, Option<u64>) {
        let latest = self.days.back().and_then(|day| day.largest().mean());
        let mut before = Histogram::default();
        for day in self.days.iter().rev().skip(1) {
            before.merge(&day.largest());
        }
        (latest, before.mean())
    }

    fn largest(&self) -> Histogram {
        let mut all = Histogram::default();
        for day in &self.days {
            all.merge(&day.largest());
        }
        all
    }
}
