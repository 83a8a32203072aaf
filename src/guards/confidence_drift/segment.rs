//! One field of one document type, as one version answers it: its baseline, its window, and whether
//! it has drifted.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::bets::{Allowance, Bets, Pace};
use super::certainty;
use super::corrections::{BeforeAndSince, DriftCorrections, Reviews};
use super::findings::{Constant, Missing, Shape};
use super::raised::Raised;
use super::reporting::{Answers, Reporting};
use super::slow::Slow;
use super::threshold::Settings;
use super::verdict::{ConfidenceMeans, DriftState, Fall, SequentialTest, ShapeComparison};
use crate::confidence::Confidence;
use crate::event::DriftRule;
use crate::stats::{
    EDetector, Lambdas, LatticeCounts, LatticeWindow, Moments, Span, TwoSample, Window, float,
    growth,
};
use crate::time::{Timestamp, millis, minutes};

/// The time in which a drop must be revealed.
const IN_TIME: Duration = minutes(30);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Segment {
    /// That of a season; `None` for all times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slot: Option<u16>,
    /// Whether documents are compared here: not in all times where their slot has a baseline.
    judges: bool,
    baseline: Baseline,
    /// The one before the operator asked for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<Box<Baseline>>,
    /// The mean that the sequential test tests, and how, once the baseline is frozen and a document
    /// came.
    #[serde(skip)]
    tested: Option<(Confidence, Lambdas)>,
    raised: Option<Raised>,
    span: Span,
    window: Window<3>,
    scores: LatticeWindow,
    detector: EDetector,
    bets: Bets,
    reporting: Reporting,
    /// How often reviewers corrected the field.
    #[serde(default)]
    pub(super) corrected: BeforeAndSince,
    /// Whether corrections confirm the drift, as it was said last.
    #[serde(default)]
    pub(super) confirmed: Option<bool>,
    /// The latest bucket that has begun.
    bucket: u64,
    /// Whether documents came after the latest comparison of shapes.
    has_news: bool,
    #[serde(default)]
    pub(super) slow: Slow,
    pub(super) shape: Option<Shape>,
    pub(super) constant: Option<Constant>,
    pub(super) missing: Option<Missing>,
}

impl Segment {
    /// `total` is the number of the type's answers up to the first that has the field.
    pub(super) fn new(baseline: Baseline, total: u64, now: Timestamp, span: Span) -> Self {
        let bucket = span.bucket_at(now);
        Self {
            slot: None,
            judges: true,
            baseline,
            replaced: None,
            tested: None,
            raised: None,
            span,
            window: Window::new(span),
            scores: LatticeWindow::new(span.buckets()),
            detector: EDetector::default(),
            bets: Bets::from(bucket),
            reporting: Reporting::from(total, span),
            corrected: BeforeAndSince::default(),
            confirmed: None,
            bucket,
            has_news: false,
            slow: Slow::new(now),
            shape: None,
            constant: None,
            missing: None,
        }
    }

    /// The same for a slot of a season.
    pub(super) fn in_slot(self, slot: Option<u16>) -> Self {
        Self { slot, ..self }
    }

    /// What reviewers found of the field since it fell, of what they found in its type and of it;
    /// `None` if its threshold is not raised.
    pub(super) fn corrections_since(
        &self,
        reviews: Reviews,
        corrected: BeforeAndSince,
    ) -> Option<DriftCorrections> {
        let now = (reviews.reviewed.since, corrected.since);
        let earlier = self.raised?.earlier().unwrap_or(now);
        Some(DriftCorrections::of(reviews, corrected).without(earlier))
    }

    /// Notes what reviewers had found before the field fell, when that is first said.
    pub(super) fn note_earlier(&mut self, reviews: Reviews, corrected: BeforeAndSince) {
        if let Some(raised) = &mut self.raised {
            raised.note_earlier((reviews.reviewed.since, corrected.since));
        }
    }

    /// After a restart, perhaps with other thresholds.
    pub(super) fn fit_threshold(&mut self, settings: &Settings) {
        if let Some(raised) = &mut self.raised {
            raised.fit(settings);
        }
    }

    /// Takes the raised threshold away, for another slot.
    pub(super) fn take_raised(&mut self) -> Option<Raised> {
        self.raised.take()
    }

