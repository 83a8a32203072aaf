//! A value as JSON text.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer as JsonSerializer};

use crate::error::Error;

/// `serde_json` reads no value that is nested deeper than 128 levels, and this one may be a part.
const DEEPEST: usize = 120;

/// A value as JSON text. Cheap to clone; two are equal if their values are, however they are written.
///
/// Serialised as the value itself, in any format; an integer above 64 bits is a floating-point number
/// there.
///
/// ```
/// use fusebox::store::Json;
///
/// let counts = Json::of(&[5, 100])?;
/// assert_eq!(counts.as_str(), "[5,100]");
/// assert_eq!(counts, Json::parse("[5, 100]")?);
/// assert_eq!(counts.read::<(u32, u32)>()?, (5, 100));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone)]
pub struct Json(Arc<str>);

impl Json {
    /// The text of a value. An error if serde cannot write it, or if it has more than 120 levels of
    /// arrays and objects.
    pub fn of(value: &impl Serialize) -> Result<Self, Error> {
        Self::write(value).map_err(|error| Error::unreadable("JSON", error))
    }

    /// This text; an error if it is not one value that `serde_json` can read, or has more than 120
    /// levels.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, Error> {
        let text = text.into();
        let read = serde_json::from_str::<Value>(&text);
        let checked = read.and_then(|value| write(&value, io::sink()));
        match checked {
            Ok(()) => Ok(Self(text)),
            Err(error) => Err(Error::unreadable("JSON", error)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value; an error if it is none of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.get().map_err(|error| Error::unreadable("JSON", error))
    }

    /// As [`of`](Self::of); who calls says of what the value is.
    pub(crate) fn write(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut text = Vec::new();
        write(value, &mut text)?;
        let text = String::from_utf8(text).map_err(serde_json::Error::custom)?;
        Ok(Self(text.into()))
    }

    /// Whether a value can be [written](Self::write).
    pub(crate) fn check(value: &impl Serialize) -> serde_json::Result<()> {
        write(value, io::sink())
    }

    pub(crate) fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// As [`read`](Self::read).
    pub(crate) fn get<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }
}

fn write(value: &impl Serialize, to: impl Write) -> serde_json::Result<()> {
    value.serialize(&mut JsonSerializer::with_formatter(to, Levels(0)))
}

/// Writes no more levels than can be read again. What it refuses is the only error of this kind
/// (`is_io`), because the text goes to memory.
struct Levels(usize);

impl Levels {
    fn down(&mut self) -> io::Result<()> {
        self.0 += 1;
        if self.0 > DEEPEST {
            let refused = format!("nested arrays and objects, expected at most {DEEPEST} levels");
            return Err(io::Error::other(refused));
        }
        Ok(())
    }
}

impl Formatter for Levels {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.down()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0 -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.down()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0 -= 1;
        writer.write_all(b"}")
    }
}

/// `null`.
impl Default for Json {
    fn default() -> Self {
        Self("null".into())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let value = |json: &Self| json.get::<Value>().ok();
        self.0 == other.0 || value(self).is_some_and(|own| Some(own) == value(other))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value = self.get().map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::write(&value).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!("[{\\\""), |value, level| {
            if level % 2 == 0 {
                json!([value])
            } else {
                json!({ "in": value })
            }
        })
    }

    #[test]
    fn what_is_written_can_be_read_again_and_nothing_deeper_is_written() {
        let deepest = Json::of(&nested(DEEPEST)).unwrap();
        assert_eq!(deepest.read::<Value>().unwrap(), nested(DEEPEST));
        assert_eq!(Json::parse(deepest.as_str()).unwrap(), deepest);
        // Within an object and an array of an export.
        let exported = serde_json::to_string(&json!([{ "state": deepest }])).unwrap();
        assert!(serde_json::from_str::<Value>(&exported).is_ok());
        let refused = Json::of(&nested(DEEPEST + 1)).unwrap_err().to_string();
        assert!(refused.contains("at most 120 levels"), "{refused}");
        let deep = serde_json::to_string(&nested(DEEPEST + 1)).unwrap();
        assert!(Json::parse(deep).is_err());
        // Many values side by side are not deep.
        assert!(Json::of(&vec![nested(2); 200]).is_ok());
    }

    #[test]
    fn values_are_equal_however_they_are_written() {
        let parse = |text: &str| Json::parse(text).unwrap();
        assert_eq!(
            parse(r#"{"a":1,"b":[0.1]}"#),
            parse(r#"{ "b": [1e-1], "a": 1 }"#)
        );
        assert_ne!(parse("1"), parse("2"));
        assert_eq!(Json::default(), parse("null"));
        for text in ["", "1 2", "{", "nul", "\u{feff}1", "1e999", r#""\ud800""#] {
            assert!(Json::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn it_is_serialised_as_its_value() {
        let value = Json::of(&(u64::MAX, 0.1, "x")).unwrap();
        let exported = serde_json::to_string(&value).unwrap();
        assert_eq!(exported, format!("[{},0.1,\"x\"]", u64::MAX));
        assert_eq!(serde_json::from_str::<Json>(&exported).unwrap(), value);
    }
}
