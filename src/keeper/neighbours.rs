//! Other processes that keep the same pipeline in the same store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;

use crate::event::{IncidentKey, PipelineEvent};
use crate::guard::Trouble;
use crate::pipeline::{Pipeline, Registers};
use crate::store::{Instance, Register};
use crate::time::{Timestamp, minutes};

/// For how long two processes may write: a deployment starts the next one before it ends the last.
const OVERLAP: Duration = minutes(1);
/// The same of others that come one after the other, so that none is there for long: a second process
/// that restarts again and again, but not deployments that follow each other.
const SUCCESSION: Duration = minutes(5);
/// A process that was not heard for this time has ended.
const SILENT_AFTER: Duration = minutes(1);
/// The most of the time between two looks at the store that counts as silence of the others: what
/// is longer was a store that did not answer, or a process that was held.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
/// The most processes that are known.
const MOST: usize = 100;

/// What is known of the other processes.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    neighbours: BTreeMap<Instance, Neighbour>,
    /// When the store was last read.
    read_at: Option<Timestamp>,
    /// Since when others write with no long silence between them, and until when, by the clock of
    /// this process.
    succession: Option<(Timestamp, Timestamp)>,
    latest: Option<Instance>,
    /// One that was heard has ended, and nobody has looked after what it left open.
    has_left: bool,
}

/// Its times are by its own clock, so that it does not matter when this process reads of them.
#[derive(Debug, Default)]
struct Neighbour {
    /// When it wrote what this process has read of it first.
    wrote_first: Option<Timestamp>,
    wrote_last: Option<Timestamp>,
    /// When this process read of it first, by the clock of this process.
    since: Option<Timestamp>,
    silent_for: Duration,
    /// The incidents that it has open, by the key of their register.
    open: BTreeMap<String, BTreeSet<IncidentKey>>,
}

impl Neighbours {
    /// What a store has when a process starts. The one whose state it goes on from has ended, unless
    /// it is heard again; others that wrote not long before may still run.
    pub(super) fn at_start(stored: &[Register], goes_on_from: Option<Instance>) -> Self {
        let mut heard = Heard::default();
        for register in stored {
            let neighbour = heard.neighbours.entry(register.owner).or_default();
            neighbour.wrote_last = neighbour.wrote_last.max(Some(register.at));
            neighbour.learn(register);
        }
        let newest = stored.iter().map(|register| register.at).max();
        // One that was silent since the latest began has ended before it.
        let of_latest = stored
            .iter()
            .filter(|register| goes_on_from == Some(register.owner));
        let began = of_latest.map(|register| register.at).min();
        heard.neighbours.retain(|owner, neighbour| {
            let wrote = newest.zip(neighbour.wrote_last);
            let may_run = wrote.is_some_and(|(newest, at)| newest.since(at) < SILENT_AFTER)
                && neighbour.wrote_last >= began;
            if goes_on_from == Some(*owner) {
                neighbour.silent_for = SILENT_AFTER;
            }
            may_run || goes_on_from == Some(*owner)
        });
        heard.forget();
        Self(Mutex::new(heard))
    }

    /// The store was read: what others have written since the last time.
    pub(super) fn hear(&self, registers: &[Register], now: Timestamp) {
        let mut heard = self.0.lock();
        let read_at = heard.read_at.replace(now).unwrap_or(now);
        let silence = now.since(read_at).min(LISTENS_WITHIN);
        let before = heard.that_wrote();
        for neighbour in heard.neighbours.values_mut() {
            neighbour.silent_for = neighbour.silent_for.saturating_add(silence);
        }
        // What has not changed for long is no sign that its owner wrote long ago and now.
        let mut latest: BTreeMap<Instance, Timestamp> = BTreeMap::new();
        for register in registers {
            let at = latest.entry(register.owner).or_insert(register.at);
            *at = register.at.max(*at);
            let neighbour = heard.neighbours.entry(register.owner).or_default();
            neighbour.learn(register);
        }
        for (owner, at) in latest {
            let neighbour = heard.neighbours.entry(owner).or_default();
            if neighbour.wrote_at(at, now) {
                heard.follows(owner, now);
            }
        }
        heard.forget();
        heard.has_left |= !heard.that_wrote().is_superset(&before);
    }

