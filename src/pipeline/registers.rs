//! The state of a pipeline in parts, each of which is stored apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::snapshot::Snapshot;
use crate::error::Error;
use crate::event::IncidentKey;
use crate::guard::{IncidentRegister, Share, key_of};
use crate::json::Json;
use crate::time::Timestamp;

/// What the keys of its parts begin with.
const GUARD: &str = "guard";
const INCIDENTS: &str = "incidents/";
const VERSIONS: &str = "versions";

/// The state of a pipeline at one moment, as its guards share it: all of it, or what has changed.
#[derive(Debug)]
pub(crate) struct Registers {
    /// What is the pipeline's own: the time, the incidents and the versions.
    pub(super) own: Snapshot,
    /// By their names, as they are in keys.
    pub(super) guards: BTreeMap<String, Share>,
}

/// Registers by key, to be stored.
#[derive(Debug, Default)]
pub(crate) struct Keyed {
    pub(crate) registers: Vec<(String, Json)>,
    /// The keys of guards of which the registers are all that there are: with others, or that go on
    /// with a slash after them, they are gone.
    pub(crate) whole: Vec<String>,
    /// What guards propose, by the name of its slot.
    pub(crate) slots: Vec<(String, Value)>,
}

impl Registers {
    pub(crate) fn at(&self) -> Timestamp {
        self.own.at()
    }

    /// Each under a key of its own: `guard/<guard>`, with more if it is one of many,
    /// `incidents/<guard>`, and `versions`.
    pub(crate) fn keyed(self) -> Result<Keyed, Error> {
        let mut keyed = Keyed::default();
        let mut add = |key: String, text: serde_json::Result<Json>| match text {
            Ok(text) => {
                keyed.registers.push((key, text));
                Ok(())
            }
            Err(error) => Err(Error::unreadable(key, error)),
        };
        for (name, open) in self.own.all_incidents() {
            add(format!("{INCIDENTS}{name}"), Json::write(open))?;
        }
        add(VERSIONS.to_owned(), Json::write(self.own.versions()))?;
        for (name, share) in self.guards {
            let guard = format!("{GUARD}/{name}");
            let registers = share.registers.into_iter();
            keyed.registers.extend(registers.map(|(key, value)| {
                let is_all = key.is_empty();
                let key = if is_all {
                    guard.clone()
                } else {
                    format!("{guard}/{key}")
                };
                (key, value)
            }));
            let slots = share.slots.into_iter();
            keyed
                .slots
                .extend(slots.map(|(slot, value)| (format!("{guard}/{slot}"), value)));
            if share.is_whole {
                keyed.whole.push(guard);
            }
        }
        Ok(keyed)
    }

    /// What was stored of a pipeline at this time; a key that is none of its own is ignored, and so
    /// is what is gone.
    pub(crate) fn of_keyed<'a>(
        at: Timestamp,
        stored: impl IntoIterator<Item = (&'a str, &'a Json)>,
    ) -> Result<Self, Error> {
        let mut registers = Self {
            own: Snapshot::new(at, super::versions::KnownVersions::default()),
            guards: BTreeMap::new(),
        };
        for (key, value) in stored {
            let unreadable = |error| Error::unreadable(key, error);
            if let Some(name) = key.strip_prefix(INCIDENTS) {
                let open = value.get().map_err(unreadable)?;
                registers.own.insert_incidents(name, open);
            } else if key == VERSIONS {
                registers.own.set_versions(value.get().map_err(unreadable)?);
            } else if !value.is_null() {
                registers.insert(key, value);
            }
        }
        Ok(registers)
    }

    fn insert(&mut self, key: &str, value: &Json) {
        let Some((guard, key)) = guard_of(key) else {
            return;
        };
        let share = self.guards.entry(guard.to_owned()).or_default();
        share.registers.insert(key.to_owned(), value.clone());
        share.is_whole = true;
    }

    /// Whether a register of this key is of a guard.
    pub(crate) fn is_of_guard(key: &str) -> bool {
        key.split('/').next() == Some(GUARD)
    }

    /// What a guard has shared.
    pub(super) fn of_guard(&self, name: &str) -> Option<&Share> {
        self.guards.get(&key_of(&[name]))
    }

    /// The incidents that a register has open; `None` if it has none to have.
    pub(crate) fn open_in(key: &str, value: &Json) -> Option<BTreeSet<IncidentKey>> {
        key.strip_prefix(INCIDENTS)?;
        let incidents: IncidentRegister = value.get().ok()?;
        Some(incidents.keys().cloned().collect())
    }
}

/// The guard, as it is in keys, and its own name for a register or a slot of this key.
pub(super) fn guard_of(key: &str) -> Option<(&str, &str)> {
    let mut names = key.splitn(3, '/');
    let guard = (names.next() == Some(GUARD)).then(|| names.next())??;
    Some((guard, names.next().unwrap_or_default()))
}
