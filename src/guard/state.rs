//! What a guard keeps over a restart.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The state of one guard, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(serde_json::Value);

impl State {
    /// From anything that serde can write; `None` if it cannot be written.
    pub fn of(state: &impl Serialize) -> Option<Self> {
        serde_json::to_value(state).ok().map(Self)
    }

    /// Reads it back for the guard called `owner`; an error when it is not what that guard wrote.
    pub fn read<T: DeserializeOwned>(&self, owner: &str) -> Result<T, Error> {
        T::deserialize(&self.0).map_err(|error| Error::unreadable(owner, error))
    }
}
