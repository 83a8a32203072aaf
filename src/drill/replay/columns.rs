//! Which column of a CSV file has what.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use csv::{Reader, ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::json_line::{from_millis, from_rfc3339};
use super::record::RecordedRow;
use super::rows::{Rows, WrittenRow, unreadable};
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::Field;
use crate::time::Timestamp;

/// Which column of a CSV file has what: a mapping by the names in its header.
///
/// A column that is not mapped is not read, and an empty cell is one that says nothing. A row whose
/// cell `corrected` is not empty is a correction.
///
/// ```
/// use fusebox::Field;
/// use fusebox::drill::{CsvColumns, CsvTime, Recording};
///
/// let csv = "\
/// started,id,kind,size,prompt,took,error,score_total,fixed
/// 1767600000,inv-1,invoice,5800,v7,20000,,0.95,
/// 1767600006,inv-2,invoice,5800,v7,900,server_error,,
/// 1767700000,inv-1,,,,,,,total;vendor
/// ";
/// let columns = CsvColumns::new("started", "id", "kind")
///     .times_are(CsvTime::UnixSeconds)
///     .document_tokens("size")
///     .version("prompt")
///     .latency_ms("took")
///     .failure("error")
///     .confidence(Field::new("total")?, "score_total")
///     .corrected("fixed");
/// let recording = Recording::from_csv(csv.as_bytes(), &columns)?;
/// assert_eq!((recording.counts().calls, recording.counts().corrections), (2, 2));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a mapping reads nothing"]
pub struct CsvColumns {
    time: String,
    times_are: CsvTime,
    document: String,
    document_type: String,
    document_tokens: Option<String>,
    version: Option<String>,
    latency_ms: Option<String>,
    failure: Option<String>,
    finish_reason: Option<String>,
    input_tokens: Option<String>,
    output_tokens: Option<String>,
    corrected: Option<String>,
    confidences: Vec<(Field, String)>,
}

/// How the times of a CSV file are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsvTime {
    /// As RFC 3339 in UTC: `2026-01-05T08:00:00Z`.
    #[default]
    Rfc3339,
    /// As whole milliseconds since 1970.
    UnixMillis,
    /// As whole seconds since 1970.
    UnixSeconds,
}

impl CsvColumns {
    /// The columns of the time at which a call began or a correction came, of the document's id, and
    /// of its type.
    pub fn new(
        time: impl Into<String>,
        document: impl Into<String>,
        document_type: impl Into<String>,
    ) -> Self {
        Self {
            time: time.into(),
            times_are: CsvTime::default(),
            document: document.into(),
            document_type: document_type.into(),
            document_tokens: None,
            version: None,
            latency_ms: None,
            failure: None,
            finish_reason: None,
            input_tokens: None,
            output_tokens: None,
            corrected: None,
            confidences: Vec::new(),
        }
    }

    /// How times are written ([`CsvTime::Rfc3339`] by default).
    pub fn times_are(mut self, written: CsvTime) -> Self {
        self.times_are = written;
        self
    }

    /// The column of the document's tokens.
    pub fn document_tokens(mut self, column: impl Into<String>) -> Self {
        self.document_tokens = Some(column.into());
        self
    }

    /// The column of the version that served.
    pub fn version(mut self, column: impl Into<String>) -> Self {
        self.version = Some(column.into());
        self
    }

    /// The column of the milliseconds that the call took; where it is empty, the call never ended.
    pub fn latency_ms(mut self, column: impl Into<String>) -> Self {
        self.latency_ms = Some(column.into());
        self
    }

    /// The column of the kind of failure, with the names of
    /// [`FailureKind::name`](crate::FailureKind::name).
    pub fn failure(mut self, column: impl Into<String>) -> Self {
        self.failure = Some(column.into());
        self
    }

    /// The column of the finish reason.
    pub fn finish_reason(mut self, column: impl Into<String>) -> Self {
        self.finish_reason = Some(column.into());
        self
    }

    /// The columns of the input and output tokens that the API reported.
    pub fn usage(mut self, input: impl Into<String>, output: impl Into<String>) -> Self {
        self.input_tokens = Some(input.into());
        self.output_tokens = Some(output.into());
        self
    }

    /// The column of the confidence in a field.
    pub fn confidence(mut self, field: Field, column: impl Into<String>) -> Self {
        self.confidences.push((field, column.into()));
        self
    }

    /// The column of the fields that a reviewer corrected, with `;` between them.
    pub fn corrected(mut self, column: impl Into<String>) -> Self {
        self.corrected = Some(column.into());
        self
    }
}

/// The rows of a CSV file.
pub(super) struct CsvRows<R> {
    reader: Reader<R>,
    record: StringRecord,
    places: Places,
}

/// Where in a row the mapped columns are.
struct Places {
    time: usize,
    times_are: CsvTime,
    document: usize,
    document_type: usize,
    document_tokens: Option<usize>,
    version: Option<usize>,
    latency_ms: Option<usize>,
    failure: Option<usize>,
    finish_reason: Option<usize>,
    input_tokens: Option<usize>,
    output_tokens: Option<usize>,
    corrected: Option<usize>,
    confidences: Vec<(Field, usize)>,
}

