//! A raised threshold: since when, how far, and whether the drift is over.

use serde::{Deserialize, Serialize};

use super::threshold::Settings;
use crate::confidence::Confidence;
use crate::event::DriftRule;
use crate::time::Timestamp;

/// Since when a threshold is raised, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Raised {
    pub(super) rule: DriftRule,
    pub(super) threshold: Confidence,
    /// The threshold that was said last.
    told: Confidence,
    /// When the next whole window since then ends, and whether the last one was well.
    window_ends: Timestamp,
    is_recovered: bool,
    /// Whether it comes down step by step.
    comes_down: bool,
    /// Since when there are too few documents to see whether the drift goes on, or `None`.
    thin_since: Option<Timestamp>,
    thin_told: bool,
    /// The documents of the drift that were reviewed, and those corrected, before this field fell.
    #[serde(default)]
    earlier: Option<(u64, u64)>,
}

impl Raised {
    pub(super) fn new(rule: DriftRule, now: Timestamp, settings: &Settings) -> Self {
        Self {
            rule,
            threshold: settings.one_step(),
            told: settings.one_step(),
            window_ends: now + settings.span.length(),
            is_recovered: false,
            comes_down: false,
            thin_since: None,
            thin_told: false,
            earlier: None,
        }
    }

    /// Within the range of these settings, whatever they were when it was raised.
    pub(super) fn fit(&mut self, settings: &Settings) {
        let least = settings.one_step();
        let most = settings.max_threshold.max(least);
        self.threshold = self.threshold.max(least).min(most);
        self.told = self.threshold;
    }

    /// The same for another slot: whether it is over shows from now on.
    pub(super) fn moved(self, now: Timestamp, settings: &Settings) -> Self {
        Self {
            window_ends: now + settings.span.length(),
            thin_since: None,
            ..self
        }
    }

    /// So many documents of the drift were reviewed and corrected before this field fell, unless it
    /// is known.
    pub(super) fn note_earlier(&mut self, counts: (u64, u64)) {
        self.earlier.get_or_insert(counts);
    }

    /// How many documents of the drift were reviewed and corrected before this field fell.
    pub(super) fn earlier(self) -> Option<(u64, u64)> {
        self.earlier
    }

    /// Raises the threshold further, unless it comes down; never lowers it.
    pub(super) fn raise_to(&mut self, threshold: Confidence) {
        if !self.comes_down {
            self.threshold = self.threshold.max(threshold);
        }
    }

    /// The threshold, if it has risen since it was said last.
    pub(super) fn newly_raised(&mut self) -> Option<Confidence> {
        let is_news = self.threshold > self.told;
        self.told = self.threshold;
        is_news.then_some(self.threshold)
    }

    /// Whether a whole window has ended; the next one begins then.
    pub(super) fn ends_window(&mut self, now: Timestamp, settings: &Settings) -> bool {
        let is_over = now >= self.window_ends;
        if is_over {
            self.window_ends = now + settings.span.length();
        }
        is_over
    }

    pub(super) fn set_recovered(&mut self, is_recovered: bool) {
        self.is_recovered = is_recovered;
        self.comes_down &= is_recovered;
    }

    pub(super) fn is_recovered(&self) -> bool {
        self.is_recovered
    }

    /// Lowers the threshold by a step, unless it is back at its normal value then.
    pub(super) fn stepped_down(self, settings: &Settings) -> Option<Self> {
        let threshold = settings.one_step_below(self.threshold);
        (threshold > settings.threshold).then_some(Self {
            threshold,
            told: threshold,
            is_recovered: false,
            comes_down: true,
            ..self
        })
    }

    /// Notes whether there are too few documents. Whether this must be said now: when it has been so
    /// for two windows, once.
    pub(super) fn is_newly_thin(
        &mut self,
        is_thin: bool,
        now: Timestamp,
        settings: &Settings,
    ) -> bool {
        if !is_thin {
            (self.thin_since, self.thin_told) = (None, false);
            return false;
        }
        let since = *self.thin_since.get_or_insert(now);
        let two_windows = settings.span.length().saturating_mul(2);
        let is_due = now.since(since) >= two_windows && !self.thin_told;
        self.thin_told |= is_due;
        is_due
    }
}
