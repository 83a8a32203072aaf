//! A process that writes to a store is killed with -9, again and again: what was confirmed is there,
//! and the file is whole. And a disk without room is an error that passes.
//!
//! `FUSEBOX_ROUNDS` says how often (20 by default), `FUSEBOX_SEED` when: the same seed kills after the
//! same numbers of confirmed writes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod crash;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fusebox::name::PipelineName;
use fusebox::store::{Batch, Fact, Instance, Json, Position, Register, Slot, SqliteStore, Store};
use fusebox::{ErrorKind, StoreFault, Timestamp};
use futures_util::future::join_all;
use serde_json::json;

use crash::{assert_whole, killed_after, random, rounds_and_seed};

/// What the process that is started does: the round, or to fill the disk.
const TASK: &str = "FUSEBOX_STORE_TASK";
const FILE: &str = "FUSEBOX_STORE_FILE";
const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);
/// Requests that wait at the same time.
const TOGETHER: u64 = 4;
/// The most lines that are read before a process is killed.
const MOST_LINES: u64 = 60;

fn main() {
    let file = std::env::var_os(FILE).map(PathBuf::from);
    match (std::env::var(TASK).as_deref(), file) {
        (Ok("fill"), Some(file)) => fill(&file),
        (Ok(round), Some(file)) => write(&file, round.parse().unwrap()),
        _ => {
            crashes();
            full_disk();
        }
    }
}

fn invoices() -> PipelineName {
    PipelineName::new("invoices").unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

fn itself(task: &str, file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(TASK, task).env(FILE, file);
    command
}

fn of(fact: Fact) -> Batch {
    let mut batch = Batch::after(Position::new(u64::MAX));
    batch.facts.push(fact);
    batch
}

/// Writes until it is killed, and prints what was confirmed.
fn write(file: &Path, round: u64) {
    let store = SqliteStore::open(file).unwrap();
    let (pipeline, mut out) = (invoices(), std::io::stdout());
    let by = Instance::new(round);
    for n in 0.. {
        let facts = (0..TOGETHER).map(|part| {
            let id = format!("{round}-{n}-{part}");
            let text = "x".repeat(usize::try_from(n * 37 % 3_000).unwrap());
            let fact = Fact::new("feedback", id.clone(), NOON, json!(text));
            let (store, pipeline) = (&store, &pipeline);
            async move {
                store.turn(pipeline, by, of(fact)).await.unwrap();
                id
            }
        });
        let mut batch = Batch::after(Position::new(u64::MAX));
        let value = Json::of(&"y".repeat(20_000)).unwrap();
        batch.registers = vec![Register::new(by, "guard/a", n + 1, NOON, value)];
        batch.slots = vec![Slot::new(
            "stage",
            round * 1_000_000 + n,
            NOON,
            by,
            json!(n),
        )];
        run(async {
            for id in join_all(facts).await {
                writeln!(out, "fact {id}").unwrap();
            }
            store.turn(&pipeline, by, batch).await.unwrap();
            writeln!(out, "turn {n}").unwrap();
        });
        out.flush().unwrap();
    }
}

fn crashes() {
    let (rounds, seed) = rounds_and_seed();
    let folder = std::env::temp_dir().join(format!("fusebox-crash-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("store.db");
    let (mut state, mut facts, mut turns) = (seed, BTreeSet::new(), 0_u64);
    for round in 1..=rounds {
        let lines = random(&mut state) % (MOST_LINES + 1);
        let mut child = itself(&round.to_string(), &file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let confirmed = killed_after(&mut child, lines);
        check(&file, round, &confirmed, &mut facts, &mut turns);
    }
    println!(
        "{} facts and {turns} turns were confirmed, and are there",
        facts.len()
    );
    fs::remove_dir_all(folder).unwrap();
}

fn check(
    file: &Path,
    round: u64,
    confirmed: &[String],
    facts: &mut BTreeSet<String>,
    turns: &mut u64,
) {
    let store = SqliteStore::open(file).unwrap();
    let (loaded, found) = run(async {
        let pipeline = invoices();
        let latest = Position::new(u64::MAX);
        let found = store.facts_between(&pipeline, "feedback", Position::START, latest);
        (store.load(&pipeline).await.unwrap(), found.await.unwrap())
    });
    drop(store);
    assert_whole(file, round);
    for line in confirmed {
        match line.split_once(' ').unwrap() {
            ("fact", id) => {
                facts.insert(id.to_owned());
            }
            (_, n) => {
                let n: u64 = n.parse().unwrap();
                *turns += 1;
                let own = loaded
                    .registers
                    .iter()
                    .find(|register| register.owner == Instance::new(round));
                let revision = own.map_or(0, |register| register.revision);
                assert!(revision > n, "round {round}: turn {n}, register {revision}");
                let latest = loaded.slots[0].number;
                assert!(
                    latest >= round * 1_000_000 + n,
                    "round {round}: slot {latest}"
                );
            }
        }
    }
    let found: BTreeSet<_> = found.into_iter().map(|fact| fact.id).collect();
    let lost: Vec<_> = facts.difference(&found).collect();
    assert!(lost.is_empty(), "round {round}: {lost:?}");
}

/// A small disk in memory, which only Linux gives, and only where name spaces are allowed.
fn full_disk() {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let folder = std::env::temp_dir().join(format!("fusebox-disk-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mount = format!("mount -t tmpfs -o size=2m tmpfs '{}'", folder.display());
    let can_mount = unshare(&mount).stderr(Stdio::null()).status();
    if can_mount.is_ok_and(|status| status.success()) {
        let exe = std::env::current_exe().unwrap();
        let status = unshare(&format!("{mount} && exec '{}'", exe.display()))
            .env(TASK, "fill")
            .env(FILE, folder.join("store.db"))
            .status();
        assert!(status.unwrap().success(), "the full disk");
    } else {
        println!("not proven: a full disk, because no small one can be mounted here");
    }
    fs::remove_dir_all(folder).unwrap();
}

fn fill(file: &Path) {
    let pipeline = invoices();
    let fact = |n: u64| Fact::new("feedback", n.to_string(), NOON, json!("x".repeat(10_000)));
    let store = SqliteStore::open(file).unwrap();
    let append = |n| run(store.turn(&pipeline, Instance::new(1), of(fact(n))));
    let mut kept = 0;
    let fault = loop {
        match append(kept) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(fault.kind(), ErrorKind::Store(StoreFault::Full), "{fault}");
    assert!(kept > 20, "{kept} facts");
    // Somebody else took the room, and gives it back.
    let filler = file.with_extension("filler");
    let mut rest = fs::File::create(&filler).unwrap();
    while rest.write_all(&[0; 512]).is_ok() {}
    let error = append(kept).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store(StoreFault::Full), "{error}");
    drop(store);
    // A process that starts now finds out with its first request, and not before.
    let store = SqliteStore::open(file).unwrap();
    let latest = Position::new(u64::MAX);
    let load = |store: &SqliteStore| {
        run(store.facts_between(&pipeline, "feedback", Position::START, latest))
    };
    if let Err(error) = load(&store) {
        assert_eq!(error.kind(), ErrorKind::Store(StoreFault::Full), "{error}");
    }
    fs::remove_file(filler).unwrap();
    let found = load(&store).unwrap();
    assert_eq!(found.len() as u64, kept, "what was confirmed is there");
    println!("a full disk: {kept} facts were confirmed, and are there");
}
