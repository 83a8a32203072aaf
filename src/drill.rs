//! P8: proof that a page comes, and how long it takes.

mod fault;
mod simulation;
mod traffic;

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::event::{Event, Severity};
use crate::pipeline::Builder;
use crate::time::{Timestamp, minutes};

pub use fault::Fault;
pub use traffic::Traffic;

/// How often a drill calls `tick`.
const TICK_EVERY: Duration = Duration::from_secs(5);
/// Every drill begins at Monday 2026-01-05, 08:00 UTC.
const BEGIN: Timestamp = Timestamp::from_millis(1_767_600_000_000);

/// Runs a production pipeline on a virtual clock, injects faults, and measures the time to the
/// page.
///
/// It answers the question "how will we know within 30 minutes that this deployment is broken?"
/// with a measured time. The guards, their numbers and the line-up are the ones that your service
/// builds; the drill replaces only the clock and the sinks, so that hours pass in milliseconds and
/// no page leaves the drill. Calls are simulated. The same drill gives the same result on every
/// machine.
///
/// ```
/// use std::time::Duration;
/// use fusebox::{Drill, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, Version};
/// use fusebox::drill::{Fault, Traffic};
/// use fusebox::pipeline::Builder;
///
/// // What your service calls too, before it adds its own sinks.
/// fn production() -> Result<Builder, fusebox::Error> {
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_previous(Version::new("v6", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
/// }
///
/// let report = Drill::new(production()?)
///     .traffic(Traffic::of("invoice", 600)?)
///     .fault(Duration::from_secs(3_600), Fault::fail(FailureKind::ServerError, Ratio::percent(20)))
///     .run_for(Duration::from_secs(2 * 3_600))?;
///
/// assert!(report.time_to_page() <= Some(Duration::from_secs(30 * 60)));
/// assert!(report.false_pages().is_empty());
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a drill does nothing before `run_for`"]
pub struct Drill {
    production: Builder,
    traffic: Vec<Traffic>,
    faults: Vec<(Duration, Fault)>,
}

impl Drill {
    /// A drill of this pipeline, with another clock and another sink.
    pub fn new(production: Builder) -> Self {
        Self {
            production,
            traffic: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds documents that arrive.
    pub fn traffic(mut self, traffic: Traffic) -> Self {
        self.traffic.push(traffic);
        self
    }

    /// Injects a fault at this time after the beginning; it lasts until the end.
    pub fn fault(mut self, after: Duration, fault: Fault) -> Self {
        self.faults.push((after, fault));
        self
    }

    /// Runs for this time on the virtual clock.
    ///
    /// An error when the pipeline cannot be built, when there is no traffic, or when a fault does
    /// not come before the end.
    pub fn run_for(self, length: Duration) -> Result<DrillReport, Error> {
        if self.traffic.is_empty() {
            return Err(Error::invalid(
                "drill traffic",
                "none",
                "at least one document type; add it with `.traffic(..)`",
            ));
        }
        if let Some((after, _)) = self.faults.iter().find(|(after, _)| *after >= length) {
            let allowed = format!(
                "less than the length of the drill, {}",
                humantime::format_duration(length)
            );
            return Err(Error::invalid(
                "drill fault",
                humantime::format_duration(*after),
                allowed,
            ));
        }
        let broken_at = self.faults.iter().map(|(after, _)| BEGIN + *after).min();
        let events = simulation::run(self.production, self.traffic, self.faults, length)?;
        Ok(DrillReport { broken_at, events })
    }
}

/// The result of a drill.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    broken_at: Option<Timestamp>,
    events: Vec<(Timestamp, Event)>,
}

impl DrillReport {
    /// The time from the first fault to the first page at the sink; `None` without a page or a
    /// fault.
    pub fn time_to_page(&self) -> Option<Duration> {
        let broken_at = self.broken_at?;
        let page = self.pages().find(|(at, _)| *at >= broken_at)?;
        Some(page.0.since(broken_at))
    }

    /// Whether a page came within 30 minutes of the first fault.
    pub fn is_known_in_time(&self) -> bool {
        self.time_to_page().is_some_and(|time| time <= minutes(30))
    }

    /// The first page after the first fault.
    pub fn page(&self) -> Option<&Event> {
        let broken_at = self.broken_at?;
        self.pages()
            .find(|(at, _)| *at >= broken_at)
            .map(|(_, event)| event)
    }

    /// Pages before the first fault: false alarms.
    pub fn false_pages(&self) -> Vec<&Event> {
        let before = |at: Timestamp| self.broken_at.is_none_or(|broken_at| at < broken_at);
        self.pages()
            .filter(|(at, _)| before(*at))
            .map(|(_, event)| event)
            .collect()
    }

    /// Every event that reached the sink, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event)
    }

    fn pages(&self) -> impl Iterator<Item = &(Timestamp, Event)> {
        self.events
            .iter()
            .filter(|(_, event)| event.severity == Severity::Page)
    }
}