    /// The store was read as a whole: what others have written since it was read last, a moment ago.
    pub(super) fn hear_latest(&self, registers: &[Register], own: Instance, now: Timestamp) {
        let is_news =
            |register: &&Register| register.owner != own && now.since(register.at) < LISTENS_WITHIN;
        let news: Vec<Register> = registers.iter().filter(is_news).cloned().collect();
        self.hear(&news, now);
    }

    /// Says before a tick that another process goes on writing, if one does.
    pub(super) fn tell(&self, pipeline: &Pipeline) {
        // Not under the lock: a sink may report feedback.
        let mut others = self.0.lock().that_share();
        others.sort_unstable();
        if let Some((since, other)) = others.first() {
            let wrong = PipelineEvent::StoreShared {
                other: other.to_string(),
                since: *since,
            };
            let many = u64::try_from(others.len()).unwrap_or(u64::MAX);
            pipeline.still(&Trouble::new("store-shared").many(many), wrong);
        }
    }

    /// The incidents that others have open, which are theirs to end.
    pub(super) fn open(&self) -> BTreeSet<IncidentKey> {
        let heard = self.0.lock();
        let running = heard.neighbours.values().filter(|known| known.is_heard());
        let open = running.flat_map(|known| known.open.values().flatten());
        open.cloned().collect()
    }

    /// Whether one has ended and nobody has looked after what it left open.
    pub(super) fn has_left(&self) -> bool {
        self.0.lock().has_left
    }

    /// What those left open that have ended is looked after.
    pub(super) fn looked_after(&self) {
        self.0.lock().has_left = false;
    }
}

impl Heard {
    /// Who was heard not long ago, and wrote since this process started.
    fn that_wrote(&self) -> BTreeSet<Instance> {
        let wrote = self.neighbours.iter();
        let wrote = wrote.filter(|(_, known)| known.is_heard() && known.wrote_first.is_some());
        wrote.map(|(instance, _)| *instance).collect()
    }

    /// Who shares the store for longer than a handover takes, and since when.
    fn that_share(&self) -> Vec<(Timestamp, Instance)> {
        let others = self.neighbours.iter();
        let share = others.filter_map(|(instance, known)| Some((known.shares_since()?, *instance)));
        let share: Vec<_> = share.collect();
        if share.is_empty() {
            return self.in_succession().into_iter().collect();
        }
        share
    }

    /// The latest of others that write in turn, if that is no handover.
    fn in_succession(&self) -> Option<(Timestamp, Instance)> {
        let (since, until) = self.succession?;
        let latest = self.latest?;
        let known = self.neighbours.get(&latest)?;
        let is_shared = known.is_heard() && until.since(since) >= SUCCESSION;
        known
            .since
            .filter(|_| is_shared)
            .map(|since| (since, latest))
    }

    /// Another process has written.
    fn follows(&mut self, owner: Instance, now: Timestamp) {
        let unbroken = self
            .succession
            .filter(|(_, until)| now.since(*until) < SILENT_AFTER);
        let since = unbroken.map_or(now, |(since, _)| since);
        self.succession = Some((since, now));
        self.latest = Some(owner);
    }

    /// Forgets the most silent ones where there are too many.
    fn forget(&mut self) {
        while self.neighbours.len() > MOST {
            let silent = self
                .neighbours
                .iter()
                .max_by_key(|(_, known)| (known.silent_for, Reverse(known.wrote_last)));
            let Some(silent) = silent.map(|(instance, _)| *instance) else {
                return;
            };
            self.neighbours.remove(&silent);
        }
    }
}

impl Neighbour {
    fn is_heard(&self) -> bool {
        self.silent_for < SILENT_AFTER
    }

    /// Whether it has written since it was heard last.
    fn wrote_at(&mut self, at: Timestamp, now: Timestamp) -> bool {
        // What an earlier file has of a process that ended long ago may be read again.
        if self.wrote_last.is_some_and(|last| at <= last) {
            return false;
        }
        self.wrote_last = Some(at);
        self.wrote_first.get_or_insert(at);
        self.since.get_or_insert(now);
        self.silent_for = Duration::ZERO;
        true
    }

    /// Since when it writes to the store of this process, if that is no handover.
    fn shares_since(&self) -> Option<Timestamp> {
        let (first, last) = self.wrote_first.zip(self.wrote_last)?;
        let is_shared = self.is_heard() && last.since(first) >= OVERLAP;
        self.since.filter(|_| is_shared)
    }

    fn learn(&mut self, register: &Register) {
        if let Some(open) = Registers::open_in(&register.key, &register.value) {
            self.open.insert(register.key.clone(), open);
        }
    }
}
