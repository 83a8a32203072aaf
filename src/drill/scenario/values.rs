//! The values of a scenario file, as people write them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de::IntoDeserializer};

use crate::confidence::Confidence;
use crate::drill::distribution::{ConfidenceDistribution, DelayDistribution};
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// A share: `"20 %"` or `"2.5 %"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(pub(super) Ratio);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let share = hundredths(&text).map(Ratio::basis_points);
        share.map(Self).ok_or_else(|| {
            refused::<D>(
                "share",
                &text,
                "0 % to 100 %, with at most two decimal places",
            )
        })
    }
}

/// The hundredths of a percent in a text such as `2.5 %`.
fn hundredths(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 2 {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    let points = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(100)?
        .checked_add(part)?;
    (points <= 10_000).then_some(points)
}

/// A time: `"90s"`, `"30m"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        time(&String::deserialize(deserializer)?).map(Self)
    }
}

fn time<E: de::Error>(text: &str) -> Result<Duration, E> {
    humantime::parse_duration(text).map_err(|_| {
        E::custom(format_args!(
            "time: got `{text}`, expected a time such as `90s`, `30m` or `1h 30m`"
        ))
    })
}

/// A point in time: `"2026-01-30T00:00:00Z"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: Option<SystemTime> = humantime::parse_rfc3339(&text).ok();
        let allowed = "a time in UTC such as `2026-01-30T00:00:00Z`";
        let moment = moment.ok_or_else(|| refused::<D>("moment", &text, allowed));
        moment.map(|moment| Self(moment.into()))
    }
}

/// A confidence, from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score(pub(super) Confidence);

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let score = Confidence::new(f64::deserialize(deserializer)?);
        score.map(Self).map_err(de::Error::custom)
    }
}

/// A time, or `{ exponential = "4h" }`, or `{ median = "10s", p95 = "60s" }`.
#[derive(Clone, Debug)]
pub(super) struct Delay(pub(super) DelayDistribution);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DelayTable {
    exponential: Option<Time>,
    median: Option<Time>,
    p95: Option<Time>,
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = DelayDistribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DELAYS)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                time(text).map(Into::into)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = DelayTable::deserialize(MapAccessDeserializer::new(map))?;
                let delays = match (table.exponential, table.median, table.p95) {
                    (Some(mean), None, None) => DelayDistribution::exponential(mean.0),
                    (None, Some(median), Some(p95)) => {
                        DelayDistribution::log_normal(median.0, p95.0)
                    }
                    _ => return Err(de::Error::custom(format_args!("expected {DELAYS}"))),
                };
                delays.map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Visit).map(Self)
    }
}

const DELAYS: &str = "a time, `{ exponential = \"4h\" }`, or `{ median = \"10s\", p95 = \"60s\" }`";

/// A confidence, or `{ mean = 0.95, deviation = 0.03 }`.
#[derive(Clone, Debug)]
pub(super) struct Scores(pub(super) ConfidenceDistribution);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoresTable {
    mean: Score,
    deviation: f64,
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = ConfidenceDistribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1, or `{ mean = 0.95, deviation = 0.03 }`")
            }

            fn visit_f64<E: de::Error>(self, score: f64) -> Result<Self::Value, E> {
                let score = Score::deserialize(score.into_deserializer())?;
                Ok(score.0.into())
            }

            fn visit_i64<E: de::Error>(self, score: i64) -> Result<Self::Value, E> {
                let score = Score::deserialize(score.into_deserializer())?;
                Ok(score.0.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = ScoresTable::deserialize(MapAccessDeserializer::new(map))?;
                ConfidenceDistribution::beta(table.mean.0, table.deviation)
                    .map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Visit).map(Self)
    }
}

fn refused<'de, D: Deserializer<'de>>(field: &str, text: &str, allowed: &str) -> D::Error {
    de::Error::custom(format_args!("{field}: got `{text}`, expected {allowed}"))
}
