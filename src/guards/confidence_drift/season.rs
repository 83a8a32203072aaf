//! Times that are compared only with their like: Mondays with Mondays, month ends with month ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::time::{Timestamp, minutes};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 1970-01-01 was a Thursday; days of a week are counted from Monday.
const FIRST_WEEKDAY: i64 = 3;
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// The largest offset from UTC of a clock on a wall.
const MOST_OFFSET: Duration = minutes(18 * 60);
/// A month has so many business days at least.
const MOST_DAYS: u32 = 20;

/// Times of the week or the month that are compared only with their like.
///
/// Each slot of a season has a baseline and a window of its own: Mondays are compared with earlier
/// Mondays. While a slot has no baseline yet, its documents are compared with those of all times, and
/// the verdict says so. Days begin at midnight UTC, unless the season has another
/// [offset](Self::utc_offset) or, with feature `jiff`, a time zone.
///
/// ```
/// use fusebox::{ConfidenceDriftMonitor, Timestamp};
/// use fusebox::drift::Season;
///
/// let in_tokyo = Season::weekday().utc_offset(9 * 60);
/// // 2026-03-13 was a Friday; at 21:00 UTC it is Saturday in Tokyo.
/// let evening = Timestamp::from_millis(1_773_435_600_000);
/// assert_eq!(in_tokyo.slot_at(evening).to_string(), "Saturday");
///
/// let drift = ConfidenceDriftMonitor::builder().season(in_tokyo).build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Season {
    kind: Kind,
    zone: Zone,
}

#[derive(Clone)]
enum Kind {
    Weekday,
    HourOfWeek,
    MonthEnd { days: u32 },
    Custom(Arc<dyn Fn(Timestamp) -> u16 + Send + Sync>),
}

#[derive(Clone, Debug)]
enum Zone {
    /// Minutes east of UTC.
    Offset(i32),
    #[cfg(feature = "jiff")]
    Named(jiff::tz::TimeZone),
}

/// A part of a season. `Display` names it: `Monday`, `Monday 14:00`, `month end`, `slot 3`, or
/// `all times` where a slot has no baseline yet. Serialised as this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    of: Of,
    /// `None` for all times.
    number: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Weekday,
    HourOfWeek,
    MonthEnd,
    Custom,
}

impl Season {
    /// The seven days of the week.
    pub fn weekday() -> Self {
        Self::of(Kind::Weekday)
    }

    /// The 168 hours of the week. Each needs a baseline of its own, which takes many weeks; use it
    /// where there are thousands of documents an hour.
    pub fn hour_of_week() -> Self {
        Self::of(Kind::HourOfWeek)
    }

    /// The last business days of a month (Monday to Friday; holidays are not known) and what follows
    /// them, apart from the rest. `days` are 1 to 20.
    pub fn month_end(days: u32) -> Self {
        Self::of(Kind::MonthEnd { days })
    }

