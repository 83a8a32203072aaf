//! An upper bound that is calibrated from reported usage, for models whose tokenizer is not
//! published.
//!
//! The score of a document is the ratio of the tokens that the API reports to those that another
//! tokenizer counts. The bound is the k-th smallest ratio of the last n documents, k = ceil((n +
//! 1)(1 - a)): of documents like these, a share of 1 - a lies at or below it (split conformal
//! prediction; Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005). After
//! each document, a changes by 0.005 (a0 - miss), so that the share is kept when the documents or
//! the tokenizer change (adaptive conformal inference; Gibbs and Candes, 2021, equation 2).
//!
//! As the bound follows a change within a few documents, its own misses hardly show one. So documents
//! are also compared with a reference that does not follow: a cumulative sum of log likelihood ratios
//! (Page, 1954) tells a share of misses of 10 % from one of 1 %.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::count::Provenance;
use super::counter::select::LEAST_FOR_PROXY;

/// Ratios are stored in millionths.
pub(crate) const UNIT: u64 = 1_000_000;
/// The number of recent documents that the bound is calibrated from.
const WINDOW: usize = 400;
/// From this number of documents on, the bound covers 99 %; with fewer, its rank would exceed the
/// largest ratio.
const ENOUGH: usize = 99;
/// From this number on, the largest ratio covers 95 %.
const FEW: usize = 19;
const MISSES: f64 = 0.01;
const MOST_MISSES: f64 = 0.05;
const STEP: f64 = 0.005;
/// The number of recent documents whose misses are shown.
const SHOWN_MISSES: usize = 200;
/// No bound lets a report through as a whole text that is less than this share, in percent, of the
/// ratio that 1 % of the documents do not reach.
const LEAST_OF_LOW: u64 = 70;
/// The reference is taken anew after this number of documents; from fewer, its own share of misses
/// would be too uncertain.
const REFERENCE: usize = 200;
/// The logarithms of the likelihood ratio of 10 % misses to 1 %, for a miss and for another document.
const MISS: f64 = std::f64::consts::LN_10;
const NO_MISS: f64 = -0.095_310;
/// Where the sum of these is above this limit, coverage has fallen: at 10 % after 70 documents in the
/// mean, at 1 % not in tens of thousands.
const FALLEN: f64 = 10.0;

/// The calibration of one model and one document type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    ratios: VecDeque<u64>,
    misses: VecDeque<bool>,
    alpha: f64,
    #[serde(default)]
    reference: Option<Reference>,
    #[serde(skip)]
    bound: Option<Bound>,
}

/// Ratios of some time ago, and the evidence that those of now are larger.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reference {
    upper: u64,
    median: u64,
    low: u64,
    /// The documents since it was taken.
    age: usize,
    /// The cumulative sum, and the documents and misses since it was last zero.
    evidence: f64,
    documents: u64,
    misses: u64,
}

/// The current bound, computed after each document.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    ratio: u64,
    /// The ratio that 1 % of the documents do not reach.
    low: u64,
}

/// The factor for another tokenizer's count, and its provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor {
    pub(crate) upper: u64,
    pub(crate) lower: u64,
    pub(crate) provenance: Provenance,
}

/// What a document showed of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// Coverage has just fallen: so many misses of the reference among so many documents.
    pub(crate) fallen: Option<(u64, u64)>,
    /// The ratio of the document to the median of the reference, in millionths.
    pub(crate) to_median: Option<u64>,
    /// Whether its ratio is among the smallest 5 % of the reference.
    pub(crate) is_low: bool,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            ratios: VecDeque::new(),
            misses: VecDeque::new(),
            alpha: MISSES,
            reference: None,
            bound: None,
        }
    }
}

