//! How often each score came: a histogram with one point for each thousandth.

use serde::{Deserialize, Serialize};

use super::moments::float;
use crate::confidence::Confidence;

/// The points 0.000, 0.001, .. 1.000.
pub(crate) const POINTS: usize = 1_001;
/// As many pairs of point and count take as much memory as a count for each point.
const MOST_PAIRS: usize = POINTS / 2;

/// Counts on a lattice of thousandths: exact for scores of up to three decimals, otherwise off by
/// at most half a thousandth. It needs no more memory than its scores are different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u16, u32)>", into = "Vec<(u16, u32)>")]
pub(crate) struct Lattice(Counts);

#[derive(Clone, Debug)]
enum Counts {
    /// Points that have a count, in order.
    Sparse(Vec<(u16, u16)>),
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl Default for Lattice {
    fn default() -> Self {
        Self(Counts::Sparse(Vec::new()))
    }
}

impl Lattice {
    pub(crate) fn add(&mut self, score: Confidence) {
        self.add_at(point(score), 1);
    }

    fn add_at(&mut self, at: u16, count: u32) {
        // In the widest there is always room.
        while !self.add_in_place(at, count) {
            self.widen();
        }
    }

    /// Adds if there is room; returns whether there was.
    fn add_in_place(&mut self, at: u16, count: u32) -> bool {
        match &mut self.0 {
            Counts::Sparse(pairs) => {
                let place = pairs.binary_search_by_key(&at, |(point, _)| *point);
                match (place, u16::try_from(count)) {
                    (_, Err(_)) => false,
                    (Ok(place), Ok(count)) => pairs
                        .get_mut(place)
                        .and_then(|(_, known)| add_narrowly(known, count))
                        .is_some(),
                    (Err(_), Ok(_)) if pairs.len() >= MOST_PAIRS => false,
                    (Err(place), Ok(count)) => {
                        pairs.insert(place, (at, count));
                        true
                    }
                }
            }
            Counts::Narrow(counts) => u16::try_from(count)
                .ok()
                .zip(counts.get_mut(usize::from(at)))
                .and_then(|(count, known)| add_narrowly(known, count))
                .is_some(),
            Counts::Wide(counts) => {
                if let Some(known) = counts.get_mut(usize::from(at)) {
                    *known = known.saturating_add(count);
                }
                true
            }
        }
    }

    fn widen(&mut self) {
        self.0 = match &self.0 {
            Counts::Sparse(pairs) => {
                let mut counts = vec![0; POINTS].into_boxed_slice();
                for (at, count) in pairs {
                    if let Some(place) = counts.get_mut(usize::from(*at)) {
                        *place = *count;
                    }
                }
                Counts::Narrow(counts)
            }
            Counts::Narrow(counts) => Counts::Wide(counts.iter().copied().map(u32::from).collect()),
            Counts::Wide(_) => return,
        };
    }

    /// The points that have a count, in order.
    fn pairs(&self) -> Vec<(u16, u32)> {
        fn of<T: Copy + Into<u32>>(counts: &[T]) -> Vec<(u16, u32)> {
            let pairs = (0..).zip(counts.iter().map(|count| (*count).into()));
            pairs.filter(|(_, count)| *count > 0).collect()
        }
        match &self.0 {
            Counts::Sparse(pairs) => {
                let pairs = pairs.iter();
                pairs.map(|(at, count)| (*at, u32::from(*count))).collect()
            }
            Counts::Narrow(counts) => of(counts),
            Counts::Wide(counts) => of(counts),
        }
    }

    /// Adds the counts to those of `sums`.
    pub(crate) fn add_to(&self, sums: &mut LatticeCounts) {
        fn add<T: Copy + Into<u32>>(counts: &[T], sums: &mut LatticeCounts) {
            for (at, count) in counts.iter().enumerate() {
                sums.add(at, (*count).into());
            }
        }
        match &self.0 {
            Counts::Sparse(pairs) => {
                for (at, count) in pairs {
                    sums.add(usize::from(*at), u32::from(*count));
                }
            }
            Counts::Narrow(counts) => add(counts, sums),
            Counts::Wide(counts) => add(counts, sums),
        }
    }

    /// Adds the counts of another part.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(crate) fn merge(&mut self, other: &Self) {
        for (at, count) in other.pairs() {
            self.add_at(at, count);
        }
    }
}

fn add_narrowly(known: &mut u16, count: u16) -> Option<()> {
    *known = known.checked_add(count)?;
    Some(())
}

/// The nearest point of a score; the upper one from half a thousandth on.
fn point(score: Confidence) -> u16 {
    u16::try_from((score.as_millionths() + 500) / 1_000).unwrap_or(0)
}

