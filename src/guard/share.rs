//! What a guard gives away to be kept, and gets back.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, to_value};

use super::context::Cx;
use super::state::State;
use crate::error::Error;
use crate::json::Json;
use crate::name::DocumentType;
use crate::time::Timestamp;

/// What the keys of the registers of types begin with.
const TYPE: &str = "type";

/// Something that happened. Of two with the same kind and id, the first counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fact {
    /// What kind of thing: `feedback`, `command`, `ticket`.
    pub kind: String,
    /// What it is known by among its kind.
    pub id: String,
    /// What it is about, such as a document, if it is to be found by that.
    pub about: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, JSON of at most 120 levels of arrays and objects.
    pub value: Value,
}

impl Fact {
    /// A fact of this kind.
    pub fn new(
        kind: impl Into<String>,
        id: impl Into<String>,
        at: Timestamp,
        value: Value,
    ) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            about: None,
            at,
            value,
        }
    }

    /// A fact with this value; an error if it is none in JSON.
    pub(crate) fn write(
        kind: &'static str,
        id: impl Into<String>,
        at: Timestamp,
        value: &impl Serialize,
    ) -> Result<Self, Error> {
        let value = to_value(value).map_err(|error| Error::unreadable(kind, error))?;
        Ok(Self::new(kind, id, at, value))
    }

    /// The same, to be found by what it is about.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

/// What a guard is asked to give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wanted {
    /// What happened since it was last asked.
    Facts,
    /// The registers that have changed since it was last asked for registers.
    ChangedRegisters,
    /// All registers: nobody has what it has given away before.
    AllRegisters,
}

/// What a guard gives away to be kept, and gets back after a restart.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Share {
    /// What has happened, the oldest first.
    pub facts: Vec<Fact>,
    /// Parts of the state, by a key of the guard's own. A part that is not shared again is kept as it
    /// was. One that is `null` is as good as none, and does not come back.
    pub registers: BTreeMap<String, Json>,
    /// Whether the registers are all that there are, so that others that were shared before are gone.
    /// Where all are wanted they are.
    pub is_whole: bool,
    /// What the guard has decided and is to hold for every process of the pipeline, by a name of the
    /// guard's own: JSON. It is proposed where registers are wanted, each time until
    /// [something is decided](super::Guard::decided); one that is not proposed again is withdrawn.
    pub slots: BTreeMap<String, Value>,
}

/// What was decided for every process of a pipeline: of the proposals that were made after the same
/// decision, the first that came to the store.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decided {
    /// What is decided again and again, in the guard's own name for it.
    pub slot: String,
    /// The proposal that won.
    pub value: Value,
    /// When it was made.
    pub at: Timestamp,
    /// Whether it is of this process, or of the one from whose state it goes on.
    pub is_own: bool,
}

impl Decided {
    /// A decision; `is_own` if this process proposed it.
    pub fn new(slot: impl Into<String>, value: Value, at: Timestamp, is_own: bool) -> Self {
        Self {
            slot: slot.into(),
            value,
            at,
            is_own,
        }
    }
}

impl Share {
    /// These facts.
    pub fn of_facts(facts: Vec<Fact>) -> Self {
        Self {
            facts,
            ..Self::default()
        }
    }

    /// A whole state, as one register with an empty key.
    pub fn of_state(state: State) -> Self {
        Self {
            registers: [(String::new(), state.into_text())].into(),
            is_whole: true,
            ..Self::default()
        }
    }

    /// The register with an empty key as a whole state, if there is one.
    pub fn state(&self) -> Option<State> {
        self.registers.get("").cloned().map(State::of)
    }

    /// The register with an empty key, in which the parts have what they have in common; an error, if
    /// it cannot be read or there is none, names the guard.
    pub fn rest<T: DeserializeOwned>(&self, cx: &Cx<'_>) -> Result<T, Error> {
        let missing = || Error::state(cx.guard(), "the register with an empty key is missing");
        self.state().ok_or_else(missing)?.read(cx)
    }

    /// Adds a register with the key of these names, one within the other; an error, if serde cannot
    /// write the value, names the guard.
    pub fn register(
        &mut self,
        names: &[&str],
        value: &impl Serialize,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        let value = Json::write(value);
        let value = value.map_err(|error| Error::unreadable(cx.guard(), error))?;
        self.registers.insert(key_of(names), value);
        Ok(())
    }

    /// Proposes a decision; an error, if serde cannot write the value, names the guard.
    pub fn propose(
        &mut self,
        slot: impl Into<String>,
        value: &impl Serialize,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        let value = to_value(value).map_err(|error| Error::unreadable(cx.guard(), error))?;
        self.slots.insert(slot.into(), value);
        Ok(())
    }

    /// The registers whose key begins with this name and has more; an error, if one cannot be read,
    /// names the guard.
    pub fn within<T: DeserializeOwned>(&self, name: &str, cx: &Cx<'_>) -> Result<Vec<T>, Error> {
        let prefix = format!("{}/", key_of(&[name]));
        let registers = self.registers.range(prefix.clone()..);
        let within = registers.take_while(|(key, _)| key.starts_with(&prefix));
        let read = |json: &Json| {
            json.get()
                .map_err(|error| Error::unreadable(cx.guard(), error))
        };
        within.map(|(_, json)| read(json)).collect()
    }

    /// Adds a register for each of these types.
    pub(crate) fn add_types<'a, T: Serialize>(
        &mut self,
        types: impl IntoIterator<Item = (&'a DocumentType, T)>,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        for (name, value) in types {
            self.register(&[TYPE, name.as_str()], &(name, value), cx)?;
        }
        Ok(())
    }

    /// The types of which a register was added.
    pub(crate) fn types<T: DeserializeOwned>(
        &self,
        cx: &Cx<'_>,
    ) -> Result<Vec<(DocumentType, T)>, Error> {
        self.within(TYPE, cx)
    }
}

/// A key of names one within the other, unlike that of all other names.
pub(crate) fn key_of(names: &[&str]) -> String {
    let names = names.iter();
    let names = names.map(|name| name.replace('%', "%25").replace('/', "%2F"));
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_have_another_key() {
        assert_eq!(
            key_of(&["field", "invoice", "total"]),
            "field/invoice/total"
        );
        assert_eq!(key_of(&["a/b", "100%"]), "a%2Fb/100%25");
        let keys = [
            &["a/b"][..],
            &["a", "b"],
            &["a%2Fb"],
            &["a", "", "b"],
            &["a"],
        ]
        .map(key_of);
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
    }
}
