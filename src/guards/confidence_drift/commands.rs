//! Commands of the operator. A command changes the state at once; its event and the end of the
//! incident come with the next step.

use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::order::Order;

/// A command of the operator whose event is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    Rebaseline(Key, Order),
    Resolve(Key, Order),
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Rebaseline(..) => "rebaseline",
            Self::Resolve(..) => "resolve",
        }
    }

    pub(super) fn key(&self) -> &Key {
        let (Self::Rebaseline(key, _) | Self::Resolve(key, _)) = self;
        key
    }
}
