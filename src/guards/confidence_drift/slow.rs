//! A small fall that lasts: the mean of a week, compared with the same baseline.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::certainty;
use super::threshold::Settings;
use crate::confidence::Confidence;
use crate::stats::{Moments, Span, Window};
use crate::time::{Timestamp, hours};

/// Seven days and a bucket. When a bucket ends, the next one is empty, and the others are a week:
/// they have each weekday once, so what a weekday does to confidences is no fall.
const WEEK: Span = Span::fixed(hours(12 * 15), 15);

/// The mean of a week that lies below the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlowFall {
    pub(super) baseline: Confidence,
    pub(super) baseline_number: u64,
    pub(super) mean: Confidence,
    pub(super) standard_error: Confidence,
    pub(super) documents: u64,
}

/// The documents of a week, and whether their mean has fallen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Slow {
    week: Window<3>,
    /// The latest bucket of the week that has begun.
    bucket: u64,
    pub(super) found: Option<SlowFall>,
}

impl Default for Slow {
    fn default() -> Self {
        Self {
            week: Window::new(WEEK),
            bucket: 0,
            found: None,
        }
    }
}

impl Slow {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            bucket: WEEK.bucket_at(now),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, score: Confidence, now: Timestamp) {
        self.week.add(now, Moments::counts_of(score));
    }

    pub(super) fn clear(&mut self) {
        self.week.clear();
        self.found = None;
    }

    /// Compares the week with the baseline when a bucket of it has ended; without a baseline to
    /// compare it with, nothing is found. What is found goes on until the mean is near the baseline
    /// again, or nothing is left of which there could be a mean: a week at the limit would begin
    /// and end all the time.
    pub(super) fn close_bucket(
        &mut self,
        baseline: Option<&Baseline>,
        now: Timestamp,
        settings: &Settings,
    ) {
        if !WEEK.is_after(now, self.bucket) {
            return;
        }
        self.bucket = WEEK.bucket_at(now);
        let week = Moments::of_counts(self.week.total(now));
        let has_fallen = |baseline: &&Baseline| {
            let before = baseline.moments();
            if self.found.is_some() {
                before.compare_fall(week, settings.slow_exit) != Ordering::Less
            } else {
                let (drop, least) = (settings.slow_drop, settings.min_documents);
                certainty::has_fallen(before, || baseline.variance(), week, drop, least)
            }
        };
        self.found = baseline
            .filter(has_fallen)
            .and_then(|baseline| fall(baseline, week));
    }

    /// Adds the documents that another shard has seen.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(super) fn merge(&mut self, other: &Self) {
        self.week.merge(&other.week);
        self.bucket = self.bucket.max(other.bucket);
    }
}

/// `None` where there is no document.
fn fall(baseline: &Baseline, week: Moments) -> Option<SlowFall> {
    Some(SlowFall {
        baseline: baseline.moments().mean()?,
        baseline_number: baseline.number(),
        mean: week.mean()?,
        standard_error: Confidence::nearest(week.standard_error()),
        documents: week.documents(),
    })
}
