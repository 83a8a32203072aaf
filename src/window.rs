//! A sliding window over time: counters in buckets, a running total, constant memory and cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::time::{Timestamp, millis};

/// The shape of a window: how long it is and in how many buckets it slides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    bucket_millis: u64,
    buckets: u32,
}

impl Span {
    /// A window of `length` that slides in steps of `length / buckets`; `field` names it in the error.
    pub(crate) fn new(field: &'static str, length: Duration, buckets: u32) -> Result<Self, Error> {
        let shown = humantime::format_duration(length);
        let length = millis(length);
        if length == 0 {
            return Err(Error::invalid(field, shown, "longer than zero"));
        }
        if buckets == 0 || length % u64::from(buckets) != 0 {
            let allowed =
                format!("a multiple of its number of buckets ({buckets}), in whole milliseconds");
            return Err(Error::invalid(field, shown, allowed));
        }
        Ok(Self {
            bucket_millis: length / u64::from(buckets),
            buckets,
        })
    }

    /// A shape known to be right when the code was written.
    pub(crate) const fn fixed(length: Duration, buckets: u32) -> Self {
        Self {
            bucket_millis: length.as_secs() * 1_000 / buckets as u64,
            buckets,
        }
    }

    pub(crate) fn length(self) -> Duration {
        Duration::from_millis(self.bucket_millis * u64::from(self.buckets))
    }

    fn bucket_at(self, at: Timestamp) -> u64 {
        at.as_millis() / self.bucket_millis
    }
}

/// `K` counters over a sliding [`Span`].
///
/// What happens at `t` is visible at `now` while `floor(now/b) - floor(t/b) < buckets`, where `b` is the length of a
/// bucket: the window looks back between `length - b` and `length`. Time never goes back: an earlier `now` counts as the
/// latest one seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Window<const K: usize, C: Cell = u64> {
    span: Span,
    newest: u64,
    ring: Box<[[C; K]]>,
    total: [u64; K],
}

/// What counts in one bucket: `u64`, or `u32` where half the memory is worth a limit of four billion a bucket.
pub(crate) trait Cell: Copy + Default + Into<u64> + TryFrom<u64> {
    /// The most that it holds.
    const MOST: Self;
}

impl Cell for u32 {
    const MOST: Self = Self::MAX;
}

impl Cell for u64 {
    const MOST: Self = Self::MAX;
}

impl<const K: usize, C: Cell> Window<K, C> {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            span,
            newest: 0,
            ring: vec![[C::default(); K]; span.buckets as usize].into_boxed_slice(),
            total: [0; K],
        }
    }

    /// Adds to the counters at `now`.
    pub(crate) fn add(&mut self, now: Timestamp, counts: [u64; K]) {
        self.advance(now);
        let newest = self.newest;
        if let Some(bucket) = self.bucket_mut(newest) {
            let counted = add_to_bucket(bucket, counts);
            add_to(&mut self.total, counted);
        }
    }

    /// The sums over what is visible at `now`.
    pub(crate) fn total(&mut self, now: Timestamp) -> [u64; K] {
        self.advance(now);
        self.total
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.ring.fill([C::default(); K]);
        self.total = [0; K];
    }

    /// Adds what another replica counted. Both must have the same span; another one is refused.
    #[cfg_attr(
        not(test),
        allow(
            dead_code,
            reason = "the law that makes states mergeable; proven by a property test"
        )
    )]
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        if self.span != other.span {
            return false;
        }
        self.advance_to(other.newest);
        let oldest = self.newest.saturating_sub(u64::from(self.span.buckets) - 1);
        let first = oldest.max(
            other
                .newest
                .saturating_sub(u64::from(other.span.buckets) - 1),
        );
        for number in first..=other.newest {
            if let (Some(from), Some(to)) = (other.bucket(number).copied(), self.bucket_mut(number))
            {
                let counted = add_to_bucket(to, from.map(Into::into));
                add_to(&mut self.total, counted);
            }
        }
        true
    }

    fn advance(&mut self, now: Timestamp) {
        self.advance_to(self.span.bucket_at(now));
    }

    fn advance_to(&mut self, newest: u64) {
        if newest <= self.newest {
            return;
        }
        if newest - self.newest >= u64::from(self.span.buckets) {
            self.clear();
        } else {
            for number in self.newest + 1..=newest {
                let evicted = self
                    .bucket_mut(number)
                    .map(|bucket| std::mem::replace(bucket, [C::default(); K]));
                if let Some(evicted) = evicted {
                    subtract_from(&mut self.total, evicted.map(Into::into));
                }
            }
        }
        self.newest = newest;
    }

    fn slot(&self, number: u64) -> usize {
        usize::try_from(number % u64::from(self.span.buckets)).unwrap_or(0)
    }

    fn bucket(&self, number: u64) -> Option<&[C; K]> {
        self.ring.get(self.slot(number))
    }

    fn bucket_mut(&mut self, number: u64) -> Option<&mut [C; K]> {
        let slot = self.slot(number);
        self.ring.get_mut(slot)
    }
}

/// Adds to a bucket as much as it holds; how much that was.
fn add_to_bucket<const K: usize, C: Cell>(to: &mut [C; K], mut from: [u64; K]) -> [u64; K] {
    for (to, from) in to.iter_mut().zip(&mut from) {
        let before: u64 = (*to).into();
        *to = C::try_from(before.saturating_add(*from)).unwrap_or(C::MOST);
        *from = (*to).into() - before;
    }
    from
}

