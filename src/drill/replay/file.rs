//! Rows that stay in their file.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twox_hash::XxHash3_64;

#[cfg(feature = "csv")]
use super::columns::{CsvColumns, CsvRows};
use super::in_order::InOrder;
use super::record::Record;
use super::row_reader::RowReader;
use super::rows::JsonRows;
use crate::error::Error;

/// Large enough that reading costs few calls of the system.
const BUFFER: usize = 128 * 1_024;

/// A file of rows, and what must be held in memory to read them in their order.
#[derive(Debug)]
pub(super) struct RowsInFile {
    path: PathBuf,
    format: Format,
    /// In bytes; what is appended later is not read.
    length: u64,
    /// The rows that are late, in their order.
    late: Vec<Record>,
    /// A row that is not late comes at most so long behind an earlier one.
    most_behind: Duration,
}

#[derive(Debug)]
enum Format {
    JsonLines,
    #[cfg(feature = "csv")]
    Csv(Box<CsvColumns>),
}

impl RowsInFile {
    pub(super) fn json_lines(path: &Path) -> Result<Self, Error> {
        Self::new(path, Format::JsonLines)
    }

    #[cfg(feature = "csv")]
    pub(super) fn csv(path: &Path, columns: &CsvColumns) -> Result<Self, Error> {
        Self::new(path, Format::Csv(Box::new(columns.clone())))
    }

    fn new(path: &Path, format: Format) -> Result<Self, Error> {
        let about = path.metadata().map_err(|error| unreadable(path, error))?;
        if !about.is_file() {
            let allowed = "a file, as it is read more than once";
            return Err(Error::invalid("recording", path.display(), allowed));
        }
        Ok(Self {
            path: path.to_owned(),
            format,
            length: about.len(),
            late: Vec::new(),
            most_behind: Duration::ZERO,
        })
    }

    /// Holds the late rows, and knows how far the others are behind.
    pub(super) fn hold(&mut self, mut late: Vec<Record>, most_behind: Duration) {
        late.sort_by(|a, b| a.order().cmp(&b.order()));
        self.late = late;
        self.most_behind = most_behind;
    }

    /// Its rows as they are written.
    pub(super) fn reader(&self) -> Result<RowReader<'static>, Error> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let hash = Arc::default();
        let bytes = Hashing {
            bytes: file.take(self.length),
            hasher: XxHash3_64::new(),
            hash: Arc::clone(&hash),
        };
        let bytes = BufReader::with_capacity(BUFFER, bytes);
        let reader = match &self.format {
            Format::JsonLines => RowReader::of(JsonRows::new(bytes)),
            #[cfg(feature = "csv")]
            Format::Csv(columns) => RowReader::of(CsvRows::new(bytes, columns)?),
        };
        Ok(reader.with_hash(hash))
    }

    /// Its rows in their order.
    pub(super) fn in_order(&self) -> Result<InOrder<'_>, Error> {
        let reader = self.reader()?;
        Ok(InOrder::new(reader, self.most_behind, &self.late))
    }
}

/// Reads bytes and tells their hash, so that a file that has changed is found out.
struct Hashing<R> {
    bytes: R,
    hasher: XxHash3_64,
    hash: Arc<AtomicU64>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.hasher.write(buffer.get(..read).unwrap_or_default());
        self.hash.store(self.hasher.finish(), Ordering::Relaxed);
        Ok(read)
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::file(path.display(), error)
}
