//! The file: how it is opened and made, which files are refused, and what becomes of a damaged one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
use twox_hash::XxHash3_64;

use super::fault::{FileFault, fault_of};
use super::settings::FileSettings;
use crate::error::{Error, StoreFault};
use crate::pipeline::clock::Clock;

/// `fuse`, which says that a file of SQLite is a store of fusebox.
const APPLICATION: i32 = 0x6675_7365;
const FORMAT: i32 = 1;
const SCHEMA: &str = include_str!("schema.sql");
const VIEWS: &str = include_str!("views.sql");
/// How every file of SQLite begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// From so many pages on, what is in the write-ahead log goes to the file: a page that is written again
/// and again goes once. A log that grew because somebody read for long shrinks to so many bytes.
const LOG_PAGES: i32 = 4_000;
const LOG_BYTES: i64 = 16 << 20;
const PAGE_BYTES: u64 = 4_096;
/// The most that is kept in memory of a file. With SQLite's own 2 MB, the state of some hundred
/// document types is read again while it is written.
const CACHE_KILOBYTES: i32 = 16_000;
const MAKE_WRITABLE: &str = "make it and its folder writable for this process";

/// A file that is opened when it is needed, and again when it was replaced.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    name: String,
    max_bytes: u64,
    busy: Duration,
    clock: Arc<dyn Clock>,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    connection: Connection,
    identity: Identity,
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }

    /// Elsewhere a file that is open can be neither renamed nor replaced.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|_| Self(0, 0))
    }
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    /// There is no file, or it is empty.
    New,
    Store {
        format: i32,
    },
    Foreign,
    Damaged,
}

impl StoreFile {
    pub(super) fn new(settings: &FileSettings) -> Result<Self, Error> {
        let given = &settings.path;
        let refused = || Error::invalid("store path", given.display(), "the path of a file");
        let name = given.file_name().ok_or_else(refused)?;
        Ok(Self {
            // SQLite would take a relative `:memory:` for no file at all.
            path: std::path::absolute(given).map_err(|_| refused())?,
            name: name.to_string_lossy().into_owned(),
            max_bytes: settings.max_bytes,
            busy: settings.busy,
            clock: Arc::clone(&settings.clock),
            open: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn max_pages(&self) -> u64 {
        self.max_bytes / PAGE_BYTES
    }

    /// The connection, to the file that the path leads to now. An error, once, if that is another
    /// than before.
    pub(super) fn connect(&mut self) -> Result<&mut Connection, FileFault> {
        let Some(open) = self.open.take() else {
            return self.open_anew();
        };
        if Identity::of(&self.path) != Some(open.identity) {
            return Err(was_replaced());
        }
        if pragma(&open.connection, "user_version") != Ok(FORMAT) {
            return self.open_anew();
        }
        Ok(&mut self.open.insert(open).connection)
    }

    /// The next request opens the file again.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// What an error of SQLite says, and what to do about it. The file is renamed if it is damaged.
    pub(super) fn fault(&mut self, error: &rusqlite::Error) -> FileFault {
        let fault = fault_of(error);
        let reason = match fault {
            StoreFault::Corrupt => return self.set_aside(),
            StoreFault::Busy => format!(
                "another process has locked it for {}; end that process or its transaction",
                humantime::format_duration(self.busy)
            ),
            StoreFault::Full => "there is no room for it; free some on its disk".to_owned(),
            StoreFault::ReadOnly => MAKE_WRITABLE.to_owned(),
            _ => format!("look at its folder and its disk: {error}"),
        };
        if !matches!(fault, StoreFault::Busy | StoreFault::Full) {
            self.close();
        }
        FileFault::new(fault, reason)
    }

    fn open_anew(&mut self) -> Result<&mut Connection, FileFault> {
        let connection = match self.kind().and_then(|()| self.opened()) {
            Ok(connection) => connection,
            Err(Problem::Refused(reason)) => {
                return Err(FileFault::new(StoreFault::UnknownFormat, reason));
            }
            Err(Problem::Damaged) => return Err(self.set_aside()),
            Err(Problem::ReadOnly) => {
                return Err(FileFault::new(StoreFault::ReadOnly, MAKE_WRITABLE));
            }
            Err(Problem::Io(error)) => {
                let reason = format!("it cannot be read: {error}");
                return Err(FileFault::new(StoreFault::Unavailable, reason));
            }
            Err(Problem::Sqlite(error)) => return Err(self.fault(&error)),
        };
        let Some(identity) = Identity::of(&self.path) else {
            let reason = "it was removed while it was opened";
            return Err(FileFault::new(StoreFault::Unavailable, reason));
        };
        let open = OpenFile {
            connection,
            identity,
        };
        Ok(&mut self.open.insert(open).connection)
    }

    /// Whether the file may be opened, found without opening it with SQLite, which might write.
    fn kind(&self) -> Result<(), Problem> {
        let begun = self.beside("-journal").exists();
        match kind(&self.path).map_err(Problem::Io)? {
            FileKind::Store { format } if format != FORMAT => Err(Problem::unknown(format)),
            FileKind::New | FileKind::Store { .. } => Ok(()),
            // It was being made when the machine stopped: SQLite takes that back.
            FileKind::Foreign | FileKind::Damaged if begun && self.is_unborn() => Ok(()),
            FileKind::Foreign => Err(Problem::foreign()),
            FileKind::Damaged => Err(Problem::Damaged),
        }
    }

    /// Whether it holds nothing but zeros where a file of SQLite begins.
    fn is_unborn(&self) -> bool {
        let header = header(&self.path).unwrap_or_default();
        header.iter().all(|byte| *byte == 0)
    }

    fn opened(&self) -> Result<Connection, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        // SQLite opens what it may not write to as well, and fails later for other reasons.
        if connection.is_readonly(MAIN_DB)? {
            return Err(Problem::ReadOnly);
        }
        connection.busy_timeout(self.busy)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -CACHE_KILOBYTES)?;
        connection.pragma_update(
            None,
            "max_page_count",
            self.max_pages().try_into().unwrap_or(i64::MAX),
        )?;
        make(&mut connection)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            let reason = "its file system has no shared memory for a write-ahead log";
            return Err(Problem::Io(io::Error::other(reason)));
        }
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        show(&mut connection)?;
        Ok(connection)
    }

