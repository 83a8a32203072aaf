//! How large the documents of each type are: the traffic that a new prompt or model is tried on before it ships.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::stats::Histogram;
use crate::time::Timestamp;
use crate::tokens::TokenCount;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// Today and the seven days before.
const DAYS: u64 = 8;

/// A type is warned of when its 99th percentile passes this share of the window ..
const LITTLE_ROOM: Ratio = Ratio::percent(80);
/// .. over so many documents at least, looked at after every so many.
const ENOUGH_DOCUMENTS: u64 = 100;
const LOOK_EVERY: u64 = 20;

/// What a version leaves of a model's window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    pub(super) largest_prompt: u64,
    pub(super) limit: u64,
    pub(super) own: u64,
}

/// The documents of one type, as one model reads them, day by day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    days: VecDeque<Day>,
    version: VersionId,
    /// What the version leaves for the document.
    pub(super) room: u64,
    /// For which version it was said that there is little room left.
    warned: Option<VersionId>,
}

/// The sizes of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    number: u64,
    exact: Histogram,
    /// The lower and the upper ends of those that are known up to an interval.
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

    /// The sizes, each as large as it can be.
    fn largest(&self) -> Histogram {
        let mut all = self.exact.clone();
        all.merge(&self.upper);
        all
    }

    /// How many are larger than `most` for certain, and than `least` at most.
    fn over(&self, most: u64, least: u64) -> (u64, u64) {
        (
            self.exact.above(most).0 + self.lower.above(most).0,
            self.exact.above(least).1 + self.upper.above(least).1,
        )
    }
}

/// How large the documents of a type are, and how many of them fit: what [`TokenBudget::headroom`](crate::TokenBudget::headroom)
/// says. Sizes are tokens of document, conversation and images together; percentiles are at most 0.8 % too high.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Headroom {
    /// The type.
    pub document_type: DocumentType,
    /// The model of the version that serves it.
    pub model: ModelName,
    /// The version that served the latest.
    pub version: VersionId,
    /// How many documents were measured, today and in the seven days before.
    pub documents: u64,
    /// How many more there were of which only the length is known: they fit, and nobody reported their usage.
    pub unmeasured: u64,
    /// Half of the documents are at most this large.
    pub p50: u64,
    /// 95 % of the documents are at most this large.
    pub p95: u64,
    /// 99 % of the documents are at most this large.
    pub p99: u64,
    /// What the version leaves for the document: the limit without system prompt, tools and framing.
    pub room: u64,
    /// How many documents need more than that.
    pub over: CountRange,
    /// The mean size on the days before the latest.
    pub mean_before: Option<u64>,
    /// The mean size on the latest day.
    pub mean_latest: Option<u64>,
}

/// A number of documents that is known up to an interval, because sizes are kept in buckets and some are only bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "the two ends of an interval")]
pub struct CountRange {
    /// So many for certain.
    pub at_least: u64,
    /// So many, if every doubtful one is among them.
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

    /// The version that serves the type, and the room that it leaves.
    pub(super) fn serves(&mut self, version: &VersionId, room: u64) {
        if self.version != *version {
            self.version = version.clone();
        }
        self.room = room;
    }

    pub(super) fn add(&mut self, size: TokenCount, at: Timestamp) {
        if let Some(day) = self.day(at) {
            day.add(size.lower(), size.upper().unwrap_or(u64::MAX));
        }
    }

    /// Adds a document of which nothing is known but that it fits.
    pub(super) fn add_unmeasured(&mut self, at: Timestamp) {
        if let Some(day) = self.day(at) {
            day.unmeasured += 1;
        }
    }

    /// The day that a moment falls on, or the latest if that is later.
    fn day(&mut self, at: Timestamp) -> Option<&mut Day> {
        let number = at.as_millis() / DAY_MILLIS;
        if self.days.back().is_none_or(|day| day.number < number) {
            self.days.push_back(Day {
                number,
                ..Day::default()
            });
            self.days.retain(|day| day.number + DAYS > number);
        }
        self.days.back_mut()
    }

    pub(super) fn warn_of_little_room(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        space: Space,
        cx: &Cx<'_>,
    ) {
        let documents = self.documents();
        if documents < ENOUGH_DOCUMENTS
            || documents % LOOK_EVERY != 0
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

    /// How many documents are larger than `room`, in tokens of a tokenizer that may give `factor` times as many or as
    /// few.
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
