//! Facts on their way to the store: the commands of people, and what guards share.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::event::Event;
use crate::pipeline::Pipeline;
use crate::sink::Sink;
use crate::store::{Fact, Instance};
use crate::time::Timestamp;

/// The kind of the facts that are commands.
const KIND: &str = "command";
/// The most commands that wait while the store is down; above it the oldest go.
const MOST_COMMANDS: usize = 10_000;
/// The same of what guards share.
const MOST_SHARED: usize = 100_000;
/// The most that is written with one turn.
const AT_ONCE: usize = 5_000;

/// Keeps facts until the store has them. As a sink, it makes facts of the events of commands: who
/// gave which command, when and why, and what was the case before and after it.
#[derive(Debug)]
pub(super) struct Journal {
    instance: Instance,
    has_routes: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    commands: FactQueue,
    shared: FactQueue,
    dropped: Dropped,
}

/// Facts that wait, oldest first.
#[derive(Debug, Default)]
struct FactQueue {
    facts: VecDeque<Fact>,
    /// How many came before the oldest.
    gone: u64,
}

/// Facts that went before their time.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) facts: u64,
    pub(super) until: Option<Timestamp>,
}

/// What is written with one turn.
#[derive(Default)]
pub(super) struct Batched {
    pub(super) facts: Vec<Fact>,
    commands: u64,
    shared: u64,
}

impl Journal {
    pub(super) fn new(instance: Instance, has_routes: bool) -> Self {
        Self {
            instance,
            has_routes,
            kept: Mutex::default(),
        }
    }

    /// Takes what the guards share. Nobody looks for it here while it is on its way.
    pub(super) fn collect(&self, pipeline: &Pipeline) {
        pipeline.share(|facts| {
            let mut kept = self.kept.lock();
            let kept = &mut *kept;
            for fact in facts {
                kept.shared.push(fact, MOST_SHARED, &mut kept.dropped);
            }
        });
    }

    /// Of the facts that wait, the last of this kind about this.
    pub(super) fn latest(&self, kind: &str, about: &str) -> Option<Fact> {
        let kept = self.kept.lock();
        let mut waiting = kept.shared.facts.iter().rev();
        let is_it = |fact: &&Fact| fact.kind == kind && fact.about.as_deref() == Some(about);
        waiting.find(is_it).cloned()
    }

    /// The oldest facts that the store does not have.
    pub(super) fn waiting(&self) -> Batched {
        let kept = self.kept.lock();
        let (commands, shared) = (kept.commands.waiting(), kept.shared.waiting());
        Batched {
            commands: kept.commands.gone + commands.len() as u64,
            shared: kept.shared.gone + shared.len() as u64,
            facts: commands.into_iter().chain(shared).collect(),
        }
    }

    /// Whether commands wait.
    pub(super) fn has_commands(&self) -> bool {
        !self.kept.lock().commands.facts.is_empty()
    }

    /// The store has these.
    pub(super) fn accept(&self, written: &Batched) {
        let mut kept = self.kept.lock();
        kept.commands.drop_before(written.commands);
        kept.shared.drop_before(written.shared);
    }

    /// What went because too much waited, since this was last asked.
    pub(super) fn take_dropped(&self) -> Dropped {
        std::mem::take(&mut self.kept.lock().dropped)
    }
}

impl FactQueue {
    fn push(&mut self, fact: Fact, most: usize, dropped: &mut Dropped) {
        if self.facts.len() >= most {
            if let Some(oldest) = self.facts.pop_front() {
                self.gone += 1;
                dropped.facts += 1;
                dropped.until = dropped.until.max(Some(oldest.at));
            }
        }
        self.facts.push_back(fact);
    }

    fn waiting(&self) -> Vec<Fact> {
        self.facts.iter().take(AT_ONCE).cloned().collect()
    }

    /// How many there ever were.
    fn number(&self) -> u64 {
        self.gone + self.facts.len() as u64
    }

    fn drop_before(&mut self, number: u64) {
        while self.gone < number && self.facts.pop_front().is_some() {
            self.gone += 1;
        }
    }
}

impl Sink for Journal {
    fn emit(&self, event: &Event) {
        if !event.kind.is_command() {
            return;
        }
        let Ok(value) = serde_json::to_value(event) else {
            return;
        };
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        let id = format!("{} {}", self.instance, kept.commands.number() + 1);
        let fact = Fact::new(KIND, id, event.at, value);
        kept.commands.push(fact, MOST_COMMANDS, &mut kept.dropped);
    }

    fn reaches_operator(&self) -> bool {
        self.has_routes
    }
}