impl Calibration {
    /// Records a text that another tokenizer counts as `raw` tokens and the API as `tokens`.
    pub(crate) fn learn(&mut self, raw: u64, tokens: u64) -> Learnt {
        let ratio = ratio(raw, tokens);
        if let Some(bound) = self.bound.filter(|_| self.is_settled()) {
            let missed = ratio > bound.ratio;
            let error = if missed { 1.0 } else { 0.0 };
            self.alpha = (self.alpha + STEP * (MISSES - error)).clamp(0.0, MOST_MISSES);
            self.misses.push_back(missed);
            if self.misses.len() > SHOWN_MISSES {
                self.misses.pop_front();
            }
        }
        let learnt = self.compare(raw, tokens);
        self.ratios.push_back(ratio);
        if self.ratios.len() > WINDOW {
            self.ratios.pop_front();
        }
        let sorted = self.sorted();
        self.bound = self.computed(&sorted);
        let is_old = self
            .reference
            .is_none_or(|reference| reference.age >= REFERENCE);
        if is_old && sorted.len() >= REFERENCE || learnt.fallen.is_some() {
            self.reference = Reference::of(&sorted);
        }
        learnt
    }

    /// Compares a document with those before it, and does not learn from it.
    pub(crate) fn compare(&mut self, raw: u64, tokens: u64) -> Learnt {
        let reference = self.reference.as_mut();
        let compared = reference.map(|reference| reference.compared(ratio(raw, tokens)));
        compared.unwrap_or_default()
    }

    /// The bound, if there are documents.
    pub(crate) fn factor(&self) -> Option<Factor> {
        let (samples, bound) = (self.samples(), self.bound?);
        let provenance = if samples < FEW {
            Provenance::Assumed
        } else {
            let covered = 10_000 * samples / (samples + 1);
            Provenance::Calibrated {
                coverage_bp: u16::try_from(covered).unwrap_or(9_900).min(9_900),
                samples: u32::try_from(samples).unwrap_or(u32::MAX),
            }
        };
        Some(Factor {
            upper: bound.ratio,
            lower: (bound.low / 100 * LEAST_OF_LOW).max(LEAST_FOR_PROXY),
            provenance,
        })
    }

    /// The bound of a type with few documents: its own, and as much of `prior`, the bound of all
    /// types, as its own documents are too few.
    pub(crate) fn factor_beside(&self, prior: Factor) -> Option<Factor> {
        let own = self.factor()?;
        let missing = FEW.saturating_sub(self.samples()) as u64;
        let above = prior.upper.saturating_sub(own.upper);
        Some(Factor {
            upper: own.upper + above * missing / FEW as u64,
            lower: own.lower.min(prior.lower),
            ..own
        })
    }

    /// The fewest tokens of a text of `raw`, but for one document in a hundred; `None` before there
    /// are enough documents.
    pub(crate) fn usually_at_least(&self, raw: u64) -> Option<u64> {
        let bound = self.bound.filter(|_| self.is_settled())?;
        Some(scaled(raw, bound.low, 0))
    }

    /// Whether there are documents enough for a bound of their own.
    pub(crate) fn is_enough_alone(&self) -> bool {
        self.samples() >= FEW
    }

    /// Whether the bound covers 99 %.
    pub(crate) fn is_settled(&self) -> bool {
        self.samples() >= ENOUGH
    }

    /// The number of documents that the bound is calibrated from.
    pub(crate) fn samples(&self) -> usize {
        self.ratios.len()
    }

    /// The number of recent documents that were compared with the bound in force, and how many
    /// exceeded it.
    pub(crate) fn observed(&self) -> (u64, u64) {
        let missed = self.misses.iter().filter(|missed| **missed).count();
        (self.misses.len() as u64, missed as u64)
    }

    /// The tokenizer has changed: each text now has `by` millionths of its tokens before.
    pub(crate) fn scale(&mut self, by: u64) {
        for ratio in &mut self.ratios {
            *ratio = scaled(*ratio, by, UNIT - 1);
        }
        let sorted = self.sorted();
        self.alpha = MISSES;
        self.bound = self.computed(&sorted);
        self.reference = self.reference.and_then(|_| Reference::of(&sorted));
    }

