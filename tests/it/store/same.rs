//! Whatever is asked of a store, the one in a file answers as the one in memory.

use fusebox::event::OpenIncident;
use fusebox::name::{PipelineName, RouteName};
use fusebox::pager::{Notification, OutboxRow};
use fusebox::store::{
    Batch, Fact, Instance, Json, MemoryStore, Position, Register, Slot, Store, Stored,
};
use fusebox::{ErrorRateBreaker, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Folder, NOON, wait};
use crate::support::Bench;

const PIPELINES: [&str; 3] = ["invoices", "' OR 1=1 --", "invoices\0"];
/// What applications and documents may call things.
const TEXTS: [&str; 9] = [
    "a",
    "A",
    "",
    "'; DROP TABLE fact; --",
    "a\0b",
    "a\0",
    "%_*?[",
    "\u{202e}\u{7f}\u{1b}[2J",
    "日本\u{301}",
];

#[derive(Clone, Debug)]
enum Step {
    Turn {
        by: u64,
        after: usize,
        written: Written,
    },
    Load,
    Fact(usize, usize),
    Facts {
        kind: usize,
        after: usize,
        until: usize,
    },
    Restart,
}

#[derive(Clone, Debug)]
struct Written {
    registers: Vec<(u64, usize, u64, usize)>,
    facts: Vec<(usize, usize, usize)>,
    slots: Vec<(usize, u64, u64)>,
    rows: Vec<(usize, u32)>,
}

