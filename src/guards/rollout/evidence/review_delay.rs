//! How long reviews take, and from that the share of corrections that is still to come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::DocumentType;
use crate::stats::{BoundedMap, CHI_SQUARE_ONE_IN_A_THOUSAND};
use crate::time::{Timestamp, millis};

const BINS: usize = 32;
/// With fewer delays than this, no quantile or difference is reported.
const MIN_DELAYS: u32 = 20;
/// Above this number of delays all counts are halved, so that old delays fade.
const MAX_DELAYS: u32 = 20_000;
/// Two samples of the same distribution differ by more than this, in units of the Kolmogorov
/// distribution, once in a thousand times: scipy 1.17.1 has 1.9495, `kstwobign.isf(0.001)`. statrs
/// has no such distribution.
const KOLMOGOROV: f64 = 1.95;

/// A histogram of delays, in bins that grow by the square root of two from one minute to 22 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Delays([u16; BINS]);

/// The longest delay of each bin, in milliseconds.
#[allow(
    clippy::indexing_slicing,
    reason = "a constant: what is out of range does not compile"
)]
const EDGES: [u64; BINS] = {
    let mut edges = [0; BINS];
    let mut bin = 0;
    while bin < BINS {
        let whole = 60_000 << (bin / 2);
        edges[bin] = if bin % 2 == 0 {
            whole
        } else {
            whole * 1_414_214 / 1_000_000
        };
        bin += 1;
    }
    edges
};

/// The number of bins whose delays are all shorter than this.
fn bins_below(delay: Duration) -> usize {
    let delay = millis(delay);
    EDGES.iter().take_while(|edge| **edge < delay).count()
}

fn edge(bin: usize) -> Duration {
    Duration::from_millis(EDGES.get(bin).copied().unwrap_or(u64::MAX))
}

impl Delays {
    pub(crate) fn add(&mut self, delay: Duration) {
        let bin = bins_below(delay).min(BINS - 1);
        if let Some(count) = self.0.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.fade();
    }

    fn fade(&mut self) {
        while self.count() > MAX_DELAYS {
            self.0 = self.0.map(|count| count / 2);
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|count| u32::from(*count)).sum()
    }

    fn cumulated(&self) -> [f64; BINS] {
        let whole = f64::from(self.count().max(1));
        let mut sum = 0_u32;
        self.0.map(|count| {
            sum += u32::from(count);
            f64::from(sum) / whole
        })
    }

    /// Lower and upper bound of the 90th percentile of the delay.
    pub(crate) fn percentile_90(&self) -> (Duration, Duration) {
        let (all, mut sum) = (self.count(), 0);
        let bin = self.0.iter().position(|count| {
            sum += u32::from(*count);
            sum * 10 >= all * 9
        });
        let bin = bin.unwrap_or(BINS - 1);
        let least = bin.checked_sub(1).map_or(Duration::ZERO, edge);
        (least, edge(bin))
    }

    /// Whether two samples come from different distributions (Kolmogorov-Smirnov test on the bins;
    /// at most one false alarm in a thousand).
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let (n, m) = (self.count(), other.count());
        if n < MIN_DELAYS || m < MIN_DELAYS {
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

/// How fast reviewers check the answers of one version.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ReviewSpeed {
    delays: Delays,
    answered: u32,
    looked_at: u32,
    /// Whether reviews without a correction are reported too.
    says_so: bool,
}

impl ReviewSpeed {
    pub(crate) fn answered(&mut self) {
        self.answered = self.answered.saturating_add(1);
    }

    pub(crate) fn reviewed(&mut self, delay: Duration, is_review: bool) {
        self.delays.add(delay);
        self.looked_at = self.looked_at.saturating_add(1).min(self.answered);
        self.says_so |= is_review;
    }

    /// Whether reviewers check the answers of one version sooner: by the delays, or, if reviews are
    /// reported, by the share of answers that are reviewed.
    pub(crate) fn differs_from(&self, other: &Self, by_share: bool) -> bool {
        let shares_differ = by_share && (self.says_so || other.says_so) && {
            let one = (self.looked_at, self.answered);
            shares_differ(one, (other.looked_at, other.answered))
        };
        shares_differ || self.delays.differs_from(&other.delays)
    }

