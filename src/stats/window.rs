//! A sliding window over time: counters in buckets, a running total, constant memory and cost.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;
use crate::time::{Timestamp, millis};

/// The shape of a window: its length, and the number of buckets in which it slides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    bucket_millis: u64,
    buckets: u32,
}

impl Span {
    /// A window of `length` that slides in steps of `length / buckets`; `field` names it in the
    /// error.
    pub(crate) fn new(field: &'static str, length: Duration, buckets: u32) -> Result<Self, Error> {
        let shown = humantime::format_duration(length);
        let length = millis(length);
        if length == 0 {
            return Err(Error::invalid(field, shown, "longer than zero"));
        }
        if buckets == 0 || length % u64::from(buckets) != 0 {
            let allowed =
                format!("a multiple of the number of buckets ({buckets}), in whole milliseconds");
            return Err(Error::invalid(field, shown, allowed));
        }
        Ok(Self {
            bucket_millis: length / u64::from(buckets),
            buckets,
        })
    }

    /// A constant shape, which is known to be valid.
    pub(crate) const fn fixed(length: Duration, buckets: u32) -> Self {
        Self {
            bucket_millis: length.as_secs() * 1_000 / buckets as u64,
            buckets,
        }
    }

    /// The same window in at most `most` steps of whole buckets. It is shorter by less than one of
    /// them where they do not divide it.
    pub(crate) fn in_steps(self, most: u32) -> Self {
        let step = self.buckets.div_ceil(most.max(1)).max(1);
        Self {
            bucket_millis: self.bucket_millis.saturating_mul(u64::from(step)),
            buckets: self.buckets / step,
        }
    }

    pub(crate) fn length(self) -> Duration {
        Duration::from_millis(self.bucket_millis * u64::from(self.buckets))
    }

    pub(crate) fn buckets(self) -> u32 {
        self.buckets
    }

    /// The length of one bucket.
    pub(crate) fn bucket(self) -> Duration {
        Duration::from_millis(self.bucket_millis)
    }

    /// The number of the bucket with this time.
    pub(crate) fn bucket_at(self, at: Timestamp) -> u64 {
        at.as_millis() / self.bucket_millis
    }

    /// Whether a time lies after the bucket with this number: without the division, which most
    /// documents do not need.
    #[inline]
    pub(crate) fn is_after(self, at: Timestamp, bucket: u64) -> bool {
        at >= self.end_of(bucket)
    }

    /// When the bucket with this number ends.
    fn end_of(self, bucket: u64) -> Timestamp {
        Timestamp::from_millis(bucket.saturating_add(1).saturating_mul(self.bucket_millis))
    }
}

/// `K` counters over a sliding [`Span`].
///
/// An event at `t` is visible at `now` while `floor(now/b) - floor(t/b) < buckets`, where `b` is
/// the length of a bucket: the window covers between `length - b` and `length`. Time never goes
/// back: an earlier `now` counts as the latest `now` so far.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Stored")]
pub(crate) struct Window<const K: usize> {
    span: Span,
    newest: u64,
    /// Where the newest bucket lies in the ring, and when it ends: most events come in it, and need
    /// neither a division nor a product.
    place: usize,
    ends: Timestamp,
    ring: Ring<K>,
    total: [u64; K],
}

