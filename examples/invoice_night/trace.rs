//! Replays recorded arrivals and token counts through the same pipeline, on the virtual clock and without a network.

use std::path::Path;
use std::sync::Arc;

use fusebox::sink::MemorySink;
use fusebox::{Admission, Call, MockClock, Report, RouteLedger, Timestamp};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::AnyError;
use crate::report::{Act, Story, progress};
use crate::versions::Versions;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "TIMESTAMP")]
    timestamp: String,
    context_tokens: u64,
    generated_tokens: u64,
}

struct Arrival {
    at: Timestamp,
    tokens: u64,
    answer: u64,
}

pub(crate) fn replay(file: &Path, versions: &Versions) -> Result<Story, AnyError> {
    let (arrivals, unreadable) = read(file)?;
    let (Some(first), Some(middle)) = (arrivals.first(), arrivals.get(arrivals.len() / 2)) else {
        return Err(format!(
            "{}: no row that can be used\n  {}",
            file.display(),
            unreadable.join("\n  ")
        )
        .into());
    };
    let ships_at = middle.at;
    let (clock, sink, ledger) = (
        MockClock::at(first.at),
        MemorySink::new(),
        Arc::new(RouteLedger::default()),
    );
    let pipeline = versions.pipeline(Arc::clone(&ledger), clock.clone(), sink.clone())?;
    let mut act = Act::new("The trace with guards; version 7 ships in the middle of it");
    let number = arrivals.len() as u64;
    let bar = progress(number, "replaying");
    let mut shipped = false;
    for (n, arrival) in arrivals.iter().enumerate() {
        bar.inc(1);
        clock.set(arrival.at);
        pipeline.tick();
        if !shipped && arrival.at >= ships_at {
            pipeline.deploy(versions.after())?;
            shipped = true;
        }
        let call =
            Call::new(format!("row-{}", n + 1), "trace")?.with_document_tokens(arrival.tokens);
        let end = match pipeline.admit(&call) {
            Admission::Admitted(permit) => {
                let settled = permit.answer(Report::new().usage(arrival.tokens, arrival.answer));
                if settled.ticket().model() == versions.model.name() {
                    "answered"
                } else {
                    act.first_bad.get_or_insert(arrival.at);
                    "answered, by the larger model"
                }
            }
            Admission::Diverted(_diversion) => {
                act.first_bad.get_or_insert(arrival.at);
                "person: no call was made"
            }
        };
        act.count_one(call.document_type().to_string(), end);
    }
    bar.finish_and_clear();
    let report = ledger.report();
    act.all_known =
        report.open() == 0 && report.total().total() == number && act.is_complete(number);
    act.events = sink.events();
    let note = format!(
        "{number} rows replayed, {} could not be read",
        unreadable.len()
    );
    Ok(Story {
        acts: vec![act],
        notes: vec![note],
        unreadable,
    })
}

/// The rows that can be read, in order of time, and what is wrong with the others.
fn read(file: &Path) -> Result<(Vec<Arrival>, Vec<String>), AnyError> {
    let named = |error: csv::Error| format!("{}: {error}", file.display());
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(file)
        .map_err(named)?;
    let headers = reader.headers().map_err(named)?.clone();
    for column in ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] {
        if !headers.iter().any(|header| header == column) {
            return Err(format!("{}: there is no column {column}", file.display()).into());
        }
    }
    let (mut arrivals, mut unreadable) = (Vec::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                match parse(&record, &headers) {
                    Ok(arrival) => arrivals.push(arrival),
                    Err(error) => unreadable.push(format!("line {line}: {error}")),
                }
            }
            Err(error) => unreadable.push(format!("line {line}: {error}")),
        }
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    Ok((arrivals, unreadable))
}

fn parse(record: &csv::StringRecord, headers: &csv::StringRecord) -> Result<Arrival, AnyError> {
    let row: Row = record.deserialize(Some(headers))?;
    let time: DateTime = row.timestamp.parse()?;
    let millis = time.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond();
    Ok(Arrival {
        at: Timestamp::from_millis(u64::try_from(millis).map_err(|_| "the time is before 1970")?),
        tokens: row.context_tokens,
        answer: row.generated_tokens,
    })
}
