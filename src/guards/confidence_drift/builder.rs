//! The configuration of a drift monitor, and its defaults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::threshold::Settings;
use super::watch::{MOST_DOCUMENTS, Sums, Watch};
use super::{ConfidenceDriftMonitor, Core, Key};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::guard::Attached;
use crate::name::{DocumentType, Field};
use crate::stats::{BoundedMap, DEFAULT_KEYS, Span};
use crate::time::{Timestamp, hours};

const BASELINE_DOCUMENTS: u64 = 100;
const MAX_DROP: Confidence = Confidence::percent(5);
const MAX_THRESHOLD: Confidence = Confidence::percent(95);
const MIN_DOCUMENTS: u64 = 30;
const STEP: Confidence = Confidence::percent(5);
const THRESHOLD: Confidence = Confidence::percent(80);
const WINDOW: Duration = hours(4);
const BUCKETS: u32 = 48;

impl ConfidenceDriftMonitor {
    /// Configures a monitor, starting from the defaults.
    pub fn builder() -> ConfidenceDriftMonitorBuilder {
        ConfidenceDriftMonitorBuilder::new()
    }
}

impl Default for ConfidenceDriftMonitor {
    fn default() -> Self {
        ConfidenceDriftMonitorBuilder::new().into_monitor()
    }
}

/// Configures a [`ConfidenceDriftMonitor`].
#[derive(Clone, Debug)]
#[must_use = "nothing is watched until `build` is called"]
pub struct ConfidenceDriftMonitorBuilder {
    baseline_documents: u64,
    baselines: BTreeMap<Key, (Confidence, u64)>,
    buckets: u32,
    max_drop: Confidence,
    max_keys: usize,
    max_threshold: Confidence,
    min_documents: u64,
    step: Confidence,
    threshold: Confidence,
    window: Duration,
}

impl ConfidenceDriftMonitorBuilder {
    pub(super) fn new() -> Self {
        Self {
            baseline_documents: BASELINE_DOCUMENTS,
            baselines: BTreeMap::new(),
            buckets: BUCKETS,
            max_drop: MAX_DROP,
            max_keys: DEFAULT_KEYS,
            max_threshold: MAX_THRESHOLD,
            min_documents: MIN_DOCUMENTS,
            step: STEP,
            threshold: THRESHOLD,
            window: WINDOW,
        }
    }

    /// The acceptance threshold of a field while no drift is detected (0.80 by default).
    pub fn threshold(mut self, threshold: Confidence) -> Self {
        self.threshold = threshold;
        self
    }

    /// The step by which the threshold of a field rises when its confidence drifts (0.05 by
    /// default).
    pub fn step(mut self, step: Confidence) -> Self {
        self.step = step;
        self
    }

    /// The highest value to which a threshold rises (0.95 by default).
    pub fn max_threshold(mut self, threshold: Confidence) -> Self {
        self.max_threshold = threshold;
        self
    }

    /// How far the window mean may be below the baseline (0.05 by default); more is a drift.
    pub fn max_drop(mut self, drop: Confidence) -> Self {
        self.max_drop = drop;
        self
    }

    /// The length of the window (4 hours by default).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The number of buckets in which the window slides (48 by default); the window's length must
    /// be a multiple of it.
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets;
        self
    }

    /// The number of documents in the window from which its mean is evaluated (30 by default, at
    /// least 1).
    pub fn min_documents(mut self, documents: u64) -> Self {
        self.min_documents = documents;
        self
    }

    /// The number of documents on which a baseline is measured (100 by default, at least 1).
    pub fn baseline_documents(mut self, documents: u64) -> Self {
        self.baseline_documents = documents;
        self
    }

    /// Sets the baseline of a field, and the number of documents on which it was measured. The
    /// monitor measures none itself for this field, until the operator asks it to
    /// [`rebaseline`](ConfidenceDriftMonitor::rebaseline). If given twice for a field, the last one
    /// counts.
    ///
    /// On a restore, this baseline replaces the stored one only if it differs from the one that was
    /// given when the state was stored.
    pub fn baseline(
        mut self,
        document_type: DocumentType,
        field: Field,
        mean: Confidence,
        documents: u64,
    ) -> Self {
        let key = Key {
            document_type,
            field,
        };
        self.baselines.insert(key, (mean, documents));
        self
    }

    /// The number of pairs of document type and field that are watched separately (10,000 by
    /// default, about 1 KB each); further ones share one entry, `other`.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Builds the monitor; an error when a value is outside its range.
    pub fn build(self) -> Result<ConfidenceDriftMonitor, Error> {
        let nothing = Confidence::percent(0);
        if self.threshold == nothing || self.threshold >= self.max_threshold {
            return Err(Error::invalid(
                "drift threshold",
                self.threshold,
                format!(
                    "more than 0 and less than max_threshold ({})",
                    self.max_threshold
                ),
            ));
        }
        for (field, value) in [("drift step", self.step), ("drift max_drop", self.max_drop)] {
            if value == nothing || value == Confidence::CERTAIN {
                return Err(Error::invalid(field, value, "more than 0 and less than 1"));
            }
        }
        if self.min_documents == 0 {
            let field = "drift min_documents";
            return Err(Error::invalid(field, self.min_documents, "at least 1"));
        }
        let given = self
            .baselines
            .iter()
            .map(|(key, (_, documents))| (format!("drift baseline of {key}"), *documents));
        let measured = (
            "drift baseline_documents".to_owned(),
            self.baseline_documents,
        );
        for (field, documents) in given.chain([measured]) {
            if documents == 0 || documents > MOST_DOCUMENTS {
                let allowed = format!("1 to {MOST_DOCUMENTS} documents");
                return Err(Error::invalid(field, documents, allowed));
            }
        }
        if self.max_keys == 0 || self.max_keys < self.baselines.len() {
            let allowed = format!(
                "at least 1 and at least the number of given baselines ({})",
                self.baselines.len()
            );
            return Err(Error::invalid("drift max_keys", self.max_keys, allowed));
        }
        let span = Span::new("drift window", self.window, self.buckets)?;
        Ok(self.with_span(span))
    }

    /// Builds the monitor without the checks of [`build`](Self::build): the defaults pass them.
    pub(super) fn into_monitor(self) -> ConfidenceDriftMonitor {
        self.with_span(Span::fixed(WINDOW, BUCKETS))
    }

    fn with_span(self, span: Span) -> ConfidenceDriftMonitor {
        let mut watches = BoundedMap::new(self.max_keys);
        let given = self.baselines.into_iter().map(|(key, (mean, documents))| {
            let baseline = Sums::of(mean, documents);
            (key, Arc::new(Watch::with_baseline(span, baseline)))
        });
        watches.refill(given, None);
        ConfidenceDriftMonitor {
            settings: Settings {
                threshold: self.threshold,
                raised: self.threshold.raised_by(self.step, self.max_threshold),
                max_drop: self.max_drop,
                span,
                min_documents: self.min_documents,
                baseline_documents: self.baseline_documents,
            },
            core: Mutex::new(Core {
                watches,
                commands: Vec::new(),
                latest: Timestamp::EPOCH,
            }),
            attached: Attached::new(),
        }
    }
}
