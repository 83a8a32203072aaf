//! Where a time since the fault lies in a timeline.

use std::time::Duration;

use crate::adapters::report::ticks::ticks;

/// The part of the width that has an even scale, where the rest is compressed.
const EVEN: u64 = 760;
/// The whole width.
const WIDTH: u64 = 1_000;
/// The longest time that is shown, in seconds: some 300 years, which no drill takes.
const LONGEST: u64 = 10_000_000_000;

/// A scale from the fault to the last time that is shown. It is even up to a little after the limit;
/// what comes later is compressed, so that minutes can be told apart in a drill of many hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeAxis {
    limit: u64,
    /// Where the even part ends, in seconds.
    even: u64,
    end: u64,
}

impl TimeAxis {
    pub(super) fn new(limit: Duration, end: Duration) -> Self {
        let limit = limit.as_secs().min(LONGEST);
        let past_limit = (limit + limit / 3).max(60);
        let end = end.as_secs().min(LONGEST).max(past_limit);
        let is_folded = end / 2 > past_limit;
        let even = if is_folded { past_limit } else { end };
        Self { limit, even, end }
    }

    /// Thousandths of the width from the left.
    pub(super) fn place(&self, time: Duration) -> u64 {
        self.place_of(time.as_secs())
    }

    fn place_of(&self, seconds: u64) -> u64 {
        let part = |part: u64, whole: u64, width: u64| {
            let place = u128::from(part.min(whole)) * u128::from(width) / u128::from(whole.max(1));
            u64::try_from(place).unwrap_or(width)
        };
        if self.even == self.end {
            part(seconds, self.end, WIDTH)
        } else if seconds <= self.even {
            part(seconds, self.even, EVEN)
        } else {
            let later = (seconds - self.even, self.end - self.even);
            EVEN + part(later.0, later.1, WIDTH - EVEN)
        }
    }

    /// Where the limit lies.
    pub(super) fn limit(&self) -> u64 {
        self.place_of(self.limit)
    }

    pub(super) fn limit_time(&self) -> Duration {
        Duration::from_secs(self.limit)
    }

    /// Where the compressed part begins, if there is one.
    pub(super) fn fold(&self) -> Option<u64> {
        (self.even < self.end).then_some(EVEN)
    }

    /// Round times with their places, without the limit, which has a mark of its own.
    pub(super) fn ticks(&self) -> Vec<(u64, Duration)> {
        let range = |from: u64, to: u64| {
            let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
            seconds(from)..seconds(to)
        };
        let mut times = ticks(&range(0, self.even), 4);
        if self.even < self.end {
            let later = range(self.even + self.even / 2, self.end);
            times.extend(ticks(&later, 2));
        }
        let times = times.into_iter().filter_map(|time| time.try_into().ok());
        times
            .filter(|seconds| *seconds != self.limit)
            .map(|seconds| (self.place_of(seconds), Duration::from_secs(seconds)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{hours, minutes};

    #[test]
    fn minutes_lie_evenly_up_to_forty_and_hours_are_compressed() {
        let axis = TimeAxis::new(minutes(30), hours(6));
        let places = [0, 10, 30, 40].map(|time| axis.place(minutes(time)));
        assert_eq!(places, [0, 190, 570, 760]);
        assert_eq!((axis.limit(), axis.fold()), (570, Some(760)));
        assert_eq!(axis.place(hours(6)), 1_000);
        let ticks = [(0, 0), (285, 15), (865, 180), (1_000, 360)];
        assert_eq!(
            axis.ticks(),
            ticks.map(|(place, time)| (place, minutes(time)))
        );
    }

    #[test]
    fn an_hour_is_even_as_a_whole() {
        let axis = TimeAxis::new(minutes(30), minutes(60));
        assert_eq!((axis.limit(), axis.fold()), (500, None));
    }

    proptest! {
        #[test]
        fn later_times_lie_farther_right_and_all_within(
            limit in any::<u64>(), end in any::<u64>(), one in any::<u64>(), other in any::<u64>()
        ) {
            let time = Duration::from_secs;
            let axis = TimeAxis::new(time(limit), time(end));
            let (early, late) = (one.min(other), one.max(other));
            prop_assert!(axis.place(time(early)) <= axis.place(time(late)));
            prop_assert!(axis.place(time(late)) <= 1_000);
            prop_assert!(axis.ticks().len() <= 10);
        }
    }
}
