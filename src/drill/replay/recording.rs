//! Recorded history, read and put in order.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "csv")]
use super::columns::{CsvColumns, CsvRows};
use super::extent::Extent;
use super::file::RowsInFile;
use super::in_order::changed;
use super::row_reader::{RecordingCounts, RejectedRow, RowReader};
use super::rows::JsonRows;
use super::timetable::Timetable;
use crate::drill::virtual_time::LONGEST;
use crate::error::Error;
use crate::time::Timestamp;

/// Recorded history: calls with their ends, and corrections of their answers, for a
/// [`Replay`](super::Replay) or as the [traffic](crate::drill::Traffic::recorded) of a drill.
///
/// It is JSON Lines ([`from_path`](Self::from_path), [`from_json_lines`](Self::from_json_lines)), or
/// CSV with a mapping of its columns (`from_csv_path`, `from_csv`, feature `csv`). Rows may be in any
/// order: they are sorted by time, and those at one time by document. A row that cannot be used is
/// skipped and reported with its line ([`rejected`](Self::rejected)).
/// [docs/replay.md](crate::documentation::replay) has the format.
///
/// ```
/// use fusebox::drill::Recording;
///
/// let lines = r#"{"at":"2026-01-05T08:00:00Z","document":"inv-1","document_type":"invoice","document_tokens":5800,"version":"v7","latency_ms":20000,"confidences":{"total":0.95}}
/// {"at":"2026-01-05T08:00:06Z","document":"inv-2","document_type":"invoice","latency_ms":900,"failure":"server_error"}
/// {"at":"2026-01-05T08:00:12Z","document":"inv-3","documnet_type":"invoice"}
/// {"at":"2026-01-06T10:30:00Z","document":"inv-1","corrected":["total"]}
/// "#;
/// let recording = Recording::from_json_lines(lines.as_bytes())?;
/// assert_eq!(recording.counts().calls, 2);
/// assert_eq!(recording.counts().corrections, 1);
/// assert_eq!(recording.rejected()[0].line, 3);
/// assert!(recording.rejected()[0].why.starts_with("unknown field `documnet_type`, expected one of"));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Recording {
    pub(super) rows: RecordedRows,
    pub(super) extent: Extent,
    counts: RecordingCounts,
    rejected: Vec<RejectedRow>,
    /// Of the bytes of a file.
    hash: u64,
}

/// Where the rows of a recording are.
#[derive(Debug)]
pub(super) enum RecordedRows {
    InMemory(Arc<Timetable>),
    InFile(RowsInFile),
}

