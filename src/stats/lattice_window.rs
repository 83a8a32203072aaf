//! The scores of a sliding window, in a few slices of it.

use serde::{Deserialize, Serialize};

use super::lattice::{Lattice, LatticeCounts};
use crate::confidence::Confidence;

/// The most slices of a window: with more, a window with many different scores would need more
/// memory.
const SLICES: u32 = 4;

/// How often each score came in a window of some buckets. It slides in steps of a slice, a quarter
/// of the window, so it covers between three quarters of the window and the whole.
///
/// The slices begin at fixed times, so what a window has does not depend on who filled it, and in
/// which order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LatticeWindow {
    buckets: u32,
    newest: u64,
    /// The slice with number `n` at place `n % slices.len()`.
    slices: Vec<Lattice>,
}

impl LatticeWindow {
    pub(crate) fn new(buckets: u32) -> Self {
        let slices = (buckets / a_slice(buckets)).max(1);
        Self {
            buckets,
            newest: 0,
            slices: (0..slices).map(|_| Lattice::default()).collect(),
        }
    }

    /// Counts a score in the bucket with this number, or in the latest so far.
    pub(crate) fn add(&mut self, bucket: u64, score: Confidence) {
        self.advance(bucket);
        let newest = self.newest;
        if let Some(slice) = self.slice_mut(newest) {
            slice.add(score);
        }
    }

    /// Adds what is visible in the latest bucket so far to `sums`.
    pub(crate) fn add_to(&self, sums: &mut LatticeCounts) {
        for slice in &self.slices {
            slice.add_to(sums);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.slices.fill_with(Lattice::default);
    }

    /// Moves on to the bucket with this number.
    #[inline]
    pub(crate) fn advance(&mut self, bucket: u64) {
        let a_slice = u64::from(a_slice(self.buckets));
        if bucket >= self.newest.saturating_add(1).saturating_mul(a_slice) {
            self.begin_slice(bucket, a_slice);
        }
    }

    fn begin_slice(&mut self, bucket: u64, a_slice: u64) {
        let newest = bucket / a_slice;
        if newest - self.newest >= self.slices.len() as u64 {
            self.clear();
        } else {
            for number in self.newest + 1..=newest {
                if let Some(slice) = self.slice_mut(number) {
                    *slice = Lattice::default();
                }
            }
        }
        self.newest = newest;
    }

    fn slice_mut(&mut self, number: u64) -> Option<&mut Lattice> {
        let slices = self.slices.len().max(1) as u64;
        // Four in most windows, which needs no division.
        let place = if slices == u64::from(SLICES) {
            number % u64::from(SLICES)
        } else {
            number % slices
        };
        self.slices.get_mut(usize::try_from(place).unwrap_or(0))
    }

    /// Adds the scores of another part of the same window.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(crate) fn merge(&mut self, mut other: Self) {
        let newest = self.newest.max(other.newest) * u64::from(a_slice(self.buckets));
        self.advance(newest);
        other.advance(newest);
        for (slice, of_other) in self.slices.iter_mut().zip(&other.slices) {
            slice.merge(of_other);
        }
    }
}

fn a_slice(buckets: u32) -> u32 {
    buckets.div_ceil(SLICES).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sums(window: &LatticeWindow) -> LatticeCounts {
        let mut sums = LatticeCounts::default();
        window.add_to(&mut sums);
        sums
    }

    fn of(buckets: u32, scores: &[(u64, u32)]) -> LatticeWindow {
        let mut window = LatticeWindow::new(buckets);
        for (bucket, score) in scores {
            window.add(*bucket, Confidence::try_from(*score).unwrap());
        }
        window
    }

    /// 48 buckets are four slices of twelve.
    #[test]
    fn a_score_is_visible_until_its_slice_is_the_fifth() {
        for (bucket, seen) in [(0, 1), (47, 1), (48, 0), (10_000, 0)] {
            let mut window = of(48, &[(11, 900_000)]);
            window.advance(bucket);
            assert_eq!(sums(&window).total(), seen, "{bucket}");
        }
    }

    #[test]
    fn a_window_of_few_buckets_has_as_many_slices_as_fit_into_it() {
        for (buckets, slices) in [(1, 1), (3, 3), (4, 4), (5, 2), (6, 3), (48, 4), (60, 4)] {
            assert_eq!(
                LatticeWindow::new(buckets).slices.len(),
                slices,
                "{buckets}"
            );
        }
    }

    #[test]
    fn what_comes_late_counts_in_the_latest_bucket() {
        let mut window = of(4, &[(9, 1), (2, 2)]);
        assert_eq!(sums(&window).total(), 2);
        window.clear();
        assert_eq!(sums(&window), LatticeCounts::default());
    }

    proptest! {
        /// The definition: of each slice that is one of the newest four.
        #[test]
        fn it_equals_its_definition_and_parts_add_up(
            mut scores in prop::collection::vec((0_u64..200, 0_u32..=1_000_000), 0..80),
            first in prop::collection::vec(any::<bool>(), 80),
        ) {
            scores.sort_unstable_by_key(|(bucket, _)| *bucket);
            let newest = scores.last().map_or(0, |(bucket, _)| bucket / 12);
            let visible = scores.iter().filter(|(bucket, _)| bucket / 12 + 4 > newest);
            let mut expected = LatticeCounts::default();
            for (_, score) in visible {
                let mut one = Lattice::default();
                one.add(Confidence::try_from(*score).unwrap());
                one.add_to(&mut expected);
            }
            let whole = of(48, &scores);
            prop_assert_eq!(&sums(&whole), &expected);
            let part = |of_first: bool| {
                let scores = scores.iter().zip(&first).filter(|(_, first)| **first == of_first);
                let scores: Vec<_> = scores.map(|(score, _)| *score).collect();
                of(48, &scores)
            };
            let (left, right) = (part(true), part(false));
            let mut merged = left.clone();
            merged.merge(right.clone());
            prop_assert_eq!(&merged, &whole);
            let mut turned = right;
            turned.merge(left);
            prop_assert_eq!(&turned, &whole);
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<LatticeWindow>(&text).unwrap(), whole);
        }
    }
}
