//! What the store has of the guards.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::event::{IncidentKey, OpenIncident, Severity};
use crate::format::Format;
use crate::json::Json;
use crate::pipeline::Snapshot;
use crate::store::{Instance, Position, Register, Stored};
use crate::time::Timestamp;

/// How often the state of the guards is written while nothing urgent happens ..
const EVERY: Duration = Duration::from_secs(5);
/// .. but not more often than takes this part of the time, one in so many ..
const PART: u32 = 50;
/// .. and where something urgent happens, this part.
const URGENT_PART: u32 = 4;
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
    registers: BTreeMap<String, Json>,
    /// How often a write has begun: the revision of what it writes. A write whose answer was lost
    /// may have arrived, so none has the revision of another.
    revision: u64,
    at: Option<Timestamp>,
    /// How long it took to make it.
    took: Duration,
    /// When there was something to write.
    changed_at: Option<Timestamp>,
    incidents: Vec<(IncidentKey, Timestamp, Severity)>,
    /// How far the store was read: the guards have all feedback up to here. `None` if it is another
    /// store than before, of which nothing is news.
    pub(super) read: Option<Position>,
}

/// What an earlier process has left.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) owner: Instance,
    pub(super) snapshot: Snapshot,
    /// Its guards had all feedback up to here.
    pub(super) feedback: Position,
}

/// To which moment the registers of a process belong.
#[derive(Serialize, Deserialize)]
struct Moment {
    format: Format<1>,
    at: Timestamp,
    /// The guards had all feedback up to here.
    feedback: Position,
}

impl Written {
    /// For guards that will have all that a store has, and what an earlier process has left; `None`
    /// if there was none. `own` may have the number of an earlier one: what it writes is later than
    /// all that has that number.
    pub(super) fn after(stored: &Stored, own: Instance) -> Result<(Self, Option<Earlier>), Error> {
        let of_own = stored
            .registers
            .iter()
            .filter(|register| register.owner == own);
        let written = Self {
            revision: of_own.map(|register| register.revision).max().unwrap_or(0),
            read: Some(stored.position),
            ..Self::default()
        };
        let moments = stored
            .registers
            .iter()
            .filter(|register| register.key == KEEPER);
        let Some(latest) = moments.max_by_key(|register| (register.at, register.revision)) else {
            return Ok((written, None));
        };
        let unreadable = |error| Error::unreadable(KEEPER, error);
        let moment: Moment = latest.value.get().map_err(unreadable)?;
        let of_process = stored
            .registers
            .iter()
            .filter(|register| register.owner == latest.owner);
        let parts = of_process.map(|register| (register.key.as_str(), &register.value));
        let earlier = Earlier {
            owner: latest.owner,
            snapshot: Snapshot::from_parts(moment.at, parts)?,
            feedback: moment.feedback,
        };
        Ok((written, Some(earlier)))
    }

    /// The store has nothing of this process any more.
    pub(super) fn forget(&mut self) {
        *self = Self {
            revision: self.revision,
            ..Self::default()
        };
    }

    /// Whether the state is to be written: some time has passed, or incidents have changed.
    pub(super) fn is_due(&self, open: &[OpenIncident], now: Timestamp) -> bool {
        let Some(age) = self.at.map(|at| now.since(at)) else {
            return true;
        };
        let is_old = age >= EVERY.max(self.took.saturating_mul(PART));
        let may_be_early = age >= self.took.saturating_mul(URGENT_PART);
        is_old || may_be_early && self.incidents != told(open)
    }

    /// The state was made within this time.
    pub(super) fn took(&mut self, time: Duration) {
        self.took = time;
    }

    /// The registers that have changed. They are one with the moment, so that comes with any.
    pub(super) fn changed(
        &mut self,
        owner: Instance,
        at: Timestamp,
        mut parts: Vec<(String, Json)>,
        open: &[OpenIncident],
    ) -> Result<Vec<Register>, Error> {
        self.revision += 1;
        parts.retain(|(key, value)| {
            let stored = self.registers.get(key);
            stored.is_none_or(|stored| stored.as_str() != value.as_str())
        });
        if !parts.is_empty() {
            let moment = Moment {
                format: Format,
                at,
                feedback: self.read.unwrap_or(Position::START),
            };
            let unreadable = |error| Error::unreadable(KEEPER, error);
            let moment = Json::write(&moment).map_err(unreadable)?;
            parts.push((KEEPER.to_owned(), moment));
        } else if !open.is_empty() && self.is_silent(at) {
            parts.push((ALIVE.to_owned(), Json::default()));
        }
        let revision = self.revision;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A state that takes 20 ms to make is written each five seconds; one that takes 400 ms each 20,
    /// and where incidents change not sooner than after 1.6.
    #[test]
    fn a_large_state_is_written_less_often() {
        const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
        let millis = Duration::from_millis;
        let is_due = |took, after, has_changed: bool| {
            let mut written = Written::default();
            assert!(written.is_due(&[], BEGIN), "nothing is written yet");
            written.took(millis(took));
            written.accept(Vec::new(), &[], BEGIN);
            if has_changed {
                let key = IncidentKey::new("pipeline", "store-down", None, 1);
                written.incidents = vec![(key, BEGIN, Severity::Page)];
            }
            written.is_due(&[], BEGIN + millis(after))
        };
        for (took, after) in [(0, 5_000), (20, 5_000), (400, 20_000)] {
            assert!(!is_due(took, after - 1, false), "{took} {after}");
            assert!(is_due(took, after, false), "{took} {after}");
        }
        for (took, after) in [(20, 80), (400, 1_600)] {
            assert!(!is_due(took, after - 1, true), "{took} {after}");
            assert!(is_due(took, after, true), "{took} {after}");
        }
    }
}
