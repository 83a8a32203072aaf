//! How long people take to look at answers, and what that says about the corrections that are still to come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keyed::Keyed;
use crate::name::DocumentType;
use crate::time::{Timestamp, minutes};

const BINS: usize = 32;
/// With fewer delays than this nothing is said about how long they are.
const ENOUGH: u32 = 20;
/// Past so many delays all are halved, so that what was long ago fades.
const FADE: u32 = 20_000;
/// Two samples that differ by this much, in units of the Kolmogorov distribution, do so by chance once in a thousand times.
const KOLMOGOROV: f64 = 1.95;

/// How often delays came, in bins that grow by the square root of two from one minute to 22 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Delays([u32; BINS]);

/// The longest delay of a bin.
fn edge(bin: usize) -> Duration {
    let half_octaves = i32::try_from(bin).unwrap_or(i32::MAX);
    minutes(1).mul_f64(2.0_f64.sqrt().powi(half_octaves))
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let bin = (0..BINS)
            .position(|bin| delay <= edge(bin))
            .unwrap_or(BINS - 1);
        if let Some(count) = self.0.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        if self.count() > FADE {
            self.0 = self.0.map(|count| count / 2);
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().sum()
    }

    fn cumulated(&self) -> [f64; BINS] {
        let whole = f64::from(self.count().max(1));
        let mut sum = 0;
        self.0.map(|count| {
            sum += count;
            f64::from(sum) / whole
        })
    }

    /// So long do nine of ten take, at least and at most.
    pub(super) fn nine_in_ten(&self) -> (Duration, Duration) {
        let bin = self.cumulated().iter().position(|share| *share >= 0.9);
        let bin = bin.unwrap_or(BINS - 1);
        let least = bin.checked_sub(1).map_or(Duration::ZERO, edge);
        (least, edge(bin))
    }

    /// Whether two samples come from different distributions (Kolmogorov-Smirnov on the bins: at most one in a thousand
    /// pairs of like samples).
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        let (n, m) = (self.count(), other.count());
        if n < ENOUGH || m < ENOUGH {
            return false;
        }
        let pairs = self.cumulated().into_iter().zip(other.cumulated());
        let largest = pairs
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f64::max);
        let (n, m) = (f64::from(n), f64::from(m));
        largest > KOLMOGOROV * ((n + m) / (n * m)).sqrt()
    }
}

/// The delays of one document type, or of all.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    delays: Delays,
    /// When the first of the documents came that people looked at.
    first: Option<Timestamp>,
}

impl Known {
    fn add(&mut self, admitted_at: Timestamp, now: Timestamp) {
        self.delays.add(now.since(admitted_at));
        self.first = Some(
            self.first
                .map_or(admitted_at, |first| first.min(admitted_at)),
        );
    }

    /// Whether there are enough delays, and they were watched for twice as long as nine in ten of them take: before that, long
    /// ones could not have been seen.
    fn is_settled(&self, now: Timestamp) -> bool {
        let watched = self.first.map_or(Duration::ZERO, |first| now.since(first));
        self.delays.count() >= ENOUGH && watched >= self.delays.nine_in_ten().1 * 2
    }
}

/// What is known of delays, from every answer that people looked at, with a rollout on or not.
#[derive(Debug)]
pub(super) struct Learnt {
    types: Keyed<DocumentType, Known>,
    all: Known,
}

impl Learnt {
    pub(super) fn new(types: usize) -> Self {
        Self {
            types: Keyed::new(types),
            all: Known::default(),
        }
    }

    /// As if answers were looked at the moment they are given, and that for long before.
    pub(super) fn immediate(now: Timestamp) -> Self {
        let mut learnt = Self::new(0);
        for _ in 0..ENOUGH {
            learnt.all.add(now, now);
        }
        learnt.all.first = Some(Timestamp::EPOCH);
        learnt
    }

    pub(super) fn add(
        &mut self,
        document_type: &DocumentType,
        admitted_at: Timestamp,
        now: Timestamp,
    ) {
        self.all.add(admitted_at, now);
        let (known, _) = self.types.entry(document_type, Known::default);
        known.add(admitted_at, now);
    }

