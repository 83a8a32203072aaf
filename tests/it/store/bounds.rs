//! What is kept, for how long, and what goes when the file is full.

use std::time::Duration;

use fusebox::clock::{Clock, MockClock};
use fusebox::name::RouteName;
use fusebox::pager::{Notification, OutboxRow, RowState};
use fusebox::store::{Batch, Fact, Instance, Json, Register, Slot, SqliteStore, Store};
use fusebox::{ErrorRateBreaker, Timestamp};
use serde_json::json;

use super::{
    Folder, NOON, ONE, all_facts, append, fact, has, invoices, opened, refused, turn, wait,
};
use crate::support::Bench;

const DAY: Duration = Duration::from_secs(24 * 3_600);
const MILLISECOND: Duration = Duration::from_millis(1);

fn aged(folder: &Folder) -> (SqliteStore, MockClock) {
    let clock = MockClock::at(NOON);
    let store = SqliteStore::builder(folder.file()).clock(clock.clone());
    (store.open().unwrap(), clock)
}

/// Has the store look whether something has expired.
fn look(store: &SqliteStore) -> u64 {
    append(store, Vec::new()).unwrap();
    // Its thread looks after it has answered; the next answer comes after that.
    append(store, Vec::new()).unwrap();
    store.take_cut().map_or(0, |cut| cut.expired)
}

#[test]
fn facts_are_kept_for_forty_days() {
    let folder = Folder::new("facts");
    let (store, clock) = aged(&folder);
    append(&store, vec![fact("a")]).unwrap();
    clock.advance(40 * DAY);
    assert_eq!(look(&store), 0);
    assert!(has(&store, "a"));
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(look(&store), 1);
    assert!(!has(&store, "a"));
    assert_eq!(store.take_cut(), None, "it is said once");
}

#[test]
fn rows_that_ended_are_kept_for_thirty_days_and_those_that_are_due_for_ever() {
    let folder = Folder::new("rows");
    let (store, clock) = aged(&folder);
    let row = |route: &str, state| {
        let mut row = due(route);
        row.state = state;
        row
    };
    let rows = vec![
        row("accepted", RowState::Accepted),
        row("dropped", RowState::Dropped),
        row("due", RowState::Due),
        row("given-up", RowState::GivenUp),
    ];
    let mut batch = Batch::default();
    batch.rows = rows;
    wait(store.turn(&invoices(), ONE, batch)).unwrap();
    let routes = || {
        let rows = wait(store.load(&invoices())).unwrap().rows.into_iter();
        rows.map(|row| row.route.to_string()).collect::<Vec<_>>()
    };
    clock.advance(30 * DAY);
    assert_eq!(look(&store), 0);
    assert_eq!(routes(), ["accepted", "dropped", "due", "given-up"]);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(look(&store), 3);
    assert_eq!(routes(), ["due"]);
}

/// A row of an incident that a real breaker opened.
fn due(route: &str) -> OutboxRow {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    let open = bench.pipeline.incidents().remove(0);
    let notification = Notification::triggered(&invoices(), &open);
    OutboxRow::due(RouteName::new(route).unwrap(), notification, NOON)
}

#[test]
fn the_latest_two_hundred_slots_of_a_name_are_kept() {
    let folder = Folder::new("slots");
    let (store, clock) = aged(&folder);
    let by = Instance::new(1);
    let mut batch = Batch::default();
    batch.slots = (1..=201)
        .map(|n| Slot::new("stage", n, NOON, by, json!(n)))
        .chain([Slot::new("latch", 1, NOON, by, json!(1))])
        .collect();
    wait(store.turn(&invoices(), by, batch)).unwrap();
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(look(&store), 1);
    let all = wait(store.turn(&invoices(), Instance::new(2), Batch::default())).unwrap();
    let numbers: Vec<_> = all.slots.iter().map(|slot| slot.number).collect();
    assert_eq!(numbers.len(), 201);
    assert_eq!(numbers[..3], [1, 2, 3], "`latch` 1, then `stage` from 2");
}

#[test]
fn registers_of_old_processes_go_but_for_two() {
    let folder = Folder::new("registers");
    let (store, clock) = aged(&folder);
    let of = |owner: u64, at: Timestamp| {
        Register::new(
            Instance::new(owner),
            "guard/a",
            1,
            at,
            Json::of(&owner).unwrap(),
        )
    };
    let later = NOON + MILLISECOND;
    let registers = vec![
        of(1, NOON),
        of(2, later),
        of(3, later + MILLISECOND),
        of(4, NOON + 2 * MILLISECOND),
    ];
    turn(&store, registers).unwrap();
    let owners = || {
        let registers = wait(store.load(&invoices())).unwrap().registers.into_iter();
        let owners = registers.map(|register| register.value.read::<u64>().unwrap());
        owners.collect::<Vec<_>>()
    };
    clock.set(NOON + 40 * DAY);
    assert_eq!(look(&store), 0);
    clock.set(NOON + 400 * DAY);
    assert_eq!(look(&store), 2);
    assert_eq!(owners(), [3, 4]);
}