    /// Slots of your own, by number. The function must return the same number for the same time.
    pub fn custom(slot: impl Fn(Timestamp) -> u16 + Send + Sync + 'static) -> Self {
        Self::of(Kind::Custom(Arc::new(slot)))
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            zone: Zone::Offset(0),
        }
    }

    /// Days begin at midnight of clocks that are this many minutes ahead of UTC, or behind it where
    /// the number is negative: at most 18 hours.
    pub fn utc_offset(mut self, minutes: i32) -> Self {
        self.zone = Zone::Offset(minutes);
        self
    }

    /// Days begin at midnight of a time zone, such as `Europe/Berlin`, in summer and in winter. An
    /// error if the zone is not known.
    #[cfg(feature = "jiff")]
    pub fn in_time_zone(mut self, name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        let zone = jiff::tz::TimeZone::get(name);
        let known = zone.map_err(|_| {
            Error::invalid("season time zone", name, "a name such as `Europe/Berlin`")
        })?;
        self.zone = Zone::Named(known);
        Ok(self)
    }

    /// The slot at this time.
    pub fn slot_at(&self, at: Timestamp) -> Slot {
        self.slot(Some(self.number_at(at)))
    }

    /// The slot with this number; that of all times without one.
    pub(super) fn slot(&self, number: Option<u16>) -> Slot {
        let of = match self.kind {
            Kind::Weekday => Of::Weekday,
            Kind::HourOfWeek => Of::HourOfWeek,
            Kind::MonthEnd { .. } => Of::MonthEnd,
            Kind::Custom(_) => Of::Custom,
        };
        Slot { of, number }
    }

    /// The number of the slot at this time.
    pub(super) fn number_at(&self, at: Timestamp) -> u16 {
        let local = self.zone.local(at);
        let (day, hour) = (local.div_euclid(DAY), local.rem_euclid(DAY) / (60 * MINUTE));
        let weekday = weekday(day);
        let number = match &self.kind {
            Kind::Weekday => weekday,
            Kind::HourOfWeek => weekday * 24 + hour,
            Kind::MonthEnd { days } => i64::from(is_month_end(day, *days)),
            Kind::Custom(slot) => i64::from(slot(at)),
        };
        u16::try_from(number).unwrap_or(0)
    }

    /// What tells it from others in a stored state.
    pub(super) fn name(&self) -> String {
        let zone = self.zone.name();
        match &self.kind {
            Kind::Weekday => format!("weekday {zone}"),
            Kind::HourOfWeek => format!("hour of week {zone}"),
            Kind::MonthEnd { days } => format!("month end {days} {zone}"),
            Kind::Custom(_) => "custom".to_owned(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        if let Kind::MonthEnd { days } = self.kind {
            if days == 0 || days > MOST_DAYS {
                let allowed = format!("1 to {MOST_DAYS} business days");
                return Err(Error::invalid("season month_end", days, allowed));
            }
        }
        #[allow(
            irrefutable_let_patterns,
            reason = "with feature `jiff` there are named zones"
        )]
        if let Zone::Offset(offset) = self.zone {
            if minutes(offset.unsigned_abs().into()) > MOST_OFFSET {
                let allowed = "at most 1080 minutes ahead of UTC or behind it";
                return Err(Error::invalid("season utc_offset", offset, allowed));
            }
        }
        Ok(())
    }
}

