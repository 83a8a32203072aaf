//! What a pipeline keeps over a restart.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::versions::KnownVersions;
use crate::error::Error;
use crate::event::IncidentKey;
use crate::format::Format;
use crate::guard::{IncidentRegister, State};
use crate::json::Json;
use crate::time::Timestamp;

/// The end of the year 9999, the last time that can be printed. What is later was not written in
/// milliseconds, or by no pipeline.
const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// The keys of its parts, where they are stored apart.
const GUARD: &str = "guard/";
const INCIDENTS: &str = "incidents/";
const VERSIONS: &str = "versions";

/// The state of every guard of a pipeline at one moment, the open incidents, and the fingerprint of
/// each version deployed so far. Store it where it survives the process.
///
/// Serialised as an object with `"format": 1`; reading another format is an error. Each guard's
/// state has a format number of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    format: Format<1>,
    at: Timestamp,
    guards: BTreeMap<String, State>,
    /// By guard.
    #[serde(default)]
    incidents: BTreeMap<String, IncidentRegister>,
    #[serde(default)]
    versions: KnownVersions,
}

impl Snapshot {
    pub(super) fn new(at: Timestamp, versions: KnownVersions) -> Self {
        Self {
            format: Format,
            at,
            guards: BTreeMap::new(),
            incidents: BTreeMap::new(),
            versions,
        }
    }

    pub(super) fn insert(&mut self, guard: &str, state: State) {
        self.guards.insert(guard.to_owned(), state);
    }

    pub(super) fn insert_incidents(&mut self, guard: &str, incidents: IncidentRegister) {
        self.incidents.insert(guard.to_owned(), incidents);
    }

    pub(super) fn incidents(&self, guard: &str) -> Option<&IncidentRegister> {
        self.incidents.get(guard)
    }

    pub(super) fn versions(&self) -> &KnownVersions {
        &self.versions
    }

    /// Its parts, each under a key of its own: `guard/..` and `incidents/..` by guard, and
    /// `versions`.
    pub(crate) fn parts(&self) -> Result<Vec<(String, Json)>, Error> {
        let part = |key: String, text: serde_json::Result<Json>| match text {
            Ok(text) => Ok((key, text)),
            Err(error) => Err(Error::unreadable(key, error)),
        };
        let guards = self.guards.iter();
        let guards =
            guards.map(|(name, state)| Ok((format!("{GUARD}{name}"), state.text().clone())));
        let incidents = self.incidents.iter();
        let incidents =
            incidents.map(|(name, open)| part(format!("{INCIDENTS}{name}"), Json::write(open)));
        let versions = part(VERSIONS.to_owned(), Json::write(&self.versions));
        guards.chain(incidents).chain([versions]).collect()
    }

    /// The snapshot of this time with these parts; a part with another key is ignored.
    pub(crate) fn from_parts<'a>(
        at: Timestamp,
        parts: impl IntoIterator<Item = (&'a str, &'a Json)>,
    ) -> Result<Self, Error> {
        let mut snapshot = Self::new(at, KnownVersions::default());
        for (key, value) in parts {
            let unreadable = |error| Error::unreadable(key, error);
            if let Some(name) = key.strip_prefix(GUARD) {
                snapshot.insert(name, State::of(value.clone()));
            } else if let Some(name) = key.strip_prefix(INCIDENTS) {
                let open = value.get().map_err(unreadable)?;
                snapshot.insert_incidents(name, open);
            } else if key == VERSIONS {
                snapshot.versions = value.get().map_err(unreadable)?;
            }
        }
        Ok(snapshot)
    }

    /// The incidents that one of its parts has open; `None` if that part has none to have.
    pub(crate) fn open_in(key: &str, value: &Json) -> Option<BTreeSet<IncidentKey>> {
        key.strip_prefix(INCIDENTS)?;
        let incidents: IncidentRegister = value.get().ok()?;
        Some(incidents.keys().cloned().collect())
    }

    /// When it was taken.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    pub(super) fn check_time(&self) -> Result<(), Error> {
        if self.at <= LAST {
            return Ok(());
        }
        let allowed = format!(
            "at most {}, the end of the year 9999 in milliseconds",
            LAST.as_millis()
        );
        Err(Error::invalid("snapshot at", self.at.as_millis(), allowed))
    }

    /// The names of the guards that have a state in it.
    pub fn guards(&self) -> impl Iterator<Item = &str> {
        self.guards.keys().map(String::as_str)
    }

    pub(super) fn state(&self, guard: &str) -> Option<&State> {
        self.guards.get(guard)
    }
}
