//! A mergeable histogram of sizes with a small memory footprint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The significant bits that are kept: a bucket is at most 1/128 of its size wide, so an edge is
/// off by at most 0.8 %.
const PRECISION: u32 = 7;

/// Counts of sizes, in buckets that grow with the size; below 256 every size has its own bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Histogram(BTreeMap<u16, u64>);

impl Histogram {
    pub(crate) fn add(&mut self, size: u64) {
        *self.0.entry(bucket(size)).or_default() += 1;
    }

    /// Adds the counts of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The upper edge of the bucket with this percentile; `None` if the histogram is empty.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let mut buckets = self.0.iter();
        let found = buckets.find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.map(|(bucket, _)| edges(*bucket).1)
    }

    /// How many sizes are certainly above `limit`, and how many may be.
    pub(crate) fn above(&self, limit: u64) -> (u64, u64) {
        // All sizes of a lower bucket are below the limit.
        let mut found = (0, 0);
        for (bucket, count) in self.0.range(bucket(limit)..) {
            let (smallest, largest) = edges(*bucket);
            found.0 += if smallest > limit { *count } else { 0 };
            found.1 += if largest > limit { *count } else { 0 };
        }
        found
    }

    /// The mean, with each size taken as the middle of its bucket; `None` if the histogram is
    /// empty.
    pub(crate) fn mean(&self) -> Option<u64> {
        let sum: u128 = self
            .0
            .iter()
            .map(|(bucket, count)| {
                let (smallest, largest) = edges(*bucket);
                u128::from(smallest.midpoint(largest)) * u128::from(*count)
            })
            .sum();
        let mean = sum.checked_div(u128::from(self.count()))?;
        u64::try_from(mean).ok()
    }
}

fn bucket(size: u64) -> u16 {
    let octave = size.checked_ilog2().unwrap_or(0).saturating_sub(PRECISION);
    let bucket = (u64::from(octave) << PRECISION) + (size >> octave);
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// The smallest and the largest size of a bucket.
fn edges(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let octave = (bucket >> PRECISION)
        .saturating_sub(1)
        .min(63 - u64::from(PRECISION));
    let smallest = (bucket - (octave << PRECISION)) << octave;
    (smallest, smallest + ((1 << octave) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_size_lies_between_the_edges_of_its_bucket(size in any::<u64>(), shift in 0_u32..64) {
            let size = size >> shift;
            let (smallest, largest) = edges(bucket(size));
            prop_assert!((smallest..=largest).contains(&size), "{size} {smallest} {largest}");
            prop_assert!(largest - smallest <= size / 128, "{size} {smallest} {largest}");
        }

        #[test]
        fn parts_add_up(sizes in prop::collection::vec(0_u64..3_000_000, 1..200), cut in 0_usize..200) {
            let of = |sizes: &[u64]| {
                let mut histogram = Histogram::default();
                for size in sizes {
                    histogram.add(*size);
                }
                histogram
            };
            let cut = cut.min(sizes.len());
            let mut merged = of(&sizes[..cut]);
            merged.merge(&of(&sizes[cut..]));
            prop_assert_eq!(merged, of(&sizes));
        }

        #[test]
        fn percentiles_and_shares_hold(mut sizes in prop::collection::vec(0_u64..300_000, 1..200), limit in 0_u64..300_000) {
            let mut histogram = Histogram::default();
            for size in &sizes {
                histogram.add(*size);
            }
            sizes.sort_unstable();
            for percent in [50_usize, 95, 99] {
                let rank = (sizes.len() * percent).div_ceil(100);
                let (exact, found) = (sizes[rank - 1], histogram.percentile(percent as u64).unwrap());
                prop_assert!(exact <= found && found <= exact + exact / 128, "{exact} {found}");
            }
            let above = sizes.iter().filter(|size| **size > limit).count() as u64;
            let (least, most) = histogram.above(limit);
            prop_assert!(least <= above && above <= most);
        }
    }

    fn of(sizes: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        for size in sizes {
            histogram.add(size);
        }
        histogram
    }

    /// Below 256 every number has its own bucket.
    #[test]
    fn of_small_sizes_it_is_known_which_are_above_a_limit() {
        let sizes = of([10, 20, 20, 255]);
        for (limit, above) in [(9, 4), (10, 3), (19, 3), (20, 1), (254, 1), (255, 0)] {
            assert_eq!(sizes.above(limit), (above, above), "{limit}");
        }
    }

    /// From 512 to 1,023 buckets are four wide, 512 / 128: one of them is 1,000 to 1,003.
    #[test]
    fn a_size_in_the_bucket_of_the_limit_may_be_above_it() {
        let sizes = of([1_000, 1_003]);
        for (limit, above) in [
            (999, (2, 2)),
            (1_000, (0, 2)),
            (1_002, (0, 2)),
            (1_003, (0, 0)),
        ] {
            assert_eq!(sizes.above(limit), above, "{limit}");
        }
    }

    /// Of ten sizes the fifth is the median and the tenth the 95th percentile (rank 9.5, rounded
    /// up).
    #[test]
    fn percentiles_and_mean_of_small_sizes_are_exact() {
        let sizes = of((1..=10).map(|n| n * n));
        assert_eq!(sizes.count(), 10);
        assert_eq!(sizes.percentile(0), Some(1));
        assert_eq!(sizes.percentile(50), Some(25));
        assert_eq!(sizes.percentile(51), Some(36));
        assert_eq!(sizes.percentile(95), Some(100));
        // 385 / 10.
        assert_eq!(sizes.mean(), Some(38));
    }

    /// The middle of 1,000 to 1,003, rounded down, twice; and 20.
    #[test]
    fn the_mean_takes_each_size_as_the_middle_of_its_bucket() {
        assert_eq!(of([1_000, 1_003, 20]).mean(), Some((2 * 1_001 + 20) / 3));
    }

    /// A stored histogram may have been changed by hand.
    #[test]
    fn a_bucket_that_no_size_has_breaks_nothing() {
        assert_eq!(bucket(u64::MAX), 7_423, "56 * 128 + 255");
        for bucket in 0..=u16::MAX {
            let (smallest, largest) = edges(bucket);
            assert!(smallest <= largest, "{bucket}");
        }
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(99), None);
        assert_eq!(Histogram::default().mean(), None);
    }
}
