//! An upper bound that is calibrated from reported usage, for models whose tokenizer is not
//! published.
//!
//! The score of a document is the ratio of the tokens that the API reports to those that another
//! tokenizer counts. The bound is the k-th smallest ratio of the last n documents, k = ceil((n +
//! 1)(1 - a)): of documents like these, a share of 1 - a lies at or below it (split conformal
//! prediction; Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005). After
//! each document, a changes by 0.005 (a0 - miss), so that the share is kept when the documents or
//! the tokenizer change (adaptive conformal inference; Gibbs and Candes, 2021, equation 2).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::count::Provenance;

/// Ratios are stored in millionths.
const UNIT: u64 = 1_000_000;
/// The number of recent documents that the bound is calibrated from.
const WINDOW: usize = 400;
/// From this number of documents on, the bound covers 99 %; with fewer, its rank would exceed the
/// largest ratio.
const ENOUGH: usize = 99;
/// From this number on, it covers 95 %.
const FEW: usize = 19;
const MISSES: f64 = 0.01;
const MISSES_OF_FEW: f64 = 0.05;
const STEP: f64 = 0.005;
/// Coverage has fallen if the share of misses exceeds this fraction ..
const TOO_MANY_MISSES: (usize, usize) = (35, 1_000);
/// .. among at least this number of recent documents ..
const JUDGED: usize = 100;
/// .. and at most this number; it has recovered when the share no longer exceeds the lower
/// fraction.
const JUDGED_AT_MOST: usize = 200;
const FEW_ENOUGH_MISSES: (usize, usize) = (15, 1_000);

/// The calibration of one model and one document type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    ratios: VecDeque<u64>,
    misses: VecDeque<bool>,
    alpha: f64,
    fallen: bool,
    #[serde(skip)]
    bound: Option<Bound>,
}

/// The current bound, computed after each document.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    ratio: u64,
    smallest: u64,
    coverage_bp: u16,
}

/// The factor for another tokenizer's count, and its provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor {
    pub(crate) upper: u64,
    pub(crate) lower: u64,
    pub(crate) provenance: Provenance,
}

/// Whether coverage has just fallen, which the operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    Fell { misses: u64, documents: u64 },
    Unchanged,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            ratios: VecDeque::new(),
            misses: VecDeque::new(),
            alpha: MISSES,
            fallen: false,
            bound: None,
        }
    }
}

impl Calibration {
    /// Records a text that another tokenizer counts as `raw` tokens and the API as `tokens`.
    /// `assumed` is the factor that is in force before there is a bound.
    pub(crate) fn learn(&mut self, raw: u64, tokens: u64, assumed: Factor) -> Coverage {
        let ratio = tokens.saturating_mul(UNIT).div_ceil(raw.max(1));
        if self.samples() >= ENOUGH {
            let missed = ratio > self.factor().unwrap_or(assumed).upper;
            let error = if missed { 1.0 } else { 0.0 };
            self.alpha = (self.alpha + STEP * (MISSES - error)).clamp(0.0, MISSES_OF_FEW);
            self.misses.push_back(missed);
            if self.misses.len() > JUDGED_AT_MOST {
                self.misses.pop_front();
            }
        }
        self.ratios.push_back(ratio);
        if self.ratios.len() > WINDOW {
            self.ratios.pop_front();
        }
        self.bound = self.computed();
        self.judged()
    }

    /// The bound, once there are enough documents.
    pub(crate) fn factor(&self) -> Option<Factor> {
        self.bound.map(|bound| Factor {
            upper: bound.ratio,
            // Half of the smallest recent ratio: a report below it was not for the whole text.
            lower: bound.smallest / 2,
            provenance: Provenance::Calibrated {
                coverage_bp: bound.coverage_bp,
                samples: u32::try_from(self.samples()).unwrap_or(u32::MAX),
            },
        })
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
        (self.misses.len() as u64, self.missed() as u64)
    }

    /// Recomputes the bound, which is not stored.
    pub(crate) fn restored(mut self) -> Self {
        self.bound = self.computed();
        self
    }