    /// Goes on with the threshold of another slot, unless its own is higher.
    pub(super) fn go_on_raised(&mut self, raised: Raised, now: Timestamp, settings: &Settings) {
        let is_higher = self
            .raised
            .is_none_or(|own| own.threshold < raised.threshold);
        if is_higher {
            self.raised = Some(raised.moved(now, settings));
        }
    }

    /// Says whether the documents that follow are compared here.
    pub(super) fn set_judging(&mut self, judges: bool) {
        self.judges = judges;
    }

    /// After a restart with another window: an empty one.
    pub(super) fn change_span(&mut self, span: Span, now: Timestamp) {
        if self.span != span {
            self.span = span;
            self.bucket = span.bucket_at(now);
            self.bets = Bets::from(self.bucket);
            self.window = Window::new(span);
            self.scores = LatticeWindow::new(span.buckets());
            self.reporting.change_span(span);
            self.corrected = BeforeAndSince::default();
            self.has_news = false;
        }
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.is_some()
    }

    /// Whether something must be said of it at each tick.
    pub(super) fn has_trouble(&self) -> bool {
        self.is_raised()
            || self.slow.found.is_some()
            || self.shape.is_some()
            || self.constant.is_some()
            || self.missing.is_some()
    }

    /// The threshold, while it is raised.
    pub(super) fn raised_threshold(&self) -> Option<Confidence> {
        self.raised.map(|raised| raised.threshold)
    }

    pub(super) fn raise(&mut self, rule: DriftRule, now: Timestamp, settings: &Settings) {
        self.raised = Some(Raised::new(rule, now, settings));
        self.confirmed = None;
        self.detector.clear();
        self.slow.found = None;
        self.shape = None;
    }

    /// Lowers the threshold, and empties the window so that its documents do not raise it again.
    pub(super) fn lower(&mut self) {
        self.raised = None;
        self.window.clear();
        self.scores.clear();
        self.detector.clear();
        self.slow.clear();
        self.has_news = false;
    }

    /// Lowers the threshold by a step after a recovery; the window has shown that all is well. The
    /// documents of the drift are no slow one in addition.
    pub(super) fn step_down(&mut self, settings: &Settings) {
        self.raised = self.raised.and_then(|raised| raised.stepped_down(settings));
        self.detector.clear();
        self.slow.clear();
    }

    pub(super) fn set_baseline(&mut self, baseline: Baseline) {
        self.baseline = baseline.after(&self.baseline);
        self.tested = None;
        self.detector.clear();
        self.slow.found = None;
        self.shape = None;
        self.constant = None;
    }

    /// Measures a new baseline; the one so far can come back.
    pub(super) fn restart_baseline(&mut self) {
        if self.baseline.is_frozen() {
            self.replaced = Some(Box::new(self.baseline.clone()));
        }
        self.lower();
        self.set_baseline(Baseline::measured(0));
    }

    pub(super) fn forget_replaced_baseline(&mut self) {
        self.replaced = None;
    }

    pub(super) fn has_replaced_baseline(&self) -> bool {
        self.replaced.is_some()
    }

    /// Takes the baseline back that was replaced, if one was.
    pub(super) fn undo_baseline(&mut self) {
        if let Some(replaced) = self.replaced.take() {
            self.lower();
            self.set_baseline(*replaced);
        }
    }

    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Counts a document; `total` is the number of its type's answers, and `allowance` is what the
    /// pace allows. Returns the fall, if the threshold must rise for it.
    pub(super) fn record(
        &mut self,
        score: Confidence,
        total: u64,
        now: Timestamp,
        settings: &Settings,
        pace: &Pace,
        allowance: Allowance,
    ) -> Option<Fall> {
        self.close_bucket(now, settings, pace);
        self.end_window(now, settings);
        let is_tested = self.baseline.is_frozen();
        let at_first = settings.baseline_documents;
        self.baseline.measure(score, at_first);
        self.reporting.add(total, at_first, now);
        let before = self.recent(now);
        self.window.add(now, Moments::counts_of(score));
        self.scores.add(self.bucket, score);
        self.slow.add(score, now);
        self.has_news = true;
        if self.is_raised() || !self.baseline.is_frozen() || !self.judges {
            return None;
        }
        let recent = Moments::of_counts(self.window.latest_total());
        let is_found = is_tested && !settings.plain_mean && {
            self.bet(score, before.documents(), settings, allowance);
            self.detector.value() >= 1.0
        };
        let rule = if self.mean_has_fallen(recent, settings) {
            DriftRule::Mean
        } else if is_found {
            DriftRule::Sequential
        } else {
            return None;
        };
        let fall = self.fall(recent, rule, settings.one_step());
        fall.map(|fall| Fall {
            compared_with: settings.compared_with(self.slot),
            detectable_drop: self.detectable_drop(now, settings, pace),
            ..fall
        })
    }

