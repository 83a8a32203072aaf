//! How the number of documents changes over the day, the week and the month.

use std::time::Duration;

use crate::error::Error;
use crate::ratio::Ratio;
use crate::time::{Timestamp, hours};

const HOUR_MILLIS: u64 = 3_600_000;
const WHOLE: u128 = 100;

/// Shares of the usual number of documents, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    /// In percent, from midnight on.
    pub(super) by_hour: [u32; 24],
    /// On Saturdays and Sundays.
    pub(super) weekend: Ratio,
    /// How many times as many on the last three days of a month.
    pub(super) month_end: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            by_hour: [100; 24],
            weekend: Ratio::ONE,
            month_end: 1,
        }
    }
}

impl Rates {
    /// An error if no document ever comes, or more than can be meant.
    pub(super) fn check(&self, gap: Duration) -> Result<(), Error> {
        const MOST_PERCENT: u32 = 10_000;
        const MOST_TIMES: u32 = 1_000;
        let highest = self.by_hour.into_iter().max().unwrap_or(0);
        if highest == 0 || highest > MOST_PERCENT {
            return Err(Error::invalid(
                "highest percentage by hour",
                highest,
                format!("1 to {MOST_PERCENT}"),
            ));
        }
        if self.weekend > Ratio::ONE {
            return Err(Error::invalid(
                "documents on weekends",
                self.weekend,
                "at most 100 % of the usual number",
            ));
        }
        if self.month_end == 0 || self.month_end > MOST_TIMES {
            return Err(Error::invalid(
                "documents at the end of a month",
                self.month_end,
                format!("1 to {MOST_TIMES} times as many"),
            ));
        }
        let highest_gap = gap.as_nanos() * WHOLE / u128::from(highest * self.month_end);
        if highest_gap < Duration::from_millis(1).as_nanos() {
            return Err(Error::invalid(
                "highest number of documents",
                format!("one in {highest_gap} ns"),
                "at most 3600000 an hour, at the busiest time",
            ));
        }
        Ok(())
    }

    /// When the next document comes after one at `now`, if `gap` is the time between two at the
    /// usual rate: each hour uses up its share of it.
    pub(super) fn next(&self, mut now: Duration, mut gap: Duration, begin: Timestamp) -> Duration {
        loop {
            let at = begin + now;
            let rest = HOUR_MILLIS - at.as_millis() % HOUR_MILLIS;
            let hour_end = (at + Duration::from_millis(rest)).since(begin);
            let room = hour_end.saturating_sub(now);
            let share = self.share_at(at);
            let weighed = room.as_nanos() * share / (WHOLE * WHOLE);
            if gap.as_nanos() < weighed {
                let time = gap.as_nanos() * (WHOLE * WHOLE) / share;
                return now + Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX));
            }
            gap -= Duration::from_nanos(u64::try_from(weighed).unwrap_or(u64::MAX)).min(gap);
            now = hour_end;
        }
    }

    /// The share of the usual rate, in hundredths of a percent.
    fn share_at(&self, at: Timestamp) -> u128 {
        const DAY: u64 = 24 * HOUR_MILLIS;
        let (day, hour) = (at.as_millis() / DAY, at.as_millis() % DAY / HOUR_MILLIS);
        let hour = usize::try_from(hour).unwrap_or(0);
        let mut share = WHOLE * u128::from(self.by_hour.get(hour).copied().unwrap_or(100));
        // Day 0 of the epoch was a Thursday.
        let is_weekend = matches!(day % 7, 2 | 3);
        if is_weekend {
            share = u128::from(self.weekend.of(u64::try_from(share).unwrap_or(u64::MAX)));
        }
        if self.month_end > 1 && is_month_end(at) {
            share *= u128::from(self.month_end);
        }
        share
    }
}

/// Whether it is one of the last three days of a month.
fn is_month_end(at: Timestamp) -> bool {
    let month = |at: Timestamp| {
        let mut date = at.to_string();
        date.truncate("2026-01".len());
        date
    };
    month(at) != month(at + hours(3 * 24))
}
