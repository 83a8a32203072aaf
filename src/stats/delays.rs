//! How long events take to come: a histogram of delays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::millis;

const BINS: usize = 32;
/// Above this number of delays all counts are halved, so that old delays fade.
const MAX_DELAYS: u32 = 20_000;

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
    EDGES.partition_point(|edge| *edge < delay)
}

fn edge(bin: usize) -> Duration {
    Duration::from_millis(EDGES.get(bin).copied().unwrap_or(u64::MAX))
}

impl Delays {
    /// Delays that are distributed exponentially: 1,000 quantiles.
    pub(crate) fn exponential(mean: Duration) -> Self {
        let mut delays = Self::default();
        for n in 0..1_000_u32 {
            let later = 1.0 - (f64::from(n) + 0.5) / 1_000.0;
            let delay = Duration::try_from_secs_f64(-mean.as_secs_f64() * later.ln());
            delays.add(delay.unwrap_or(Duration::MAX));
        }
        delays
    }

    pub(crate) fn add(&mut self, delay: Duration) {
        let bin = bins_below(delay).min(BINS - 1);
        if let Some(count) = self.0.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.fade();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
        self.fade();
    }

    fn fade(&mut self) {
        while self.count() > MAX_DELAYS {
            self.0 = self.0.map(|count| count / 2);
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|count| u32::from(*count)).sum()
    }

    /// Upper bound of the 90th percentile of the delay.
    pub(crate) fn percentile_90(&self) -> Duration {
        let (all, mut sum) = (self.count(), 0);
        let bin = self.0.iter().position(|count| {
            sum += u32::from(*count);
            sum * 10 >= all * 9
        });
        edge(bin.unwrap_or(BINS - 1))
    }

    /// The delay that this share of all does not exceed, evenly spread within a bin.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut left = share * f64::from(self.count());
        let mut begin = Duration::ZERO;
        for (bin, count) in self.0.iter().enumerate() {
            let count = f64::from(*count);
            if left <= count && count > 0.0 {
                return begin + edge(bin).saturating_sub(begin).mul_f64(left / count);
            }
            left -= count;
            begin = edge(bin);
        }
        begin
    }

    /// The share of delays that are at most this long, bin by bin; zero if there are none.
    pub(crate) fn share_within(&self, age: Duration) -> f64 {
        let bins = bins_below(age.saturating_add(Duration::from_millis(1)));
        let within: u32 = self
            .0
            .iter()
            .take(bins)
            .map(|count| u32::from(*count))
            .sum();
        f64::from(within) / f64::from(self.count().max(1))
    }
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
        for (delay, age, expected) in [
            (0, 0, 0.0),
            (0, 1, 1.0),
            (60, 63, 0.0),
            (60, 64, 1.0),
            (60 * 24 * 60, 60 * 24 * 61, 1.0),
        ] {
            let found = delays([minutes(delay)]).share_within(minutes(age));
            assert!(
                (found - expected).abs() < 1e-12,
                "{delay} at {age}: {found}"
            );
        }
    }

    /// Exponential with a mean of six hours: 90th percentile 13.8 h (-6 ln 0.1), within a bin that is
    /// 41 % wide; 15.3 % within the first hour.
    #[test]
    fn shares_follow_the_distribution() {
        let six_hours = (0..10_000).map(|n| {
            let uniform = (f64::from(n) + 0.5) / 10_000.0;
            hours(6).mul_f64(-(1.0 - uniform).ln())
        });
        let delays = delays(six_hours);
        let least = hours(1).mul_f64(13.8);
        let found = delays.percentile_90();
        assert!((least..=least.mul_f64(1.42)).contains(&found), "{found:?}");
        let found = delays.share_within(minutes(64));
        assert!(
            (found - 0.163).abs() < 0.002,
            "{found}: 1 - exp(-64/360) is 0.163"
        );
    }

    /// Half of them within ln 2 times the mean and nine of ten within ln 10 times, up to half of a
    /// bin's width.
    #[test]
    fn quantiles_of_an_exponential_distribution() {
        let delays = Delays::exponential(hours(6));
        for (share, expected) in [(0.5, 4.159), (0.9, 13.816)] {
            let found = delays.quantile(share).as_secs_f64() / 3_600.0;
            assert!((found / expected - 1.0).abs() < 0.05, "{share}: {found}");
        }
        assert_eq!(
            Delays::exponential(Duration::ZERO).percentile_90(),
            minutes(1)
        );
        assert_eq!(delays.quantile(0.0), Duration::ZERO);
    }

    #[test]
    fn what_was_long_ago_fades() {
        let mut found = delays(vec![minutes(5); 20_000]);
        (0..10_001).for_each(|_| found.add(hours(10)));
        assert!(found.count() <= MAX_DELAYS);
        assert!(found.percentile_90() >= hours(10));
    }
}
