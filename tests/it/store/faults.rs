//! What goes wrong with a file: each fault is told, and the next request tries again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fusebox::clock::{Clock, MockClock};
use fusebox::store::{Batch, Fact, Json, Register, SqliteStore, Store, Stored};
use fusebox::{ErrorKind, StoreFault, Timestamp};
use serde_json::{Value, json};

use super::{
    Folder, NOON, ONE, all_facts, append, fact, fault, has, invoices, of_facts, opened, turn, wait,
};

/// A store with much in it, whose pages from the second on hold nothing that makes sense.
fn damaged(test: &str) -> (Folder, Vec<u8>) {
    let folder = Folder::new(test);
    let store = folder.store();
    append(
        &store,
        (0..500).map(|n| fact(&format!("fact-{n}"))).collect(),
    )
    .unwrap();
    drop(store);
    let mut bytes = fs::read(folder.file()).unwrap();
    bytes[4_096..].fill(0xa5);
    fs::write(folder.file(), &bytes).unwrap();
    (folder, bytes)
}

#[test]
fn a_damaged_file_is_set_aside_and_told_once() {
    let (folder, bytes) = damaged("damaged");
    let store = folder.store();
    assert_eq!(wait(store.load(&invoices())).unwrap(), Stored::default());
    let error = append(&store, vec![fact("new")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "store store.db is replaced: it was damaged and is now \
         `*.corrupt-2026-11-27T12-00-00-000Z`, and a new one is begun; `.recover` of sqlite3 reads it"
    );
    assert_eq!(append(&store, vec![fact("new")]).unwrap(), [true]);
    let aside = folder.0.join("store.db.corrupt-2026-11-27T12-00-00-000Z");
    assert_eq!(fs::read(aside).unwrap(), bytes);
}

#[test]
fn what_is_no_file_of_sqlite_is_set_aside_too() {
    let folder = Folder::new("no-sqlite");
    for n in 0..3 {
        fs::write(folder.file(), format!("notes {n}")).unwrap();
        let store = folder.store();
        assert_eq!(
            fault(append(&store, vec![fact("new")])),
            StoreFault::Replaced
        );
        assert_eq!(append(&store, vec![fact("new")]).unwrap(), [true]);
    }
    let names = folder.names();
    let aside: Vec<_> = names
        .iter()
        .filter(|name| name.contains("corrupt"))
        .collect();
    assert_eq!(aside.len(), 3, "none replaces another: {names:?}");
    let text = |suffix: &str| {
        fs::read_to_string(
            folder
                .0
                .join(format!("store.db.corrupt-2026-11-27T12-00-00-000Z{suffix}")),
        )
    };
    assert_eq!(text("").unwrap(), "notes 0");
    assert_eq!(text("-3").unwrap(), "notes 2");
}

#[test]
fn damage_that_a_request_finds_concerns_that_request() {
    let (folder, _) = damaged("found-late");
    let other = folder.0.join("good.db");
    drop(SqliteStore::open(&other).unwrap());
    let bad = fs::read(folder.file()).unwrap();
    fs::copy(&other, folder.file()).unwrap();
    let store = folder.store();
    append(&store, vec![fact("a")]).unwrap();
    // Another file takes its place, and that is damaged.
    fs::rename(folder.file(), folder.0.join("moved")).unwrap();
    fs::write(folder.file(), &bad).unwrap();
    let told = [
        append(&store, vec![fact("b")]),
        append(&store, vec![fact("b")]),
    ];
    assert_eq!(told.map(fault), [StoreFault::Replaced; 2]);
    assert_eq!(append(&store, vec![fact("b")]).unwrap(), [true]);
}

#[test]
fn a_file_that_was_removed_or_replaced_is_noticed() {
    let folder = Folder::new("replaced");
    let store = folder.store();
    append(&store, vec![fact("a")]).unwrap();
    for name in folder.names() {
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    let error = append(&store, vec![fact("a")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "store store.db is replaced: it was removed or replaced while it was open; what its path \
         leads to now is used"
    );
    assert_eq!(append(&store, vec![fact("a")]).unwrap(), [true]);
    drop(store);
    assert!(has(&folder.store(), "a"));
}

#[test]
fn a_row_that_somebody_spoilt_is_named_and_spoils_no_other() {
    let folder = Folder::new("spoilt");
    let store = folder.store();
    append(&store, vec![fact("a"), fact("b")]).unwrap();
    let person = opened(&folder.file());
    let written = person.execute("UPDATE fact SET json = 'no json' WHERE id = 'a'", []);
    assert!(written.unwrap_err().to_string().contains("CHECK"));
    turn(&store, vec![register("guard/a", 1, 1)]).unwrap();
    person
        .execute("UPDATE register SET owner = 'nobody'", [])
        .unwrap();
    let error = wait(store.load(&invoices())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "store store.db is corrupt: register `guard/a` cannot be read, mend or delete its row: \
         instance: got `nobody`, expected 16 hexadecimal digits"
    );
    assert!(has(&store, "b"));
    assert_eq!(
        folder
            .names()
            .iter()
            .filter(|name| name.contains("corrupt"))
            .count(),
        0
    );
}

#[test]
fn a_file_that_another_process_holds_is_busy() {
    let folder = Folder::new("busy");
    let builder = SqliteStore::builder(folder.file()).busy_timeout(Duration::from_millis(10));
    let store = builder.clock(MockClock::at(NOON)).open().unwrap();
    append(&store, vec![fact("a")]).unwrap();
    let other = opened(&folder.file());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = append(&store, vec![fact("b")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "store store.db is busy: another process has locked it for 10ms; end that process or its \
         transaction"
    );
    assert!(has(&store, "a"), "it can be read meanwhile");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(append(&store, vec![fact("b")]).unwrap(), [true]);
}

fn small(folder: &Folder) -> SqliteStore {
    let builder = SqliteStore::builder(folder.file()).max_bytes(1 << 20);
    builder.clock(MockClock::at(NOON)).open().unwrap()
}

fn register(key: &str, revision: u64, kilobytes: usize) -> Register {
    let text = "x".repeat(kilobytes << 10);
    Register::new(ONE, key, revision, NOON, Json::of(&text).unwrap())
}

#[test]
fn a_store_without_room_is_full_and_goes_on_with_what_fits() {
    let folder = Folder::new("full");
    let store = small(&folder);
    append(&store, vec![fact("a")]).unwrap();
    let error = turn(&store, vec![register("guard/a", 1, 2_000)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store(StoreFault::Full));
    assert_eq!(
        turn(&store, vec![register("guard/a", 1, 100)])
            .unwrap()
            .registers,
        []
    );
    assert_eq!(append(&store, vec![fact("b")]).unwrap(), [true]);
    assert!(fs::metadata(folder.file()).unwrap().len() <= 1 << 20);
}

/// The first request waits for the other process, so that the next two are of one transaction.
#[test]
fn a_request_that_finds_no_room_does_not_spoil_those_beside_it() {
    let folder = Folder::new("full-beside");
    let store = small(&folder);
    append(&store, vec![fact("a")]).unwrap();
    let other = opened(&folder.file());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pipeline = invoices();
    let mut batch = Batch::default();
    batch.registers = vec![register("guard/a", 1, 2_000)];
    let (first, big, beside, ()) = wait(async {
        tokio::join!(
            store.turn(&pipeline, ONE, of_facts(vec![fact("first")])),
            store.turn(&pipeline, ONE, batch),
            store.turn(&pipeline, ONE, of_facts(vec![fact("beside")])),
            async { other.execute_batch("COMMIT").unwrap() },
        )
    });
    first.unwrap();
    assert_eq!(fault(big), StoreFault::Full);
    assert_eq!(beside.unwrap().is_new, [true]);
    assert!(has(&store, "beside"));
}

#[test]
fn what_cannot_be_kept_is_refused_and_spoils_nothing_beside_it() {
    let folder = Folder::new("refused");
    let store = folder.store();
    let deep = (0..200).fold(json!(1), |value, _| json!([value]));
    let fact_of = |at, value: Value| {
        Fact::new("feedback", "bad", Timestamp::from_millis(at), value).about("bad")
    };
    let error = append(&store, vec![fact("beside"), fact_of(1, deep)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "value in a store: got `nested arrays and objects`, expected at most 120 levels"
    );
    let error = append(&store, vec![fact_of(u64::MAX, json!(1))]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("time in a store: got `18446744073709551615`"),
        "{error}"
    );
    assert!(!has(&store, "beside"), "a request is done as a whole");
    let levels = (0..120).fold(json!(1), |value, _| json!([value]));
    append(
        &store,
        vec![fact_of(i64::MAX.unsigned_abs(), levels.clone())],
    )
    .unwrap();
    let read = wait(store.latest(&invoices(), "feedback", "bad"))
        .unwrap()
        .unwrap();
    assert_eq!(read.value, levels);
}

#[derive(Clone, Debug, Default)]
struct Panics(Arc<AtomicBool>);

impl Clock for Panics {
    fn now(&self) -> Timestamp {
        assert!(
            !self.0.load(Ordering::Relaxed),
            "the clock was told to panic"
        );
        NOON
    }
}

#[test]
fn a_panic_on_the_thread_costs_one_request() {
    let folder = Folder::new("panic");
    let clock = Panics::default();
    let store = SqliteStore::builder(folder.file())
        .clock(clock.clone())
        .open()
        .unwrap();
    append(&store, vec![fact("a")]).unwrap();
    clock.0.store(true, Ordering::Relaxed);
    assert_eq!(
        fault(append(&store, vec![fact("b")])),
        StoreFault::Unavailable
    );
    clock.0.store(false, Ordering::Relaxed);
    assert_eq!(append(&store, vec![fact("b")]).unwrap(), [true]);
}

#[test]
fn a_request_whose_future_is_dropped_is_done_as_a_whole() {
    let folder = Folder::new("dropped");
    let store = folder.store();
    let pipeline = invoices();
    wait(async {
        let facts = (0..100).map(|n| fact(&n.to_string())).collect();
        let mut request = store.turn(&pipeline, ONE, of_facts(facts));
        tokio::select! {
            biased;
            _ = &mut request => {}
            () = std::future::ready(()) => {}
        }
    });
    drop(store);
    let store = folder.store();
    let facts = all_facts(&store, "feedback");
    assert_eq!(facts.len(), 100, "the drop waited for it");
}

#[test]
fn a_folder_that_is_not_there_is_unavailable() {
    let folder = Folder::new("no-folder");
    let store = SqliteStore::open(folder.0.join("none").join("store.db"));
    assert_eq!(fault(store), StoreFault::Unavailable);
}

/// Root may write everything, so the test runs itself again as somebody else.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_not_be_written_is_read_only() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const PATH: &str = "FUSEBOX_READ_ONLY";
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if let Some(path) = std::env::var_os(PATH) {
        assert!(!is_root);
        assert_eq!(fault(SqliteStore::open(path)), StoreFault::ReadOnly);
        return;
    }
    let folder = Folder::new("read-only");
    drop(folder.store());
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o555)).unwrap();
    let bytes = fs::read(folder.file()).unwrap();
    let mut itself = Command::new("/proc/self/exe");
    itself.args([
        "a_file_that_may_not_be_written_is_read_only",
        "--test-threads=1",
    ]);
    itself.env(PATH, folder.file());
    if is_root {
        itself.uid(65_534).gid(65_534);
    }
    let output = itself.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    assert_eq!(fs::read(folder.file()).unwrap(), bytes);
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
}