impl<R: Read> CsvRows<R> {
    pub(super) fn new(csv: R, columns: &CsvColumns) -> Result<Self, Error> {
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(csv);
        let header = reader
            .headers()
            .map_err(|error| Error::invalid("csv header", error, "a header that can be read"))?;
        let places = Places::new(columns, header)?;
        Ok(Self {
            reader,
            record: StringRecord::new(),
            places,
        })
    }
}

impl<R: Read> Rows for CsvRows<R> {
    fn next_row(&mut self) -> Result<Option<WrittenRow<'_>>, Error> {
        let line = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.record.position().map_or(line, csv::Position::line);
                let row = self.places.row(&self.record);
                let row = row.map_err(|error| error.to_string());
                Ok(Some(WrittenRow { line, row }))
            }
            Err(error) if error.is_io_error() => Err(unreadable(error)),
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                let why = match error.kind() {
                    csv::ErrorKind::UnequalLengths {
                        expected_len, len, ..
                    } => {
                        format!("got {len} cells, expected {expected_len} as in the header")
                    }
                    _ => error.to_string(),
                };
                let row = Err(why);
                Ok(Some(WrittenRow { line, row }))
            }
        }
    }
}

impl<R> fmt::Debug for CsvRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvRows").finish_non_exhaustive()
    }
}

impl Places {
    fn new(columns: &CsvColumns, header: &StringRecord) -> Result<Self, Error> {
        let place = |column: &String| {
            let mut found = (0..)
                .zip(header)
                .filter(|(_, name)| *name == column.as_str());
            match (found.next(), found.next()) {
                (Some((place, _)), None) => Ok(place),
                (first, _) => {
                    let names: Vec<_> = header.iter().map(|name| format!("`{name}`")).collect();
                    let once = if first.is_none() {
                        "a column"
                    } else {
                        "a column that is there once"
                    };
                    let allowed = format!("{once} of the header: {}", names.join(", "));
                    Err(Error::invalid("csv column", column, allowed))
                }
            }
        };
        let maybe = |column: &Option<String>| column.as_ref().map(place).transpose();
        Ok(Self {
            time: place(&columns.time)?,
            times_are: columns.times_are,
            document: place(&columns.document)?,
            document_type: place(&columns.document_type)?,
            document_tokens: maybe(&columns.document_tokens)?,
            version: maybe(&columns.version)?,
            latency_ms: maybe(&columns.latency_ms)?,
            failure: maybe(&columns.failure)?,
            finish_reason: maybe(&columns.finish_reason)?,
            input_tokens: maybe(&columns.input_tokens)?,
            output_tokens: maybe(&columns.output_tokens)?,
            corrected: maybe(&columns.corrected)?,
            confidences: columns
                .confidences
                .iter()
                .map(|(field, column)| Ok((field.clone(), place(column)?)))
                .collect::<Result<_, Error>>()?,
        })
    }

    fn row<'r>(&'r self, record: &'r StringRecord) -> Result<RecordedRow<'r>, Error> {
        let cell = |place: Option<usize>| {
            let cell = place.and_then(|place| record.get(place));
            cell.filter(|text| !text.is_empty())
        };
        let text = |place| cell(place).map(Cow::Borrowed);
        let whole = |what, place| cell(place).map(|text| whole(what, text)).transpose();
        let mut confidences = Vec::new();
        for (field, place) in &self.confidences {
            if let Some(text) = cell(Some(*place)) {
                let score = text.parse::<f64>();
                let score = score.map_err(|_| Error::invalid("confidence", text, "a number"))?;
                confidences.push((Cow::Borrowed(field.as_str()), score));
            }
        }
        let fields = |text: &'r str| {
            let fields = text.split(';').map(str::trim);
            fields.map(Cow::Borrowed).collect()
        };
        Ok(RecordedRow {
            at: time(self.times_are, cell(Some(self.time)).unwrap_or_default())?,
            document: text(Some(self.document)).unwrap_or_default(),
            document_type: text(Some(self.document_type)),
            document_tokens: whole("document tokens", self.document_tokens)?,
            version: text(self.version),
            latency_ms: whole("latency", self.latency_ms)?,
            confidences,
            failure: cell(self.failure).map(failure).transpose()?,
            finish_reason: text(self.finish_reason),
            input_tokens: whole("input tokens", self.input_tokens)?,
            output_tokens: whole("output tokens", self.output_tokens)?,
            corrected: cell(self.corrected).map(fields),
        })
    }
}

fn whole(what: &'static str, text: &str) -> Result<u64, Error> {
    let number = text.parse();
    number.map_err(|_| Error::invalid(what, text, "a whole number"))
}

fn time(written: CsvTime, text: &str) -> Result<Timestamp, Error> {
    match written {
        CsvTime::Rfc3339 => from_rfc3339(text),
        CsvTime::UnixMillis => from_millis(whole("time", text)?),
        CsvTime::UnixSeconds => from_millis(whole("time", text)?.saturating_mul(1_000))
            .map_err(|_| Error::invalid("time", text, "unix seconds of the years 2000 to 9999")),
    }
}

fn failure(name: &str) -> Result<FailureKind, Error> {
    let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
    FailureKind::deserialize(name).map_err(|error| {
        Error::invalid(
            "failure",
            error,
            "the name of a kind of failure, such as `timeout`",
        )
    })
}
