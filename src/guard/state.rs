//! What a guard keeps over a restart.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::context::Cx;
use crate::error::Error;

/// The state of one guard, as it is stored.
///
/// ```
/// use fusebox::clock::{Clock, MockClock};
/// use fusebox::event::Outbox;
/// use fusebox::guard::{Cx, State};
/// use fusebox::{LineUp, Version};
///
/// let (line_up, outbox) = (LineUp::new(Version::new("v7", "gpt-4o")?), Outbox::new());
/// let cx = Cx::new(MockClock::new().now(), &line_up, &outbox, "contracts");
/// let state = State::write(&(3, "open"), &cx)?;
/// assert_eq!(state.read::<(u32, String)>(&cx)?, (3, "open".to_owned()));
/// assert!(state.read::<bool>(&cx).unwrap_err().to_string().starts_with("state of `contracts`: "));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(serde_json::Value);

impl State {
    /// From anything that serde can write; an error, which names the guard, if it cannot be written.
    pub fn write(state: &impl Serialize, cx: &Cx<'_>) -> Result<Self, Error> {
        let value = serde_json::to_value(state);
        value
            .map(Self)
            .map_err(|error| Error::unreadable(cx.guard(), error))
    }

    /// Reads it back; an error, which names the guard, if it is not what the guard wrote.
    pub fn read<T: DeserializeOwned>(&self, cx: &Cx<'_>) -> Result<T, Error> {
        T::deserialize(&self.0).map_err(|error| Error::unreadable(cx.guard(), error))
    }
}
