//! What the store has of the guards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::courier::STORED_WITHIN;
use super::slots::Slots;
use crate::error::Error;
use crate::event::{IncidentKey, OpenIncident, Severity};
use crate::format::Format;
use crate::guard::Wanted;
use crate::json::Json;
use crate::pipeline::{Keyed, Registers};
use crate::store::{Instance, Position, Register, Stored};
use crate::time::{Timestamp, hours};

/// How often the store is asked, and the state of the guards is written, while nothing urgent happens
/// ..
const EVERY: Duration = Duration::from_secs(5);
/// .. but the state not more often than takes this part of the time, one in so many ..
const PART: u32 = 50;
/// .. and where something urgent happens, this part; then not later than this.
const URGENT_PART: u32 = 4;
const URGENT_WITHIN: Duration = STORED_WITHIN;
/// How often a process that has incidents open writes, if only to say so: others leave them to it.
const ALIVE_EVERY: Duration = Duration::from_secs(20);
/// After so long without a write all registers are written again.
const SILENT: Duration = hours(1);
/// The register that says to which moment the others belong.
const KEEPER: &str = "keeper";
/// The register that says that its owner runs. It is of no moment, so that no process goes on from
/// the state of one in which nothing happens.
const ALIVE: &str = "alive";

/// What the store has of the guards, and since when.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The registers as they were made last, by key ..
    registers: BTreeMap<String, Json>,
    /// .. and those that the store does not have so.
    unwritten: BTreeSet<String>,
    /// Whether none is missing: what guards gave away came here each time.
    has_all: bool,
    /// Held by all that make a state.
    making: Arc<()>,
    /// Whether the one that began last was alone.
    is_alone: bool,
    /// How often a write has begun: the revision of what it writes. A write whose answer was lost
    /// may have arrived, so none has the revision of another.
    revision: u64,
    /// When the state was made last, and how long that took.
    made_at: Option<Timestamp>,
    took: Duration,
    /// Why it could not be.
    unmade: Option<String>,
    /// When there was something to write.
    changed_at: Option<Timestamp>,
    incidents: Vec<(IncidentKey, Timestamp, Severity)>,
    pub(super) slots: Slots,
    /// How far the store was read: the guards have all feedback up to here.
    read: Position,
    read_at: Option<Timestamp>,
    /// The store is another one than was read until then, and may be an old one.
    replaced_after: Option<Timestamp>,
}