impl<const K: usize> Window<K> {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            span,
            newest: 0,
            place: 0,
            ends: span.end_of(0),
            ring: Ring::new(span.buckets),
            total: [0; K],
        }
    }

    /// Adds to the counters at `now`.
    #[inline]
    pub(crate) fn add(&mut self, now: Timestamp, counts: [u64; K]) {
        self.advance(now);
        self.ring.add(self.place, counts);
        add_to(&mut self.total, counts);
    }

    /// The sums of the counters visible at `now`.
    pub(crate) fn total(&mut self, now: Timestamp) -> [u64; K] {
        self.advance(now);
        self.total
    }

    /// The sums of the counters at the latest `now` so far.
    pub(crate) fn latest_total(&self) -> [u64; K] {
        self.total
    }

    /// The numbers of the buckets visible at `now`: for counts that are kept elsewhere and slide
    /// with these.
    pub(crate) fn shown(&mut self, now: Timestamp) -> RangeInclusive<u64> {
        self.advance(now);
        self.oldest()..=self.newest
    }

    fn oldest(&self) -> u64 {
        self.newest.saturating_sub(u64::from(self.span.buckets) - 1)
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.total = [0; K];
    }

    /// Adds the counts of another replica. Returns `false` and changes nothing if the spans differ.
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
        let first = self.oldest().max(other.oldest());
        for number in first..=other.newest {
            let counts = other.ring.get(number);
            self.ring.add(self.place_of(number), counts);
            add_to(&mut self.total, counts);
        }
        true
    }

    #[inline]
    fn advance(&mut self, now: Timestamp) {
        if now >= self.ends {
            self.advance_to(self.span.bucket_at(now));
        }
    }

    fn advance_to(&mut self, newest: u64) {
        if newest <= self.newest {
            return;
        }
        if newest - self.newest >= u64::from(self.span.buckets) {
            self.clear();
        } else {
            for number in self.newest + 1..=newest {
                let evicted = self.ring.take(number);
                subtract_from(&mut self.total, evicted);
            }
        }
        self.set_newest(newest);
    }

    fn set_newest(&mut self, newest: u64) {
        self.newest = newest;
        self.place = self.place_of(newest);
        self.ends = self.span.end_of(newest);
    }

    fn place_of(&self, number: u64) -> usize {
        position(self.span.buckets as usize, number)
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }
}

/// Counters by bucket number. They have 16 bits until one needs more: most never do, and memory
/// matters with thousands of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ring<const K: usize> {
    Narrow(Box<[[u16; K]]>),
    Wide(Box<[[u64; K]]>),
}

impl<const K: usize> Ring<K> {
    fn new(buckets: u32) -> Self {
        Self::Narrow(vec![[0; K]; buckets as usize].into_boxed_slice())
    }

    fn get(&self, number: u64) -> [u64; K] {
        let counts = match self {
            Self::Narrow(ring) => slot(ring, number).map(|bucket| bucket.map(u64::from)),
            Self::Wide(ring) => slot(ring, number).copied(),
        };
        counts.unwrap_or([0; K])
    }

    /// Empties a bucket and returns its counts.
    fn take(&mut self, number: u64) -> [u64; K] {
        let counts = match self {
            Self::Narrow(ring) => slot_mut(ring, number).map(|bucket| {
                let counts = std::mem::replace(bucket, [0; K]);
                counts.map(u64::from)
            }),
            Self::Wide(ring) => {
                slot_mut(ring, number).map(|bucket| std::mem::replace(bucket, [0; K]))
            }
        };
        counts.unwrap_or([0; K])
    }

    fn add(&mut self, place: usize, counts: [u64; K]) {
        if let Self::Narrow(ring) = self {
            let added = ring
                .get_mut(place)
                .map(|bucket| add_narrowly(bucket, counts));
            if added != Some(false) {
                return;
            }
            let wide = ring.iter().map(|bucket| bucket.map(u64::from));
            *self = Self::Wide(wide.collect());
        }
        if let Self::Wide(ring) = self {
            if let Some(bucket) = ring.get_mut(place) {
                add_to(bucket, counts);
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Narrow(ring) => ring.fill([0; K]),
            Self::Wide(ring) => ring.fill([0; K]),
        }
    }
}

/// An empty bucket is written as one without counters.
impl<const K: usize> Serialize for Ring<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn written<T: PartialEq + Default>(bucket: &[T]) -> &[T] {
            let is_empty = bucket.iter().all(|count| *count == T::default());
            if is_empty { &[] } else { bucket }
        }
        match self {
            Self::Narrow(ring) => serializer.collect_seq(ring.iter().map(|bucket| written(bucket))),
            Self::Wide(ring) => serializer.collect_seq(ring.iter().map(|bucket| written(bucket))),
        }
    }
}

fn slot<T>(ring: &[T], number: u64) -> Option<&T> {
    ring.get(position(ring.len(), number))
}

fn slot_mut<T>(ring: &mut [T], number: u64) -> Option<&mut T> {
    ring.get_mut(position(ring.len(), number))
}

fn position(buckets: usize, number: u64) -> usize {
    usize::try_from(number % buckets.max(1) as u64).unwrap_or(0)
}