impl Recording {
    /// A file with a line for each call or correction, whose rows stay there: each run reads them
    /// again, and holds those of the time by which they are out of order, at most ten minutes.
    ///
    /// It is read once here, for what must be known before the first row: what it consists of, which
    /// rows cannot be used, and which documents will be corrected. Kept are these documents, and the
    /// rows that come more than ten minutes [late](RecordingCounts::late). So a file of any length can
    /// be replayed, and the report is the one that [`from_json_lines`](Self::from_json_lines) leads to.
    ///
    /// An error when the file cannot be read, or is none that can be read twice, such as a pipe; a
    /// line that is not as it should be is rejected. Rows that are appended later are not read. A run
    /// is refused if the file has changed.
    ///
    /// ```
    /// use fusebox::drill::{Recording, Replay, ReplayReport};
    /// use fusebox::pipeline::Builder;
    ///
    /// fn last_week(
    ///     production: fn() -> Result<Builder, fusebox::Error>,
    /// ) -> Result<ReplayReport, fusebox::Error> {
    ///     Replay::new(production).run(&Recording::from_path("week.jsonl")?)
    /// }
    /// # let refused = Recording::from_path("week.jsonl").unwrap_err();
    /// # assert!(refused.to_string().starts_with("week.jsonl: "), "{refused}");
    /// ```
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::in_file(RowsInFile::json_lines(path.as_ref())?)
    }

    /// The same of a CSV file with a header, by a mapping of its columns.
    ///
    /// An error also when the header does not have a mapped column, or has it twice.
    #[cfg(feature = "csv")]
    #[cfg_attr(docsrs, doc(cfg(feature = "csv")))]
    pub fn from_csv_path(path: impl AsRef<Path>, columns: &CsvColumns) -> Result<Self, Error> {
        Self::in_file(RowsInFile::csv(path.as_ref(), columns)?)
    }

    /// Reads a line for each call or correction into memory, some 400 bytes for each.
    ///
    /// An error only when the lines cannot be read at all; a line that is not as it should be is
    /// rejected. Blank lines are skipped.
    pub fn from_json_lines(lines: impl BufRead) -> Result<Self, Error> {
        Self::in_memory(RowReader::of(JsonRows::new(lines)))
    }

    /// Reads the rows of CSV with a header into memory, by a mapping of its columns.
    ///
    /// An error when the rows cannot be read at all, or when the header does not have a mapped
    /// column, or has it twice; a row that is not as it should be is rejected.
    #[cfg(feature = "csv")]
    #[cfg_attr(docsrs, doc(cfg(feature = "csv")))]
    pub fn from_csv(csv: impl std::io::Read, columns: &CsvColumns) -> Result<Self, Error> {
        Self::in_memory(RowReader::of(CsvRows::new(csv, columns)?))
    }

    fn in_memory(mut reader: RowReader<'_>) -> Result<Self, Error> {
        let mut extent = Extent::default();
        let timetable = Timetable::read(&mut reader, |row| extent.add(row))?;
        Ok(Self {
            rows: RecordedRows::InMemory(Arc::new(timetable)),
            extent,
            hash: reader.hash(),
            counts: reader.counts,
            rejected: reader.rejected,
        })
    }

    fn in_file(mut rows: RowsInFile) -> Result<Self, Error> {
        let mut extent = Extent::default();
        let mut reader = rows.reader()?;
        let mut late = Vec::new();
        while let Some(read) = reader.next_row()? {
            extent.add(&read.record);
            if read.is_late {
                late.push(read.record);
            }
        }
        let hash = reader.hash();
        let RowReader {
            counts,
            rejected,
            most_behind,
            ..
        } = reader;
        rows.hold(late, most_behind);
        Ok(Self {
            rows: RecordedRows::InFile(rows),
            extent,
            counts,
            rejected,
            hash,
        })
    }

    /// What it consists of.
    pub fn counts(&self) -> RecordingCounts {
        self.counts
    }

    /// The rows that were skipped, by line; the first 1,000 of them.
    pub fn rejected(&self) -> &[RejectedRow] {
        &self.rejected
    }

    /// When its first row is, and its last row or the last end of a call; `None` if it is empty.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.extent.span
    }

    /// Its calls and corrections in memory.
    pub(crate) fn timetable(&self) -> Result<Arc<Timetable>, Error> {
        let file = match &self.rows {
            RecordedRows::InMemory(timetable) => return Ok(Arc::clone(timetable)),
            RecordedRows::InFile(file) => file,
        };
        let mut reader = file.reader()?;
        let timetable = Timetable::read(&mut reader, |_| ())?;
        self.unless_changed(&reader)?;
        Ok(Arc::new(timetable))
    }

    /// An error if these rows, read to the end, are not those that were read before.
    pub(super) fn unless_changed(&self, reader: &RowReader<'_>) -> Result<(), Error> {
        if reader.hash() == self.hash {
            return Ok(());
        }
        Err(changed())
    }

    /// An error if it has no call, or if it is so long that a time in it must be wrong.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some((begins, ends)) = self.span().filter(|_| self.counts.calls > 0) {
            if ends.since(begins) <= LONGEST {
                return Ok(());
            }
            let span = format!("{begins} to {ends}");
            let allowed = "at most ten years from the first row to the end of the last";
            return Err(Error::invalid("span of a recording", span, allowed));
        }
        let allowed = match self.rejected.first() {
            None => "at least one call".to_owned(),
            Some(row) => format!(
                "at least one call; {} rows were rejected, the first is {row}",
                self.counts.rejected
            ),
        };
        Err(Error::invalid("recording", "no call", allowed))
    }
}

impl Default for RecordedRows {
    fn default() -> Self {
        Self::InMemory(Arc::default())
    }
}