/// What has not changed for long is part of the state of a process that goes on writing.
#[test]
fn an_old_register_of_a_process_that_still_writes_stays() {
    let folder = Folder::new("still-writes");
    let (store, clock) = aged(&folder);
    let of = |owner: u64, key: &str, at: Timestamp| {
        let value = Json::of(&owner).unwrap();
        Register::new(Instance::new(owner), key, 1, at, value)
    };
    let (early, late) = (NOON + DAY, NOON + 50 * DAY);
    let idle = of(1, "guard/a/type/idle", NOON);
    let of_others = [
        of(2, "guard/a/type/idle", early),
        of(3, "guard/a/type/idle", early),
    ];
    turn(&store, [[idle].to_vec(), of_others.to_vec()].concat()).unwrap();
    turn(&store, vec![of(1, "guard/a", late), of(4, "guard/a", late)]).unwrap();
    clock.set(late + DAY);
    assert_eq!(look(&store), 2, "of the processes that have ended");
    let left = wait(store.load(&invoices())).unwrap().registers;
    let left: Vec<_> = left.iter().map(|register| register.key.as_str()).collect();
    assert_eq!(left, ["guard/a", "guard/a/type/idle", "guard/a"]);
}

#[test]
fn a_full_file_drops_its_oldest_facts_and_says_so() {
    let folder = Folder::new("oldest");
    let builder = SqliteStore::builder(folder.file()).max_bytes(1 << 20);
    let store = builder.clock(MockClock::at(NOON)).open().unwrap();
    let text = "x".repeat(1_000);
    let at = |n| NOON + Duration::from_millis(n);
    for hundred in 0..30_u64 {
        let facts = (hundred * 100..hundred * 100 + 100)
            .map(|n| Fact::new("feedback", n.to_string(), at(n), json!(text)));
        assert!(
            append(&store, facts.collect())
                .unwrap()
                .iter()
                .all(|new| *new)
        );
    }
    append(&store, Vec::new()).unwrap();
    let cut = store.take_cut().unwrap();
    let left = all_facts(&store, "feedback");
    assert_eq!(cut.early + left.len() as u64, 3_000);
    assert!(left.len() > 400, "{} are left", left.len());
    assert_eq!(left[0].id, cut.early.to_string(), "the oldest went");
    assert_eq!(cut.until, Some(at(cut.early - 1)));
    assert_eq!(cut.expired, 0);
    assert_eq!(store.take_cut(), None);
    drop(store);
    assert!(std::fs::metadata(folder.file()).unwrap().len() <= 1 << 20);
    let check: String = opened(&folder.file())
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

/// Each deployment leaves some: they go before anything that a person reported.
#[test]
fn a_full_file_drops_what_old_processes_left_before_any_fact() {
    let folder = Folder::new("left-behind");
    let clock = MockClock::at(NOON);
    let builder = SqliteStore::builder(folder.file()).max_bytes(1 << 20);
    let store = builder.clock(clock.clone()).open().unwrap();
    append(&store, vec![fact("a")]).unwrap();
    for owner in 1..=40 {
        clock.advance(12 * Duration::from_secs(3_600));
        let value = Json::of(&"x".repeat(80_000)).unwrap();
        let register = Register::new(Instance::new(owner), "guard/a", 1, clock.now(), value);
        turn(&store, vec![register]).unwrap();
    }
    assert!(has(&store, "a"));
    let cut = store.take_cut().unwrap();
    assert_eq!(cut.early, 0);
    let left = wait(store.load(&invoices())).unwrap().registers;
    assert_eq!(cut.expired + left.len() as u64, 40);
    assert_eq!(left.last().unwrap().owner, Instance::new(40));
}

#[test]
fn settings_have_bounds() {
    let builder = || SqliteStore::builder("store.db");
    let zero = Duration::ZERO;
    refused(
        builder().keep_facts(zero).open(),
        "store keep_facts: got `0s`, expected longer than zero",
    );
    refused(
        builder().keep_ended_rows(zero).open(),
        "store keep_ended_rows: got `0s`, expected longer than zero",
    );
    refused(
        builder().keep_slots(0).open(),
        "store keep_slots: got `0`, expected at least 1",
    );
    refused(
        builder().max_bytes((1 << 20) - 1).open(),
        "store max_bytes: got `1048575`, expected at least 1048576",
    );
    refused(
        builder().busy_timeout(Duration::from_secs(61)).open(),
        "store busy_timeout: got `1m 1s`, expected at most 1m",
    );
}