/// Adds if 16 bits suffice; returns whether they did.
fn add_narrowly<const K: usize>(bucket: &mut [u16; K], counts: [u64; K]) -> bool {
    let mut sums = *bucket;
    for (sum, count) in sums.iter_mut().zip(counts) {
        match u16::try_from(u64::from(*sum).saturating_add(count)) {
            Ok(enough) => *sum = enough,
            Err(_) => return false,
        }
    }
    *bucket = sums;
    true
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
#[derive(Deserialize)]
struct Stored {
    span: Span,
    newest: u64,
    ring: Vec<Vec<u64>>,
}

impl<const K: usize> Serialize for Window<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut stored = serializer.serialize_struct("Stored", 3)?;
        stored.serialize_field("span", &self.span)?;
        stored.serialize_field("newest", &self.newest)?;
        stored.serialize_field("ring", &self.ring)?;
        stored.end()
    }
}

impl<const K: usize> TryFrom<Stored> for Window<K> {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.span.bucket_millis == 0
            || stored.span.buckets == 0
            || stored.ring.len() != stored.span.buckets as usize
        {
            return Err("the number of a window's buckets differs from its span".to_owned());
        }
        let mut window = Self::new(stored.span);
        window.set_newest(stored.newest);
        let buckets = stored.ring.into_iter().enumerate();
        for (place, from) in buckets.filter(|(_, from)| !from.is_empty()) {
            let counts: [u64; K] = from
                .try_into()
                .map_err(|_| format!("a window's bucket does not have {K} counters"))?;
            window.ring.add(place, counts);
            add_to(&mut window.total, counts);
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

    /// The definition in the type's documentation.
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
        fn window_equals_its_definition(events in prop::collection::vec((0_u64..300, prop_oneof![0_u64..5, 0_u64..70_000]), 0..60), now in 0_u64..400) {
            let mut window = Window::<1>::new(span());
            for (time, count) in &events {
                window.add(at(*time), [*count]);
            }
            prop_assert_eq!(window.total(at(now)), [naive(&events, now)]);
        }

        #[test]
        fn merge_is_commutative_and_equals_one_window(
            left in prop::collection::vec((0_u64..300, prop_oneof![0_u64..5, 0_u64..70_000]), 0..40),
            right in prop::collection::vec((0_u64..300, prop_oneof![0_u64..5, 0_u64..70_000]), 0..40),
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
        fn a_stored_window_counts_on(events in prop::collection::vec((0_u64..300, prop_oneof![0_u64..5, 0_u64..70_000]), 0..40), now in 0_u64..400) {
            let mut window = Window::<1>::new(span());
            for (time, count) in &events {
                window.add(at(*time), [*count]);
            }
            let text = serde_json::to_string(&window).unwrap();
            let mut read: Window<1> = serde_json::from_str(&text).unwrap();
            // An empty bucket may be written out, as earlier versions did.
            let written_out: Window<1> = serde_json::from_str(&text.replace("[]", "[0]")).unwrap();
            prop_assert_eq!(&read, &written_out);
            prop_assert_eq!(read.total(at(now)), window.total(at(now)));
        }
    }

    #[test]
    fn what_needs_more_than_sixteen_bits_has_them() {
        let most = u64::from(u16::MAX);
        let mut window = Window::<2>::new(span());
        window.add(at(0), [most, 1]);
        assert!(matches!(window.ring, Ring::Narrow(_)));
        window.add(at(15), [7, 7]);
        window.add(at(15), [1, most]);
        assert!(matches!(window.ring, Ring::Wide(_)));
        assert_eq!(window.total(at(15)), [most + 8, most + 8]);
        assert_eq!(window.total(at(60)), [8, most + 7], "the first bucket went");
        window.add(at(60), [u64::MAX, 0]);
        assert_eq!(window.total(at(60)), [u64::MAX, most + 7], "no overflow");
    }

    #[test]
    fn a_window_slides_in_fewer_steps() {
        for (buckets, step, steps) in [(48, 6, 8), (1, 1, 1), (8, 1, 8), (9, 2, 4), (60, 8, 7)] {
            let span = Span {
                bucket_millis: BUCKET,
                buckets,
            };
            let expected = Span {
                bucket_millis: step * BUCKET,
                buckets: steps,
            };
            assert_eq!(span.in_steps(8), expected, "{buckets}");
        }
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
            "window: got `0s`, expected longer than zero"
        );
        let odd = Span::new("window", Duration::from_millis(100), 60).unwrap_err();
        assert!(
            odd.to_string()
                .contains("a multiple of the number of buckets (60)")
        );
    }
}
