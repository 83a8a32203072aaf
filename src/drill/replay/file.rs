//! Rows that stay in their file.

use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        let bytes = self.open()?;
        Ok(match &self.format {
            Format::JsonLines => RowReader::of(JsonRows::new(bytes)),
            #[cfg(feature = "csv")]
            Format::Csv(columns) => RowReader::of(CsvRows::new(bytes, columns)?),
        })
    }

    /// Its rows in their order.
    pub(super) fn in_order(&self) -> Result<InOrder<'_>, Error> {
        let reader = self.reader()?;
        Ok(InOrder::new(reader, self.most_behind, &self.late))
    }

    fn open(&self) -> Result<BufReader<Take<File>>, Error> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, error))?;
        Ok(BufReader::with_capacity(BUFFER, file.take(self.length)))
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::file(path.display(), error)
}
