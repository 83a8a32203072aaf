//! The report, as text or JSON.

use std::io::{self, Write};

use anstream::AutoStream;
use comfy_table::{CellAlignment, Table, presets};
use fusebox::budget::{CountRange, Headroom, WhatIf};
use owo_colors::OwoColorize;
use serde_json::json;

use crate::traffic::Traffic;

/// The number of unreadable files or rows that are printed.
const SHOWN: usize = 12;

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) traffic: Traffic,
    pub(crate) now: String,
    pub(crate) next: Option<String>,
    pub(crate) headroom: Vec<Headroom>,
    pub(crate) what_if: Vec<WhatIf>,
}

impl Report {
    pub(crate) fn print_json(&self) {
        let report = json!({
            "source": self.traffic.source,
            "unreadable": self.traffic.unreadable,
            "now": {"version": self.now, "headroom": self.headroom},
            "next": self.next.as_ref().map(|next| json!({"version": next, "what_if": self.what_if})),
        });
        println!("{report}");
    }

    pub(crate) fn print(&self) {
        // A closed pipe is not an error.
        let _ = self.write(&mut AutoStream::auto(io::stdout().lock()));
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.traffic.source)?;
        for line in self.traffic.unreadable.iter().take(SHOWN) {
            writeln!(out, "  skipped: {line}")?;
        }
        if self.traffic.unreadable.len() > SHOWN {
            writeln!(
                out,
                "  .. and {} more",
                self.traffic.unreadable.len() - SHOWN
            )?;
        }
        writeln!(out, "\n{} {}", "Now:".bold(), self.now)?;
        writeln!(out, "{}", self.now_table())?;
        let note = "Sizes are tokens without the system prompt, in steps of 0.8 %; `room` is the largest size within the limit.";
        writeln!(out, "{}", note.dimmed())?;
        let Some(next) = &self.next else {
            return Ok(());
        };
        writeln!(out, "\n{} {next}", "Next:".bold())?;
        writeln!(out, "{}", self.next_table())?;
        writeln!(out, "\n{}", self.verdict())
    }

    fn now_table(&self) -> Table {
        let mut table = table([
            "type",
            "documents",
            "p50",
            "p95",
            "p99",
            "room",
            "over the limit",
        ]);
        for row in &self.headroom {
            let share = share(row.over, row.documents);
            table.add_row([
                row.document_type.to_string(),
                thousands(row.documents),
                thousands(row.p50),
                thousands(row.p95),
                thousands(row.p99),
                thousands(row.room),
                format!("{} ({share})", number(row.over)),
            ]);
        }
        table
    }

    fn next_table(&self) -> Table {
        let mut table = table([
            "type",
            "documents",
            "room",
            "over now",
            "over then",
            "to human review",
        ]);
        for row in &self.what_if {
            table.add_row([
                row.document_type.to_string(),
                thousands(row.documents),
                thousands(row.room),
                number(row.over_now),
                format!("{} ({})", number(row.over), share(row.over, row.documents)),
                number(row.diverted),
            ]);
        }
        table
    }

    /// The answer to the question whether to ship.
    fn verdict(&self) -> String {
        let worse = |row: &&WhatIf| row.over.at_most > row.over_now.at_most;
        let types: Vec<_> = self
            .what_if
            .iter()
            .filter(worse)
            .map(|row| row.document_type.as_str())
            .collect();
        if types.is_empty() {
            "No document type has more documents over the limit than now.".to_owned()
        } else {
            format!(
                "More documents over the limit than now: {}.",
                types.join(", ")
            )
        }
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(count: CountRange) -> String {
    if count.at_least == count.at_most {
        thousands(count.at_least)
    } else {
        format!(
            "{} to {}",
            thousands(count.at_least),
            thousands(count.at_most)
        )
    }
}

/// The share of `documents` in percent, by the upper end of the interval.
fn share(count: CountRange, documents: u64) -> String {
    if count.at_most == 0 {
        return "none".to_owned();
    }
    let tenths = (count.at_most * 1_000).div_ceil(documents.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