    fn bet(&mut self, score: Confidence, recent: u64, settings: &Settings, allowance: Allowance) {
        let tested = || {
            let mean = self.baseline.tested_mean()?;
            Some((mean, settings.lambdas(mean)))
        };
        let Some((mean, lambdas)) = self.tested.or_else(tested) else {
            return;
        };
        self.tested = Some((mean, lambdas));
        let usual = self.usual_in_a_bucket(recent);
        let bet = self.bets.next(self.bucket, allowance, usual);
        let below = mean.as_f64() - score.as_f64();
        self.detector.observe(&lambdas, below, bet);
    }

    fn usual_in_a_bucket(&self, recent: u64) -> f64 {
        float(recent) / f64::from(self.span.buckets())
    }

    /// Whether the mean over the window has fallen by more than it may.
    fn mean_has_fallen(&self, recent: Moments, settings: &Settings) -> bool {
        let (before, drop) = (self.baseline.moments(), settings.max_drop);
        let least = settings.min_documents;
        if settings.plain_mean {
            before.compare_fall(recent, drop) == Ordering::Greater && recent.documents() >= least
        } else {
            certainty::has_fallen(before, || self.baseline.variance(), recent, drop, least)
        }
    }

    /// How many documents the window must have before its mean says anything.
    fn required(&self, recent: Moments, settings: &Settings) -> u64 {
        if settings.plain_mean {
            return settings.min_documents;
        }
        let variance = self.variance(recent);
        certainty::required(variance, settings.max_drop, settings.min_documents)
    }

    fn variance(&self, recent: Moments) -> f64 {
        certainty::variance(recent, self.baseline.variance())
    }

    fn fall(&self, recent: Moments, rule: DriftRule, threshold: Confidence) -> Option<Fall> {
        Some(Fall {
            baseline: self.baseline.moments().mean()?,
            baseline_number: self.baseline.number(),
            mean: recent.mean()?,
            documents: recent.documents(),
            standard_error: Confidence::nearest(recent.standard_error()),
            rule,
            threshold,
            generation: 0,
            detectable_drop: None,
            compared_with: None,
        })
    }

    /// The fall for which the threshold is raised, as it is now; `None` if it is not raised.
    pub(super) fn now_fallen(&mut self, now: Timestamp) -> Option<Fall> {
        let Raised {
            rule, threshold, ..
        } = self.raised?;
        let recent = self.recent(now);
        self.fall(recent, rule, threshold).or_else(|| {
            let baseline = self
                .baseline
                .moments()
                .mean()
                .unwrap_or(Confidence::CERTAIN);
            Some(Fall {
                baseline,
                baseline_number: self.baseline.number(),
                mean: baseline,
                documents: 0,
                standard_error: Confidence::percent(0),
                rule,
                threshold,
                generation: 0,
                detectable_drop: None,
                compared_with: None,
            })
        })
    }

    /// Compares the shapes when a bucket has ended in which documents came.
    #[inline]
    pub(super) fn close_bucket(&mut self, now: Timestamp, settings: &Settings, pace: &Pace) {
        if self.span.is_after(now, self.bucket) {
            self.begin_bucket(now, settings, pace);
        }
    }

