//! Reports of several configurations as one table.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::report::ReplayReport;

/// What several configurations would have done with one recording, side by side.
///
/// Printed as a table in Markdown with a column for each report; serialised as the list of reports.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct SideBySide<'a> {
    reports: Vec<&'a ReplayReport>,
}

impl<'a> SideBySide<'a> {
    /// A table of these reports, in this order.
    pub fn of(reports: impl IntoIterator<Item = &'a ReplayReport>) -> Self {
        Self {
            reports: reports.into_iter().collect(),
        }
    }

    fn row<V: fmt::Display>(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        value: impl Fn(&'a ReplayReport) -> V,
    ) -> fmt::Result {
        let cell = |text: String| text.replace('|', "\\|");
        write!(f, "| {} |", cell(what.to_owned()))?;
        for report in &self.reports {
            write!(f, " {} |", cell(value(report).to_string()))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for SideBySide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row(f, "", ReplayReport::name)?;
        writeln!(f, "|---|{}", "---|".repeat(self.reports.len()))?;
        self.row(f, "pages", |report| report.pages().count())?;
        self.row(f, "pages a week", |report| match report.pages_a_week() {
            Some(pages) => format!("{pages:.2}"),
            None => "-".to_owned(),
        })?;
        self.row(f, "first page", |report| match report.pages().next() {
            Some(page) => page.at.to_string(),
            None => "-".to_owned(),
        })?;
        let pages = self.reports.iter().flat_map(|report| report.pages());
        let guards: BTreeSet<_> = pages.map(|page| page.guard.as_str()).collect();
        for guard in guards {
            self.row(f, &format!("pages from {guard}"), |report| {
                report.pages().filter(|page| page.guard == guard).count()
            })?;
        }
        self.row(f, "answers accepted", |report| report.counts().accepted)?;
        self.row(f, "answers to human review", |report| {
            report.counts().needs_review
        })?;
        self.row(f, "calls diverted", |report| report.counts().diverted)?;
        self.row(f, "calls failed", |report| report.counts().failed)?;
        self.row(f, "calls never answered", |report| {
            report.counts().never_answered
        })?;
        self.row(f, "calls by another version", |report| {
            report.counts().by_another_version
        })
    }
}
