//! Whether the events of one version take longer than those of another, and which share of them
//! has come.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, millis};

/// With fewer events nothing is said.
const MIN_EVENTS: u32 = 3;
/// By so many standard errors the mean must be longer: once in 700 times by chance, at one look.
const STANDARD_ERRORS: f64 = 3.0;
/// The mean that the share which has come is told from may be so many standard errors longer: in one
/// of fifteen cases it is longer still.
const DOUBT: f64 = 1.5;
const HOUR: f64 = 3_600_000.0;

/// How long events took that have come: sums, in hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waits {
    count: u32,
    sum: f64,
    squares: f64,
    /// The sum of the times at which they began.
    begins: f64,
}

impl Waits {
    pub(crate) fn add(&mut self, begin: Timestamp, end: Timestamp) {
        let wait = in_hours(millis(end.since(begin)));
        self.count = self.count.saturating_add(1);
        self.sum += wait;
        self.squares += wait * wait;
        self.begins += in_hours(begin.as_millis());
    }

    fn mean(&self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }

    /// Whether these events take longer than the others, whose waits tell how much is chance. Both
    /// must have been watched alike: then what is still to come is missing from both.
    pub(crate) fn are_longer_than(&self, others: &Self) -> bool {
        if self.count.min(others.count) < MIN_EVENTS {
            return false;
        }
        let (n, m) = (f64::from(self.count), f64::from(others.count));
        let mean = others.mean();
        let variance = (others.squares / m - mean * mean).max(0.0);
        let error = (variance * (1.0 / n + 1.0 / m)).sqrt();
        self.mean() - mean > STANDARD_ERRORS * error
    }

    /// The share of events that has come at least, if they take a time that is distributed
    /// exponentially: of the largest mean that the waits of those that have come allow, relative to
    /// how long they could have taken.
    pub(crate) fn share_come(&self, now: Timestamp) -> f64 {
        let count = f64::from(self.count.max(1));
        let possible = in_hours(now.as_millis()) - self.begins / count;
        if possible <= 0.0 {
            return 0.0;
        }
        // No waits up to 1 of which the longer are rarer differ more than evenly distributed ones.
        let error = (1.0 / 12.0 / count).sqrt();
        share_come(self.mean() / possible + DOUBT * error)
    }
}

/// For a mean wait of so much of the longest possible one: of waits that are distributed
/// exponentially and cut at 1, with the rate `k`, the mean is `1/k - 1/(e^k - 1)`, and `1 - e^-k` of
/// all are not cut. A mean of a half or more says that no end is in sight.
fn share_come(mean: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1_000.0_f64);
    for _ in 0..60 {
        let rate = f64::midpoint(low, high);
        let cut_mean = 1.0 / rate - 1.0 / rate.exp_m1();
        if cut_mean > mean {
            low = rate;
        } else {
            high = rate;
        }
    }
    -(-low).exp_m1()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^53"
)]
fn in_hours(millis: u64) -> f64 {
    millis as f64 / HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::minutes;

    fn waits(of: impl IntoIterator<Item = u64>) -> Waits {
        let mut waits = Waits::default();
        for wait in of {
            waits.add(Timestamp::EPOCH, Timestamp::EPOCH + minutes(wait));
        }
        waits
    }

    /// scipy: `truncexpon(b=k).mean() / k` is 0.3435 for `k = 2`, of which `expon.cdf(2)` = 0.8647
    /// come, and 0.4426 for `k = ln 2`, of which one half comes.
    #[test]
    fn the_share_that_has_come_follows_from_the_mean() {
        for (mean, share) in [
            (0.343_482, 0.864_665),
            (0.442_695, 0.5),
            (0.01, 1.0),
            (0.5, 0.0),
        ] {
            let found = share_come(mean);
            assert!((found - share).abs() < 1e-4, "{mean}: {found}");
        }
        // Twelve have a standard error of a twelfth: 0.2185 and 0.125.
        let now = Timestamp::EPOCH + minutes(10_000);
        let found = waits([2_185; 12]).share_come(now);
        assert!((found - 0.8646).abs() < 0.000_2, "{found}");
        let fewer = waits([2_185; 11]).share_come(now);
        assert!(fewer < found, "{fewer}");
        assert!(waits([5]).share_come(Timestamp::EPOCH) < 1e-12);
    }

    /// Waits of 10 and 20 minutes have a standard deviation of 5; twenty against twenty differ by
    /// three standard errors from 4.7 minutes on.
    #[test]
    fn a_longer_wait_is_told_from_chance() {
        let others = waits((0..20).map(|n| 10 + n % 2 * 10));
        for (more, expected) in [(0, false), (4, false), (5, true)] {
            let found = waits((0..20).map(|n| 10 + more + n % 2 * 10));
            assert_eq!(found.are_longer_than(&others), expected, "{more}");
        }
        assert!(!waits([500, 500]).are_longer_than(&others), "too few");
        assert!(!waits([0; 20]).are_longer_than(&others), "shorter");
    }
}
