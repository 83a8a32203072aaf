//! The times below a picture, in UTC.

use std::ops::Range;

use crate::time::Timestamp;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// The distances between two times, in seconds.
const STEPS: [i64; 13] = [
    300,
    900,
    1_800,
    3_600,
    2 * 3_600,
    3 * 3_600,
    6 * 3_600,
    12 * 3_600,
    DAY,
    2 * DAY,
    4 * DAY,
    WEEK,
    2 * WEEK,
];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The time in whole seconds.
pub(super) fn seconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis() / 1_000).unwrap_or(i64::MAX)
}

/// Round times in a range, at most `most` and one more.
pub(super) fn ticks(range: &Range<i64>, most: i64) -> Vec<i64> {
    let least = (range.end - range.start) / most.max(1);
    let found = STEPS.into_iter().find(|step| *step >= least);
    let step = found.unwrap_or(least - least.rem_euclid(WEEK) + WEEK);
    let first = range.start + (-range.start).rem_euclid(step);
    std::iter::successors(Some(first), |tick| tick.checked_add(step))
        .take_while(|tick| *tick <= range.end)
        .collect()
}

/// `14:00`, or at midnight the day: `Tue 10 Mar`.
pub(super) fn label(seconds: i64) -> String {
    let text = timestamp(seconds).to_string();
    if seconds.rem_euclid(DAY) != 0 {
        return text.get(11..16).unwrap_or_default().to_owned();
    }
    let number = |digits: Range<usize>| text.get(digits)?.parse::<usize>().ok();
    let month = number(5..7).and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let weekday = usize::try_from((seconds / DAY).rem_euclid(7)).ok();
    let weekday = weekday.and_then(|day| WEEKDAYS.get(day));
    match (weekday, number(8..10), month) {
        (Some(weekday), Some(day), Some(month)) => format!("{weekday} {day} {month}"),
        _ => text,
    }
}

/// `2026-03-10 14:05`.
pub(super) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

fn timestamp(seconds: i64) -> Timestamp {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-10 00:00 UTC, a Tuesday: 1773100800, by `date -u -d 2026-03-10 +%s`.
    const TUESDAY: i64 = 1_773_100_800;

    #[test]
    fn a_time_is_an_hour_and_midnight_is_a_day() {
        assert_eq!(label(TUESDAY), "Tue 10 Mar");
        assert_eq!(label(TUESDAY + 14 * 3_600), "14:00");
        assert_eq!(label(0), "Thu 1 Jan");
        let at = Timestamp::from_millis(1_773_151_500_999);
        assert_eq!(minute(at), "2026-03-10 14:05");
        assert_eq!(label(i64::MAX).len(), 5);
    }

    #[test]
    fn ticks_are_round_and_few() {
        let day = TUESDAY + 60..TUESDAY + DAY;
        let every_three_hours: Vec<_> = (1..=8).map(|n| TUESDAY + n * 3 * 3_600).collect();
        assert_eq!(ticks(&day, 8), every_three_hours);
        for (length, most) in [(1_800, 4), (7 * DAY, 8), (8 * DAY, 4), (90 * 365 * DAY, 5)] {
            let range = TUESDAY..TUESDAY + length;
            let ticks = ticks(&range, most);
            let count = i64::try_from(ticks.len()).unwrap();
            assert!((1..=most + 1).contains(&count), "{length}: {ticks:?}");
            assert!(
                ticks
                    .iter()
                    .all(|tick| range.contains(tick) || *tick == range.end)
            );
        }
    }
}
