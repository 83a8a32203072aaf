//! Points in time, as plain numbers that survive a restart.

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 00:00 UTC.
///
/// It is wall-clock time rather than an [`Instant`](std::time::Instant), because a 48-hour window
/// must survive a restart. Arithmetic saturates; a difference is never negative. Serialised as the
/// number of milliseconds.
///
/// ```
/// use std::time::Duration;
/// use fusebox::Timestamp;
///
/// let noon = Timestamp::from_millis(1_763_899_200_000);
/// assert_eq!(noon.to_string(), "2025-11-23T12:00:00.000Z");
/// assert_eq!((noon + Duration::from_secs(60)).since(noon), Duration::from_secs(60));
/// assert_eq!(noon.since(noon + Duration::from_secs(60)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01 00:00 UTC.
    pub const EPOCH: Self = Self(0);

    /// The time this many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The duration since `earlier`; zero if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST_OF_YEAR_9999: u64 = 253_402_300_799_999;
        let shown = UNIX_EPOCH + Duration::from_millis(self.0.min(LAST_OF_YEAR_9999));
        humantime::format_rfc3339_millis(shown).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The latest time that a pipeline has given out. No reading of it is earlier than one that happened
/// before.
#[derive(Debug, Default)]
pub(crate) struct LatestTime(AtomicU64);

impl LatestTime {
    #[inline]
    pub(crate) fn get(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Acquire))
    }

    /// Moves on to `at`, unless it is there already; returns the latest time then.
    pub(crate) fn raise(&self, at: Timestamp) -> Timestamp {
        Timestamp(self.0.fetch_max(at.0, Ordering::AcqRel)).max(at)
    }
}

/// The whole milliseconds of a duration, saturating.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it is compared with the largest value before"
)]
pub(crate) const fn millis(duration: Duration) -> u64 {
    let millis = duration.as_millis();
    if millis > u64::MAX as u128 {
        u64::MAX
    } else {
        millis as u64
    }
}

pub(crate) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub(crate) const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

pub(crate) fn in_hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3_600.0
}

/// Durations as whole milliseconds, for serde.
pub(crate) mod as_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(super::millis(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Optional durations as whole milliseconds, for serde.
pub(crate) mod as_optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(super::millis).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let millis = Option::<u64>::deserialize(deserializer)?;
        Ok(millis.map(Duration::from_millis))
    }
}
