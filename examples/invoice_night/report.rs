//! The story as text, and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anstream::AutoStream;
use comfy_table::{CellAlignment, Table, presets};
use fusebox::event::PipelineEvent;
use fusebox::{Event, EventKind, Severity, Timestamp, VersionId};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::json;

use crate::documents::Documents;
use crate::naive::NOWHERE;
use crate::schedule::Arrival;
use crate::versions::Versions;

/// How many lines of a kind are printed without `--verbose`.
const SHOWN: usize = 12;

#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) acts: Vec<Act>,
    pub(crate) notes: Vec<String>,
    pub(crate) unreadable: Vec<String>,
}

/// One night: how its documents ended, and its events.
#[derive(Debug)]
pub(crate) struct Act {
    title: String,
    /// How many documents of each type ended where.
    ends: BTreeMap<(String, &'static str), u64>,
    lines: Vec<Line>,
    pub(crate) events: Vec<Event>,
    pub(crate) first_bad: Option<Timestamp>,
    pub(crate) noticed_at: Option<Timestamp>,
    pub(crate) shipped_at: Option<Timestamp>,
    pub(crate) broken_at: Option<Timestamp>,
    pub(crate) all_known: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    document: String,
    version: String,
    end: &'static str,
}

impl Act {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ends: BTreeMap::new(),
            lines: Vec::new(),
            events: Vec::new(),
            first_bad: None,
            noticed_at: None,
            shipped_at: None,
            broken_at: None,
            all_known: true,
        }
    }

    pub(crate) fn count(&mut self, arrival: &Arrival<'_>, version: &VersionId, end: &'static str) {
        let document_type = arrival.document.kind.to_string();
        self.count_one(document_type, end);
        self.lines.push(Line {
            at: arrival.at,
            document: arrival.id.clone(),
            version: version.to_string(),
            end,
        });
    }

    pub(crate) fn count_one(&mut self, document_type: String, end: &'static str) {
        *self.ends.entry((document_type, end)).or_default() += 1;
    }

    pub(crate) fn is_complete(&self, documents: u64) -> bool {
        self.ends.values().sum::<u64>() == documents
    }

    fn lost(&self) -> u64 {
        self.ends
            .iter()
            .filter(|((_, end), _)| *end == NOWHERE)
            .map(|(_, count)| count)
            .sum()
    }

    /// When calls began to fail, or else when the first document did not fit.
    fn wrong_since(&self) -> Option<Timestamp> {
        self.broken_at.or(self.first_bad)
    }

    /// The first page since then.
    fn page(&self) -> Option<&Event> {
        let since = self.wrong_since()?;
        self.events
            .iter()
            .find(|event| event.severity == Severity::Page && event.at >= since)
    }

    fn time_to_page(&self) -> Option<Duration> {
        Some(self.page()?.at.since(self.wrong_since()?))
    }
}

impl Story {
    pub(crate) fn new(versions: &Versions, documents: &Documents) -> Self {
        let prompts = format!(
            "prompt v6 {} tokens, v7 {} tokens; model {} with a window of {} tokens; {} documents",
            versions.prompt_tokens(&versions.v6),
            versions.prompt_tokens(&versions.v7),
            versions.model.name(),
            versions.model.context_window(),
            documents.all.len(),
        );
        Self {
            acts: Vec::new(),
            notes: vec![prompts],
            unreadable: documents.unreadable.clone(),
        }
    }

    /// Whether every document of every guarded act has a known outcome.
    pub(crate) fn all_known(&self) -> bool {
        self.acts.iter().all(|act| act.all_known)
    }

    pub(crate) fn print_json(&self) {
        let acts: Vec<_> = self.acts.iter().map(Act::json).collect();
        let story = json!({"notes": self.notes, "unreadable": self.unreadable, "acts": acts, "all_known": self.all_known()});
        // A closed pipe is no reason to fail.
        let _ = writeln!(io::stdout(), "{story}");
    }

    pub(crate) fn print(&self, verbose: bool) {
        let mut out = AutoStream::auto(io::stdout());
        let _ = self.write(&mut out, verbose);
    }

    fn write(&self, out: &mut impl Write, verbose: bool) -> io::Result<()> {
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        write_some(out, "could not be read", &self.unreadable, verbose)?;
        for act in &self.acts {
            act.write(out, verbose)?;
        }
        let verdict = if self.all_known() { "yes" } else { "NO" };
        writeln!(
            out,
            "\nEvery document behind guards has a known outcome: {verdict}"
        )
    }
}

