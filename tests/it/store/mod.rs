//! The store in a file.

use std::path::{Path, PathBuf};

use fusebox::clock::MockClock;
use fusebox::name::PipelineName;
use fusebox::store::{Batch, Fact, Instance, Position, Register, SqliteStore, Store, conformance};
use fusebox::{Error, ErrorKind, StoreFault, Timestamp};
use serde_json::json;

mod bounds;
mod faults;
mod formats;
mod same;
mod sharing;
mod views;

/// Runs what needs no reactor.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

/// A folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("fusebox-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    /// A store at noon.
    fn store(&self) -> SqliteStore {
        let builder = SqliteStore::builder(self.file());
        builder.clock(MockClock::at(NOON)).open().unwrap()
    }

    /// The names of all that is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);

fn invoices() -> PipelineName {
    PipelineName::new("invoices").unwrap()
}

fn fact(id: &str) -> Fact {
    Fact::new("feedback", id, NOON, json!({ "id": id })).about(id)
}

const ONE: Instance = Instance::new(1);

fn of_facts(facts: Vec<Fact>) -> Batch {
    let mut batch = Batch::default();
    batch.facts = facts;
    batch
}

/// Which of them were new.
fn append(store: &dyn Store, facts: Vec<Fact>) -> Result<Vec<bool>, Error> {
    wait(store.turn(&invoices(), ONE, of_facts(facts))).map(|answer| answer.is_new)
}

fn all_facts(store: &dyn Store, kind: &str) -> Vec<Fact> {
    let (pipeline, latest) = (invoices(), Position::new(u64::MAX));
    wait(store.facts_between(&pipeline, kind, Position::START, latest)).unwrap()
}

/// Registers of one process in one turn.
fn turn(store: &dyn Store, registers: Vec<Register>) -> Result<Batch, Error> {
    let mut batch = Batch::default();
    batch.registers = registers;
    wait(store.turn(&invoices(), ONE, batch))
}

fn has(store: &dyn Store, id: &str) -> bool {
    wait(store.latest(&invoices(), "feedback", id))
        .unwrap()
        .is_some()
}

fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> StoreFault {
    match result.unwrap_err().kind() {
        ErrorKind::Store(fault) => fault,
        kind => panic!("{kind:?}"),
    }
}

/// The file, opened as a person would.
fn opened(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn refused(store: Result<SqliteStore, Error>, message: &str) {
    assert_eq!(store.unwrap_err().to_string(), message);
}

#[test]
fn the_store_in_a_file_does_what_every_store_must() {
    let folder = Folder::new("conformance");
    let store = folder.store();
    wait(conformance(&store, "invoices", "contracts")).unwrap();
    wait(conformance(&store, "offers", "letters")).unwrap();
}

/// Older ones can damage a file that two connections write to.
#[test]
fn the_bundled_sqlite_is_one_without_the_bug_of_the_write_ahead_log() {
    assert!(
        rusqlite::version_number() >= 3_051_003,
        "{}",
        rusqlite::version()
    );
}

#[test]
fn all_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let store = folder.store();
    wait(conformance(&store, "invoices", "contracts")).unwrap();
    let before = wait(store.load(&invoices())).unwrap();
    let facts = all_facts(&store, "feedback");
    drop(store);
    assert_eq!(folder.names(), ["store.db"], "the log is in the file");
    let store = folder.store();
    assert_eq!(wait(store.load(&invoices())).unwrap(), before);
    assert_eq!(all_facts(&store, "feedback"), facts);
    assert_eq!(append(&store, vec![facts[0].clone()]).unwrap(), [false]);
    let position = wait(store.load(&invoices())).unwrap().position;
    append(&store, vec![fact("later")]).unwrap();
    assert!(wait(store.load(&invoices())).unwrap().position > position);
}