    fn begin_bucket(&mut self, now: Timestamp, settings: &Settings, pace: &Pace) {
        let bucket = self.span.bucket_at(now);
        self.bucket = bucket;
        let is_compared = !settings.plain_mean && !self.is_raised() && self.judges;
        let baseline = Some(&self.baseline);
        let baseline = baseline.filter(|baseline| is_compared && baseline.is_frozen());
        self.slow.close_bucket(baseline, now, settings);
        self.scores.advance(bucket);
        let recent = self.recent(now);
        if !self.has_news && recent.documents() > 0 {
            return;
        }
        self.has_news = false;
        if !self.baseline.is_frozen() {
            return;
        }
        let mut counts = LatticeCounts::default();
        self.scores.add_to(&mut counts);
        let before = || self.baseline.scores();
        let is_constant = Constant::of(&counts, self.constant, before);
        self.constant = is_constant.filter(|_| self.slot.is_none());
        if let Some(raised) = &mut self.raised {
            let before = settings.distrust.and_then(|_| self.baseline.scores());
            let holding = before.and_then(|before| settings.holding_threshold(&before, &counts));
            raised.raise_to(holding.unwrap_or(raised.threshold));
        }
        let before = is_compared.then(|| self.baseline.scores()).flatten();
        self.shape = before.and_then(|before| Shape::of(&before, &counts, settings, pace));
    }

    /// Notes whether the answers of its type still have the field.
    pub(super) fn check_reporting(
        &mut self,
        answers: Option<&mut Answers>,
        now: Timestamp,
        settings: &Settings,
    ) {
        if self.slot.is_some() {
            return;
        }
        let recent = answers.map_or(0, |answers| answers.recent(now));
        let at_first = settings.baseline_documents;
        let missing = self.reporting.missing(recent, at_first, now);
        let is_known = recent >= settings.min_documents;
        self.missing = missing.filter(|_| is_known).map(|documents| Missing {
            answers: recent,
            documents,
        });
    }

    /// Notes, when a whole window has ended since the threshold was raised, whether its mean was near
    /// the baseline again: so near that no rule would raise it again. Windows that overlap would
    /// find such a mean by chance.
    pub(super) fn end_window(&mut self, now: Timestamp, settings: &Settings) {
        let raised = self.raised.as_mut();
        if !raised.is_some_and(|raised| raised.ends_window(now, settings)) {
            return;
        }
        let recent = self.recent(now);
        let limit = if settings.plain_mean {
            settings.exit_drop
        } else {
            settings.exit_drop.min(self.baseline.margin())
        };
        let is_recovered = recent.documents() >= self.required(recent, settings)
            && self.baseline.moments().compare_fall(recent, limit) == Ordering::Less;
        if let Some(raised) = &mut self.raised {
            raised.set_recovered(is_recovered);
        }
    }

    /// The threshold, if it has risen since it was said last.
    pub(super) fn newly_raised(&mut self) -> Option<Confidence> {
        self.raised.as_mut()?.newly_raised()
    }

    pub(super) fn is_recovered(&self) -> bool {
        self.raised.is_some_and(|raised| raised.is_recovered())
    }

    /// The number of documents in the window, the first time that they have been too few for two
    /// windows to see whether the drift goes on.
    pub(super) fn newly_thin(&mut self, now: Timestamp, settings: &Settings) -> Option<u64> {
        let documents = self.recent(now).documents();
        let is_thin = self.is_thin(now, settings);
        let raised = self.raised.as_mut()?;
        raised
            .is_newly_thin(is_thin, now, settings)
            .then_some(documents)
    }

    /// Whether the window has too few documents for its mean to say anything.
    pub(super) fn is_thin(&mut self, now: Timestamp, settings: &Settings) -> bool {
        let recent = self.recent(now);
        recent.documents() < self.required(recent, settings)
    }

    pub(super) fn state(&mut self, now: Timestamp, settings: &Settings) -> DriftState {
        if self.is_recovered() {
            DriftState::Recovering
        } else if self.is_raised() {
            DriftState::Raised
        } else if !self.baseline.is_frozen() {
            DriftState::Warming
        } else if self.shape.is_some() || self.slow.found.is_some() {
            DriftState::Suspected
        } else if self.is_thin(now, settings) {
            DriftState::InsufficientData
        } else {
            DriftState::Healthy
        }
    }

    pub(super) fn means(&mut self, now: Timestamp) -> ConfidenceMeans {
        let recent = self.recent(now);
        ConfidenceMeans {
            baseline: self.baseline.moments().mean(),
            baseline_documents: self.baseline.moments().documents(),
            window: recent.mean(),
            window_documents: recent.documents(),
        }
    }