    /// Lower bound of the 90th percentile of the delays; the largest duration while there are too
    /// few.
    pub(crate) fn percentile_90(&self) -> Duration {
        if self.delays.count() < MIN_DELAYS {
            return Duration::MAX;
        }
        self.delays.percentile_90().0
    }
}

/// Whether two shares differ by more than they do by chance once in a thousand times (chi-square
/// test, one degree of freedom).
fn shares_differ((x, n): (u32, u32), (y, m): (u32, u32)) -> bool {
    let [x, n, y, m] = [x, n, y, m].map(f64::from);
    let pooled = (x + y) / (n + m).max(1.0);
    let variance = pooled * (1.0 - pooled) * (1.0 / n.max(1.0) + 1.0 / m.max(1.0));
    let difference = x / n.max(1.0) - y / m.max(1.0);
    (n * pooled).min(m * pooled) >= 8.0
        && difference * difference > *CHI_SQUARE_ONE_IN_A_THOUSAND * variance
}

/// The delays of one document type, or of all types.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct DelaySample {
    delays: Delays,
    /// When the oldest of the reviewed documents was admitted.
    first: Option<Timestamp>,
}

impl DelaySample {
    fn merge(&mut self, other: &Self) {
        for (count, more) in self.delays.0.iter_mut().zip(other.delays.0) {
            *count = count.saturating_add(more);
        }
        self.delays.fade();
        self.first = match (self.first, other.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn add(&mut self, admitted_at: Timestamp, now: Timestamp) {
        self.delays.add(now.since(admitted_at));
        self.first = Some(
            self.first
                .map_or(admitted_at, |first| first.min(admitted_at)),
        );
    }

    /// Whether there are enough delays, observed for at least twice their 90th percentile: before
    /// that, long delays cannot have been observed.
    fn is_known(&self, now: Timestamp) -> bool {
        let watched = self.first.map_or(Duration::ZERO, |first| now.since(first));
        self.delays.count() >= MIN_DELAYS && watched >= self.delays.percentile_90().1 * 2
    }
}

/// Delays of answers from before the current rollout, and of answers since.
///
/// They are separate because of recent answers only short delays have been observed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Delayed {
    before: DelaySample,
    since: DelaySample,
}

/// The review delays of all answers, with or without a rollout.
#[derive(Debug)]
pub(crate) struct ReviewDelays {
    types: BoundedMap<DocumentType, Box<Delayed>>,
    all: Delayed,
}

impl ReviewDelays {
    pub(crate) fn new(types: usize) -> Self {
        Self {
            types: BoundedMap::new(types),
            all: Delayed::default(),
        }
    }

    /// As if every answer had long been reviewed at once.
    pub(crate) fn immediate(now: Timestamp) -> Self {
        let mut review_delays = Self::new(0);
        for _ in 0..MIN_DELAYS {
            review_delays.all.before.add(now, now);
        }
        review_delays.all.before.first = Some(Timestamp::EPOCH);
        review_delays
    }

    /// Records the review of an answer; `begun` is the start of the current rollout, if there is
    /// one.
    pub(crate) fn add(
        &mut self,
        document_type: &DocumentType,
        admitted_at: Timestamp,
        begun: Option<Timestamp>,
        now: Timestamp,
    ) {
        let (own, _) = self.types.entry(document_type, Box::default);
        for delayed in [&mut **own, &mut self.all] {
            let known = match begun {
                Some(begun) if admitted_at >= begun => &mut delayed.since,
                _ => &mut delayed.before,
            };
            known.add(admitted_at, now);
        }
    }

    /// Starts another rollout: the delays since the last start become old.
    pub(crate) fn begin(&mut self) {
        let (own, other) = self.types.all_mut();
        let types = own
            .map(|(_, delayed)| delayed)
            .chain(other)
            .map(|delayed| &mut **delayed);
        for delayed in types.chain([&mut self.all]) {
            let since = std::mem::take(&mut delayed.since);
            delayed.before.merge(&since);
        }
    }