impl Act {
    fn json(&self) -> serde_json::Value {
        let ends: Vec<_> = self
            .ends
            .iter()
            .map(|((document_type, end), documents)| json!({"type": document_type, "end": end, "documents": documents}))
            .collect();
        json!({
            "title": self.title,
            "ends": ends,
            "documents": self.lines,
            "events": self.events,
            "first_bad": self.first_bad,
            "noticed_at": self.noticed_at,
            "seconds_to_page": self.time_to_page().map(|time| time.as_secs()),
            "nowhere": self.lost(),
            "all_known": self.all_known,
        })
    }

    fn write(&self, out: &mut impl Write, verbose: bool) -> io::Result<()> {
        writeln!(out, "\n{}", self.title.bold())?;
        writeln!(out, "{}", self.table())?;
        if verbose {
            for line in &self.lines {
                writeln!(
                    out,
                    "  {} {:40} {:3} {}",
                    clock_time(line.at),
                    line.document,
                    line.version,
                    line.end
                )?;
            }
        }
        self.write_events(out, verbose)?;
        if let (Some(first), Some(noticed)) = (self.first_bad, self.noticed_at) {
            let hours = noticed.since(first).as_secs_f64() / 3_600.0;
            let lost = self.lost();
            let text = format!(
                "{lost} documents went nowhere, the first at {}. The operator noticed at {}, {hours:.1} hours later.",
                clock_time(first),
                clock_time(noticed)
            );
            writeln!(out, "{}", text.red())?;
        }
        if let (Some(since), Some(time), Some(page)) =
            (self.wrong_since(), self.time_to_page(), self.page())
        {
            let what = if self.broken_at.is_some() {
                "Calls began to fail"
            } else {
                "The first document did not fit"
            };
            let early = self.shipped_at.filter(|shipped| page.at < *shipped);
            let early = early.map_or_else(String::new, |shipped| {
                format!(
                    ", {} before version 7 shipped",
                    minutes(shipped.since(page.at))
                )
            });
            let (since, at, time) = (clock_time(since), clock_time(page.at), minutes(time));
            let text = format!("{what} at {since}; the page came at {at}, {time} later{early}.");
            writeln!(out, "{}", text.green())?;
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut ends: Vec<&str> = self.ends.keys().map(|(_, end)| *end).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(std::iter::once("").chain(ends.iter().copied()));
        let mut types: Vec<&String> = self
            .ends
            .keys()
            .map(|(document_type, _)| document_type)
            .collect();
        types.dedup();
        for document_type in types {
            let count = |end: &&str| {
                self.ends
                    .get(&(document_type.clone(), *end))
                    .map_or(String::new(), u64::to_string)
            };
            table.add_row(std::iter::once(document_type.clone()).chain(ends.iter().map(count)));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn write_events(&self, out: &mut impl Write, verbose: bool) -> io::Result<()> {
        let is_shown = |event: &&Event| {
            let routine = matches!(
                event.kind,
                EventKind::Pipeline(
                    PipelineEvent::Diverted { .. } | PipelineEvent::LargerModel { .. }
                )
            );
            verbose || !routine
        };
        let lines: Vec<String> = self
            .events
            .iter()
            .filter(is_shown)
            .map(event_line)
            .collect();
        write_some(out, "events", &lines, verbose)?;
        let routine = self.events.len() - lines.len();
        if routine > 0 {
            writeln!(
                out,
                "  and one event for each of {routine} rerouted documents (--verbose shows them)"
            )?;
        }
        Ok(())
    }
}

fn event_line(event: &Event) -> String {
    let line = format!(
        "{} {:7} {}: {}",
        clock_time(event.at),
        event.severity,
        event.guard,
        event.kind
    );
    match event.severity {
        Severity::Page => line.red().to_string(),
        Severity::Warning => line.yellow().to_string(),
        Severity::Info => line,
    }
}

fn write_some(out: &mut impl Write, what: &str, lines: &[String], all: bool) -> io::Result<()> {
    let shown = if all { lines.len() } else { SHOWN };
    for line in lines.iter().take(shown) {
        writeln!(out, "  {line}")?;
    }
    if lines.len() > shown {
        writeln!(
            out,
            "  .. and {} more {what} (--verbose shows them)",
            lines.len() - shown
        )?;
    }
    Ok(())
}

/// Hours, minutes and seconds of a moment.
fn clock_time(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

/// A progress bar on standard error, if that is a terminal.
pub(crate) fn progress(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
