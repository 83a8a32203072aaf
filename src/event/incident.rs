//! An incident's key, what an event says about it, and the events of its end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{PipelineName, VersionId, shortened};
use crate::time::Timestamp;

/// The longest key, in bytes: what pagers take as a dedup key.
const LONGEST: usize = 255;
/// The number of bytes of a longer key that are kept before its hash.
const KEPT: usize = 230;

/// The key of an incident: `guard/what is wrong/version/number`. Use it as the dedup key of your
/// pager.
///
/// It has no time and no instance in it, so that it is the same on every replica. `-` stands where
/// no version is concerned; the number counts the incidents of this guard about the same thing. A
/// `/` or `%` within a part is written as `%2F` or `%25`. At most 255 bytes: a longer key is its
/// beginning and a hash of the whole.
///
/// ```
/// # use fusebox::{ErrorRateBreaker, FailureKind, Call, LineUp, Pipeline, Version};
/// # let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_previous(Version::new("v6", "gpt-4o")?);
/// # let pipeline = Pipeline::builder(line_up).guard(ErrorRateBreaker::default()).build()?;
/// # for n in 0..5 {
/// #     let call = Call::new(format!("inv-{n}"), "invoice")?;
/// #     let _ = pipeline.admit(&call).permit().map(|permit| permit.fail(FailureKind::ServerError));
/// # }
/// let open = pipeline.incidents();
/// assert_eq!(open[0].key.as_str(), "error-rate/failing/v7/1");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentKey(String);

impl IncidentKey {
    pub(crate) fn new(guard: &str, what: &str, version: Option<&VersionId>, number: u64) -> Self {
        let version = version.map_or("-", VersionId::as_str);
        let key = format!("{}/{}/{}/{number}", part(guard), part(what), part(version));
        Self(shortened(&key, LONGEST, KEPT).into_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is wrong: its second part.
    pub(crate) fn what(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// The key among those of several pipelines; at most 255 bytes like the key itself.
    pub(crate) fn in_pipeline(&self, pipeline: &PipelineName) -> String {
        let key = format!("{}/{}", part(pipeline.as_str()), self.0);
        shortened(&key, LONGEST, KEPT).into_owned()
    }
}

/// A part of a key, in which no `/` stands.
fn part(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F")
}

impl AsRef<str> for IncidentKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

/// The incident that an event belongs to. Every page has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InIncident {
    /// The incident.
    #[serde(rename = "incident")]
    pub key: IncidentKey,
    /// What the event does to it.
    #[serde(rename = "incident_change")]
    pub change: IncidentChange,
}

impl InIncident {
    pub(crate) fn new(key: IncidentKey, change: IncidentChange) -> Self {
        Self { key, change }
    }
}

/// What an event does to its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncidentChange {
    /// Nothing that a person has to be told again: at most a warning.
    Continues,
    /// It is over.
    Ended,
    /// It became worse: it is told again.
    Grew,
    /// It begins.
    Opened,
}

impl fmt::Display for IncidentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Continues => "continues",
            Self::Ended => "ended",
            Self::Grew => "grew",
            Self::Opened => "opened",
        })
    }
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each field is named after what it holds, and each variant explains its fields"
)]
pub enum IncidentEvent {
    /// A person ended an incident that only a person can end. `opened_by` is the name of the event
    /// that opened it, `about` the document type, field, model or ticket that it was about first.
    IncidentAcknowledged {
        opened_by: String,
        version: Option<VersionId>,
        about: Option<String>,
        opened_at: Timestamp,
        who: String,
        note: String,
    },
    /// What was wrong has been well for as long as the incident is held open, the operator put it
    /// right, or its version is no longer live. `times` counts how often it was wrong anew.
    IncidentResolved {
        opened_by: String,
        version: Option<VersionId>,
        about: Option<String>,
        opened_at: Timestamp,
        times: u64,
    },
}

impl IncidentEvent {
    /// The event's name, the same as `"event"` in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::IncidentAcknowledged { .. } => "incident_acknowledged",
            Self::IncidentResolved { .. } => "incident_resolved",
        }
    }
}

impl fmt::Display for IncidentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IncidentAcknowledged {
                opened_by,
                version,
                about,
                opened_at,
                who,
                note,
            } => {
                let (who, note) = (who.escape_debug(), note.escape_debug());
                let what = What(opened_by, version.as_ref(), about.as_deref());
                write!(f, "{who} closed {what}, opened at {opened_at}: {note}")
            }
            Self::IncidentResolved {
                opened_by,
                version,
                about,
                opened_at,
                times,
            } => {
                let what = What(opened_by, version.as_ref(), about.as_deref());
                write!(f, "{what} resolved: opened at {opened_at}, ")?;
                match times {
                    1 => f.write_str("happened once"),
                    _ => write!(f, "happened {times} times"),
                }
            }
        }
    }
}

/// What the incident was, in words.
struct What<'a>(&'a str, Option<&'a VersionId>, Option<&'a str>);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(opened_by, version, about) = self;
        f.write_str("incident")?;
        if let Some(version) = version {
            write!(f, " of {version}")?;
        }
        write!(f, " ({}", opened_by.escape_debug())?;
        if let Some(about) = about {
            write!(f, ", {}", about.escape_debug())?;
        }
        f.write_str(")")
    }
}