/// The counts of several lattices together, one for each point, without an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatticeCounts {
    counts: [u32; POINTS],
    /// A bit for each point that has a count: most have none, and are passed over.
    occupied: [u64; POINTS.div_ceil(64)],
    total: u64,
}

impl Default for LatticeCounts {
    fn default() -> Self {
        Self {
            counts: [0; POINTS],
            occupied: [0; POINTS.div_ceil(64)],
            total: 0,
        }
    }
}

impl LatticeCounts {
    pub(crate) fn of(lattice: &Lattice) -> Self {
        let mut sums = Self::default();
        lattice.add_to(&mut sums);
        sums
    }

    fn add(&mut self, at: usize, count: u32) {
        if count == 0 {
            return;
        }
        if let (Some(sum), Some(word)) = (self.counts.get_mut(at), self.occupied.get_mut(at / 64)) {
            let before = *sum;
            *sum = sum.saturating_add(count);
            *word |= 1 << (at % 64);
            self.total += u64::from(*sum - before);
        }
    }

    /// The points at which this or another has a count, in order, with the counts of both.
    pub(crate) fn beside<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (u32, u32, u32)> + 'a {
        let words = self.occupied.iter().zip(&other.occupied);
        let points = (0..)
            .step_by(64)
            .zip(words)
            .flat_map(|(first, (one, other))| bits(one | other).map(move |bit| first + bit));
        let count = |of: &Self, at: u32| of.counts.get(at as usize).copied().unwrap_or(0);
        points.map(move |at| (at, count(self, at), count(other, at)))
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// By how much the scores that reach a threshold are below 1 on average; `None` if none does.
    pub(crate) fn mean_error_from(&self, threshold: Confidence) -> Option<f64> {
        let least = threshold.as_millionths().div_ceil(1_000);
        let reached = self.beside(self).filter(|(at, ..)| *at >= least);
        let (scores, errors) = reached.fold((0, 0), |(scores, errors), (at, count, _)| {
            (
                scores + u64::from(count),
                errors + u64::from(count) * error(at),
            )
        });
        (scores > 0).then(|| float(errors) / 1e3 / float(scores))
    }

    /// The lowest threshold, in thousandths, at which the scores that reach it are at most `most`
    /// below 1 on average; `None` if all together are.
    pub(crate) fn threshold_for(&self, most: f64) -> Option<Confidence> {
        let points: Vec<_> = self.beside(self).collect();
        let (mut scores, mut errors) = (0, 0);
        for (at, count, _) in points.into_iter().rev() {
            scores += u64::from(count);
            errors += u64::from(count) * error(at);
            if float(errors) > most * 1e3 * float(scores) {
                return Confidence::try_from((at + 1) * 1_000).ok();
            }
        }
        None
    }

    /// The score that all have, if they have only one.
    pub(crate) fn only(&self) -> Option<Confidence> {
        let mut with_count = self.beside(self);
        let (point, ..) = with_count.next()?;
        let only = with_count.next().is_none().then_some(point)?;
        Confidence::try_from(only * 1_000).ok()
    }
}

/// How far a point is below 1, in thousandths.
fn error(at: u32) -> u64 {
    1_000_u64.saturating_sub(u64::from(at))
}

/// The places of the bits that are set, from the lowest on.
fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(lowest)
    })
}

impl PartialEq for Counts {
    /// By what they count, however they store it.
    fn eq(&self, other: &Self) -> bool {
        let pairs = |counts: &Self| Lattice(counts.clone()).pairs();
        pairs(self) == pairs(other)
    }
}

impl Eq for Counts {}

impl TryFrom<Vec<(u16, u32)>> for Lattice {
    type Error = String;

    fn try_from(pairs: Vec<(u16, u32)>) -> Result<Self, String> {
        let mut lattice = Self::default();
        for (at, count) in pairs {
            if usize::from(at) >= POINTS {
                return Err(format!("{at} is no point of a lattice of {POINTS}"));
            }
            lattice.add_at(at, count);
        }
        Ok(lattice)
    }
}

impl From<Lattice> for Vec<(u16, u32)> {
    fn from(lattice: Lattice) -> Self {
        lattice.pairs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millionths: impl IntoIterator<Item = u32>) -> Lattice {
        let mut lattice = Lattice::default();
        for score in millionths {
            lattice.add(Confidence::try_from(score).unwrap());
        }
        lattice
    }

    #[test]
    fn a_score_lies_on_the_nearest_point() {
        for (millionths, at) in [
            (0, 0),
            (499, 0),
            (500, 1),
            (290_000, 290),
            (999_499, 999),
            (1_000_000, 1_000),
        ] {
            assert_eq!(of([millionths]).pairs(), [(at, 1)], "{millionths}");
        }
    }