    /// The standard error of the window mean; `None` with fewer than two documents.
    pub(super) fn standard_error(&mut self, now: Timestamp) -> Option<Confidence> {
        let recent = self.recent(now);
        (recent.documents() > 1).then(|| Confidence::nearest(recent.standard_error()))
    }

    /// What the sequential test has found so far; `None` where there is none, or not yet.
    pub(super) fn sequential(&self, settings: &Settings) -> Option<SequentialTest> {
        let is_tested = self.baseline.is_frozen() && !settings.plain_mean;
        let mean = self.baseline.tested_mean().filter(|_| is_tested)?;
        Some(SequentialTest {
            value: self.detector.value(),
            mean,
            lambdas: settings.lambdas(mean),
        })
    }

    /// How the scores of the window lie beside those of the baseline; `None` where there are none.
    pub(super) fn compare_shapes(&mut self, now: Timestamp) -> Option<ShapeComparison> {
        let is_frozen = self.baseline.is_frozen();
        let before = is_frozen.then(|| self.baseline.scores()).flatten()?;
        self.scores.advance(self.span.bucket_at(now));
        let mut counts = LatticeCounts::default();
        self.scores.add_to(&mut counts);
        let found = TwoSample::of(&before, &counts)?;
        Some(ShapeComparison {
            ks: found.ks,
            p: found.p,
            distance: found.wasserstein(),
            documents: counts.total(),
        })
    }

    /// The smallest drop, in steps of a thousandth, that would raise the threshold within 30 minutes
    /// at the traffic of the window; `None` if none would, or while the baseline is measured.
    pub(super) fn detectable_drop(
        &mut self,
        now: Timestamp,
        settings: &Settings,
        pace: &Pace,
    ) -> Option<Confidence> {
        let recent = self.recent(now);
        let largest = self.baseline.moments().mean()?;
        if !self.baseline.is_frozen() || recent.documents() == 0 {
            return None;
        }
        let in_time = ratio(IN_TIME, self.span.length());
        let by_mean = (recent.documents() >= self.required(recent, settings))
            .then(|| settings.max_drop.as_f64() / in_time.min(1.0));
        let sequential = |drop: f64| self.is_revealed(drop, recent, in_time, settings, pace);
        let drop = |thousandths: u32| f64::from(thousandths) / 1e3;
        let is_found = |drop: f64| by_mean.is_some_and(|least| drop > least) || sequential(drop);
        // What reveals a drop reveals a deeper one.
        let (mut hidden, mut found) = (0, largest.as_millionths() / 1_000);
        if !is_found(drop(found)) {
            return None;
        }
        while hidden + 1 < found {
            let middle = hidden.midpoint(found);
            if is_found(drop(middle)) {
                found = middle;
            } else {
                hidden = middle;
            }
        }
        Some(Confidence::nearest(drop(found)))
    }

    /// Whether the sequential test reveals a drop in this part of a window.
    fn is_revealed(
        &self,
        drop: f64,
        recent: Moments,
        in_time: f64,
        settings: &Settings,
        pace: &Pace,
    ) -> bool {
        let Some(tested) = self.baseline.tested_mean().filter(|_| !settings.plain_mean) else {
            return false;
        };
        let usual = self.usual_in_a_bucket(recent.documents());
        let bet = settings.allowance(pace).a_bet(usual);
        let below = drop - self.baseline.margin().as_f64();
        let documents = float(recent.documents()) * in_time;
        let grows = growth(&settings.lambdas(tested), below, self.variance(recent));
        documents * grows >= -bet.ln()
    }

    fn recent(&mut self, now: Timestamp) -> Moments {
        Moments::of_counts(self.window.total(now))
    }