fn written() -> impl Strategy<Value = Written> {
    let text = || 0..TEXTS.len();
    let registers = prop::collection::vec((1..4_u64, text(), 0..5_u64, text()), 0..4);
    let facts = prop::collection::vec((text(), text(), text()), 0..4);
    let slots = prop::collection::vec((text(), 0..4_u64, 1..4_u64), 0..3);
    let rows = prop::collection::vec((text(), any::<u32>()), 0..3);
    (registers, facts, slots, rows).prop_map(|(registers, facts, slots, rows)| Written {
        registers,
        facts,
        slots,
        rows,
    })
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let text = || 0..TEXTS.len();
    let step = prop_oneof![
        6 => (1..4_u64, any::<usize>(), written())
            .prop_map(|(by, after, written)| Step::Turn { by, after, written }),
        2 => Just(Step::Load),
        2 => (text(), text()).prop_map(|(kind, id)| Step::Fact(kind, id)),
        2 => (text(), any::<usize>(), any::<usize>())
            .prop_map(|(kind, after, until)| Step::Facts { kind, after, until }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec((0..PIPELINES.len(), step), 1..30)
}

/// A value in which every kind of JSON occurs.
fn value(n: usize) -> Value {
    json!({ TEXTS[n]: [n, 0.1, -1e300, u64::MAX, null, true, TEXTS[n]] })
}

impl Written {
    fn registers(&self) -> Vec<Register> {
        let registers = self.registers.iter();
        let register = |&(owner, key, revision, n): &(u64, usize, u64, usize)| {
            let at = NOON + std::time::Duration::from_millis(revision);
            Register::new(
                Instance::new(owner << 62),
                TEXTS[key],
                revision,
                at,
                Json::of(&value(n)).unwrap(),
            )
        };
        registers.map(register).collect()
    }

    fn facts(&self) -> Vec<Fact> {
        let facts = self.facts.iter();
        facts
            .map(|&(kind, id, n)| {
                let fact = Fact::new(TEXTS[kind], TEXTS[id], NOON, value(n));
                if n % 3 == 0 {
                    fact
                } else {
                    fact.about(TEXTS[id / 2])
                }
            })
            .collect()
    }

    fn slots(&self) -> Vec<Slot> {
        let slots = self.slots.iter();
        let slot = |&(name, number, by): &(usize, u64, u64)| {
            Slot::new(
                TEXTS[name],
                number,
                NOON,
                Instance::new(by << 62),
                json!(by),
            )
        };
        slots.map(slot).collect()
    }

    fn rows(&self, open: &OpenIncident) -> Vec<OutboxRow> {
        let rows = self.rows.iter();
        let row = |&(route, attempts): &(usize, u32)| {
            let route = RouteName::new(format!("r{}", TEXTS[route])).unwrap();
            let pipeline = PipelineName::new(PIPELINES[0]).unwrap();
            let mut row = OutboxRow::due(route, Notification::triggered(&pipeline, open), NOON);
            row.attempts = attempts;
            row.last_error = (attempts % 2 == 0).then(|| TEXTS[5].to_owned());
            row
        };
        rows.map(row).collect()
    }
}

/// Positions of two stores differ, though their order does not.
#[derive(Default)]
struct Positions(Vec<(Position, Position)>);

impl Positions {
    fn at(&self, n: usize) -> (Position, Position) {
        let last = (Position::START, Position::new(u64::MAX >> (n % 2)));
        let known = n
            .checked_rem(self.0.len() + 2)
            .and_then(|n| self.0.get(n).copied());
        match (known, n % 3) {
            (Some(known), _) => known,
            (None, 0) => (last.1, last.1),
            (None, _) => (last.0, last.0),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_in_a_file_answers_as_the_one_in_memory(steps in steps()) {
        let folder = Folder::new("same");
        let memory = MemoryStore::new();
        let mut file = folder.store();
        let bench = Bench::with_guard(ErrorRateBreaker::default());
        bench.fail(5);
        let open = bench.pipeline.incidents().remove(0);
        let mut positions = [Positions::default(), Positions::default(), Positions::default()];
        for (n, step) in steps {
            let pipeline = PipelineName::new(PIPELINES[n]).unwrap();
            let known = &mut positions[n];
            match step {
                Step::Turn { by, after, written } => {
                    let by = Instance::new(by << 62);
                    let after = known.at(after);
                    let batch = |position| {
                        let mut batch = Batch::default();
                        batch.registers = written.registers();
                        batch.facts = written.facts();
                        batch.slots = written.slots();
                        batch.rows = written.rows(&open);
                        batch.position = position;
                        batch
                    };
                    let mut in_memory = wait(memory.turn(&pipeline, by, batch(after.0))).unwrap();
                    let mut in_file = wait(file.turn(&pipeline, by, batch(after.1))).unwrap();
                    known.0.push((in_memory.position, in_file.position));
                    in_memory.position = Position::START;
                    in_file.position = Position::START;
                    prop_assert_eq!(in_file, in_memory);
                }
                Step::Load => {
                    let loaded = |stored: Stored| (stored.registers, stored.slots, stored.rows);
                    let in_memory = wait(memory.load(&pipeline)).unwrap();
                    let in_file = wait(file.load(&pipeline)).unwrap();
                    known.0.push((in_memory.position, in_file.position));
                    prop_assert_eq!(loaded(in_file), loaded(in_memory));
                }
                Step::Fact(kind, id) => {
                    let in_memory = wait(memory.latest(&pipeline, TEXTS[kind], TEXTS[id])).unwrap();
                    let in_file = wait(file.latest(&pipeline, TEXTS[kind], TEXTS[id])).unwrap();
                    prop_assert_eq!(in_file, in_memory);
                }
                Step::Facts { kind, after, until } => {
                    let (after, until) = (known.at(after), known.at(until));
                    let kind = TEXTS[kind];
                    let in_memory = memory.facts_between(&pipeline, kind, after.0, until.0);
                    let in_file = file.facts_between(&pipeline, kind, after.1, until.1);
                    prop_assert_eq!(wait(in_file).unwrap(), wait(in_memory).unwrap());
                }
                Step::Restart => {
                    drop(file);
                    file = folder.store();
                }
            }
        }
    }
}

/// The greatest time that a store keeps.
#[test]
fn the_last_moment_comes_back() {
    let folder = Folder::new("moment");
    let last = Timestamp::from_millis(i64::MAX.unsigned_abs());
    let fact = Fact::new("feedback", "last", last, json!(1)).about("last");
    super::append(&folder.store(), vec![fact.clone()]).unwrap();
    let read = wait(
        folder
            .store()
            .latest(&super::invoices(), "feedback", "last"),
    )
    .unwrap();
    assert_eq!(read, Some(fact));
}
