//! The commands of people, on their way to the store.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::event::Event;
use crate::sink::Sink;
use crate::store::{Fact, Instance};

/// The kind of these facts.
const KIND: &str = "command";
/// The most that waits while the store is down; above it the oldest go.
const MOST: usize = 10_000;

/// A sink that keeps the events of commands until the store has them: who gave which command, when
/// and why.
#[derive(Debug)]
pub(super) struct Journal {
    instance: Instance,
    has_routes: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    commands: VecDeque<Command>,
    /// How many commands there were.
    number: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    number: u64,
    pub(super) fact: Fact,
}

impl Journal {
    pub(super) fn new(instance: Instance, has_routes: bool) -> Self {
        Self {
            instance,
            has_routes,
            kept: Mutex::default(),
        }
    }

    /// The commands that are not in the store yet.
    pub(super) fn waiting(&self) -> Vec<Command> {
        self.kept.lock().commands.iter().cloned().collect()
    }

    /// The store has these.
    pub(super) fn accept(&self, stored: &[Command]) {
        let last = stored.last().map_or(0, |command| command.number);
        self.kept
            .lock()
            .commands
            .retain(|command| command.number > last);
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
        kept.number += 1;
        let number = kept.number;
        if kept.commands.len() >= MOST {
            kept.commands.pop_front();
        }
        let fact = Fact::new(KIND, format!("{} {number}", self.instance), event.at, value);
        kept.commands.push_back(Command { number, fact });
    }

    fn reaches_operator(&self) -> bool {
        self.has_routes
    }
}
