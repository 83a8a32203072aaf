//! P8: proof that a page comes, and how long it takes.

mod check;
mod expectation;
mod fault;
mod matrix;
mod replay;
mod report;
mod scenario;
mod set;
mod simulation;
mod traffic;

use std::time::Duration;

use crate::error::Error;
use crate::name::VersionId;
use crate::pipeline::Builder;
use expectation::{Expectation, quoted};
use scenario::Scenario;

pub use check::{Check, DrillOutcome};
pub use fault::Fault;
pub use matrix::{Detection, DetectionMatrix, DetectionRow};
pub use replay::{
    CorrectionCounts, Diversions, OtherVersion, Recording, RecordingCounts, RejectedRow, Replay,
    ReplayCounts, ReplayReport, Reviews, SideBySide,
};
#[cfg(feature = "csv")]
pub use replay::{CsvColumns, CsvTime};
pub use report::DrillReport;
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
/// // What your service calls too, before it adds its own sinks.
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
    traffic: Vec<Traffic>,
    faults: Vec<(Duration, Fault)>,
    expectations: Vec<Expectation>,
    proven: Vec<String>,
}

impl<P> Drill<P>
where
    P: Fn() -> Result<Builder, Error>,
{
    /// A drill of the pipelines that this function builds, with another clock and another sink.
    /// Each needs guards of its own: a drill builds one pipeline, and one more for each
    /// [`must_fail_without`](Self::must_fail_without).
    pub fn new(production: P) -> Self {
        Self {
            production,
            traffic: Vec::new(),
            faults: Vec::new(),
            expectations: Vec::new(),
            proven: Vec::new(),
        }
    }

    /// Adds documents that arrive.
    pub fn traffic(mut self, traffic: Traffic) -> Self {
        self.traffic.push(traffic);
        self
    }

    /// Injects a fault at this time after the beginning.
    pub fn fault(mut self, after: Duration, fault: Fault) -> Self {
        self.faults.push((after, fault));
        self
    }

    /// Expects a page at most this long after the first fault began.
    pub fn detects_within(self, time: Duration) -> Self {
        self.expect(Expectation::Detected(time))
    }

    /// Expects that nobody is paged in the whole drill: with no faults, that healthy traffic is no
    /// alarm.
    pub fn expect_no_page(self) -> Self {
        self.expect(Expectation::NoPage)
    }

    /// Expects a page from this guard after the first fault began; `pipeline` is the pipeline
    /// itself.
    pub fn expect_page_from(self, guard: impl Into<String>) -> Self {
        self.expect(Expectation::PageFrom(guard.into()))
    }

    /// Expects that somebody is paged, and that the incident of each page has ended at the end of
    /// the drill.
    pub fn expect_resolve(self) -> Self {
        self.expect(Expectation::Resolved)
    }

    /// Expects that this version served the last document that was admitted.
    pub fn serves_from(self, version: VersionId) -> Self {
        self.expect(Expectation::ServedFrom(version))
    }

    /// Runs the drill once more without this guard, and expects that it fails then: so the guard is
    /// what the drill proves. A page that is expected from the guard itself does not count.
    pub fn must_fail_without(mut self, guard: impl Into<String>) -> Self {
        self.proven.push(guard.into());
        self
    }

    fn expect(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Runs for this time on the virtual clock.
    ///
    /// An error when the pipeline cannot be built, when there is no traffic, when a fault does not
    /// come before the end or cannot be narrowed as it is, or when an expectation is about a guard
    /// that the pipeline does not have.
    pub fn run_for(self, length: Duration) -> Result<DrillReport, Error> {
        self.check_input(length)?;
        let builder = (self.production)()?;
        self.check_names(&builder)?;
        let mut report = self.scenario(length).run(builder)?;
        let checks: Vec<_> = self.checks(&report, None).collect();
        let proofs = self
            .proven
            .iter()
            .map(|guard| self.prove(guard, length))
            .collect::<Result<Vec<_>, _>>()?;
        for check in checks.into_iter().chain(proofs) {
            report.add(check);
        }
        Ok(report)
    }

    /// The expectations, without those that a guard that is taken away cannot meet.
    fn checks(&self, report: &DrillReport, without: Option<&str>) -> impl Iterator<Item = Check> {
        let is_possible = move |expectation: &&Expectation| match (expectation, without) {
            (Expectation::PageFrom(guard), Some(without)) => guard != without,
            _ => true,
        };
        let possible = self.expectations.iter().filter(is_possible);
        possible.map(|expectation| expectation.check(report))
    }

    /// Whether the drill fails without this guard.
    fn prove(&self, guard: &str, length: Duration) -> Result<Check, Error> {
        let report = self
            .scenario(length)
            .run((self.production)()?.with_guards(|name| name != guard))?;
        let checks: Vec<_> = self.checks(&report, Some(guard)).collect();
        let unmet = checks
            .iter()
            .find(|check| check.outcome != DrillOutcome::Passed);
        let (outcome, seen) = match unmet {
            Some(check) if check.outcome == DrillOutcome::Blind => {
                (DrillOutcome::Blind, check.seen.clone())
            }
            Some(check) => (DrillOutcome::Passed, format!("it fails: {}", check.seen)),
            None if checks.is_empty() => (
                DrillOutcome::Blind,
                "nothing is expected that another guard could meet".to_owned(),
            ),
            None => (DrillOutcome::Failed, "it passes without it".to_owned()),
        };
        Ok(Check {
            expected: format!("it fails without `{guard}`"),
            outcome,
            seen,
        })
    }

    fn check_input(&self, length: Duration) -> Result<(), Error> {
        self.scenario(length).check()?;
        let needs_fault =
            |expectation: &&Expectation| matches!(expectation, Expectation::Detected(_));
        match self.expectations.iter().find(needs_fault) {
            Some(expectation) if self.faults.is_empty() => Err(Error::invalid(
                "drill expectation",
                expectation,
                "a fault to detect; add it with `.fault(..)`",
            )),
            _ => Ok(()),
        }
    }

    fn scenario(&self, length: Duration) -> Scenario<'_> {
        Scenario {
            traffic: &self.traffic,
            faults: &self.faults,
            length,
        }
    }

    /// Refuses guards that the pipeline does not have: a drill of a misspelt guard would prove
    /// nothing.
    fn check_names(&self, builder: &Builder) -> Result<(), Error> {
        let names = builder.guard_names();
        let is_known = |guard: &str| names.contains(&guard);
        let paging = self
            .expectations
            .iter()
            .filter_map(|expectation| match expectation {
                Expectation::PageFrom(guard) if guard != "pipeline" => Some(guard),
                _ => None,
            });
        for guard in paging.chain(&self.proven) {
            if !is_known(guard) {
                let allowed = format!("a guard of the pipeline: {}", quoted(names));
                return Err(Error::invalid("drill guard", guard, allowed));
            }
        }
        Ok(())
    }
}
