//! Arrivals and token counts, recorded as CSV with the columns `TIMESTAMP`, `ContextTokens` and
//! `GeneratedTokens`.

use std::fs::File;
use std::path::Path;

use csv::{Position, StringRecord};
use fusebox::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::AnyError;

const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Timestamp,
    pub(crate) tokens: u64,
    pub(crate) answer: u64,
}

#[derive(Debug)]
pub(crate) struct Arrivals {
    /// In order of time; never empty.
    pub(crate) all: Vec<Arrival>,
    /// Rows that cannot be used, each with the reason.
    pub(crate) unreadable: Vec<String>,
}

/// Reads a trace. An error when a column is missing or no row can be used.
pub(crate) fn read(file: &Path) -> Result<Arrivals, AnyError> {
    let named = |error: csv::Error| format!("{}: {error}", file.display());
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(file)
        .map_err(named)?;
    let columns = columns(&mut reader).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(line, Position::line);
                match arrival(&record, columns) {
                    Ok(arrival) => all.push(arrival),
                    Err(error) => unreadable.push(format!("line {line}: {error}")),
                }
            }
            Err(error) => unreadable.push(format!("line {line}: {error}")),
        }
    }
    if all.is_empty() {
        let mut tried = vec![format!("{}: no row that can be used", file.display())];
        tried.append(&mut unreadable);
        return Err(tried.join("\n  ").into());
    }
    all.sort_by_key(|arrival| arrival.at);
    Ok(Arrivals { all, unreadable })
}

/// The positions of the columns. Case does not matter, and a byte-order mark may precede the first
/// name.
fn columns(reader: &mut csv::Reader<File>) -> Result<[usize; 3], AnyError> {
    let headers = reader.headers()?.clone();
    let mut places = [0; 3];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let is_it = |header: &str| {
            header
                .trim_matches(['\u{feff}', ' '])
                .eq_ignore_ascii_case(column)
        };
        let found = headers.iter().position(is_it);
        *place = found.ok_or_else(|| format!("there is no column {column}"))?;
    }
    Ok(places)
}

fn arrival(record: &StringRecord, [at, tokens, answer]: [usize; 3]) -> Result<Arrival, AnyError> {
    let text = |column| {
        record
            .get(column)
            .ok_or("a column is missing")
            .map(str::trim)
    };
    let number = |column| -> Result<u64, AnyError> {
        let text = text(column)?;
        text.parse()
            .map_err(|_| format!("`{text}` is not a number of tokens").into())
    };
    let time: DateTime = text(at)?.parse()?;
    let millis = time.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond();
    Ok(Arrival {
        at: Timestamp::from_millis(u64::try_from(millis).map_err(|_| "the time is before 1970")?),
        tokens: number(tokens)?,
        answer: number(answer)?,
    })
}