    /// Which share of the labels of a document type has come by a certain age; `None` while that is not known. A type that is
    /// not known by itself is taken as all together.
    pub(super) fn of(&self, document_type: &DocumentType, now: Timestamp) -> Option<Share> {
        let own = self.types.get::<DocumentType>(document_type);
        own.into_iter()
            .chain([&self.all])
            .find(|known| known.is_settled(now))
            .map(|known| Share(known.delays.cumulated()))
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            types: self
                .types
                .iter()
                .map(|(name, known)| (name.clone(), *known))
                .collect(),
            other: self.types.other().copied(),
            all: self.all,
        }
    }

    pub(super) fn restore(&mut self, stored: Stored) {
        self.types.refill(stored.types, stored.other);
        self.all = stored.all;
    }
}

/// The share of labels that has come, by age.
#[derive(Debug)]
pub(super) struct Share([f64; BINS]);

/// The bins that are over at an age: worked out once for all document types.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age(usize);

impl Age {
    pub(super) fn of(age: Duration) -> Self {
        Self((0..BINS).take_while(|bin| edge(*bin) <= age).count())
    }
}

impl Share {
    pub(super) fn at(&self, age: Age) -> f64 {
        age.0
            .checked_sub(1)
            .and_then(|bin| self.0.get(bin))
            .copied()
            .unwrap_or(0.0)
    }
}

/// What is known as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stored {
    types: Vec<(DocumentType, Known)>,
    other: Option<Known>,
    all: Known,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::hours;

    fn delays(of: impl IntoIterator<Item = Duration>) -> Delays {
        let mut delays = Delays::default();
        of.into_iter().for_each(|delay| delays.add(delay));
        delays
    }

    #[test]
    fn a_bin_is_over_when_its_longest_delay_is() {
        let share = |delay, age| Share(delays([delay]).cumulated()).at(Age::of(age));
        for (delay, age, expected) in [
            (0, 0, 0.0),
            (0, 1, 1.0),
            (60, 63, 0.0),
            (60, 64, 1.0),
            (60 * 24 * 60, 60 * 24 * 61, 1.0),
        ] {
            let found = share(minutes(delay), minutes(age));
            assert!(
                (found - expected).abs() < 1e-12,
                "{delay} at {age}: {found}"
            );
        }
    }

    /// Exponential with a mean of six hours: nine in ten within 13.8 h (-6 ln 0.1), 15.3 % within the first hour.
    #[test]
    fn shares_follow_the_distribution() {
        let six_hours = (0..10_000).map(|n| {
            let uniform = (f64::from(n) + 0.5) / 10_000.0;
            hours(6).mul_f64(-(1.0 - uniform).ln())
        });
        let delays = delays(six_hours);
        let (least, most) = delays.nine_in_ten();
        assert!(
            (least..=most).contains(&hours(1).mul_f64(13.8)),
            "{least:?} {most:?}"
        );
        let found = Share(delays.cumulated()).at(Age::of(minutes(64)));
        assert!(
            (found - 0.163).abs() < 0.002,
            "{found}: 1 - exp(-64/360) is 0.163"
        );
    }

    #[test]
    fn delays_that_could_not_have_been_seen_yet_are_not_known() {
        let start = Timestamp::from_millis(1_000_000_000);
        let mut known = Known::default();
        for n in 0..ENOUGH {
            assert!(!known.is_settled(start + hours(100)), "only {n}");
            known.add(start, start + hours(1));
        }
        assert!(!known.is_settled(start + minutes(127)));
        assert!(
            known.is_settled(start + minutes(128)),
            "the bin of an hour ends at 64 min"
        );
    }

    /// Twenty against twenty: all of one before all of the other is the largest difference there is.
    #[test]
    fn delays_that_differ_are_told_apart_and_few_are_not() {
        let (early, late) = (vec![minutes(5); 20], vec![hours(5); 20]);
        assert!(delays(early.clone()).differs_from(&delays(late.clone())));
        assert!(!delays(early.clone()).differs_from(&delays(early.clone())));
        assert!(!delays(early.into_iter().take(19)).differs_from(&delays(late)));
    }

    #[test]
    fn what_was_long_ago_fades() {
        let mut found = delays(vec![minutes(5); 20_000]);
        (0..10_001).for_each(|_| found.add(hours(10)));
        assert!(found.count() <= FADE);
        assert!(found.nine_in_ten().1 >= hours(10));
    }
}