    fn missed(&self) -> usize {
        self.misses.iter().filter(|missed| **missed).count()
    }

    fn computed(&self) -> Option<Bound> {
        let samples = self.samples();
        if samples < FEW {
            return None;
        }
        let (alpha, coverage_bp) = if samples < ENOUGH {
            (MISSES_OF_FEW, 9_500)
        } else {
            (self.alpha, 9_900)
        };
        let mut sorted: Vec<u64> = self.ratios.iter().copied().collect();
        sorted.sort_unstable();
        let largest = sorted.last().copied()?;
        // Above the largest ratio there is no rank: the bound is a tenth more, until a has grown
        // again.
        let ratio = sorted
            .get(rank(samples, alpha) - 1)
            .copied()
            .unwrap_or(largest.saturating_add(largest / 10));
        Some(Bound {
            ratio,
            smallest: sorted.first().copied()?,
            coverage_bp,
        })
    }

    fn judged(&mut self) -> Coverage {
        let (documents, misses) = (self.misses.len(), self.missed());
        let exceeds = |share: (usize, usize)| misses * share.1 > share.0 * documents;
        if documents < JUDGED {
            return Coverage::Unchanged;
        }
        if self.fallen {
            self.fallen = exceeds(FEW_ENOUGH_MISSES);
            return Coverage::Unchanged;
        }
        self.fallen = exceeds(TOO_MANY_MISSES);
        if self.fallen {
            return Coverage::Fell {
                misses: misses as u64,
                documents: documents as u64,
            };
        }
        Coverage::Unchanged
    }
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
    /// tokenizer's count.
    pub(crate) const fn assumed(thousandths: u32) -> Self {
        Self {
            upper: thousandths as u64 * (UNIT / 1_000),
            lower: 0,
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
            calibration.learn(1_000, ratio, ASSUMED);
        }
        calibration
    }

