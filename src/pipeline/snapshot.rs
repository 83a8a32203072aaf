//! What a pipeline keeps over a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::versions::KnownVersions;
use crate::error::Error;
use crate::format::Format;
use crate::guard::{IncidentRegister, State};
use crate::time::Timestamp;

/// The end of the year 9999, the last time that can be printed. What is later was not written in
/// milliseconds, or by no pipeline.
const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

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

    pub(super) fn set_versions(&mut self, versions: KnownVersions) {
        self.versions = versions;
    }

    /// The incidents of each guard, by its name.
    pub(super) fn all_incidents(&self) -> impl Iterator<Item = (&String, &IncidentRegister)> {
        self.incidents.iter()
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