    /// Recomputes the bound, which is not stored.
    pub(crate) fn restored(mut self) -> Self {
        self.bound = self.computed(&self.sorted());
        self
    }

    fn sorted(&self) -> Vec<u64> {
        let mut sorted: Vec<u64> = self.ratios.iter().copied().collect();
        sorted.sort_unstable();
        sorted
    }

    fn computed(&self, sorted: &[u64]) -> Option<Bound> {
        let (samples, largest) = (sorted.len(), *sorted.last()?);
        let ratio = if samples < ENOUGH {
            above_largest(largest, samples)
        } else {
            // Above the largest ratio there is no rank: the bound is a tenth more, until a has grown
            // again.
            let known = sorted.get(rank(samples, self.alpha) - 1).copied();
            known.unwrap_or(largest.saturating_add(largest / 10))
        };
        Some(Bound {
            ratio,
            low: *sorted.get(samples / 100)?,
        })
    }
}

impl Reference {
    fn of(sorted: &[u64]) -> Option<Self> {
        let at = |index: usize| sorted.get(index).copied();
        Some(Self {
            upper: at(rank(sorted.len(), MISSES)
                .min(sorted.len())
                .checked_sub(1)?)?,
            median: at(sorted.len() / 2)?,
            low: at(sorted.len() / 20)?,
            age: 0,
            evidence: 0.0,
            documents: 0,
            misses: 0,
        })
    }

    fn compared(&mut self, ratio: u64) -> Learnt {
        self.age += 1;
        let missed = ratio > self.upper;
        self.evidence += if missed { MISS } else { NO_MISS };
        if self.evidence > 0.0 {
            self.documents += 1;
            self.misses += u64::from(missed);
        } else {
            (self.evidence, self.documents, self.misses) = (0.0, 0, 0);
        }
        let to_median = u128::from(ratio) * u128::from(UNIT) / u128::from(self.median.max(1));
        Learnt {
            fallen: (self.evidence > FALLEN).then_some((self.misses, self.documents)),
            to_median: u64::try_from(to_median).ok(),
            is_low: ratio < self.low,
        }
    }
}

/// The ratio of the tokens of a text to another tokenizer's count, rounded up.
pub(crate) fn ratio(raw: u64, tokens: u64) -> u64 {
    tokens.saturating_mul(UNIT).div_ceil(raw.max(1))
}

/// Above the largest of few ratios: by a quarter of it where there are none, by nothing where there
/// are enough.
fn above_largest(largest: u64, samples: usize) -> u64 {
    let missing = ENOUGH.saturating_sub(samples) as u64;
    let margin = u128::from(largest) * u128::from(missing) / (4 * ENOUGH as u128);
    largest.saturating_add(u64::try_from(margin).unwrap_or(u64::MAX))
}

/// ceil((n + 1)(1 - a)), at least 1.
fn rank(samples: usize, alpha: f64) -> usize {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "at most 400 samples and a share from 0 to 1"
    )]
    // The small term keeps 100 * 0.99 at 99 and 20 * 0.95 at 19.
    let rank = ((samples as f64 + 1.0) * (1.0 - alpha) - 1e-9).ceil() as usize;
    rank.max(1)
}

impl Factor {
    /// The factor before there is a calibration: at most this many thousandths of another
    /// tokenizer's count, and at least what no tokenizer is below.
    pub(crate) const fn assumed(thousandths: u32) -> Self {
        Self {
            upper: thousandths as u64 * (UNIT / 1_000),
            lower: LEAST_FOR_PROXY,
            provenance: Provenance::Assumed,
        }
    }

    /// The most tokens of a text that another tokenizer counts as `raw`.
    pub(crate) fn most(self, raw: u64) -> u64 {
        scaled(raw, self.upper, UNIT - 1)
    }

    /// The fewest tokens.
    pub(crate) fn least(self, raw: u64) -> u64 {
        scaled(raw, self.lower, 0)
    }