    /// The share of corrections of a document type that arrives within a given age; `None` while
    /// that is unknown. A type with too few delays uses those of all types.
    pub(crate) fn of(&self, document_type: &DocumentType, now: Timestamp) -> Option<Share> {
        let own = self.types.get::<DocumentType>(document_type);
        let both = || own.map(|own| &**own).into_iter().chain([&self.all]);
        both()
            .map(|delayed| &delayed.before)
            .chain(both().map(|delayed| &delayed.since))
            .find(|known| known.is_known(now))
            .map(|known| Share(known.delays.cumulated()))
    }

    /// Whether the delays of all types together are known.
    pub(crate) fn is_known(&self, now: Timestamp) -> bool {
        self.all.before.is_known(now) || self.all.since.is_known(now)
    }

    pub(crate) fn stored(&self) -> Stored {
        Stored {
            types: self
                .types
                .iter()
                .map(|(name, delayed)| (name.clone(), delayed.clone()))
                .collect(),
            other: self.types.other().cloned(),
            all: self.all,
        }
    }

    pub(crate) fn restore(&mut self, stored: Stored) {
        self.types.refill(stored.types, stored.other);
        self.all = stored.all;
    }
}

/// The cumulative share of corrections, by age.
#[derive(Debug)]
pub(crate) struct Share([f64; BINS]);

/// The number of bins that an age covers, calculated once for all document types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age(usize);

impl Age {
    pub(crate) fn of(age: Duration) -> Self {
        Self(bins_below(age.saturating_add(Duration::from_millis(1))))
    }
}

impl Share {
    pub(crate) fn at(&self, age: Age) -> f64 {
        age.0
            .checked_sub(1)
            .and_then(|bin| self.0.get(bin))
            .copied()
            .unwrap_or(0.0)
    }
}

/// Delays as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    types: Vec<(DocumentType, Box<Delayed>)>,
    other: Option<Box<Delayed>>,
    all: Delayed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, minutes};

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

    /// Exponential with a mean of six hours: 90th percentile 13.8 h (-6 ln 0.1), 15.3 % within the
    /// first hour.
    #[test]
    fn shares_follow_the_distribution() {
        let six_hours = (0..10_000).map(|n| {
            let uniform = (f64::from(n) + 0.5) / 10_000.0;
            hours(6).mul_f64(-(1.0 - uniform).ln())
        });
        let delays = delays(six_hours);
        let (least, most) = delays.percentile_90();
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
        let mut known = DelaySample::default();
        for n in 0..MIN_DELAYS {
            assert!(!known.is_known(start + hours(100)), "only {n}");
            known.add(start, start + hours(1));
        }
        assert!(!known.is_known(start + minutes(127)));
        assert!(
            known.is_known(start + minutes(128)),
            "the bin of an hour ends at 64 min"
        );
    }

    /// Twenty against twenty: all of one before all of the other is the largest possible
    /// difference.
    #[test]
    fn delays_that_differ_are_told_apart_and_few_are_not() {
        let (early, late) = (vec![minutes(5); 20], vec![hours(5); 20]);
        assert!(delays(early.clone()).differs_from(&delays(late.clone())));
        assert!(!delays(early.clone()).differs_from(&delays(early.clone())));
        assert!(!delays(early.into_iter().take(19)).differs_from(&delays(late)));
    }

    /// scipy, `chi2_contingency([[x, n - x], [y, m - y]], correction=False)`: statistics of 10.05
    /// and 10.90.
    #[test]
    fn shares_differ_at_one_in_a_thousand() {
        assert!(!shares_differ((79, 1_000), (1_050, 19_000)));
        assert!(shares_differ((80, 1_000), (1_050, 19_000)));
        assert!(!shares_differ((0, 0), (0, 0)));
        assert!(!shares_differ((7, 7), (0, 19_000)), "too few");
    }

    #[test]
    fn what_was_long_ago_fades() {
        let mut found = delays(vec![minutes(5); 20_000]);
        (0..10_001).for_each(|_| found.add(hours(10)));
        assert!(found.count() <= MAX_DELAYS);
        assert!(found.percentile_90().1 >= hours(10));
    }
}
