//! Which files are opened, and that others are left as they are.

use std::fs;

use fusebox::StoreFault;
use fusebox::store::SqliteStore;

use super::{Folder, append, fact, fault, has, opened, refused};

/// The file is refused, and every byte of the folder stays.
fn is_left_alone(folder: &Folder, message: &str) {
    let (bytes, names) = (fs::read(folder.file()).unwrap(), folder.names());
    let store = SqliteStore::open(folder.file());
    refused(store, message);
    assert_eq!(
        fault(SqliteStore::open(folder.file())),
        StoreFault::UnknownFormat
    );
    assert_eq!(fs::read(folder.file()).unwrap(), bytes);
    assert_eq!(folder.names(), names);
}

#[test]
fn a_file_of_another_format_is_left_alone() {
    let folder = Folder::new("format");
    drop(folder.store());
    for format in [0, 2, -1] {
        opened(&folder.file())
            .pragma_update(None, "user_version", format)
            .unwrap();
        let message = format!(
            "store store.db is of an unknown format: format {format}, and this version of fusebox \
             reads 1; use the one that wrote it, or another file"
        );
        is_left_alone(&folder, &message);
    }
    opened(&folder.file())
        .pragma_update(None, "user_version", 1)
        .unwrap();
    assert!(append(&folder.store(), vec![fact("a")]).unwrap()[0]);
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let message =
        "store store.db is of an unknown format: another program wrote it; choose another path";
    for mode in ["delete", "wal"] {
        let folder = Folder::new("foreign");
        let theirs = opened(&folder.file());
        theirs.pragma_update(None, "journal_mode", mode).unwrap();
        theirs
            .execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
            .unwrap();
        is_left_alone(&folder, message);
        drop(theirs);
        is_left_alone(&folder, message);
    }
}

/// To open such a file with SQLite is to write its log into it.
#[test]
fn a_file_of_another_program_that_was_killed_is_left_alone() {
    let (theirs, folder) = (Folder::new("killed"), Folder::new("killed-copy"));
    let program = opened(&theirs.file());
    program.pragma_update(None, "journal_mode", "wal").unwrap();
    program.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let checkpoint = program.query_row("PRAGMA wal_checkpoint", [], |_| Ok(()));
    checkpoint.unwrap();
    program
        .execute_batch("INSERT INTO theirs VALUES (1)")
        .unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(theirs.0.join(name), folder.0.join(name)).unwrap();
    }
    let message =
        "store store.db is of an unknown format: another program wrote it; choose another path";
    is_left_alone(&folder, message);
}

#[test]
fn a_file_that_another_version_took_over_is_refused() {
    let folder = Folder::new("taken-over");
    let store = folder.store();
    append(&store, vec![fact("a")]).unwrap();
    let newer = opened(&folder.file());
    newer.pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(
        fault(append(&store, vec![fact("b")])),
        StoreFault::UnknownFormat
    );
    newer.pragma_update(None, "user_version", 1).unwrap();
    assert!(!has(&store, "b"));
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = Folder::new("empty");
    fs::write(folder.file(), "").unwrap();
    assert!(append(&folder.store(), vec![fact("a")]).unwrap()[0]);
}

#[test]
fn only_the_path_of_a_file_is_taken() {
    for path in ["", "/", ".."] {
        let message = format!("store path: got `{path}`, expected the path of a file");
        refused(SqliteStore::open(path), &message);
    }
}
