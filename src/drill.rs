//! P8: proof that a page comes, and how long it takes.

mod arrival;
mod check;
mod command;
mod delivered;
mod distortion;
mod distribution;
mod document;
mod expectation;
mod failure_mode;
mod fault;
mod incident_moment;
mod injected_fault;
mod keeping;
mod made_up;
mod matrix;
mod network;
mod process;
mod proof;
mod rates;
mod readiness;
mod recorded;
mod recorder;
mod replay;
mod report;
#[cfg(feature = "toml")]
mod scenario;
#[cfg(feature = "toml")]
mod scenario_set;
mod script;
mod set;
mod simulation;
mod traffic;
mod usage;
mod virtual_time;

use std::time::Duration;

use crate::error::Error;
use crate::name::VersionId;
use crate::pager::PagerRoute;
use crate::pipeline::{Builder, Pipeline};
use crate::time::Timestamp;
use command::Command;
use expectation::Expectation;
use proof::Proof;
use script::Script;

pub use check::{Check, DrillOutcome};
pub use distribution::{ConfidenceDistribution, DelayDistribution};
pub use failure_mode::FailureMode;
pub use fault::Fault;
pub use incident_moment::IncidentMoment;
pub use matrix::{Detection, DetectionMatrix, DetectionRow};
pub use readiness::{Gap, Readiness, ReadinessBuilder};
pub use replay::{
    CorrectionCounts, Diversions, OtherVersion, Recording, RecordingCounts, RejectedRow, Replay,
    ReplayCounts, ReplayReport, Reviews, SideBySide,
};
#[cfg(feature = "csv")]
pub use replay::{CsvColumns, CsvTime};
pub use report::DrillReport;
#[cfg(feature = "toml")]
pub use scenario::Scenario;
#[cfg(feature = "toml")]
pub use scenario_set::ScenarioSet;
pub use set::DrillSet;
pub use traffic::Traffic;

