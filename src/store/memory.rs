//! A store in memory, for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::batch::{Batch, Instance, Position, Register, Slot, Stored};
use super::cut::Cut;
use super::seam::Store;
use crate::error::{Error, StoreFault};
use crate::guard::Fact;
use crate::name::PipelineName;
use crate::pager::{OutboxRow, RowKey};

/// A store in memory: for tests, of one process or of several pipelines that share it. It survives
/// nothing, and it keeps everything.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    pipelines: BTreeMap<PipelineName, Shelf>,
    fault: Option<(StoreFault, String)>,
    cut: Cut,
}

/// What is kept of one pipeline, each with the position at which it was written.
#[derive(Debug, Default)]
struct Shelf {
    position: u64,
    /// What was written before this position is lost.
    begins: u64,
    registers: BTreeMap<(Instance, String), (u64, Register)>,
    /// With the process that wrote it.
    facts: BTreeMap<(String, String), (u64, Instance, Fact)>,
    slots: BTreeMap<(String, u64), (u64, Slot)>,
    rows: BTreeMap<RowKey, OutboxRow>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every exchange fails with this fault, until [`repair`](Self::repair): for tests
    /// of what an outage of a store does.
    pub fn fail(&self, fault: StoreFault, reason: impl Into<String>) {
        self.0.lock().fault = Some((fault, reason.into()));
    }

    /// Ends such an outage.
    pub fn repair(&self) {
        self.0.lock().fault = None;
    }

    /// Forgets everything, and says so to the next exchange of each process, which fails: for tests of
    /// what the loss of a store does.
    pub fn lose(&self) {
        for shelf in self.0.lock().pipelines.values_mut() {
            let begins = shelf.next();
            *shelf = Shelf {
                position: begins,
                begins,
                ..Shelf::default()
            };
        }
    }

    /// Drops all facts, as a store does that has reached the most that it may hold, and
    /// [says so](Store::take_cut): for tests of what that does.
    pub fn drop_facts(&self) {
        let contents = &mut *self.0.lock();
        for shelf in contents.pipelines.values_mut() {
            for (_, _, fact) in std::mem::take(&mut shelf.facts).into_values() {
                contents.cut.early += 1;
                contents.cut.until = contents.cut.until.max(Some(fact.at));
            }
        }
    }

    /// Every row of a pipeline's outbox.
    pub fn rows(&self, pipeline: &PipelineName) -> Vec<OutboxRow> {
        let contents = self.0.lock();
        let shelf = contents.pipelines.get(pipeline);
        shelf.map_or_else(Vec::new, |shelf| shelf.rows.values().cloned().collect())
    }

    fn with<T>(
        &self,
        pipeline: &PipelineName,
        work: impl FnOnce(&mut Shelf) -> T,
    ) -> Result<T, Error> {
        let mut contents = self.0.lock();
        if let Some((fault, reason)) = &contents.fault {
            return Err(Error::store("memory", *fault, reason));
        }
        Ok(work(
            contents.pipelines.entry(pipeline.clone()).or_default(),
        ))
    }
}

impl Shelf {
    fn next(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    fn insert(&mut self, fact: Fact, by: Instance) -> bool {
        let key = (fact.kind.clone(), fact.id.clone());
        if self.facts.contains_key(&key) {
            return false;
        }
        let position = self.next();
        self.facts.insert(key, (position, by, fact));
        true
    }

    fn write(&mut self, instance: Instance, batch: Batch) -> Batch {
        for register in batch.registers {
            let key = (register.owner, register.key.clone());
            let known = self.registers.get(&key).map(|(_, known)| known.revision);
            if known.is_none_or(|known| known < register.revision) {
                let position = self.next();
                self.registers.insert(key, (position, register));
            }
        }
        let facts = batch.facts.into_iter();
        let is_new = facts.map(|fact| self.insert(fact, instance)).collect();
        let mut proposed = Vec::new();
        for slot in batch.slots {
            let key = (slot.name.clone(), slot.number);
            if !self.slots.contains_key(&key) {
                let position = self.next();
                self.slots.insert(key.clone(), (position, slot));
            }
            proposed.push(key);
        }
        self.rows
            .extend(batch.rows.into_iter().map(|row| (row.key(), row)));
        Batch {
            is_new,
            ..self.read(instance, batch.position, &proposed)
        }
    }

    /// What others wrote after a position, and how the proposals were decided.
    fn read(&self, instance: Instance, after: Position, proposed: &[(String, u64)]) -> Batch {
        let is_new = |position: u64| position > after.number();
        let registers = self
            .registers
            .values()
            .filter(|(position, register)| is_new(*position) && register.owner != instance);
        let facts = self.facts.values();
        let facts = facts.filter(|(position, by, _)| is_new(*position) && *by != instance);
        let slots = self.slots.iter().filter(|(key, (position, slot))| {
            is_new(*position) && slot.by != instance || proposed.contains(key)
        });
        Batch {
            registers: registers.map(|(_, register)| register.clone()).collect(),
            facts: in_order(facts),
            slots: slots.map(|(_, (_, slot))| slot.clone()).collect(),
            position: Position::new(self.position),
            ..Batch::default()
        }
    }

    fn all(&self) -> Stored {
        let mut latest: BTreeMap<&str, &Slot> = BTreeMap::new();
        for ((name, _), (_, slot)) in &self.slots {
            latest.insert(name, slot);
        }
        Stored {
            registers: self
                .registers
                .values()
                .map(|(_, register)| register.clone())
                .collect(),
            slots: latest.into_values().cloned().collect(),
            rows: self.rows.values().cloned().collect(),
            position: Position::new(self.position),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, pipeline: &PipelineName) -> Result<Stored, Error> {
        self.with(pipeline, |shelf| shelf.all())
    }

    async fn turn(
        &self,
        pipeline: &PipelineName,
        instance: Instance,
        batch: Batch,
    ) -> Result<Batch, Error> {
        self.with(pipeline, |shelf| {
            let read = batch.position.number();
            if read != 0 && read < shelf.begins {
                let reason = "it forgot all";
                return Err(Error::store("memory", StoreFault::Replaced, reason));
            }
            Ok(shelf.write(instance, batch))
        })?
    }

    async fn latest(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        about: &str,
    ) -> Result<Option<Fact>, Error> {
        self.with(pipeline, |shelf| {
            let all = shelf.facts.values();
            let found = all
                .filter(|(.., fact)| fact.kind == kind && fact.about.as_deref() == Some(about))
                .max_by_key(|(position, ..)| *position);
            found.map(|(.., fact)| fact.clone())
        })
    }

    async fn facts_between(
        &self,
        pipeline: &PipelineName,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, Error> {
        let (after, until) = (after.number(), until.number());
        self.with(pipeline, |shelf| {
            let found = shelf.facts.values();
            let is_between = |at: u64| at > after && at <= until;
            let found = found.filter(|(at, _, fact)| fact.kind == kind && is_between(*at));
            in_order(found)
        })
    }

    fn take_cut(&self) -> Option<Cut> {
        let cut = std::mem::take(&mut self.0.lock().cut);
        (cut.early > 0).then_some(cut)
    }
}

/// In the order in which they were written.
fn in_order<'a>(facts: impl Iterator<Item = &'a (u64, Instance, Fact)>) -> Vec<Fact> {
    let mut facts: Vec<_> = facts.collect();
    facts.sort_by_key(|(position, ..)| *position);
    facts.into_iter().map(|(.., fact)| fact.clone()).collect()
}
