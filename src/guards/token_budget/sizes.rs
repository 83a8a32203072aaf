//! How large the documents of each type are: the traffic that a new prompt or model is tried on before it ships.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::name::{DocumentType, ModelName, VersionId};
use crate::time::Timestamp;
use crate::token_count::{Provenance, TokenCount};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// Today and the seven days before.
const DAYS: u64 = 8;

/// The documents of one type, as one model reads them, day by day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    days: VecDeque<Day>,
    pub(super) version: VersionId,
    /// What the version leaves for the document.
    pub(super) room: u64,
    /// For which version it was said that there is little room left.
    pub(super) warned: Option<VersionId>,
}

/// The lower and the upper ends of the sizes of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    number: u64,
    lower: Histogram,
    upper: Histogram,
    unmeasured: u64,
}

/// How large the documents of a type are, and how many of them fit: what [`TokenBudget::headroom`](crate::TokenBudget::headroom)
/// says. Sizes are tokens of document, conversation and images together; percentiles are at most 3.2 % too high.
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
    pub over: AtLeast,
    /// The mean size on the days before the latest.
    pub mean_before: Option<u64>,
    /// The mean size on the latest day.
    pub mean_latest: Option<u64>,
}

/// A number of documents that is known up to an interval, because sizes are kept in buckets and some are only bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "the two ends of an interval")]
pub struct AtLeast {
    /// So many for certain.
    pub at_least: u64,
    /// So many, if every doubtful one is among them.
    pub at_most: u64,
}

impl std::fmt::Display for AtLeast {
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

    /// Adds a document; one that is known only by its bytes, and fits, is counted and not measured.
    pub(super) fn add(&mut self, size: TokenCount, now: Timestamp) {
        let number = now.as_millis() / DAY_MILLIS;
        if self.days.back().is_none_or(|day| day.number < number) {
            self.days.push_back(Day {
                number,
                ..Day::default()
            });
            self.days.retain(|day| day.number + DAYS > number);
        }
        let Some(day) = self.days.back_mut() else {
            return;
        };
        let is_bound = size.provenance() >= Provenance::Assumed
            && size.lower() != size.upper().unwrap_or(u64::MAX);
        if is_bound && size.lower() <= self.room {
            day.unmeasured += 1;
            return;
        }
        day.lower.add(size.lower());
        day.upper.add(size.upper().unwrap_or(u64::MAX));
    }

    pub(super) fn documents(&self) -> u64 {
        self.days.iter().map(|day| day.upper.count()).sum()
    }

    /// The size that 99 % of the documents do not exceed.
    pub(super) fn p99(&self) -> Option<u64> {
        self.upper().percentile(99)
    }

    /// How many documents are larger than `room`, in tokens of a tokenizer that may give `factor` times as many or as
    /// few.
    pub(super) fn over(
        &self,
        room: u64,
        stretch: impl Fn(u64) -> u64,
        shrink: impl Fn(u64) -> u64,
    ) -> AtLeast {
        let (most, least) = (stretch(room), shrink(room));
        let days = self.days.iter();
        let counts = days.map(|day| (day.lower.above(most).0, day.upper.above(least).1));
        let (at_least, at_most) = counts.fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
        AtLeast { at_least, at_most }
    }

    pub(super) fn headroom(&self, document_type: &DocumentType, model: &ModelName) -> Headroom {
        let upper = self.upper();
        let percentile = |percent| upper.percentile(percent).unwrap_or(0);
        let (latest, before) = self.means();
        Headroom {
            document_type: document_type.clone(),
            model: model.clone(),
            version: self.version.clone(),
            documents: upper.count(),
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
        let latest = self.days.back().and_then(|day| day.upper.mean());
        let mut before = Histogram::default();
        for day in self.days.iter().rev().skip(1) {
            before.merge(&day.upper);
        }
        (latest, before.mean())
    }

    fn upper(&self) -> Histogram {
        let mut all = Histogram::default();
        for day in &self.days {
            all.merge(&day.upper);
        }
        all
    }
}
