//! Whether two pipelines have the same guards with the same settings.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

use super::{Guard, Mounted};

/// A hash of the guards of a pipeline: of each its name, its kind, the type that it is mounted for,
/// whether it is in a dry run, and its [settings](Guard::settings). The order of guards does not
/// matter, nor do versions, sinks and clocks.
///
/// It is the same on every machine, and differs from one release of fusebox to the next. Printed and
/// serialised as 16 hexadecimal digits.
///
/// ```
/// use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Ratio, Version};
///
/// let with = |percent| {
///     let breaker = ErrorRateBreaker::builder().threshold(Ratio::percent(percent)).build()?;
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
///     Ok::<_, fusebox::Error>(Pipeline::builder(line_up).guard(breaker).settings_hash())
/// };
/// assert_eq!(with(5)?, with(5)?);
/// assert_ne!(with(5)?, with(3)?);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingsHash(u64);

impl SettingsHash {
    pub(crate) fn of<'a>(guards: impl IntoIterator<Item = &'a Mounted<Box<dyn Guard>>>) -> Self {
        let mut texts: Vec<_> = guards.into_iter().map(text).collect();
        texts.sort_unstable();
        texts.push(env!("CARGO_PKG_VERSION").to_owned());
        Self(XxHash3_64::oneshot(texts.concat().as_bytes()))
    }
}

/// Quotes and line ends keep the parts apart: a name cannot imitate a setting.
fn text(mounted: &Mounted<Box<dyn Guard>>) -> String {
    let Mounted {
        guard,
        name,
        only_for,
        dry_run,
    } = mounted;
    let (kind, settings) = (guard.name(), guard.settings());
    format!("{name:?} {kind:?} {only_for:?} {dry_run} {settings:?}\n")
}

impl fmt::Display for SettingsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SettingsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SettingsHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SettingsHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = u64::from_str_radix(&text, 16);
        hash.map(Self).map_err(serde::de::Error::custom)
    }
}
