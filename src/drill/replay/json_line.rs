//! A row of a recording as a line of JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::record::RecordedRow;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::time::Timestamp;

/// 2000-01-01: an earlier time is one in other units.
const EARLIEST: u64 = 946_684_800_000;
const LAST_OF_YEAR_9999: u64 = 253_402_300_799_999;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonLine<'l> {
    at: At,
    #[serde(borrow)]
    document: Text<'l>,
    #[serde(borrow)]
    document_type: Option<Text<'l>>,
    document_tokens: Option<u64>,
    #[serde(borrow)]
    version: Option<Text<'l>>,
    latency_ms: Option<u64>,
    #[serde(borrow)]
    confidences: Option<BTreeMap<Text<'l>, f64>>,
    failure: Option<FailureKind>,
    #[serde(borrow)]
    finish_reason: Option<Text<'l>>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(borrow)]
    corrected: Option<Vec<Text<'l>>>,
}

/// A text that is copied only if it has escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

impl<'l> From<Text<'l>> for Cow<'l, str> {
    fn from(text: Text<'l>) -> Self {
        text.0
    }
}

/// Reads a row; the error says what is wrong with it.
pub(super) fn row(line: &[u8]) -> Result<RecordedRow<'_>, String> {
    // Looked at once as a whole, not again for each of its texts.
    let line = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let line: JsonLine<'_> = serde_json::from_str(line).map_err(|error| {
        // Each line is the first for the parser.
        let text = error.to_string();
        text.replacen(" at line 1 column ", " at column ", 1)
    })?;
    let confidences = line.confidences.into_iter().flatten();
    Ok(RecordedRow {
        at: line.at.0,
        document: line.document.0,
        document_type: line.document_type.map(Cow::from),
        document_tokens: line.document_tokens,
        version: line.version.map(Cow::from),
        latency_ms: line.latency_ms,
        confidences: confidences.map(|(field, score)| (field.0, score)).collect(),
        failure: line.failure,
        finish_reason: line.finish_reason.map(Cow::from),
        input_tokens: line.input_tokens,
        output_tokens: line.output_tokens,
        corrected: line
            .corrected
            .map(|fields| fields.into_iter().map(Cow::from).collect()),
    })
}

/// A time of RFC 3339 in UTC.
pub(super) fn from_rfc3339(text: &str) -> Result<Timestamp, Error> {
    let refuse = || Error::invalid("time", text, "a time in UTC such as `2026-01-05T08:00:00Z`");
    let time: SystemTime = humantime::parse_rfc3339(text).map_err(|_| refuse())?;
    from_millis(Timestamp::from(time).as_millis()).map_err(|_| refuse())
}

/// A time from 2000 to 9999.
pub(super) fn from_millis(millis: u64) -> Result<Timestamp, Error> {
    if (EARLIEST..=LAST_OF_YEAR_9999).contains(&millis) {
        return Ok(Timestamp::from_millis(millis));
    }
    Err(Error::invalid(
        "time",
        millis,
        "unix milliseconds of the years 2000 to 9999",
    ))
}

struct At(Timestamp);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtVisitor).map(Self)
    }
}

struct AtVisitor;

impl Visitor<'_> for AtVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in UTC such as `2026-01-05T08:00:00Z`, or whole unix milliseconds")
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
        from_millis(millis).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        from_rfc3339(text).map_err(E::custom)
    }
}