    /// By hand: of 19 ratios 1.001 to 1.019 the rank is ceil(20 * 0.95) = 19, the largest; of 98 it
    /// is ceil(99 * 0.95) = 95; of 99 it is ceil(100 * 0.99) = 99.
    #[test]
    fn ranks_of_the_first_samples() {
        assert_eq!(learnt(1_001..=1_018).factor(), None);
        let upper = |last| learnt(1_001..=last).factor().unwrap().upper;
        assert_eq!(upper(1_019), 1_019_000);
        assert_eq!(upper(1_098), 1_095_000);
        assert_eq!(upper(1_099), 1_099_000);
        let settled = learnt(1_001..=1_099);
        assert!(settled.is_settled());
        let provenance = settled.factor().unwrap().provenance;
        assert_eq!(
            provenance,
            Provenance::Calibrated {
                coverage_bp: 9_900,
                samples: 99
            }
        );
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
            calibration.learn(1_000, ratio, ASSUMED);
        }
        let (judged, above) = calibration.observed();
        assert_eq!(judged, 200);
        assert!(above <= 4, "{above} of the last 200");
        let after = calibration.factor().unwrap().upper;
        assert!((1_340_000..1_350_000).contains(&after), "{after}");
        for ratio in spread(1_000).chain(spread(1_000)) {
            calibration.learn(1_000, ratio, ASSUMED);
        }
        let back = calibration.factor().unwrap().upper;
        assert!((1_040_000..1_050_000).contains(&back), "{back}");
    }

    /// One document in twenty has a larger ratio than any before: no bound learnt from the past
    /// covers them.
    #[test]
    fn coverage_that_falls_is_said_once() {
        let mut calibration = learnt((0..100).map(|i| 1_000 + i % 10));
        let mut said = Vec::new();
        for i in 0..400 {
            let ratio = if i % 20 == 0 {
                2_000 << (i / 20)
            } else {
                1_000
            };
            if let Coverage::Fell { misses, documents } = calibration.learn(1_000, ratio, ASSUMED) {
                said.push((misses, documents));
            }
        }
        assert_eq!(said, [(5, 100)]);
    }

    /// The first 99 make the bound; the hundredth is the first that it can miss. A ratio at the
    /// bound lies below it.
    #[test]
    fn documents_are_held_against_a_bound_that_was_settled_before() {
        assert!(!learnt([1_300; 98]).is_settled());
        let mut calibration = learnt([1_300; 99]);
        assert!(calibration.is_settled());
        assert_eq!(calibration.observed(), (0, 0));
        calibration.learn(1_000, 1_300, ASSUMED);
        assert_eq!(calibration.observed(), (1, 0));
        calibration.learn(1_000, 1_301, ASSUMED);
        assert_eq!(calibration.observed(), (2, 1));
    }

    #[test]
    fn what_is_learnt_from_and_judged_by_is_limited() {
        let long = learnt([1_000; 700]);
        assert_eq!(long.samples(), 400);
        assert_eq!(long.observed(), (200, 0));
        // 2.0 is the first to be forgotten: the smallest of the last 400 is 3.0, and half of it the
        // lower end.
        let forgotten = learnt([2_000].into_iter().chain([3_000; 400]));
        assert_eq!(forgotten.factor().unwrap().lower, 1_500_000);
        let kept = learnt([2_000].into_iter().chain([3_000; 399]));
        assert_eq!(kept.factor().unwrap().lower, 1_000_000);
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
        calibration.learn(1_000, 2_000, ASSUMED);
        for k in 0..41 {
            assert_eq!(upper(&calibration), 2_200_000, "{k}");
            calibration.learn(1_000, 1_000, ASSUMED);
        }
        assert_eq!(upper(&calibration), 2_000_000);
        assert_eq!(calibration.observed(), (42, 1));
    }

    /// More than 3.5 % of 100 to 200 documents: 4 of 100, 8 of 200. It is over at 1.5 %: 3 of 200.
    #[test]
    fn coverage_falls_above_one_share_and_is_back_at_another() {
        let judged = |misses: usize, documents: usize, fallen: bool| {
            let mut calibration = Calibration {
                misses: (0..documents).map(|n| n < misses).collect(),
                fallen,
                ..Calibration::default()
            };
            (calibration.judged(), calibration.fallen)
        };
        let unchanged = |fallen| (Coverage::Unchanged, fallen);
        let fell = |misses, documents| (Coverage::Fell { misses, documents }, true);
        assert_eq!(judged(99, 99, false), unchanged(false));
        assert_eq!(judged(3, 100, false), unchanged(false));
        assert_eq!(judged(4, 100, false), fell(4, 100));
        assert_eq!(judged(7, 200, false), unchanged(false));
        assert_eq!(judged(8, 200, false), fell(8, 200));
        assert_eq!(judged(200, 200, true), unchanged(true));
        assert_eq!(judged(4, 200, true), unchanged(true));
        assert_eq!(judged(3, 200, true), unchanged(false));
        assert_eq!(judged(0, 99, true), unchanged(true));
    }

    #[test]
    fn a_ratio_is_rounded_up_and_nothing_is_divided_by_zero() {
        let learnt = |raw, tokens| {
            let mut calibration = Calibration::default();
            for _ in 0..19 {
                calibration.learn(raw, tokens, ASSUMED);
            }
            let factor = calibration.factor().unwrap();
            (factor.lower, factor.upper)
        };
        assert_eq!(learnt(3, 4), (666_667, 1_333_334));
        assert_eq!(learnt(0, 2), (1_000_000, 2_000_000));
    }

    #[test]
    fn a_stored_calibration_gets_its_bound_back() {
        let whole = learnt(1_001..=1_150);
        let stored = serde_json::to_string(&whole).unwrap();
        let read: Calibration = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.factor(), None);
        assert_eq!(read.restored(), whole);
    }

    /// 1,000 / 2.2 = 454.5 and 454 * 2.2 = 998.8.
    #[test]
    fn the_assumed_factor_is_in_thousandths() {
        assert_eq!(ASSUMED.raw_of(1_000), 454);
        assert_eq!((ASSUMED.least(454), ASSUMED.most(454)), (0, 999));
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
