//! The gate before a rollout: whether a page would come if it broke something.

mod builder;
mod evidence;
mod gap;
mod gate;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::failure_mode::FailureMode;
use crate::call::LineUp;
use crate::error::Error;
use crate::guard::SettingsHash;
use crate::name::VersionId;
use crate::order::Order;

pub use builder::ReadinessBuilder;
pub use gap::Gap;

/// Whether a rollout may begin: what would not be noticed if it broke something, and what nobody
/// has looked at.
///
/// It answers "how will we know within 30 minutes that this deployment is broken?" before the
/// deployment. It asks that
/// - each [`FailureMode`] has a guard that pages for it, for all document types, and a drill that
///   has shown so in time, with the guards and settings of now; and healthy traffic pages nobody;
/// - a sink reaches the operator on call ([`sink::pager`](crate::sink::pager));
/// - a rollout guard compares the candidate, and can do so with the traffic that comes;
/// - a change of high stakes was run in the shadow of production, and reviewed.
///
/// What is missing is a [`Gap`]. [`Pipeline::begin_rollout`](crate::Pipeline::begin_rollout) refuses
/// a rollout with gaps, unless a person [overrides](Self::overridden_by) it by name and reason. How
/// old a check may be is yours to decide: check again when the traffic or the shadow run has changed.
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::{DrillSet, FailureMode, Fault, Readiness, Traffic};
/// use fusebox::{CanaryPolicy, DocumentType, ErrorRateBreaker, FailureKind, LineUp, Pipeline};
/// use fusebox::{Ratio, Version, rollout, sink};
/// use fusebox::pipeline::Builder;
///
/// // What your service calls, with its sinks: drills replace them.
/// fn production() -> Result<Builder, fusebox::Error> {
///     let pager = sink::pager(sink::from_fn(|event| eprintln!("{event}")));
///     Ok(Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///         .guard(ErrorRateBreaker::default())
///         .guard(CanaryPolicy::default())
///         .sink(pager))
/// }
///
/// // In CI, whose file the service reads, or where the rollout begins.
/// let drilled = DrillSet::new(production)
///     .traffic(Traffic::of("invoice", 600)?)
///     .healthy(Duration::from_secs(24 * 3_600))
///     .fault("a fifth of the calls fails", Fault::fail(FailureKind::ServerError).share(Ratio::percent(20)))
///     .run()?;
///
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
/// let traffic = rollout::Traffic::new([(DocumentType::new("invoice")?, 600.0)], Ratio::percent(3))?;
/// let readiness = Readiness::of(production, line_up)
///     .drilled(&drilled)
///     .rollout(&CanaryPolicy::default(), &traffic.reviewed_after(Duration::from_secs(1_800)))
///     .accept(FailureMode::ConfidenceFalls, "answers have no confidences")
///     .check()?;
/// for gap in readiness.gaps() {
///     println!("{gap}");
/// }
///
/// let pipeline = production()?.build()?;
/// assert!(pipeline.begin_rollout(&readiness).is_err(), "{readiness}");
/// let hurried = readiness.overridden_by("anna", "hotfix for ticket 4711")?;
/// pipeline.begin_rollout(&hurried)?; // a warning names anna, the reason and the gaps
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[must_use = "a rollout that is not ready is told only here"]
pub struct Readiness {
    candidate: VersionId,
    settings: SettingsHash,
    gaps: Vec<Gap>,
    /// The failure modes that nobody needs to be paged for, and why.
    accepted: BTreeMap<FailureMode, String>,
    #[serde(rename = "overridden", skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
    #[serde(skip)]
    line_up: LineUp,
}

impl Readiness {
    /// What is missing, in the order of the failure modes, the drills, the sinks, the rollout and
    /// the shadow run.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Whether nothing is missing. An override changes nothing about it.
    pub fn is_ready(&self) -> bool {
        self.gaps.is_empty()
    }

    /// The failure modes that were [accepted](ReadinessBuilder::accept), and why.
    pub fn accepted(&self) -> &BTreeMap<FailureMode, String> {
        &self.accepted
    }

    /// The versions of the rollout.
    pub fn line_up(&self) -> &LineUp {
        &self.line_up
    }

    /// The same, with the word of a person that the rollout may begin although something is missing.
    ///
    /// An error when `who` or `why` is blank or not one line of at most 1,000 bytes, or when nothing
    /// is missing: a record of an override that overrides nothing would say something wrong.
    pub fn overridden_by(
        mut self,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let order = Order::new(who, why)?;
        if self.is_ready() {
            let allowed = "a rollout with gaps; this one may begin without an override";
            return Err(Error::invalid("override", &order.who, allowed));
        }
        self.order = Some(order);
        Ok(self)
    }
}

/// A line for the candidate, one for each gap and one for each accepted failure mode.
impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidate = &self.candidate;
        match self.gaps.len() {
            0 => writeln!(f, "rollout of {candidate}: ready")?,
            1 => writeln!(f, "rollout of {candidate}: not ready, 1 gap")?,
            gaps => writeln!(f, "rollout of {candidate}: not ready, {gaps} gaps")?,
        }
        for gap in &self.gaps {
            writeln!(f, "- {gap}")?;
        }
        for (mode, why) in &self.accepted {
            writeln!(f, "accepted: {mode}: {why}")?;
        }
        if let Some(Order { who, why, .. }) = &self.order {
            writeln!(f, "overridden by {who}: {why}")?;
        }
        Ok(())
    }
}