impl Zone {
    /// The milliseconds that a clock in the zone has counted since 1970 began there.
    fn local(&self, at: Timestamp) -> i64 {
        let utc = i64::try_from(at.as_millis()).unwrap_or(i64::MAX / 2);
        utc.saturating_add(match self {
            Self::Offset(minutes) => i64::from(*minutes) * MINUTE,
            #[cfg(feature = "jiff")]
            Self::Named(zone) => jiff::Timestamp::from_millisecond(utc)
                .map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1_000),
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Offset(minutes) => format!("{minutes:+}"),
            #[cfg(feature = "jiff")]
            Self::Named(zone) => zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

/// Whether a day, counted from 1970-01-01, is the business day that is `days` from the end of its
/// month, or a later one of that month.
fn is_month_end(day: i64, days: u32) -> bool {
    let later = (day + 1..).take_while(|later| day_of_month(*later) != 1);
    let business_days = later.filter(|later| weekday(*later) < 5);
    business_days.count() < days as usize
}

/// The day of the week, from 0 for Monday.
fn weekday(day: i64) -> i64 {
    (day + FIRST_WEEKDAY).rem_euclid(7)
}

/// The day of the month of a day that is counted from 1970-01-01.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn day_of_month(day: i64) -> i64 {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weekday = |day: u16| WEEKDAYS.get(usize::from(day)).copied().unwrap_or("day");
        let Some(number) = self.number else {
            return f.pad("all times");
        };
        match (self.of, number) {
            (Of::Weekday, day) => f.pad(weekday(day)),
            (Of::HourOfWeek, hour) => write!(f, "{} {:02}:00", weekday(hour / 24), hour % 24),
            (Of::MonthEnd, 0) => f.pad("before month end"),
            (Of::MonthEnd, _) => f.pad("month end"),
            (Of::Custom, number) => write!(f, "slot {number}"),
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekday => f.write_str("Weekday"),
            Self::HourOfWeek => f.write_str("HourOfWeek"),
            Self::MonthEnd { days } => write!(f, "MonthEnd({days})"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of a day in UTC, by its number since 1970-01-01 (GNU date: `date -u -d DAY +%s`, divided
    /// by 86,400).
    fn noon(day: i64) -> Timestamp {
        Timestamp::from_millis(u64::try_from(day * DAY + DAY / 2).unwrap())
    }

    fn shown(season: &Season, at: Timestamp) -> String {
        season.slot_at(at).to_string()
    }

    #[test]
    fn slots_are_named_as_calendars_name_them() {
        // 2026-03-13 was a Friday.
        let friday = noon(20_525);
        assert_eq!(shown(&Season::weekday(), friday), "Friday");
        assert_eq!(shown(&Season::weekday(), Timestamp::EPOCH), "Thursday");
        assert_eq!(shown(&Season::hour_of_week(), friday), "Friday 12:00");
        let custom = Season::custom(|at| u16::from(at > Timestamp::EPOCH));
        assert_eq!(shown(&custom, friday), "slot 1");
    }

    #[test]
    fn an_offset_moves_midnight() {
        let friday = noon(20_525);
        for (offset, expected) in [
            (719, "Friday"),
            (720, "Saturday"),
            (-720, "Friday"),
            (-721, "Thursday"),
        ] {
            assert_eq!(
                shown(&Season::weekday().utc_offset(offset), friday),
                expected
            );
        }
        let before_1970 = Season::hour_of_week().utc_offset(-60);
        assert_eq!(shown(&before_1970, Timestamp::EPOCH), "Wednesday 23:00");
    }

    /// November 2026 ends on a Monday, October on a Saturday, February 2028 on Tuesday the 29th.
    #[test]
    fn a_month_ends_with_its_last_business_days_and_what_follows_them() {
        for (days, first, last) in [
            (1, 20_787, 20_787),
            (2, 20_784, 20_787),
            (3, 20_783, 20_787),
            (1, 20_756, 20_757),
            (5, 20_752, 20_757),
            (1, 21_243, 21_243),
        ] {
            let season = Season::month_end(days);
            assert_eq!(
                shown(&season, noon(first - 1)),
                "before month end",
                "{first}"
            );
            for day in first..=last {
                assert_eq!(shown(&season, noon(day)), "month end", "{days} {day}");
            }
            assert_eq!(shown(&season, noon(last + 1)), "before month end", "{last}");
        }
    }

    /// Germany moved to summer time on 2026-03-29 at 01:00 UTC.
    #[cfg(feature = "jiff")]
    #[test]
    fn a_time_zone_knows_summer() {
        let berlin = Season::hour_of_week()
            .in_time_zone("Europe/Berlin")
            .unwrap();
        let change = Timestamp::from_millis(1_774_746_000_000);
        let before = Timestamp::from_millis(change.as_millis() - 1);
        assert_eq!(shown(&berlin, before), "Sunday 01:00");
        assert_eq!(shown(&berlin, change), "Sunday 03:00");
        let unknown = Season::weekday().in_time_zone("Europe/Bonn").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "season time zone: got `Europe/Bonn`, expected a name such as `Europe/Berlin`"
        );
    }

    #[test]
    fn what_no_clock_and_no_month_has_is_an_error() {
        for (season, field) in [
            (Season::month_end(0), "season month_end"),
            (Season::month_end(21), "season month_end"),
            (Season::weekday().utc_offset(1_081), "season utc_offset"),
            (Season::weekday().utc_offset(i32::MIN), "season utc_offset"),
        ] {
            let error = season.validate().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        assert!(Season::month_end(20).utc_offset(-1_080).validate().is_ok());
    }
}