    /// Adds the documents that another shard has seen since the same baseline was frozen.
    ///
    /// Windows and shapes are then those of one stream. The sequential test depends on the order of
    /// documents; the sum of two keeps the bound on false alarms.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(super) fn merge(&mut self, other: Self) -> bool {
        if self.baseline != other.baseline || !self.window.merge(&other.window) {
            return false;
        }
        self.scores.merge(other.scores);
        self.slow.merge(&other.slow);
        self.detector.merge(&other.detector);
        self.bucket = self.bucket.max(other.bucket);
        self.has_news |= other.has_news;
        true
    }
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    float(millis(part)) / float(millis(whole).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bets::FalseAlarms;
    use super::*;
    use crate::ratio::Ratio;
    use crate::time::hours;

    const BUCKET: u64 = 5 * 60_000;

    fn settings() -> Settings {
        Settings {
            threshold: Confidence::percent(80),
            step: Confidence::percent(5),
            max_threshold: Confidence::percent(95),
            distrust: None,
            capacity: None,
            max_drop: Confidence::percent(5),
            exit_drop: Confidence::percent(3),
            slow_drop: Confidence::percent(2),
            slow_exit: Confidence::percent(1),
            shape_distance: Confidence::percent(3),
            span: Span::fixed(hours(4), 48),
            min_documents: 30,
            baseline_documents: 100,
            false_alarms: FalseAlarms::InMonth(Ratio::ONE),
            plain_mean: false,
            restores: false,
            season: None,
            lambdas: None,
        }
    }

    /// A document: its bucket, its score in thousandths, and which shard sees it.
    type Document = (u64, u32, bool);

    fn at(bucket: u64) -> Timestamp {
        Timestamp::from_millis(bucket * BUCKET)
    }

    fn of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Segment {
        let scores = (0..300).map(|n| Confidence::nearest(0.8 + f64::from(n % 20) / 100.0));
        let (settings, pace) = (settings(), Pace::default());
        let baseline = Baseline::of_scores(scores);
        let mut segment = Segment::new(baseline, 1, at(0), settings.span);
        for (bucket, score, _) in documents {
            let score = Confidence::try_from(score * 1_000).unwrap();
            let allowance = settings.allowance(&pace);
            segment.record(score, 1, at(*bucket), &settings, &pace, allowance);
        }
        segment
    }

    /// All that it says after the bucket with this number has ended, the sequential test apart.
    fn says(mut segment: Segment, bucket: u64) -> impl PartialEq + std::fmt::Debug {
        let (settings, pace, now) = (settings(), Pace::default(), at(bucket + 1));
        segment.close_bucket(now, &settings, &pace);
        (
            segment.state(now, &settings),
            segment.means(now),
            segment.standard_error(now),
            segment.mean_has_fallen(segment.clone().recent(now), &settings),
            segment.detectable_drop(now, &settings, &pace),
            segment.slow.found,
            segment.shape,
            segment.constant,
            segment.scores.clone(),
        )
    }

    fn documents() -> impl Strategy<Value = Vec<Document>> {
        let document = |least: u32| (0_u64..70, least..=1_000, any::<bool>());
        prop_oneof![
            prop::collection::vec(document(700), 0..200),
            prop::collection::vec(document(950), 0..200),
        ]
        .prop_map(|mut documents| {
            documents.sort_by_key(|(bucket, ..)| *bucket);
            documents
        })
    }

    proptest! {
        #[test]
        fn two_shards_together_say_what_one_stream_says(documents in documents()) {
            let last = documents.last().map_or(0, |(bucket, ..)| *bucket);
            let shard = |first: bool| of(documents.iter().filter(|(.., of)| *of == first));
            for first in [true, false] {
                let mut merged = shard(first);
                prop_assert!(merged.merge(shard(!first)));
                prop_assert!(says(merged, last) == says(of(&documents), last));
            }
        }

        #[test]
        fn the_order_of_documents_in_a_bucket_does_not_matter(documents in documents()) {
            let last = documents.last().map_or(0, |(bucket, ..)| *bucket);
            let mut sorted = documents.clone();
            sorted.sort_unstable();
            let mut turned = sorted.clone();
            turned.sort_by_key(|(bucket, score, _)| (*bucket, 1_000 - score));
            let expected = says(of(&documents), last);
            prop_assert!(says(of(&sorted), last) == expected);
            prop_assert!(says(of(&turned), last) == expected);
        }
    }

    #[test]
    fn shards_with_different_baselines_do_not_add_up() {
        let (mut one, mut other) = (of(&[]), of(&[]));
        other.set_baseline(Baseline::of_mean(Confidence::percent(90), 100));
        assert!(!one.merge(other));
    }
}