fn add_to<const K: usize>(to: &mut [u64; K], from: [u64; K]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = to.saturating_add(from);
    }
}

fn subtract_from<const K: usize>(to: &mut [u64; K], from: [u64; K]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = to.saturating_sub(from);
    }
}

/// A window as it is stored: its buckets from slot 0 on.
#[derive(Serialize, Deserialize)]
struct Stored {
    span: Span,
    newest: u64,
    ring: Vec<Vec<u64>>,
}

impl<const K: usize, C: Cell> From<Window<K, C>> for Stored {
    fn from(window: Window<K, C>) -> Self {
        Self {
            span: window.span,
            newest: window.newest,
            ring: window
                .ring
                .iter()
                .map(|bucket| bucket.map(Into::into).to_vec())
                .collect(),
        }
    }
}

impl<const K: usize, C: Cell> TryFrom<Stored> for Window<K, C> {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.span.bucket_millis == 0
            || stored.span.buckets == 0
            || stored.ring.len() != stored.span.buckets as usize
        {
            return Err("a window's buckets do not fit its span".to_owned());
        }
        let mut window = Self::new(stored.span);
        window.newest = stored.newest;
        for (to, from) in window.ring.iter_mut().zip(stored.ring) {
            let from: [u64; K] = from
                .try_into()
                .map_err(|_| format!("a window's bucket does not have {K} counters"))?;
            let counted = add_to_bucket(to, from);
            add_to(&mut window.total, counted);
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::minutes;

    const BUCKET: u64 = 10;
    const BUCKETS: u32 = 6;

    fn span() -> Span {
        Span {
            bucket_millis: BUCKET,
            buckets: BUCKETS,
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// The definition, in the words of the type's documentation.
    fn naive(events: &[(u64, u64)], now: u64) -> u64 {
        let mut latest = 0;
        let mut clamped = Vec::new();
        for (time, count) in events {
            latest = latest.max(*time);
            clamped.push((latest, *count));
        }
        let now = latest.max(now);
        let visible = |time: u64| now / BUCKET - time / BUCKET < u64::from(BUCKETS);
        clamped
            .iter()
            .filter(|(time, _)| visible(*time))
            .map(|(_, count)| count)
            .sum()
    }

    proptest! {
        #[test]
        fn window_equals_its_definition(events in prop::collection::vec((0_u64..300, 0_u64..5), 0..60), now in 0_u64..400) {
            let mut window = Window::<1>::new(span());
            for (time, count) in &events {
                window.add(at(*time), [*count]);
            }
            prop_assert_eq!(window.total(at(now)), [naive(&events, now)]);
        }

        #[test]
        fn merge_is_commutative_and_equals_one_window(
            left in prop::collection::vec((0_u64..300, 0_u64..5), 0..40),
            right in prop::collection::vec((0_u64..300, 0_u64..5), 0..40),
        ) {
            let fill = |events: &[(u64, u64)]| {
                let mut sorted = events.to_vec();
                sorted.sort_unstable();
                let mut window = Window::<1>::new(span());
                for (time, count) in sorted {
                    window.add(at(time), [count]);
                }
                window
            };
            let (a, b) = (fill(&left), fill(&right));
            let mut ab = a.clone();
            prop_assert!(ab.merge(&b));
            let mut ba = b.clone();
            prop_assert!(ba.merge(&a));
            let both = fill(&[left, right].concat());
            for mut window in [ab, ba] {
                prop_assert_eq!(window.total(at(300)), both.clone().total(at(300)));
            }
        }

        #[test]
        fn a_stored_window_counts_on(events in prop::collection::vec((0_u64..300, 0_u64..5), 0..40), now in 0_u64..400) {
            let mut window = Window::<1>::new(span());
            for (time, count) in &events {
                window.add(at(*time), [*count]);
            }
            let text = serde_json::to_string(&window).unwrap();
            let mut read: Window<1> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.total(at(now)), window.total(at(now)));
        }
    }

    #[test]
    fn a_full_bucket_stays_full_and_goes_as_one() {
        let mut window = Window::<1, u32>::new(span());
        window.add(at(0), [u64::from(u32::MAX) - 1]);
        window.add(at(1), [5]);
        assert_eq!(window.total(at(2)), [u64::from(u32::MAX)]);
        window.add(at(15), [7]);
        assert_eq!(window.total(at(60)), [7], "the full bucket went, no more");
    }

    #[test]
    fn another_shape_is_not_merged() {
        let mut window = Window::<1>::new(span());
        assert!(!window.merge(&Window::new(Span::fixed(minutes(1), 6))));
    }

    #[test]
    fn a_stored_window_with_missing_buckets_is_refused() {
        let text = r#"{"span":{"bucket_millis":10,"buckets":6},"newest":3,"ring":[[1]]}"#;
        assert!(serde_json::from_str::<Window<1>>(text).is_err());
    }

    #[test]
    fn a_span_says_what_it_needs() {
        let zero = Span::new("window", Duration::ZERO, 60).unwrap_err();
        assert_eq!(
            zero.to_string(),
            "window: `0s` is not allowed; longer than zero"
        );
        let odd = Span::new("window", Duration::from_millis(100), 60).unwrap_err();
        assert!(
            odd.to_string()
                .contains("a multiple of its number of buckets (60)")
        );
    }
}