/// Runs a production pipeline on a virtual clock, injects faults, and proves that the page comes in
/// time.
///
/// It answers the question "how will we know within 30 minutes that this deployment is broken?"
/// with a measured time. The guards, their numbers and the line-up are the ones that your service
/// builds; the drill replaces only the clock and the sinks, so that hours pass in milliseconds and
/// no page leaves the drill. Calls are simulated. The same drill gives the same result on every
/// machine.
///
/// A drill passes if each expectation is met. It is blind, which is no pass, if no document arrived
/// or a fault met no document, and if nothing was expected. It proves a guard, and not itself, with
/// [`must_fail_without`](Self::must_fail_without).
///
/// ```
/// use std::time::Duration;
/// use fusebox::{Drill, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, Version};
/// use fusebox::drill::{DrillOutcome, Fault, Traffic};
/// use fusebox::pipeline::Builder;
///
/// // What your service calls too; the drill replaces its clock and its sinks.
/// fn production() -> Result<Builder, fusebox::Error> {
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_previous(Version::new("v6", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
/// }
///
/// let hour = Duration::from_secs(3_600);
/// let report = Drill::new(production)
///     .traffic(Traffic::of("invoice", 600)?)
///     .fault(hour, Fault::fail(FailureKind::ServerError).share(Ratio::percent(20)))
///     .detects_within(Duration::from_secs(30 * 60))
///     .must_fail_without("error-rate")
///     .run_for(2 * hour)?;
///
/// assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a drill does nothing before `run_for`"]
pub struct Drill<P> {
    production: P,
    script: Script,
    proof: Proof,
}

impl<P> Drill<P>
where
    P: Fn() -> Result<Builder, Error>,
{
    /// A drill of the pipelines that this function builds, with another clock and another sink.
    /// Each needs guards of its own: a drill builds several, for each
    /// [`must_fail_without`](Self::must_fail_without) and each [restart](Fault::restart) as well.
    pub fn new(production: P) -> Self {
        Self {
            production,
            script: Script::default(),
            proof: Proof::default(),
        }
    }

    /// Adds documents that arrive.
    pub fn traffic(mut self, traffic: Traffic) -> Self {
        self.script.traffic.push(traffic);
        self
    }

    /// Injects a fault at this time after the beginning.
    pub fn fault(mut self, after: Duration, fault: Fault) -> Self {
        self.script.faults.push((after, fault));
        self
    }

    /// What an operator does at this time after the beginning: acknowledges an incident, deploys, or
    /// commands a guard of which the function has a handle.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fusebox::{Drill, FailureKind, LineUp, Pipeline, RouteLedger, Version};
    /// use fusebox::drill::{DrillOutcome, Fault, Traffic};
    ///
    /// let production = || {
    ///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
    ///     Ok(Pipeline::builder(line_up).guard(RouteLedger::default()))
    /// };
    /// let hour = Duration::from_secs(3_600);
    /// let report = Drill::new(production)
    ///     .traffic(Traffic::of("invoice", 600)?)
    ///     .fault(hour, Fault::restart())
    ///     .command(hour + Duration::from_secs(600), |pipeline| {
    ///         for incident in pipeline.incidents() {
    ///             let _ = pipeline.acknowledge(incident.key, "ada", "sent again what had no result");
    ///         }
    ///     })
    ///     .expect_page("ledger/lost-in-restart")
    ///     .expect_resolve()
    ///     .loses_nothing()
    ///     .run_for(2 * hour)?;
    /// assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn command(
        mut self,
        after: Duration,
        command: impl Fn(&Pipeline) + Send + Sync + 'static,
    ) -> Self {
        self.script.commands.push((after, Command::new(command)));
        self
    }

    /// Delivers the pages of the drill by this route, as your service does: a
    /// [`Keeper`](crate::keeper::Keeper) with a store of its own turns where the pipeline was ticked
    /// alone, and a restart goes on with what that store has. Give it each route of your service.
    ///
    /// A page then counts when a pager of a route has accepted it, and
    /// [`expect_resolve`](Self::expect_resolve) waits until it has accepted the end too. The pager
    /// makes its requests and reads the answers; the drill answers each with status 200, unless the
    /// [pager is down](Fault::pager_down). No request leaves the drill.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fusebox::{Drill, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Version};
    /// use fusebox::drill::{DrillOutcome, Fault, Traffic};
    /// use fusebox::pager::{PagerDuty, PagerRoute};
    ///
    /// let production = || {
    ///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
    ///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
    /// };
    /// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    /// let on_call = PagerDuty::new("0123456789abcdef0123456789abcdef")?;
    /// let report = Drill::new(production)
    ///     .traffic(Traffic::of("invoice", 600)?)
    ///     .pager(PagerRoute::new("on call", on_call)?)
    ///     .fault(hour, Fault::fail(FailureKind::ServerError))
    ///     .fault(hour, Fault::pager_down().lasting(10 * minute))
    ///     .expect_page("error-rate/failing")
    ///     .expect_page("pipeline/pages-undelivered")
    ///     .detects_within(15 * minute)
    ///     .must_fail_without("error-rate")
    ///     .run_for(2 * hour)?;
    /// assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    /// assert!(report.time_to_page() > Some(10 * minute));
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn pager(mut self, route: PagerRoute) -> Self {
        self.script.routes.push(route);
        self
    }

    /// When it begins: Monday 2026-01-05, 08:00 UTC by default. It matters for traffic that differs
    /// by the hour, the day or the month.
    pub fn beginning_at(mut self, begin: Timestamp) -> Self {
        self.script.begin = begin;
        self
    }

    /// What the draws of arrivals, delays and confidences are made from; 1 by default. The same seed
    /// draws the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.script.seed = seed;
        self
    }

    /// Expects a page at most this long after the first fault began.
    pub fn detects_within(self, time: Duration) -> Self {
        self.expect(Expectation::Detected(time))
    }

    /// Expects that every document ends - it is answered, fails or is diverted - or that an event
    /// names it as abandoned or overdue. Calls that are still to end when the drill does are not
    /// lost, but one must have ended. Let the drill go on for longer than the ledger waits for a
    /// call.
    pub fn loses_nothing(self) -> Self {
        self.expect(Expectation::LosesNothing)
    }

    /// Expects that nobody is paged in the whole drill: with no faults, that healthy traffic is no
    /// alarm.
    pub fn expect_no_page(self) -> Self {
        self.expect(Expectation::NoPage)
    }

    /// Expects a page of this incident after the first fault began: its key, or the first parts of
    /// it, such as `error-rate`, `error-rate/failing` or `error-rate/failing/v7`. The first part is
    /// the guard; `pipeline` is the pipeline itself.
    pub fn expect_page(self, incident: impl Into<String>) -> Self {
        self.expect(Expectation::Page(incident.into()))
    }

    /// Expects a page that comes with an event of this name ([`EventKind::name`]) after the first
    /// fault began: for what joins an incident that is open, and pages again.
    ///
    /// [`EventKind::name`]: crate::EventKind::name
    pub fn expect_page_with(self, event: impl Into<String>) -> Self {
        self.expect(Expectation::PagedWith(event.into()))
    }

    /// Expects that something is told of this incident after the first fault began, of any severity:
    /// for warnings. The key is as for [`expect_page`](Self::expect_page).
    pub fn expect_incident(self, incident: impl Into<String>) -> Self {
        self.expect(Expectation::Incident(incident.into()))
    }

    /// Expects the same, and that each such incident has ended at the end of the drill.
    pub fn expect_end(self, incident: impl Into<String>) -> Self {
        self.expect(Expectation::Ended(incident.into()))
    }

    /// Expects an event with this name ([`EventKind::name`]) after the first fault began, of any
    /// severity: for what nobody is paged for.
    ///
    /// [`EventKind::name`]: crate::EventKind::name
    pub fn expect_event(self, name: impl Into<String>) -> Self {
        self.expect(Expectation::Told(name.into()))
    }

    /// Expects that somebody is paged after the first fault began, and that the incident of each
    /// page has ended at the end of the drill.
    pub fn expect_resolve(self) -> Self {
        self.expect(Expectation::Resolved)
    }

    /// Expects that this version alone served the documents of the last ten minutes in which any was
    /// admitted, and that one was admitted since the last fault began.
    pub fn serves_from(self, version: VersionId) -> Self {
        self.expect(Expectation::ServedFrom(version))
    }

    /// Runs the drill once more without this guard, and expects that it fails then: so the guard is
    /// what the drill proves. A page that is expected of the guard itself does not count. A fault
    /// that met no document without the guard counts, and the check says so: the guard may be what
    /// led documents to it, as a canary does.
    pub fn must_fail_without(mut self, guard: impl Into<String>) -> Self {
        self.proof.guards.push(guard.into());
        self
    }

    fn expect(mut self, expectation: Expectation) -> Self {
        self.proof.expectations.push(expectation);
        self
    }

    /// Runs for this time on the virtual clock.
    ///
    /// An error when the pipeline cannot be built, when there is no traffic, some that never comes
    /// or a recording that is over before, when a fault does not come before the end or cannot be
    /// narrowed as it is, or when an expectation is about a guard that the pipeline does not have.
    pub fn run_for(mut self, length: Duration) -> Result<DrillReport, Error> {
        self.script.length = length;
        self.proof.of(&self.script, &self.production)
    }
}
