//! Why a request failed, and what that says of the file.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::error::{Error, StoreFault};

/// Why a request failed.
#[derive(Debug)]
pub(super) enum JobError {
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// What is to be written cannot be kept, or what was read is not what was written.
    Refused(Error),
}

impl From<rusqlite::Error> for JobError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What is wrong with the file, for each request that it concerns.
#[derive(Clone, Debug)]
pub(super) struct FileFault {
    pub(super) fault: StoreFault,
    pub(super) reason: String,
}

impl FileFault {
    pub(super) fn new(fault: StoreFault, reason: impl Into<String>) -> Self {
        Self {
            fault,
            reason: reason.into(),
        }
    }

    pub(super) fn error(&self, store: &str) -> Error {
        Error::store(store, self.fault, &self.reason)
    }
}

/// Which fault an error of SQLite is.
pub(super) fn fault_of(error: &rusqlite::Error) -> StoreFault {
    let Some(error) = error.sqlite_error() else {
        return StoreFault::Unavailable;
    };
    match error.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreFault::Busy,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreFault::Corrupt,
        ErrorCode::DiskFull => StoreFault::Full,
        ErrorCode::ReadOnly => StoreFault::ReadOnly,
        // The index of the write-ahead log finds no room.
        _ if error.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreFault::Full,
        _ => StoreFault::Unavailable,
    }
}
