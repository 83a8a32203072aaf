//! The configuration of a drift monitor, and its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::baseline::Baseline;
use super::bets::FalseAlarms;
use super::core::Core;
use super::review_queue::NEWEST;
use super::season::Season;
use super::threshold::Settings;
use super::watch::Watch;
use super::{ConfidenceDriftMonitor, Key};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::guard::Attached;
use crate::name::{DocumentType, Field};
use crate::ratio::Ratio;
use crate::stats::{BoundedMap, DEFAULT_KEYS, Lambdas, MOST_DOCUMENTS, Span, Tracked};
use crate::time::hours;

const BASELINE_DOCUMENTS: u64 = 100;
/// The drop at which a drift ends, as a share of the one at which it begins: 0.03 of 0.05.
const EXIT_SHARE: Ratio = Ratio::percent(60);
/// One false alarm of the sequential test a month, of all fields together.
const FALSE_ALARMS: FalseAlarms = FalseAlarms::InMonth(Ratio::ONE);
const MAX_DROP: Confidence = Confidence::percent(5);
const MAX_THRESHOLD: Confidence = Confidence::percent(95);
const MIN_DOCUMENTS: u64 = 30;
const SHAPE_DISTANCE: Confidence = Confidence::percent(3);
const SLOW_DROP: Confidence = Confidence::percent(2);
const STEP: Confidence = Confidence::percent(5);
const THRESHOLD: Confidence = Confidence::percent(80);
const WINDOW: Duration = hours(4);
const BUCKETS: u32 = 48;

impl ConfidenceDriftMonitor {
    /// Configures a monitor, starting from the defaults.
    pub fn builder() -> ConfidenceDriftMonitorBuilder {
        ConfidenceDriftMonitorBuilder::new()
    }