/// What an earlier process has left.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) owner: Instance,
    pub(super) registers: Registers,
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
        // What the guards no longer have is gone.
        let of_guards = of_own
            .clone()
            .filter(|register| Registers::is_of_guard(&register.key));
        let of_guards = of_guards.map(|register| (register.key.clone(), register.value.clone()));
        let written = Self {
            registers: of_guards.collect(),
            revision: of_own.map(|register| register.revision).max().unwrap_or(0),
            read: stored.position,
            slots: Slots::of(&stored.slots),
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
        let stored = of_process.map(|register| (register.key.as_str(), &register.value));
        let earlier = Earlier {
            owner: latest.owner,
            registers: Registers::of_keyed(moment.at, stored)?,
            feedback: moment.feedback,
        };
        Ok((written, Some(earlier)))
    }

    /// The store has nothing of this process any more.
    pub(super) fn forget(&mut self) {
        self.slots.forget();
        *self = Self {
            unwritten: self.registers.keys().cloned().collect(),
            registers: std::mem::take(&mut self.registers),
            has_all: self.has_all,
            making: Arc::clone(&self.making),
            is_alone: self.is_alone,
            revision: self.revision,
            slots: std::mem::take(&mut self.slots),
            replaced_after: self.read_at.or(self.replaced_after),
            ..Self::default()
        };
    }

    /// How far the store was read.
    pub(super) fn position(&self) -> Position {
        self.read
    }

    /// The store was read up to here. The answer is the time from which on its facts are news.
    pub(super) fn read(&mut self, position: Position, now: Timestamp) -> Timestamp {
        self.read = position;
        self.read_at = Some(now);
        self.replaced_after.take().unwrap_or(Timestamp::EPOCH)
    }

    /// Whether the store is to be asked, even with nothing to write: what others have written.
    pub(super) fn asks(&self, now: Timestamp) -> bool {
        self.read_at.is_none_or(|at| now.since(at) >= EVERY)
    }

    /// Whether the incidents are others than the store has.
    pub(super) fn has_news(&self, open: &[OpenIncident]) -> bool {
        self.incidents != told(open)
    }

    /// Whether the state is to be made and written: it is old, or something urgent is in it.
    pub(super) fn is_due(&self, is_urgent: bool, now: Timestamp) -> bool {
        let Some(age) = self.made_at.map(|at| now.since(at)) else {
            return true;
        };
        let urgent = self.took.saturating_mul(URGENT_PART).min(URGENT_WITHIN);
        let is_old = age >= EVERY.max(self.took.saturating_mul(PART));
        is_old || is_urgent && age >= urgent
    }

    /// What guards are to give away, and what says until it is dropped that they do. Until what they
    /// gave [is here](Self::made), all is wanted the next time; and as long as they give to somebody
    /// who was given up.
    pub(super) fn begin(&mut self) -> (Wanted, Arc<()>) {
        self.is_alone = Arc::strong_count(&self.making) == 1;
        let has_all = std::mem::take(&mut self.has_all);
        let wanted = if has_all && self.is_alone {
            Wanted::ChangedRegisters
        } else {
            Wanted::AllRegisters
        };
        (wanted, Arc::clone(&self.making))
    }

    /// The state was made, within this time.
    pub(super) fn made(&mut self, keyed: Keyed, took: Duration, now: Timestamp) {
        self.made_at = Some(now);
        (self.unmade, self.took, self.has_all) = (None, took, self.is_alone);
        self.learn(keyed);
    }

    /// The state could not be made.
    pub(super) fn could_not_be_made(&mut self, error: &Error, now: Timestamp) {
        self.made_at = Some(now);
        self.unmade = Some(error.to_string());
    }

    fn learn(&mut self, keyed: Keyed) {
        self.slots.propose(keyed.slots);
        let made: BTreeSet<_> = keyed.registers.iter().map(|(key, _)| key.clone()).collect();
        let mut gone = Vec::new();
        for guard in &keyed.whole {
            let all = self.registers.range(guard.clone()..);
            let of_guard = all.take_while(|(key, _)| key.starts_with(guard.as_str()));
            let earlier = of_guard.filter(|(key, _)| {
                let more = key.get(guard.len()..).unwrap_or_default();
                (more.is_empty() || more.starts_with('/')) && !made.contains(*key)
            });
            gone.extend(earlier.map(|(key, _)| (key.clone(), Json::default())));
        }
        for (key, value) in keyed.registers.into_iter().chain(gone) {
            let known = self.registers.get(&key);
            if known.is_none_or(|known| known.as_str() != value.as_str()) {
                self.unwritten.insert(key.clone());
                self.registers.insert(key, value);
            }
        }
    }

    /// Why the state cannot be written, if that is so.
    pub(super) fn unmade(&self) -> Option<&str> {
        self.unmade.as_deref()
    }

    /// The registers that the store does not have. They are one with the moment, so that comes with
    /// any.
    pub(super) fn changed(
        &mut self,
        owner: Instance,
        at: Timestamp,
    ) -> Result<Vec<Register>, Error> {
        if self.unwritten.is_empty() {
            return Ok(Vec::new());
        }
        // A store may take it for ended, and have dropped what it wrote.
        if self.changed_at.is_some_and(|last| at.since(last) >= SILENT) {
            self.unwritten.extend(self.registers.keys().cloned());
        }
        let moment = Moment {
            format: Format,
            at,
            feedback: self.read,
        };
        let unreadable = |error| Error::unreadable(KEEPER, error);
        let moment = Json::write(&moment).map_err(unreadable)?;
        let keys = self.unwritten.iter();
        let parts = keys.filter_map(|key| Some((key.clone(), self.registers.get(key)?.clone())));
        let parts: Vec<_> = parts.chain([(KEEPER.to_owned(), moment)]).collect();
        Ok(self.of_parts(owner, at, parts))
    }

    /// A register that says that this process runs, if it has incidents open and has written nothing
    /// for some time.
    pub(super) fn sign_of_life(
        &mut self,
        owner: Instance,
        open: &[OpenIncident],
        now: Timestamp,
    ) -> Vec<Register> {
        if open.is_empty() || !self.is_silent(now) {
            return Vec::new();
        }
        self.of_parts(owner, now, vec![(ALIVE.to_owned(), Json::default())])
    }

    fn of_parts(
        &mut self,
        owner: Instance,
        at: Timestamp,
        parts: Vec<(String, Json)>,
    ) -> Vec<Register> {
        self.revision += 1;
        let revision = self.revision;
        let parts = parts.into_iter();
        let registers = parts.map(|(key, value)| Register::new(owner, key, revision, at, value));
        registers.collect()
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        self.changed_at
            .is_none_or(|at| now.since(at) >= ALIVE_EVERY)
    }

    /// The store has these registers.
    pub(super) fn accept(&mut self, stored: &[Register], now: Timestamp) {
        if !stored.is_empty() {
            self.changed_at = Some(now);
        }
        for register in stored {
            self.unwritten.remove(&register.key);
        }
    }

    /// The store has the state with these incidents.
    pub(super) fn accept_state(&mut self, open: &[OpenIncident]) {
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

    /// A state that takes 20 ms to make is written each five seconds, one that takes 400 ms each 20.
    /// Where something is urgent, four times as long passes, but not more than a second.
    #[test]
    fn a_large_state_is_written_less_often() {
        const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
        let millis = Duration::from_millis;
        let is_due = |took, after, is_urgent| {
            let mut written = Written::default();
            assert!(written.is_due(false, BEGIN), "nothing is written yet");
            written.made(Keyed::default(), millis(took), BEGIN);
            written.is_due(is_urgent, BEGIN + millis(after))
        };
        for (took, after) in [(0, 5_000), (20, 5_000), (400, 20_000)] {
            assert!(!is_due(took, after - 1, false), "{took} {after}");
            assert!(is_due(took, after, false), "{took} {after}");
        }
        for (took, after) in [(20, 80), (240, 960), (400, 1_000)] {
            assert!(!is_due(took, after - 1, true), "{took} {after}");
            assert!(is_due(took, after, true), "{took} {after}");
        }
    }

    /// What was given up takes what has changed from the guards, and nobody gets it.
    #[test]
    fn all_is_wanted_as_long_as_an_earlier_state_is_made() {
        let mut written = Written::default();
        let made = |written: &mut Written| {
            written.made(Keyed::default(), Duration::ZERO, Timestamp::EPOCH);
        };
        let (wanted, given_up) = written.begin();
        assert_eq!(wanted, Wanted::AllRegisters, "nothing is written yet");
        for _ in 0..2 {
            assert_eq!(written.begin().0, Wanted::AllRegisters);
            made(&mut written);
        }
        drop(given_up);
        assert_eq!(
            written.begin().0,
            Wanted::AllRegisters,
            "it may have ended just now"
        );
        made(&mut written);
        assert_eq!(written.begin().0, Wanted::ChangedRegisters);
        assert_eq!(
            written.begin().0,
            Wanted::AllRegisters,
            "the last did not come here"
        );
    }

    /// Two exchanges within five seconds ask nothing, whatever the state takes.
    #[test]
    fn the_store_is_asked_every_five_seconds() {
        const BEGIN: Timestamp = Timestamp::from_millis(1_773_435_600_000);
        let mut written = Written::default();
        assert!(written.asks(BEGIN));
        written.made(Keyed::default(), Duration::from_secs(60), BEGIN);
        written.read(Position::new(1), BEGIN);
        assert!(!written.asks(BEGIN + Duration::from_millis(4_999)));
        assert!(written.asks(BEGIN + EVERY));
    }
}
