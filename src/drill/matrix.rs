//! Which guard sees which fault, and when.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure_mode::FailureMode;
use super::incident_moment::IncidentMoment;
use super::report::DrillReport;
use crate::format::Format;
use crate::guard::SettingsHash;

/// The most moments of one drill that a matrix keeps.
const MOST_MOMENTS: usize = 100;

/// What was seen of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Detection {
    /// The time from the fault to the first page; `None` if none came.
    #[serde(rename = "time_to_page_ms", with = "crate::time::as_optional_millis")]
    pub time_to_page: Option<Duration>,
    /// The guard that paged first.
    pub paged_by: Option<String>,
    /// How many documents the fault met before the page, or in all if none came.
    pub documents_before_page: u64,
    /// Why nothing can be said, such as that the fault met no document.
    pub blind: Option<String>,
    /// What the incidents did after the fault, in order: the first 100 moments. Empty in JSON that
    /// was written without them.
    #[serde(default)]
    pub moments: Vec<IncidentMoment>,
}

impl Detection {
    /// What a drill shows of a fault. Pages of the `usual` incidents, for which healthy traffic pages
    /// as well, say nothing of it.
    pub(super) fn of(report: &DrillReport, usual: &BTreeSet<&str>) -> Self {
        let page = report.first_page_but(usual);
        Self {
            time_to_page: page.map(|(time, _)| time),
            paged_by: page.map(|(_, event)| event.guard.clone()),
            documents_before_page: report.documents_met_before_page(),
            blind: report.blind(),
            moments: report.moments_but(usual).take(MOST_MOMENTS).collect(),
        }
    }

    pub(super) fn is_seen_within(&self, time: Duration) -> bool {
        self.blind.is_none() && self.time_to_page.is_some_and(|seen| seen <= time)
    }

    fn time(&self) -> String {
        match (&self.blind, self.time_to_page) {
            (Some(_), _) => "blind".to_owned(),
            (None, Some(time)) => humantime::format_duration(time).to_string(),
            (None, None) => "-".to_owned(),
        }
    }
}

/// A fault, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DetectionRow {
    /// The name of the fault.
    pub fault: String,
    /// The failure mode that it stands for, if it stands for one.
    pub mode: Option<FailureMode>,
    /// How large it is, in words: the share of the documents, or by how much something changes.
    #[serde(default)]
    pub size: String,
    /// For how long it is at work; `None` until the end of the drill.
    #[serde(rename = "lasts_ms", default, with = "crate::time::as_optional_millis")]
    pub lasts: Option<Duration>,
    /// When a window exceeds its threshold by arithmetic alone ([`Guard::time_to_exceed`]), the
    /// first of all guards; `None` if none ever does, or if that depends on the traffic.
    ///
    /// [`Guard::time_to_exceed`]: crate::Guard::time_to_exceed
    #[serde(
        rename = "by_window_ms",
        default,
        with = "crate::time::as_optional_millis"
    )]
    pub by_window: Option<Duration>,
    /// What all guards together saw.
    pub together: Detection,
    /// What each guard saw alone, in the order of [`DetectionMatrix::guards`].
    pub alone: Vec<Detection>,
}

/// Which guard sees which fault and when, and how often healthy traffic pages; made by
/// [`DrillSet::run`](super::DrillSet::run).
///
/// Printed as a table in Markdown: a line for each fault, with the time to the page of all guards
/// together, the time after which a window exceeds its threshold by arithmetic, who paged, how many
/// documents the fault met before it, and the time of each guard alone. "-" is a fault that was not
/// seen, or that no window sees by arithmetic; "blind" is one that met no document.
///
/// Its JSON can be read again, in another process too, as the evidence of a
/// [`Readiness`](super::Readiness).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a fault that nobody sees is told only here"]
pub struct DetectionMatrix {
    format: Format<1>,
    settings: SettingsHash,
    guards: Vec<String>,
    rows: Vec<DetectionRow>,
    #[serde(rename = "healthy_ms", with = "crate::time::as_millis")]
    healthy: Duration,
    #[serde(
        rename = "watched_ms",
        default,
        with = "crate::time::as_optional_millis"
    )]
    watched: Option<Duration>,
    false_pages: u64,
}

impl DetectionMatrix {
    pub(super) fn new(
        settings: SettingsHash,
        guards: Vec<String>,
        rows: Vec<DetectionRow>,
        healthy: Duration,
        watched: Duration,
        calm: &DrillReport,
    ) -> Self {
        Self {
            format: Format,
            settings,
            guards,
            rows,
            healthy,
            watched: Some(watched),
            false_pages: calm.false_pages().len() as u64,
        }
    }

    /// The guards and settings that were drilled.
    pub fn settings(&self) -> SettingsHash {
        self.settings
    }

    /// The names of the guards.
    pub fn guards(&self) -> &[String] {
        &self.guards
    }

    /// The faults, in the order in which they were given.
    pub fn rows(&self) -> &[DetectionRow] {
        &self.rows
    }

    /// The names of the faults of which no page came within this time, and of those that met no
    /// document.
    pub fn unseen_within(&self, time: Duration) -> Vec<&str> {
        let unseen = |row: &&DetectionRow| !row.together.is_seen_within(time);
        let unseen = self.rows.iter().filter(unseen);
        unseen.map(|row| row.fault.as_str()).collect()
    }

    /// For how long healthy traffic ran.
    pub fn healthy(&self) -> Duration {
        self.healthy
    }

    /// For how long each fault was watched; `None` in JSON that was written without it.
    pub fn watched(&self) -> Option<Duration> {
        self.watched
    }

    /// How many pages came in the healthy time.
    pub fn false_pages(&self) -> u64 {
        self.false_pages
    }

    /// How many pages come in a week of healthy traffic, by those of the healthy time.
    pub fn false_pages_a_week(&self) -> f64 {
        const WEEK: f64 = 7.0 * 24.0 * 3_600.0;
        #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 pages")]
        let pages = self.false_pages as f64;
        pages * WEEK / self.healthy.as_secs_f64()
    }
}

fn shown(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

impl fmt::Display for DetectionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |text: &str| text.replace('|', "\\|");
        write!(
            f,
            "| fault | page after | by a window | from | documents before it |"
        )?;
        for guard in &self.guards {
            write!(f, " {} alone |", cell(guard))?;
        }
        write!(f, "\n|---|---|---|---|---|")?;
        writeln!(f, "{}", "---|".repeat(self.guards.len()))?;
        for row in &self.rows {
            let together = &row.together;
            write!(
                f,
                "| {} | {} | {} | {} | {} |",
                cell(&row.fault),
                together.time(),
                row.by_window.map_or("-".to_owned(), shown),
                cell(together.paged_by.as_deref().unwrap_or("-")),
                together.documents_before_page
            )?;
            for alone in &row.alone {
                write!(f, " {} |", alone.time())?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "\n{} pages in {} of healthy traffic, {:.2} a week.",
            self.false_pages,
            humantime::format_duration(self.healthy),
            self.false_pages_a_week()
        )
    }
}