    /// The bare rule with the default numbers, as it is often written: the mean over 4 hours, of at
    /// least 30 documents, is below the baseline by more than 0.05.
    ///
    /// For comparison, and for services with very many documents. A drop of 0.15 takes 80 minutes
    /// to lower a mean over 4 hours by 0.05, and one of 0.05 is found by chance or not at all; the
    /// other documentation of [`ConfidenceDriftMonitor`] has the times of the full rules. On scores
    /// with a mean of 0.90 and a standard deviation of 0.065, one window of 10 documents has a
    /// false alarm in 1.4 % of all cases, of 20 in 0.1 % and of 30 in 0.004 %; on scores such as
    /// language models give (0.5 to 1.0 in a few steps, standard deviation 0.107), one of 30 in 0.95
    /// % and of 50 in 0.14 %. Evaluated at every document for 30 days, 30 documents in 4 hours have
    /// a false alarm in 6.8 % of all cases, and 20 with
    /// [`min_documents(20)`](ConfidenceDriftMonitorBuilder::min_documents) in 70 % (simulated).
    pub fn with_plain_mean() -> Self {
        ConfidenceDriftMonitorBuilder::new()
            .plain_mean()
            .into_monitor()
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
    baselines: BTreeMap<Key, Baseline>,
    buckets: u32,
    capacity: Option<Ratio>,
    distrust: Option<Ratio>,
    exit_drop: Option<Confidence>,
    false_alarms: FalseAlarms,
    lambdas: Option<Lambdas>,
    max_drop: Confidence,
    max_keys: usize,
    max_threshold: Confidence,
    min_documents: u64,
    plain_mean: bool,
    restores: bool,
    season: Option<Season>,
    shape_distance: Confidence,
    slow_drop: Confidence,
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
            capacity: None,
            distrust: None,
            exit_drop: None,
            false_alarms: FALSE_ALARMS,
            lambdas: None,
            max_drop: MAX_DROP,
            max_keys: DEFAULT_KEYS,
            max_threshold: MAX_THRESHOLD,
            min_documents: MIN_DOCUMENTS,
            plain_mean: false,
            restores: false,
            season: None,
            shape_distance: SHAPE_DISTANCE,
            slow_drop: SLOW_DROP,
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

    /// Raises the threshold of a field whose confidence drifts beyond the first step, as far as it
    /// takes to hold the expected error of accepted answers where it was at the baseline, at most to
    /// [`max_threshold`](Self::max_threshold).
    ///
    /// An answer that is accepted with a confidence of 0.90 is expected to be wrong in one of ten
    /// cases. At the end of each bucket, the monitor looks for the lowest threshold at which the
    /// accepted answers of the window are not expected to be wrong more often than those of the
    /// baseline were at the normal threshold. It raises the threshold to it and never lowers it, so a
    /// raised threshold follows a deepening drift. This takes confidences at their word
    /// (`Ratio::ONE`); where your reviewers find `distrust` times as many errors, say so
    /// (`Ratio::percent(150)`). A field whose [baseline](Self::baseline) is only a mean has the
    /// step alone.
    ///
    /// For beta-distributed confidences with a mean of 0.90 (standard deviation 0.065), the
    /// threshold rises from 0.80 to 0.87 when the mean falls by 0.05, to 0.88 by 0.08, and to 0.89
    /// by 0.15; 53 %, 73 % and 95 % of all answers then need review. See
    /// [`review_capacity`](Self::review_capacity).
    pub fn hold_expected_error(mut self, distrust: Ratio) -> Self {
        self.distrust = Some(distrust);
        self
    }

    /// Caps what raised thresholds send to review: at most this share of the latest 30 documents of
    /// a type that have a drifted field (no cap by default).
    ///
    /// When more should be reviewed, the documents with the lowest confidences fill the capacity, and
    /// the others are accepted. That is never silent: an event names each such document, and one
    /// page says how many there are. Documents that need review at the normal threshold, or for
    /// another reason, are reviewed whatever the capacity is; they take places as well.
    pub fn review_capacity(mut self, share: Ratio) -> Self {
        self.capacity = Some(share);
        self
    }

    /// How far the window mean may be below the baseline (0.05 by default); more is a drift. Also
    /// how far the mean over all documents may fall before a shift of the mix is reported.
    pub fn max_drop(mut self, drop: Confidence) -> Self {
        self.max_drop = drop;
        self
    }

    /// Below this drop of the window mean, over a whole window, a drift counts as recovered (60 % of
    /// `max_drop` by default, which is 0.03; at most `max_drop`). The distance to `max_drop` keeps a mean near the limit from
    /// raising and lowering the threshold again and again. Where the sequential test looks for
    /// smaller drops, the mean must be closer still to the baseline.
    ///
    /// A fall within document types by more than this is no shift of the mix.
    pub fn exit_drop(mut self, drop: Confidence) -> Self {
        self.exit_drop = Some(drop);
        self
    }

    /// Lowers a raised threshold without the operator once the drift has
    /// [recovered](super::DriftState::Recovering): by one [`step`](Self::step) for each whole window
    /// near the baseline. Without it, only the operator does.
    pub fn restore_when_recovered(mut self) -> Self {
        self.restores = true;
        self
    }

    /// How many false alarms of the sequential test are expected in 30 days at most, of all fields
    /// together (1 by default). Smaller numbers need more documents before a drop is certain; none,
    /// [`Ratio::ZERO`], leaves the sequential test nothing to bet, so that only the mean raises a
    /// threshold.
    ///
    /// The bound holds whatever the distribution of the confidences and the traffic are, as long as
    /// the expected confidence of each document is not below the baseline by more than 0.01 or two
    /// standard errors of the baseline.
    pub fn false_alarms_a_month(mut self, false_alarms: Ratio) -> Self {
        self.false_alarms = FalseAlarms::InMonth(false_alarms);
        self
    }

    /// Bounds the false alarms of the sequential test in documents instead of months: sets the
    /// average run length (ARL) of each field. Without a fall, at least this many documents of a
    /// field pass before a false alarm, in expectation; a document bets one divided by this number,
    /// from the first after the baseline on. Smaller numbers find a drop sooner.
    ///
    /// The bound holds as that of [`false_alarms_a_month`](Self::false_alarms_a_month), but for each
    /// field alone: the false alarms of all fields add up. Of the two, the last one given counts.
    pub fn average_run_length(mut self, documents: u64) -> Self {
        self.false_alarms = FalseAlarms::RunLength(documents);
        self
    }

    /// The five bets of the sequential test: a confidence `x` multiplies what a bet `lambda` has
    /// gained by `1 + lambda * (mean - x)`, where `mean` is the one that is tested. Small ones find
    /// small falls, large ones find large falls early. By default 0.1, 0.2, 0.4, 0.6 and 0.8 of
    /// `1 / (1 - mean)`, beyond which a confidence of 1 would leave less than nothing; larger ones
    /// are cut to it. The bound on false alarms holds with any.
    pub fn lambdas(mut self, lambdas: [f64; 5]) -> Self {
        self.lambdas = Some(lambdas);
        self
    }

    /// How far the confidences of the window must lie from those of the baseline on average
    /// (Wasserstein distance) before a change of their distribution is reported (0.03 by default).
    /// The change must also be certain (Kolmogorov-Smirnov, one in a thousand, divided by the number
    /// of fields).
    pub fn shape_distance(mut self, distance: Confidence) -> Self {
        self.shape_distance = distance;
        self
    }

    /// How far the mean over 7 days may be below the baseline (0.02 by default); more is a slow
    /// drift, which is reported and raises no threshold. It needs as many documents for this drop
    /// as the mean over the window for `max_drop`, and ends below 60 % of it (0.012).
    pub fn slow_drop(mut self, drop: Confidence) -> Self {
        self.slow_drop = drop;
        self
    }

    /// Evaluates only the mean over the window, from `min_documents` on;
    /// [`ConfidenceDriftMonitor::with_plain_mean`] states the cost.
    pub fn plain_mean(mut self) -> Self {
        self.plain_mean = true;
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
    /// least 1). Confidences that vary much need more: 16 times their variance, divided by the square
    /// of `max_drop`.
    pub fn min_documents(mut self, documents: u64) -> Self {
        self.min_documents = documents;
        self
    }

    /// The number of documents on which a baseline is measured (100 by default, at least 1). The
    /// reference of the mix needs ten times as many.
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
        self.baselines
            .insert(key, Baseline::of_mean(mean, documents));
        self
    }

    /// Sets the baseline of a field by the confidences of its documents, one for each. With these,
    /// unlike with a mean alone, changes of the distribution are found. Otherwise like
    /// [`baseline`](Self::baseline).
    pub fn baseline_confidences(
        mut self,
        document_type: DocumentType,
        field: Field,
        confidences: impl IntoIterator<Item = Confidence>,
    ) -> Self {
        let key = Key {
            document_type,
            field,
        };
        self.baselines.insert(key, Baseline::of_scores(confidences));
        self
    }

    /// Compares documents only with those of like times, such as Mondays with Mondays (all times
    /// alike by default). Each slot has a baseline and a window of its own, and takes up to 16 KB for
    /// each pair of document type and field that comes in it.
    ///
    /// While a slot has no baseline, its documents are compared with those of all times: the first
    /// Monday may raise an alarm that later ones do not. A [`baseline`](Self::baseline) that is given
    /// is that of all times. A threshold that is raised in one slot is raised in all. After a restart
    /// with another season, all slots are measured anew; all custom ones count as the same season.
    pub fn season(mut self, season: Season) -> Self {
        self.season = Some(season);
        self
    }

    /// The number of pairs of document type and field that are watched separately (10,000 by
    /// default, at most 16 KB for each version); further ones share one entry, `other`.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Builds the monitor; an error when a value is outside its range.
    pub fn build(self) -> Result<ConfidenceDriftMonitor, Error> {
        if let Some(season) = &self.season {
            season.validate()?;
        }
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
        for (field, value) in [
            ("drift step", self.step),
            ("drift max_drop", self.max_drop),
            ("drift slow_drop", self.slow_drop),
        ] {
            if value == nothing || value == Confidence::CERTAIN {
                return Err(Error::invalid(field, value, "more than 0 and less than 1"));
            }
        }
        let given = self.exit_drop;
        if let Some(drop) = given.filter(|drop| *drop == nothing || *drop > self.max_drop) {
            let allowed = format!("more than 0 and at most max_drop ({})", self.max_drop);
            return Err(Error::invalid("drift exit_drop", drop, allowed));
        }
        if self.shape_distance == Confidence::CERTAIN {
            let field = "drift shape_distance";
            return Err(Error::invalid(field, self.shape_distance, "less than 1"));
        }
        if let Some(capacity) = self.capacity {
            capacity.strictly_between_zero_and_one("drift review_capacity")?;
            if capacity.of(NEWEST as u64) == 0 {
                let allowed = format!("at least one of {NEWEST} documents");
                return Err(Error::invalid("drift review_capacity", capacity, allowed));
            }
        }
        if self.distrust == Some(Ratio::ZERO) {
            let field = "drift hold_expected_error";
            return Err(Error::invalid(field, Ratio::ZERO, "more than 0 %"));
        }
        for lambda in self.lambdas.into_iter().flatten() {
            if !(lambda > 0.0 && lambda.is_finite()) {
                let field = "drift lambdas";
                return Err(Error::invalid(field, lambda, "finite numbers above 0"));
            }
        }
        if self.min_documents == 0 {
            let field = "drift min_documents";
            return Err(Error::invalid(field, self.min_documents, "at least 1"));
        }
        let given = self.baselines.iter().map(|(key, given)| {
            (
                format!("drift baseline of {key}"),
                given.moments().documents(),
            )
        });
        let measured = (
            "drift baseline_documents".to_owned(),
            self.baseline_documents,
        );
        let run_length = match self.false_alarms {
            FalseAlarms::InMonth(_) => None,
            FalseAlarms::RunLength(documents) => {
                Some(("drift average_run_length".to_owned(), documents))
            }
        };
        for (field, documents) in given.chain([measured]).chain(run_length) {
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
        let given = self.baselines.into_iter();
        let given = given.map(|(key, baseline)| (key, Tracked::new(Watch::new(Some(baseline)))));
        watches.refill(given, None);
        ConfidenceDriftMonitor {
            settings: Settings {
                threshold: self.threshold,
                step: self.step,
                max_threshold: self.max_threshold,
                distrust: self.distrust,
                capacity: self.capacity,
                max_drop: self.max_drop,
                exit_drop: self.exit_drop.unwrap_or(self.max_drop.share(EXIT_SHARE)),
                slow_drop: self.slow_drop,
                slow_exit: self.slow_drop.share(EXIT_SHARE),
                shape_distance: self.shape_distance,
                span,
                min_documents: self.min_documents,
                baseline_documents: self.baseline_documents,
                false_alarms: self.false_alarms,
                plain_mean: self.plain_mean,
                restores: self.restores,
                season: self.season,
                lambdas: self.lambdas,
            },
            core: Mutex::new(Core::new(watches)),
            attached: Attached::new(),
        }
    }
}