    /// Renames the damaged file; the next request begins a new one.
    fn set_aside(&mut self) -> FileFault {
        if let Some(open) = self.open.take() {
            // Nothing more is written to it.
            let _ = open
                .connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if Identity::of(&self.path) != Some(open.identity) {
                return was_replaced();
            }
        }
        let time = self.clock.now().to_string().replace([':', '.'], "-");
        let is_free = |suffix: &String| !self.beside(suffix).exists();
        let mut suffixes = (1..).map(|n| match n {
            1 => format!(".corrupt-{time}"),
            _ => format!(".corrupt-{time}-{n}"),
        });
        let suffix = suffixes.find(is_free).unwrap_or_default();
        if let Err(error) = fs::rename(&self.path, self.beside(&suffix)) {
            let reason = format!("move it away, it cannot be renamed: {error}");
            return FileFault::new(StoreFault::Corrupt, reason);
        }
        for part in ["-wal", "-shm", "-journal"] {
            let _ = fs::rename(self.beside(part), self.beside(&format!("{suffix}{part}")));
        }
        let reason = format!(
            "it was damaged and is now `*{suffix}`, and a new one is begun; `.recover` of sqlite3 \
             reads it"
        );
        FileFault::new(StoreFault::Replaced, reason)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// Why a file cannot be opened.
#[derive(Debug)]
enum Problem {
    Refused(String),
    Damaged,
    ReadOnly,
    Io(io::Error),
    Sqlite(rusqlite::Error),
}

impl Problem {
    fn unknown(format: i32) -> Self {
        Self::Refused(format!(
            "format {format}, and this version of fusebox reads {FORMAT}; use the one that wrote it, or another file"
        ))
    }

    fn foreign() -> Self {
        Self::Refused("another program wrote it; choose another path".to_owned())
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn was_replaced() -> FileFault {
    let reason = "it was removed or replaced while it was open; what its path leads to now is used";
    FileFault::new(StoreFault::Replaced, reason)
}

fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(header),
        Err(error) => return Err(error),
    };
    file.take(HEADER as u64).read_to_end(&mut header)?;
    Ok(header)
}

fn kind(path: &Path) -> io::Result<FileKind> {
    let header = header(path)?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        bytes.try_into().ok().map(i32::from_be_bytes)
    };
    Ok(match (number(60), number(68)) {
        _ if header.is_empty() => FileKind::New,
        _ if !header.starts_with(MAGIC) => FileKind::Damaged,
        (Some(format), Some(APPLICATION)) => FileKind::Store { format },
        (Some(_), Some(_)) => FileKind::Foreign,
        _ => FileKind::Damaged,
    })
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Makes the tables of a new file. Before the write-ahead log is switched on, so that the file itself
/// says from its first moment what it is.
fn make(connection: &mut Connection) -> Result<(), Problem> {
    if pragma(connection, "application_id")? == 0 {
        let making = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let tables = making.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        let tables: i64 = tables?;
        if tables == 0 {
            making.pragma_update(None, "application_id", APPLICATION)?;
            making.pragma_update(None, "user_version", FORMAT)?;
            making.execute_batch(SCHEMA)?;
        }
        making.commit()?;
    }
    if pragma(connection, "application_id")? != APPLICATION {
        return Err(Problem::foreign());
    }
    match pragma(connection, "user_version")? {
        FORMAT => Ok(()),
        format => Err(Problem::unknown(format)),
    }
}

/// Makes the views, or those of this version of fusebox in place of others.
fn show(connection: &mut Connection) -> rusqlite::Result<()> {
    let known = "SELECT value FROM meta WHERE name = 'views'";
    let hash = format!("{:016x}", XxHash3_64::oneshot(VIEWS.as_bytes()));
    let is_known = |connection: &Connection| -> rusqlite::Result<bool> {
        let mut statement = connection.prepare(known)?;
        let mut rows = statement.query([])?;
        match rows.next()? {
            Some(row) => Ok(row.get::<_, String>(0)? == hash),
            None => Ok(false),
        }
    };
    if is_known(connection)? {
        return Ok(());
    }
    let showing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let views: Vec<String> = showing
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'view' AND name GLOB 'v_*'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for view in views {
        showing.execute_batch(&format!("DROP VIEW \"{}\"", view.replace('"', "\"\"")))?;
    }
    showing.execute_batch(VIEWS)?;
    showing.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES ('views', ?1)",
        [hash],
    )?;
    showing.commit()
}
