//! Many faults against one pipeline: what each guard sees of them, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use super::failure_mode::FailureMode;
use super::fault::Fault;
use super::matrix::{Detection, DetectionMatrix, DetectionRow};
use super::report::DrillReport;
use super::script::Script;
use super::traffic::Traffic;
use crate::error::Error;
use crate::pipeline::Builder;
use crate::time::{Timestamp, hours};

/// Runs one fault after the other against the same pipeline, with all of its guards and with each
/// alone, and healthy traffic beside them.
///
/// Its result is a [`DetectionMatrix`]: for each fault and guard the time to the page, and how often
/// healthy traffic pages.
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::{DrillSet, Fault, Traffic};
/// use fusebox::{ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, RouteLedger, Version};
///
/// let production = || {
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()).guard(RouteLedger::default()))
/// };
/// let day = Duration::from_secs(24 * 3_600);
/// let outage = Fault::fail(FailureKind::ServerError).share(Ratio::percent(20));
/// let matrix = DrillSet::new(production)
///     .traffic(Traffic::of("invoice", 600)?)
///     .healthy(day)
///     .fault("a fifth of the calls fails", outage)
///     .fault("every call hangs", Fault::hang())
///     .run()?;
/// assert!(matrix.unseen_within(Duration::from_secs(1_800)).is_empty(), "{matrix}");
/// assert_eq!(matrix.false_pages(), 0, "{matrix}");
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a set of drills does nothing before `run`"]
pub struct DrillSet<P> {
    production: P,
    /// The traffic of every drill.
    script: Script,
    faults: Vec<(String, Fault)>,
    healthy: Option<Duration>,
    settling: Duration,
    watching: Duration,
}

impl<P> DrillSet<P>
where
    P: Fn() -> Result<Builder, Error>,
{
    /// Drills of the pipelines that this function builds, as in [`Drill::new`](crate::Drill::new).
    ///
    /// Each fault begins after six healthy hours, which fill the windows of four, and is watched
    /// for six.
    pub fn new(production: P) -> Self {
        Self {
            production,
            script: Script::default(),
            faults: Vec::new(),
            healthy: None,
            settling: hours(6),
            watching: hours(6),
        }
    }

    /// Adds documents that arrive in each drill.
    pub fn traffic(mut self, traffic: Traffic) -> Self {
        self.script.traffic.push(traffic);
        self
    }

    /// For how long traffic runs without a fault, to count false pages; at least as long as a drill of
    /// a fault. A set needs it: a guard that always pages sees every fault. A page of an incident
    /// that healthy traffic pages for as well counts for no fault.
    pub fn healthy(mut self, length: Duration) -> Self {
        self.healthy = Some(length);
        self
    }

    /// When each drill begins; see [`Drill::beginning_at`](crate::Drill::beginning_at).
    pub fn beginning_at(mut self, begin: Timestamp) -> Self {
        self.script.begin = begin;
        self
    }

    /// What is drawn in each drill; see [`Drill::seed`](crate::Drill::seed).
    pub fn seed(mut self, seed: u64) -> Self {
        self.script.seed = seed;
        self
    }

    /// Adds a drill of this fault, under a name.
    pub fn fault(mut self, name: impl Into<String>, fault: Fault) -> Self {
        self.faults.push((name.into(), fault));
        self
    }

    /// The healthy time before each fault.
    pub fn settling(mut self, time: Duration) -> Self {
        self.settling = time;
        self
    }

    /// The time from the beginning of each fault to the end of its drill.
    pub fn watching(mut self, time: Duration) -> Self {
        self.watching = time;
        self
    }

    /// Runs all drills.
    ///
    /// An error when a pipeline cannot be built, when there is no traffic, no fault or no healthy
    /// time, when a recording is over before the healthy time or a drill is, when no document comes
    /// in the healthy time, when two faults have one name, or when a fault
    /// cannot be narrowed as it is.
    pub fn run(self) -> Result<DetectionMatrix, Error> {
        let healthy = self.check()?;
        let builder = (self.production)()?;
        let guards: Vec<_> = builder
            .guard_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let settings = builder.settings_hash();
        let by_window = |fault: &Fault| builder.time_to_exceed(&fault.symptom()?);
        let by_window: Vec<_> = self
            .faults
            .iter()
            .map(|(_, fault)| by_window(fault))
            .collect();
        drop(builder);
        let calm = self.script.with(Vec::new(), healthy);
        let calm = DrillReport::of(&calm, &self.production)?;
        if calm.documents() == 0 {
            return Err(Error::invalid(
                "documents in the healthy time of a drill set",
                0,
                "at least one: let it be longer, or begin at another time",
            ));
        }
        let usual = calm.paged_incidents().collect();
        let mut rows = Vec::new();
        for ((name, fault), by_window) in self.faults.iter().zip(by_window) {
            let script = self.script_of(fault);
            rows.push(DetectionRow {
                fault: name.clone(),
                mode: FailureMode::of(fault),
                size: fault.size(),
                lasts: fault.lasts,
                by_window,
                together: self.detect(&script, &usual, None)?,
                alone: guards
                    .iter()
                    .map(|guard| self.detect(&script, &usual, Some(guard)))
                    .collect::<Result<_, _>>()?,
            });
        }
        Ok(DetectionMatrix::new(
            settings,
            guards,
            rows,
            healthy,
            self.watching,
            &calm,
        ))
    }

    /// What is seen of faults by one guard, or by all together.
    fn detect(
        &self,
        script: &Script,
        usual: &BTreeSet<&str>,
        only: Option<&str>,
    ) -> Result<Detection, Error> {
        let is_chosen = |name: &str| only.is_none_or(|only| only == name);
        let chosen = || Ok((self.production)()?.with_guards(is_chosen));
        Ok(Detection::of(&DrillReport::of(script, &chosen)?, usual))
    }

    /// How long each drill of a fault takes.
    fn length(&self) -> Duration {
        self.settling.saturating_add(self.watching)
    }

    fn script_of(&self, fault: &Fault) -> Script {
        let faults = vec![(self.settling, fault.clone())];
        self.script.with(faults, self.length())
    }

    /// Returns the healthy time.
    fn check(&self) -> Result<Duration, Error> {
        let none = |field, allowed| Err(Error::invalid(field, "none", allowed));
        let Some(healthy) = self.healthy.filter(|healthy| *healthy > Duration::ZERO) else {
            return none(
                "healthy time of a drill set",
                "more than no time; set it with `.healthy(..)`",
            );
        };
        if self.faults.is_empty() {
            return none(
                "faults of a drill set",
                "at least one fault; add it with `.fault(..)`",
            );
        }
        if self.watching.is_zero() {
            return none("time that a drill watches a fault", "more than no time");
        }
        for (number, (name, fault)) in self.faults.iter().enumerate() {
            let twice = self
                .faults
                .iter()
                .skip(number + 1)
                .any(|(other, _)| other == name);
            if twice || name.trim().is_empty() {
                let allowed = "a name that no other fault has, and that is not blank";
                return Err(Error::invalid("fault of a drill set", name, allowed));
            }
            self.script_of(fault).check()?;
        }
        let healthy = healthy.max(self.length());
        self.script.with(Vec::new(), healthy).check()?;
        Ok(healthy)
    }
}
