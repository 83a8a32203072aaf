//! The document types that a candidate must answer, and when they arrive.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::name::DocumentType;
use crate::time::{Timestamp, hours};

/// If no types are declared, those that production answered within this time are expected.
pub(super) const REMEMBERED: Duration = hours(35 * 24);

const DAY: Duration = hours(24);

/// When the documents of an expected type arrive.
///
/// ```
/// use fusebox::{BlueGreenPolicy, DocumentType, Timestamp};
/// use fusebox::rollout::Cadence;
///
/// fn is_noon(at: Timestamp) -> bool {
///     at.as_millis() / 3_600_000 % 24 == 12
/// }
///
/// let policy = BlueGreenPolicy::builder()
///     .expect(DocumentType::new("invoice")?, Cadence::Daily)
///     .expect(DocumentType::new("invoice")?, Cadence::MonthEnd) // they are different then
///     .expect(DocumentType::new("bulk_upload")?, Cadence::on("noon", is_noon))
///     .build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Cadence {
    /// At any time; at least daily.
    Daily,
    /// At any time; at least weekly.
    Weekly,
    /// On the last day of a month or the first of the next (UTC). Documents of other days do not
    /// count.
    MonthEnd,
    /// At times of your own. Documents of other times do not count.
    On {
        /// The name in reports and warnings.
        name: &'static str,
        /// Whether documents admitted at this time count.
        is_on: fn(Timestamp) -> bool,
    },
}

impl Cadence {
    /// At the times for which `is_on` returns true, called `name` in reports and warnings.
    /// Documents of other times do not count.
    pub fn on(name: &'static str, is_on: fn(Timestamp) -> bool) -> Self {
        Self::On { name, is_on }
    }

    /// Whether documents that are admitted at this time count.
    pub(super) fn is_on(self, at: Timestamp) -> bool {
        match self {
            Self::Daily | Self::Weekly => true,
            Self::MonthEnd => day_of_month(at) == 1 || day_of_month(at + DAY) == 1,
            Self::On { is_on, .. } => is_on(at),
        }
    }

    /// The time by which the next documents that count should have arrived; `None` if that is not
    /// within 35 days.
    pub(super) fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Daily => Some(now + DAY),
            Self::Weekly => Some(now + 7 * DAY),
            Self::MonthEnd | Self::On { .. } => (0..35 * 24)
                .map(|hour| now + hours(hour))
                .find(|at| self.is_on(*at)),
        }
    }

    /// The share of windows of this length that include the cadence, over starts at every hour of
    /// the next year. The times of [`Cadence::On`] are evaluated hour by hour.
    pub(super) fn share_of_windows(self, begin: Timestamp, window: Duration) -> f64 {
        const YEAR: u32 = 365 * 24;
        if matches!(self, Self::Daily | Self::Weekly) {
            let every = if matches!(self, Self::Daily) {
                DAY
            } else {
                7 * DAY
            };
            return ((window + DAY).as_secs_f64() / every.as_secs_f64()).min(1.0);
        }
        let length = u32::try_from(window.as_secs() / 3_600).unwrap_or(YEAR);
        let (mut met, mut until_next) = (0_u32, u32::MAX);
        for hour in (0..YEAR.saturating_add(length)).rev() {
            until_next = if self.is_on(begin + hours(u64::from(hour))) {
                0
            } else {
                until_next.saturating_add(1)
            };
            met += u32::from(hour < YEAR && until_next <= length);
        }
        f64::from(met) / f64::from(YEAR)
    }
}

/// Serialised as its name, because the times themselves are code.
impl Serialize for Cadence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::MonthEnd => "month end",
            Self::On { name, .. } => name,
        })
    }
}

fn day_of_month(at: Timestamp) -> u8 {
    let text = at.to_string();
    let day = text.get(8..10).and_then(|day| day.parse().ok());
    day.unwrap_or(0)
}

/// The document types that a candidate must answer, and how often.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    /// If empty, every type that production answered within 35 days.
    pub(super) expected: BTreeMap<DocumentType, Vec<Cadence>>,
    pub(super) min_documents: u64,
}

impl Coverage {
    pub(super) fn settings(&self) -> String {
        let named = self.expected.iter().map(|(document_type, cadences)| {
            let cadences: Vec<_> = cadences.iter().map(Cadence::to_string).collect();
            (document_type, cadences)
        });
        let expected: BTreeMap<_, _> = named.collect();
        format!("{expected:?} {}", self.min_documents)
    }

    pub(super) fn cadences(&self, document_type: &DocumentType) -> &[Cadence] {
        match self.expected.get(document_type) {
            Some(cadences) => cadences,
            None => &[Cadence::Daily],
        }
    }

    /// Whether the expected types are those that production answers.
    pub(super) fn is_from_traffic(&self) -> bool {
        self.expected.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        humantime::parse_rfc3339(text).unwrap().into()
    }

    #[test]
    fn a_month_ends_on_its_last_day_and_the_first_of_the_next() {
        for (moment, expected) in [
            ("2026-03-30T23:59:59Z", false),
            ("2026-03-31T00:00:00Z", true),
            ("2026-04-01T23:59:59Z", true),
            ("2026-04-02T00:00:00Z", false),
            ("2026-04-30T12:00:00Z", true),
            ("2026-02-27T23:59:59Z", false),
            ("2026-02-28T00:00:00Z", true),
            ("2028-02-28T12:00:00Z", false),
            ("2028-02-29T12:00:00Z", true),
            ("2026-12-31T12:00:00Z", true),
        ] {
            assert_eq!(Cadence::MonthEnd.is_on(at(moment)), expected, "{moment}");
        }
        let next = Cadence::MonthEnd.next(at("2026-03-13T21:00:00Z"));
        assert_eq!(next, Some(at("2026-03-31T00:00:00Z")));
    }

    /// A 48-hour window that begins at any hour of a week includes a given day in 72 of 168 hours.
    #[test]
    fn a_window_meets_a_day_of_the_week_in_three_of_seven_cases() {
        let found = Cadence::Weekly.share_of_windows(Timestamp::EPOCH, hours(48));
        assert!((found - 3.0 / 7.0).abs() < 1e-12, "{found}");
        let mondays = |at: Timestamp| at.as_millis() / 86_400_000 % 7 == 4;
        let found = Cadence::on("mondays", mondays).share_of_windows(Timestamp::EPOCH, hours(48));
        assert!((found - 3.0 / 7.0).abs() < 0.01, "{found}");
        assert!(Cadence::Daily.share_of_windows(Timestamp::EPOCH, hours(48)) >= 1.0);
    }

    /// The last and the first day of each month are 24 days in a year. A window that begins up to
    /// 48 hours before such a pair of days includes it: 12 times 96 of 8,760 hours are 13.2 %.
    #[test]
    fn a_window_seldom_meets_a_month_s_end() {
        let found = Cadence::MonthEnd.share_of_windows(at("2026-01-02T00:00:00Z"), hours(48));
        assert!((found - 0.132).abs() < 0.005, "{found}");
    }
}