    #[test]
    fn it_grows_as_its_scores_need_it_and_counts_on() {
        let all = (0..=1_000).map(|at| at * 1_000);
        let mut lattice = of(all.clone().take(MOST_PAIRS));
        assert!(matches!(lattice.0, Counts::Sparse(_)));
        lattice.merge(&of(all.clone().skip(MOST_PAIRS)));
        assert!(matches!(lattice.0, Counts::Narrow(_)));
        assert_eq!(lattice.pairs().len(), POINTS);
        lattice.add_at(7, u32::from(u16::MAX) - 1);
        assert!(matches!(lattice.0, Counts::Narrow(_)));
        lattice.add_at(7, 1);
        assert!(matches!(lattice.0, Counts::Wide(_)));
        assert_eq!(lattice.pairs()[7], (7, 65_536));
        lattice.add_at(7, u32::MAX);
        assert_eq!(lattice.pairs()[7], (7, u32::MAX), "no overflow");
        let mut few = of([0]);
        few.add_at(0, 70_000);
        assert_eq!(few.pairs(), [(0, 70_001)], "widened twice");
    }

    #[test]
    fn the_only_score_is_known() {
        assert_eq!(LatticeCounts::default().only(), None);
        assert_eq!(
            LatticeCounts::of(&of([1_000_000; 3])).only(),
            Some(Confidence::CERTAIN)
        );
        assert_eq!(LatticeCounts::of(&of([1_000_000, 0])).only(), None);
    }

    /// Beta(18, 2), accepted from 0.80 on, has an expected error of 0.08656. With as much, the same
    /// law with a mean lower by 0.05, 0.08 and 0.15 is accepted from 0.867, 0.878 and 0.892 on: by
    /// numerical integration of the densities, at 200,000 points.
    #[test]
    fn a_threshold_holds_an_expected_error() {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a million"
        )]
        let beta = |a: f64, b: f64| {
            let density = |x: f64| x.powf(a - 1.0) * (1.0 - x).powf(b - 1.0);
            let most = density((a - 1.0) / (a + b - 2.0));
            let mut counts = LatticeCounts::default();
            for at in 0..=1_000_u32 {
                let share = density(f64::from(at) / 1e3) / most;
                counts.add(at as usize, (share * 1e6).round() as u32);
            }
            counts
        };
        let target = beta(18.0, 2.0)
            .mean_error_from(Confidence::percent(80))
            .unwrap();
        assert!((target - 0.086_56).abs() < 2e-4, "{target}");
        for (mean, expected) in [(0.85, 867_000), (0.82, 878_000), (0.75, 892_000)] {
            let drifted = beta(20.0 * mean, 20.0 * (1.0 - mean));
            let threshold = drifted.threshold_for(target).unwrap().as_millionths();
            assert!(threshold.abs_diff(expected) <= 1_000, "{mean}: {threshold}");
        }
    }

    #[test]
    fn a_threshold_is_above_the_scores_that_would_be_too_many() {
        let counts = LatticeCounts::of(&of([960_000, 960_000, 880_000]));
        let mean_error =
            |millionths| counts.mean_error_from(Confidence::try_from(millionths).unwrap());
        assert_eq!(mean_error(960_001), None, "nobody reaches it");
        assert!((mean_error(960_000).unwrap() - 0.04).abs() < 1e-12);
        assert!((mean_error(0).unwrap() - 0.2 / 3.0).abs() < 1e-12);
        let threshold = |most| counts.threshold_for(most).map(Confidence::as_millionths);
        assert_eq!(threshold(0.07), None, "all");
        assert_eq!(threshold(0.06), Some(881_000));
        assert_eq!(threshold(0.03), Some(961_000));
        assert_eq!(LatticeCounts::default().threshold_for(0.0), None);
    }

    #[test]
    fn a_point_that_is_none_is_not_read() {
        assert!(serde_json::from_str::<Lattice>("[[1001,1]]").is_err());
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_read_again(
            scores in prop::collection::vec(0_u32..=1_000_000, 0..1_500),
            cut in 0_usize..1_500,
        ) {
            let cut = cut.min(scores.len());
            let mut merged = of(scores[cut..].iter().copied());
            merged.merge(&of(scores[..cut].iter().copied()));
            let whole = of(scores.iter().copied());
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(LatticeCounts::of(&merged), LatticeCounts::of(&whole));
            prop_assert_eq!(LatticeCounts::of(&whole).total(), scores.len() as u64);
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<Lattice>(&text).unwrap(), whole);
        }
    }
}
