//! What the store has of the guards.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::event::{IncidentKey, OpenIncident, Severity};
use crate::format::Format;
use crate::pipeline::Snapshot;
use crate::store::{Instance, Position, Register, Stored};
use crate::time::Timestamp;

/// How often the state of the guards is written while nothing urgent happens.
const EVERY: Duration = Duration::from_secs(5);
/// How often a process that has incidents open writes, if only to say so: others leave them to it.
const ALIVE_EVERY: Duration = Duration::from_secs(20);
/// The register that says to which moment the others belong.
const KEEPER: &str = "keeper";
/// The register that says that its owner runs. It is of no moment, so that no process goes on from
/// the state of one in which nothing happens.
const ALIVE: &str = "alive";

/// What the store has of the guards, and since when.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The registers, by key.
    registers: BTreeMap<String, Value>,
    /// How often a write has begun: the revision of what it writes. A write whose answer was lost
    /// may have arrived, so none has the revision of another.
    revision: u64,
    at: Option<Timestamp>,
    /// When there was something to write.
    changed_at: Option<Timestamp>,
    incidents: Vec<(IncidentKey, Timestamp, Severity)>,
    /// The feedback that the guards have.
    pub(super) feedback: Position,
    /// How far the store was read.
    pub(super) position: Position,
}

/// To which moment the registers of a process belong.
#[derive(Serialize, Deserialize)]
struct Moment {
    format: Format<1>,
    at: Timestamp,
    /// The feedback that the guards had.
    feedback: Position,
}

impl Written {
    /// What an earlier process has left, and whose state it is; `None` if there was none. `own` may
    /// have the number of an earlier one: what it writes is later than all that has that number.
    pub(super) fn after(
        stored: &Stored,
        own: Instance,
    ) -> Result<(Self, Option<(Instance, Snapshot)>), Error> {
        let of_own = stored
            .registers
            .iter()
            .filter(|register| register.owner == own);
        let mut written = Self {
            revision: of_own.map(|register| register.revision).max().unwrap_or(0),
            ..Self::default()
        };
        let moments = stored
            .registers
            .iter()
            .filter(|register| register.key == KEEPER);
        let Some(latest) = moments.max_by_key(|register| (register.at, register.revision)) else {
            return Ok((written, None));
        };
        let moment = Moment::deserialize(&latest.value);
        let moment = moment.map_err(|error| Error::unreadable(KEEPER, error))?;
        let of_process = stored
            .registers
            .iter()
            .filter(|register| register.owner == latest.owner);
        let parts = of_process.map(|register| (register.key.as_str(), &register.value));
        let snapshot = Snapshot::from_parts(moment.at, parts)?;
        written.feedback = moment.feedback;
        Ok((written, Some((latest.owner, snapshot))))
    }

    /// The store has nothing of this process any more.
    pub(super) fn forget(&mut self) {
        *self = Self {
            revision: self.revision,
            ..Self::default()
        };
    }

    /// The same, for guards that have the feedback up to here.
    pub(super) fn with_feedback_up_to(mut self, position: Position) -> Self {
        self.feedback = self.feedback.max(position);
        self.position = position;
        self
    }

    /// Whether the state is to be written: some time has passed, or incidents have changed.
    pub(super) fn is_due(&self, open: &[OpenIncident], now: Timestamp) -> bool {
        let is_old = self.at.is_none_or(|at| now.since(at) >= EVERY);
        is_old || self.incidents != told(open)
    }

    /// The registers that have changed. They are one with the moment, so that comes with any.
    pub(super) fn changed(
        &mut self,
        owner: Instance,
        snapshot: &Snapshot,
        open: &[OpenIncident],
    ) -> Result<Vec<Register>, Error> {
        self.revision += 1;
        let mut parts = snapshot.parts()?;
        parts.retain(|(key, value)| self.registers.get(key) != Some(value));
        if !parts.is_empty() {
            let moment = Moment {
                format: Format,
                at: snapshot.at(),
                feedback: self.feedback,
            };
            let moment = serde_json::to_value(&moment);
            let moment = moment.map_err(|error| Error::unreadable(KEEPER, error))?;
            parts.push((KEEPER.to_owned(), moment));
        } else if !open.is_empty() && self.is_silent(snapshot.at()) {
            parts.push((ALIVE.to_owned(), Value::Null));
        }
        let (revision, at) = (self.revision, snapshot.at());
        let parts = parts.into_iter();
        let registers = parts.map(|(key, value)| Register::new(owner, key, revision, at, value));
        Ok(registers.collect())
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        self.changed_at
            .is_none_or(|at| now.since(at) >= ALIVE_EVERY)
    }

    /// The store has these registers.
    pub(super) fn accept(&mut self, stored: Vec<Register>, open: &[OpenIncident], now: Timestamp) {
        if !stored.is_empty() {
            self.changed_at = Some(now);
        }
        let stored = stored.into_iter();
        self.registers
            .extend(stored.map(|register| (register.key, register.value)));
        self.at = Some(now);
        self.incidents = told(open);
    }
}

/// What of the incidents makes a write urgent.
fn told(open: &[OpenIncident]) -> Vec<(IncidentKey, Timestamp, Severity)> {
    let told = open
        .iter()
        .map(|open| (open.key.clone(), open.told_at, open.severity));
    told.collect()
}
