//! What a configuration would have done with a recording.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::recording::Recording;
use super::row_reader::{RecordingCounts, RejectedRow};
use super::seen::{ReplayCounts, Seen};
use crate::call::Destination;
use crate::event::{Event, Severity};
use crate::name::VersionId;
use crate::time::Timestamp;

/// The number of rejected rows that are printed.
const PRINTED_REJECTED: usize = 5;

/// What a configuration would have done with a recording: who would have been paged, when and how
/// often, and where documents would have gone.
///
/// Printed as text, and serialised as JSON; both are the same for the same recording and
/// configuration, on every machine.
#[derive(Clone, Debug, Serialize)]
#[must_use = "what a replay found is told only here"]
pub struct ReplayReport {
    name: String,
    begins: Timestamp,
    ends: Timestamp,
    counts: ReplayCounts,
    pages: usize,
    pages_a_week: Option<f64>,
    diversions: Vec<Diversions>,
    reviews: Vec<Reviews>,
    other_versions: Vec<OtherVersion>,
    events: Vec<Event>,
    events_not_kept: u64,
    event_counts: BTreeMap<String, BTreeMap<&'static str, u64>>,
    recording: RecordingCounts,
    rejected: Vec<RejectedRow>,
}

/// Calls that would have been diverted to one destination for one reason. A call with two reasons is
/// in two of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diversions {
    /// Where the documents would have gone.
    pub destination: Destination,
    /// The [name](crate::Reason::name) of the reason.
    pub reason: &'static str,
    /// How many.
    pub calls: u64,
}

/// Answers that would have gone to human review for one reason. An answer with two reasons is in two
/// of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reviews {
    /// The [name](crate::Reason::name) of the reason.
    pub reason: &'static str,
    /// How many.
    pub answers: u64,
}

/// Calls of one recorded version that another would have answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OtherVersion {
    /// The version that served.
    pub recorded: VersionId,
    /// The version that the configuration would have chosen.
    pub chosen: VersionId,
    /// How many.
    pub calls: u64,
}

impl ReplayReport {
    pub(super) fn new(name: String, recording: &Recording, seen: Seen) -> Self {
        let (begins, ends) = recording.span().unwrap_or_default();
        let is_page = |event: &&Event| event.severity == Severity::Page;
        let pages = seen.log.kept.iter().filter(is_page).count();
        let reviews = seen.reviews.into_iter();
        Self {
            name,
            begins,
            ends,
            counts: seen.counts,
            pages,
            pages_a_week: a_week(pages, ends.since(begins)),
            diversions: seen
                .diversions
                .into_iter()
                .map(|((destination, reason), calls)| Diversions {
                    destination,
                    reason,
                    calls,
                })
                .collect(),
            reviews: reviews
                .map(|(reason, answers)| Reviews { reason, answers })
                .collect(),
            other_versions: seen
                .other_versions
                .into_iter()
                .map(|((recorded, chosen), calls)| OtherVersion {
                    recorded,
                    chosen,
                    calls,
                })
                .collect(),
            events: seen.log.kept,
            events_not_kept: seen.log.not_kept,
            event_counts: seen.log.counted,
            recording: recording.counts(),
            rejected: recording.rejected().to_vec(),
        }
    }

    /// The name of the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time that the recording covers.
    pub fn length(&self) -> Duration {
        self.ends.since(self.begins)
    }

    /// How the calls would have ended.
    pub fn counts(&self) -> ReplayCounts {
        self.counts
    }

    /// The pages, by time: [`Event::at`] is the recording's.
    pub fn pages(&self) -> impl Iterator<Item = &Event> {
        let events = self.events.iter();
        events.filter(|event| event.severity == Severity::Page)
    }

    /// How many pages come in a week, by those of the recording; `None` if it covers no time. What a
    /// few hours say of a week is little.
    pub fn pages_a_week(&self) -> Option<f64> {
        self.pages_a_week
    }

    /// The events, by time: all pages, and of the others the first 10,000 that are not about one
    /// document each. [`event_counts`](Self::event_counts) has all.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events each guard left, by the [name](crate::EventKind::name) of the event.
    pub fn event_counts(&self) -> &BTreeMap<String, BTreeMap<&'static str, u64>> {
        &self.event_counts
    }

    /// The calls that would have been diverted, by destination and reason.
    pub fn diversions(&self) -> &[Diversions] {
        &self.diversions
    }

    /// The answers that would have gone to human review, by reason.
    pub fn reviews(&self) -> &[Reviews] {
        &self.reviews
    }

    /// The calls that another version would have answered, by both versions.
    pub fn other_versions(&self) -> &[OtherVersion] {
        &self.other_versions
    }

    /// What the recording consists of.
    pub fn recording(&self) -> RecordingCounts {
        self.recording
    }

    fn write_corrections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts.corrections;
        if self.recording.corrections == 0 {
            return Ok(());
        }
        write!(f, "{} corrections", self.recording.corrections)?;
        for (number, what) in [
            (counts.of_diverted, "of diverted calls"),
            (counts.of_unanswered, "of calls without an answer"),
            (counts.of_unknown, "of documents without a call before"),
        ] {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        writeln!(f)
    }

    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.recording;
        writeln!(
            f,
            "{} rows out of order, {} of them late; {} rejected",
            rows.out_of_order, rows.late, rows.rejected
        )?;
        for row in self.rejected.iter().take(PRINTED_REJECTED) {
            writeln!(f, "  {row}")?;
        }
        let more = rows.rejected.saturating_sub(PRINTED_REJECTED as u64);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        Ok(())
    }
}
#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 pages")]
fn a_week(pages: usize, length: Duration) -> Option<f64> {
    const WEEK: f64 = 7.0 * 24.0 * 3_600.0;
    (!length.is_zero()).then(|| pages as f64 * WEEK / length.as_secs_f64())
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let length = humantime::format_duration(self.length());
        writeln!(
            f,
            "{}: {} to {}, {length}",
            self.name, self.begins, self.ends
        )?;
        writeln!(
            f,
            "{} calls: {} accepted, {} to human review, {} failed, {} diverted, {} never answered",
            self.recording.calls,
            counts.accepted,
            counts.needs_review,
            counts.failed,
            counts.diverted,
            counts.never_answered
        )?;
        write!(f, "{} pages", self.pages)?;
        match self.pages_a_week {
            Some(pages) => writeln!(f, ", {pages:.2} a week")?,
            None => writeln!(f)?,
        }
        for page in self.pages() {
            writeln!(f, "  {page}")?;
        }
        for of in &self.diversions {
            writeln!(
                f,
                "diverted to {}, {}: {}",
                of.destination, of.reason, of.calls
            )?;
        }
        for of in &self.reviews {
            writeln!(f, "answers to human review, {}: {}", of.reason, of.answers)?;
        }
        for of in &self.other_versions {
            let OtherVersion {
                recorded,
                chosen,
                calls,
            } = of;
            writeln!(
                f,
                "answered by {chosen} instead of {recorded}: {calls}; its answers are not known"
            )?;
        }
        self.write_corrections(f)?;
        self.write_rows(f)
    }
}
