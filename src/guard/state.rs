//! The state that a guard keeps over a restart.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::context::Cx;
use crate::error::Error;
use crate::json::Json;

/// The stored state of one guard.
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
pub struct State(Json);

impl State {
    /// Writes a state; the error, if serde cannot write it, names the guard.
    pub fn write(state: &impl Serialize, cx: &Cx<'_>) -> Result<Self, Error> {
        let text = Json::write(state);
        text.map(Self)
            .map_err(|error| Error::unreadable(cx.guard(), error))
    }

    /// Reads a state back; the error, if the guard did not write it, names the guard.
    pub fn read<T: DeserializeOwned>(&self, cx: &Cx<'_>) -> Result<T, Error> {
        let state = self.0.get();
        state.map_err(|error| Error::unreadable(cx.guard(), error))
    }

    pub(crate) fn of(text: Json) -> Self {
        Self(text)
    }

    pub(crate) fn into_text(self) -> Json {
        self.0
    }
}