    /// The largest raw count that certainly has at most `tokens`.
    pub(crate) fn raw_of(self, tokens: u64) -> u64 {
        let raw = u128::from(tokens) * u128::from(UNIT) / u128::from(self.upper.max(1));
        u64::try_from(raw).unwrap_or(u64::MAX)
    }
}

fn scaled(raw: u64, ratio: u64, round: u64) -> u64 {
    let product = u128::from(raw) * u128::from(ratio) + u128::from(round);
    u64::try_from(product / u128::from(UNIT)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSUMED: Factor = Factor::assumed(2_200);

    fn learnt(ratios: impl IntoIterator<Item = u64>) -> Calibration {
        let mut calibration = Calibration::default();
        for ratio in ratios {
            calibration.learn(1_000, ratio);
        }
        calibration
    }

    fn calibrated(coverage_bp: u16, samples: u32) -> Provenance {
        Provenance::Calibrated {
            coverage_bp,
            samples,
        }
    }

    /// By hand: of n ratios the largest covers n / (n + 1). With 19 it is raised by 80 / 99 of a
    /// quarter, 205,858 of 1,019,000, with 98 by 1 / 99 of it. Of 99 the rank is ceil(100 * 0.99) =
    /// 99, of 199 ceil(200 * 0.99) = 198, of 201 ceil(202 * 0.99) = 200.
    #[test]
    fn the_bound_of_the_first_samples() {
        assert_eq!(learnt([]).factor(), None);
        let factor = |last| learnt(1_001..=last).factor().unwrap();
        assert_eq!(factor(1_018).provenance, Provenance::Assumed);
        for (last, upper, covered, samples) in [
            (1_019, 1_224_858, 9_500, 19),
            (1_098, 1_100_772, 9_898, 98),
            (1_099, 1_099_000, 9_900, 99),
        ] {
            let factor = factor(last);
            assert_eq!(factor.upper, upper, "{last}");
            assert_eq!(factor.provenance, calibrated(covered, samples), "{last}");
        }
        assert_eq!(
            (rank(99, MISSES), rank(199, MISSES), rank(201, MISSES)),
            (99, 198, 200)
        );
        assert!(learnt(1_001..=1_099).is_settled());
        assert!(!learnt(1_001..=1_098).is_settled());
    }

    /// With 10 documents, 1.2 is raised by 89 / 99 of a quarter, and then by 9 / 19 of what is missing
    /// to 2.0: 1,469,696 and 251,196.
    #[test]
    fn few_documents_are_weighed_against_those_of_all_types() {
        let prior = |upper| Factor {
            upper,
            lower: 600_000,
            provenance: Provenance::Assumed,
        };
        let few = learnt([1_200; 10]);
        let beside = |upper| few.factor_beside(prior(upper)).unwrap();
        assert_eq!(beside(2_000_000).upper, 1_720_892);
        assert_eq!(beside(1_100_000).upper, 1_469_696, "its own are larger");
        assert_eq!(beside(2_000_000).provenance, Provenance::Assumed);
        assert_eq!(beside(2_000_000).lower, 600_000);
        for enough in [19, 99] {
            let enough = learnt(vec![1_200; enough]);
            let beside = enough.factor_beside(prior(2_000_000)).unwrap();
            assert_eq!(beside.upper, enough.factor().unwrap().upper);
            assert_eq!(
                beside.lower, 600_000,
                "what is whole in another type may be here"
            );
        }
        assert_eq!(learnt([]).factor_beside(prior(2_000_000)), None);
    }

    #[test]
    fn the_order_of_what_is_learnt_does_not_matter_at_first() {
        let backwards = learnt((1_001..=1_050).rev());
        assert_eq!(backwards.factor(), learnt(1_001..=1_050).factor());
    }

    /// A tokenizer that gives 1.3 times as many tokens from one day on: the bound follows up, and
    /// down again.
    #[test]
    fn follows_a_change_of_tokenizer_both_ways() {
        let spread = |centre: u64| (0..400).map(move |i| centre + i * 37 % 50);
        let mut calibration = learnt(spread(1_000));
        let before = calibration.factor().unwrap().upper;
        assert!((1_040_000..1_050_000).contains(&before), "{before}");
        for ratio in spread(1_300) {
            calibration.learn(1_000, ratio);
        }
        let (judged, above) = calibration.observed();
        assert_eq!(judged, 200);
        assert!(above <= 4, "{above} of the last 200");
        let after = calibration.factor().unwrap().upper;
        assert!((1_340_000..1_350_000).contains(&after), "{after}");
        for ratio in spread(1_000).chain(spread(1_000)) {
            calibration.learn(1_000, ratio);
        }
        let back = calibration.factor().unwrap().upper;
        assert!((1_040_000..1_050_000).contains(&back), "{back}");
    }

    /// One document in ten above the reference: 2.302585 for it, 9 * 0.095310 less for the others.
    /// With the seventh the sum is 7 * 2.302585 - 54 * 0.095310 = 10.97, with the sixth 9.53. The
    /// reference is then taken anew, with these among its 1 %.
    #[test]
    fn coverage_that_falls_to_nine_in_ten_is_said_at_the_seventh_miss() {
        let mut calibration = learnt((0..200).map(|i| 1_000 + i % 10));
        let mut said = Vec::new();
        for i in 0..200 {
            let ratio = if i % 10 == 0 { 2_000 } else { 1_000 };
            let learnt = calibration.learn(1_000, ratio);
            said.extend(learnt.fallen.map(|fallen| (i, fallen)));
        }
        assert_eq!(said, [(60, (7, 61))]);
    }

    /// Of 199 documents there is no reference yet, and one in fifty above it is no fall: 2.30 - 49 *
    /// 0.095 is less than nothing.
    #[test]
    fn coverage_that_holds_is_not_said() {
        let mut calibration = learnt((0..199).map(|i| 1_000 + i % 10));
        assert_eq!(calibration.learn(1_000, 2_000), Learnt::default());
        for i in 0..2_000 {
            let ratio = if i % 50 == 0 { 1_500 } else { 1_000 };
            assert_eq!(calibration.learn(1_000, ratio).fallen, None, "{i}");
        }
    }

    /// Of 200 ratios 1.001 to 1.200 the median is the 101st, 1.101, and the lowest 5 % end at the
    /// 11th, 1.011.
    #[test]
    fn a_document_is_held_against_the_median_and_the_lowest_of_before() {
        let mut calibration = learnt(1_001..=1_200);
        let of = calibration.learn(1_000, 1_010);
        assert!(of.is_low);
        assert_eq!(of.to_median, Some(1_010_000_000_000 / 1_101_000));
        assert!(!calibration.learn(1_000, 1_011).is_low);
    }

    /// 0.7 of 1.001 to 1.200; what was a miss before is one no more.
    #[test]
    fn a_tokenizer_that_has_changed_scales_what_was_learnt() {
        let mut calibration = learnt(1_001..=1_200);
        calibration.learn(1_000, 3_000);
        calibration.scale(700_000);
        let factor = calibration.factor().unwrap();
        assert_eq!(factor.upper, 840_000, "the 200th of 201: 1.200");
        assert!(calibration.learn(1_000, 707).to_median < Some(1_000_000));
        assert!(!calibration.learn(1_000, 708).is_low);
        assert!(calibration.learn(1_000, 707).is_low);
    }

    /// The first 99 make the bound; the hundredth is the first that it can miss. A ratio at the
    /// bound lies below it.
    #[test]
    fn documents_are_held_against_a_bound_that_was_settled_before() {
        let mut calibration = learnt([1_300; 99]);
        assert_eq!(calibration.observed(), (0, 0));
        calibration.learn(1_000, 1_300);
        assert_eq!(calibration.observed(), (1, 0));
        calibration.learn(1_000, 1_301);
        assert_eq!(calibration.observed(), (2, 1));
    }

    /// Of 400 ratios four may be lower than the rest without lowering what is taken for whole, 70 %
    /// of the fifth; with a fifth they do. Less than half is never taken for whole.
    #[test]
    fn what_is_learnt_from_is_limited_and_a_few_low_reports_count_for_nothing() {
        let long = learnt([1_000; 700]);
        assert_eq!(long.samples(), 400);
        assert_eq!(long.observed(), (200, 0));
        let lower = |low: usize| {
            let ratios = std::iter::repeat_n(1_000, low);
            let factor = learnt(ratios.chain(vec![3_000; 400 - low]))
                .factor()
                .unwrap();
            (factor.lower, factor.upper)
        };
        assert_eq!(lower(4), (2_100_000, 3_000_000));
        if LEAST_FOR_PROXY < 700_000 {
            assert_eq!(lower(5), (700_000, 3_000_000));
        }
        assert_eq!(
            learnt([100; 99]).factor().unwrap().lower,
            LEAST_FOR_PROXY.max(70_000)
        );
        assert_eq!(learnt([1_200; 99]).usually_at_least(1_000), Some(1_200));
        assert_eq!(learnt([1_200; 98]).usually_at_least(1_000), None);
    }

    /// Gibbs and Candes, equation 2, by hand: a miss takes a from 0.01 to 0.01 - 0.005 * 0.99 =
    /// 0.00505, and each of k documents below the bound adds 0.005 * 0.01. Of n = 100 + k ratios
    /// the rank ceil((n + 1)(1 - a)) is no more than n when a is at least 1 / (n + 1): for k = 40
    /// it is 0.00705 and 1 / 141 = 0.00709, for k = 41 0.0071 and 0.00704.
    #[test]
    fn a_miss_lifts_the_bound_a_tenth_above_the_largest_until_41_documents_kept_to_it() {
        let mut calibration = learnt([1_000; 99]);
        let upper = |calibration: &Calibration| calibration.factor().unwrap().upper;
        assert_eq!(upper(&calibration), 1_000_000);
        calibration.learn(1_000, 2_000);
        for k in 0..41 {
            assert_eq!(upper(&calibration), 2_200_000, "{k}");
            calibration.learn(1_000, 1_000);
        }
        assert_eq!(upper(&calibration), 2_000_000);
        assert_eq!(calibration.observed(), (42, 1));
    }

    #[test]
    fn a_ratio_is_rounded_up_and_nothing_is_divided_by_zero() {
        assert_eq!(ratio(3, 4), 1_333_334);
        assert_eq!(ratio(0, 2), 2_000_000);
        assert_eq!(ratio(1, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_stored_calibration_gets_its_bound_back() {
        let whole = learnt(1_001..=1_250);
        let stored = serde_json::to_string(&whole).unwrap();
        let read: Calibration = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.factor(), None);
        assert_eq!(read.restored(), whole);
    }

    /// 1,000 / 2.2 = 454.5 and 454 * 2.2 = 998.8.
    #[test]
    fn the_assumed_factor_is_in_thousandths() {
        assert_eq!(ASSUMED.raw_of(1_000), 454);
        let least = 454 * LEAST_FOR_PROXY / 1_000_000;
        assert_eq!((ASSUMED.least(454), ASSUMED.most(454)), (least, 999));
        let nothing = Factor::assumed(0);
        assert_eq!((nothing.raw_of(3), nothing.most(3)), (3_000_000, 0));
    }

    #[test]
    fn factors_round_away_from_trust() {
        let factor = Factor {
            upper: 1_333_333,
            lower: 666_666,
            provenance: Provenance::Assumed,
        };
        assert_eq!((factor.least(10), factor.most(10)), (6, 14));
        assert_eq!(factor.most(factor.raw_of(1_000)), 1_000);
        assert_eq!(factor.most(u64::MAX), u64::MAX);
    }
}
