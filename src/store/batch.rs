//! The three kinds of data that a store keeps, and how they travel.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::Error;
use crate::guard::{Decided, Fact};
use crate::json::Json;
use crate::pager::OutboxRow;
use crate::time::Timestamp;

/// One process of a pipeline: a random number, new at each start. Serialised as 16 hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(u64);

impl Instance {
    /// The process with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Instance {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = u64::from_str_radix(text, 16).ok();
        let number = number.filter(|_| text.len() == 16);
        let refused = || Error::invalid("instance", text, "16 hexadecimal digits");
        number.map(Self).ok_or_else(refused)
    }
}

impl Serialize for Instance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How far a store has been read: it numbers all that is written to it, and a later write has a
/// greater number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first write.
    pub const START: Self = Self(0);

    /// This position.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A value that one process owns. Of two with the same owner and key, the one with the greater
/// revision counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Register {
    /// The process.
    pub owner: Instance,
    /// What it is about, such as `guard/error-rate`.
    pub key: String,
    /// How often its owner has written it.
    pub revision: u64,
    /// When its owner wrote it.
    pub at: Timestamp,
    /// The value.
    pub value: Json,
}

impl Register {
    /// A register of this owner.
    pub fn new(
        owner: Instance,
        key: impl Into<String>,
        revision: u64,
        at: Timestamp,
        value: Json,
    ) -> Self {
        Self {
            owner,
            key: key.into(),
            revision,
            at,
            value,
        }
    }
}

/// A decision with a number. The first writer of a number wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slot {
    /// What is decided again and again: a stage, a latch.
    pub name: String,
    /// The number of the decision.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Instance,
    /// What was decided, JSON.
    pub value: Value,
}

impl Slot {
    /// A decision by this process.
    pub fn new(
        name: impl Into<String>,
        number: u64,
        at: Timestamp,
        by: Instance,
        value: Value,
    ) -> Self {
        Self {
            name: name.into(),
            number,
            at,
            by,
            value,
        }
    }

    pub(crate) fn into_decided(self, is_own: bool) -> Decided {
        Decided::new(self.name, self.value, self.at, is_own)
    }
}

/// What one exchange with a store carries, in either direction.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// Registers that have changed.
    pub registers: Vec<Register>,
    /// To the store: facts that may be new to it. From it: those of others, in the order in which
    /// they were written.
    pub facts: Vec<Fact>,
    /// To the store: nothing. From it: of each fact that it was given, whether it was new.
    pub is_new: Vec<bool>,
    /// To the store: decisions that are proposed. From it: what was decided, also where the
    /// proposal of another process was first.
    pub slots: Vec<Slot>,
    /// To the store: rows of the outbox that are new or have changed. From it: none.
    pub rows: Vec<OutboxRow>,
    /// To the store: how far the process has read. From it: how far it has read now.
    pub position: Position,
}

impl Batch {
    /// An empty batch of a process that has read up to here.
    pub fn after(position: Position) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }
}

/// What a store has of a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stored {
    /// Every register, of every process.
    pub registers: Vec<Register>,
    /// The latest decision of each name.
    pub slots: Vec<Slot>,
    /// The rows of the outbox, but for those that ended long ago.
    pub rows: Vec<OutboxRow>,
    /// How far the store has been read.
    pub position: Position,
}
