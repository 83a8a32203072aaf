//! Every page belongs to an incident, which is told once, and ends.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusebox::event::IncidentChange;
use fusebox::guard::{Cx, Trouble};
use fusebox::{EventKind, Guard, Severity};

use crate::support::Bench;

mod acknowledging;
mod ending;
mod growing;
mod history;
mod stationary;
mod words;

/// A guard that says at each tick what the test wants.
struct Says(Mutex<Box<Say>>);

type Say = dyn Fn(&Cx<'_>) + Send;

impl Guard for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.0.lock().unwrap()(cx);
    }
}

impl fmt::Debug for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Says")
    }
}

struct Told {
    bench: Bench,
    says: Arc<Says>,
}

impl Told {
    fn new() -> Self {
        let says = Arc::new(Says(Mutex::new(Box::new(|_| {}))));
        Self {
            bench: Bench::with_guard(Arc::clone(&says)),
            says,
        }
    }

    /// A tick after a time, at which the guard says something.
    fn says_after(&self, time: Duration, say: impl Fn(&Cx<'_>) + Send + 'static) -> &Self {
        *self.says.0.lock().unwrap() = Box::new(say);
        self.bench.tick_after(time);
        self
    }

    /// A tick after a time, at which the guard says nothing.
    fn is_well_after(&self, time: Duration) -> &Self {
        self.says_after(time, |_| {})
    }

    fn changes(&self) -> Vec<(Severity, IncidentChange)> {
        let changes = changes(&self.bench).into_iter();
        changes
            .map(|(severity, _, change)| (severity, change))
            .collect()
    }
}

fn kind() -> EventKind {
    EventKind::custom("broken", "it is broken")
}

/// Something is broken, once more at each tick.
fn broken(cx: &Cx<'_>) {
    cx.still(&Trouble::new("broken"), kind);
}

/// The incidents that were told since the last look, and how.
fn changes(bench: &Bench) -> Vec<(Severity, String, IncidentChange)> {
    let events = bench.events().into_iter();
    let changes = events.filter_map(|event| {
        let incident = event.incident?;
        Some((event.severity, incident.key.to_string(), incident.change))
    });
    changes.collect()
}

/// The keys of the open incidents.
fn open(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|incident| incident.key.to_string()).collect()
}
