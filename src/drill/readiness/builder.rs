//! Says what a readiness is checked against, and checks it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::evidence::{Evidence, acts, of_drills};
use super::gap::Gap;
use super::{FailureMode, Readiness};
use crate::call::LineUp;
use crate::drill::matrix::DetectionMatrix;
use crate::error::Error;
use crate::guard::{Clearance, Guard, Mounted};
use crate::guards::rollout::{Feasibility, RolloutPolicy, Traffic};
use crate::name::VersionId;
use crate::pipeline::Builder;

impl Readiness {
    /// Asks whether this line-up may go live, with the pipelines that this function builds: the
    /// whole function of your service, with its sinks. It is called once, and nothing is built and
    /// no event sent.
    pub fn of<P>(production: P, line_up: LineUp) -> ReadinessBuilder<P>
    where
        P: Fn() -> Result<Builder, Error>,
    {
        ReadinessBuilder {
            production,
            line_up,
            drilled: None,
            forecast: None,
            accepted: Vec::new(),
            times: BTreeMap::new(),
            is_high_stakes: false,
            shadow: None,
        }
    }
}

/// Says what a [`Readiness`] is checked against; made by [`Readiness::of`].
#[must_use = "nothing is checked before `check`"]
pub struct ReadinessBuilder<P> {
    production: P,
    line_up: LineUp,
    drilled: Option<DetectionMatrix>,
    forecast: Option<PlanForecast>,
    accepted: Vec<(FailureMode, String)>,
    times: BTreeMap<FailureMode, Duration>,
    is_high_stakes: bool,
    shadow: Option<Arc<dyn Clearance>>,
}

/// What a rollout can find out, and the plan that it was said of.
#[derive(Debug)]
struct PlanForecast {
    name: String,
    settings: String,
    feasibility: Feasibility,
}

impl<P> ReadinessBuilder<P>
where
    P: Fn() -> Result<Builder, Error>,
{
    /// What the drills have shown, with the guards of this pipeline. It can come from another
    /// process: a matrix is read from the JSON that it was written to.
    pub fn drilled(mut self, matrix: &DetectionMatrix) -> Self {
        self.drilled = Some(matrix.clone());
        self
    }

    /// The policy that the rollout follows, and the traffic that you expect. Each
    /// [warning](Feasibility::warnings) of its forecast is a gap. Give it the policy of the running
    /// pipeline where there is one: it has learnt how long reviews take.
    ///
    /// The forecast simulates 800 rollouts, which takes some seconds with much traffic.
    pub fn rollout<K>(mut self, policy: &RolloutPolicy<K>, traffic: &Traffic) -> Self {
        self.forecast = Some(PlanForecast {
            name: policy.name().to_owned(),
            settings: policy.settings(),
            feasibility: policy.feasibility(traffic),
        });
        self
    }

    /// Accepts, for this reason, that nobody is paged for a failure mode, such as corrections that
    /// stop where nobody corrects. The reason stays in the readiness.
    pub fn accept(mut self, mode: FailureMode, why: impl Into<String>) -> Self {
        self.accepted.push((mode, why.into()));
        self
    }

    /// Within which time a failure mode must be known, instead of
    /// [its own](FailureMode::known_within).
    pub fn known_within(mut self, mode: FailureMode, time: Duration) -> Self {
        self.times.insert(mode, time);
        self
    }

    /// Declares a change of high stakes, such as one of the core prompt: it needs a shadow run. A
    /// candidate with another model than production needs one without being declared.
    pub fn high_stakes(mut self) -> Self {
        self.is_high_stakes = true;
        self
    }

    /// The shadow run of the candidate, or another [clearance](Clearance): it must clear it. A
    /// [`ShadowComparator`](crate::ShadowComparator) does when its rate is certified, when its review
    /// is acknowledged, or, where corrections judge, when the candidate is no worse.
    pub fn shadow(mut self, run: impl Clearance + 'static) -> Self {
        self.shadow = Some(Arc::new(run));
        self
    }

    /// Checks everything.
    ///
    /// An error when the line-up has no candidate or a version with two roles, when a time is zero,
    /// when a reason is blank or not one line of at most 1,000 bytes, or when the function cannot
    /// put the pipeline together.
    pub fn check(self) -> Result<Readiness, Error> {
        let candidate = self.check_input()?;
        let production = (self.production)()?;
        let guards = production.mounted();
        let settings = production.settings_hash();
        let accepted: BTreeMap<_, _> = self.accepted.into_iter().collect();
        let drilled = self.drilled.as_ref();
        let forecast = self.forecast.as_ref();
        let types = forecast.map_or(&[][..], |forecast| &forecast.feasibility.types);
        let evidence = Evidence {
            guards,
            names: production.guard_names(),
            drilled,
            document_types: types.iter().map(|of| of.document_type.clone()).collect(),
        };
        let mut gaps = evidence.gaps(&accepted, &self.times);
        gaps.extend(
            drilled
                .into_iter()
                .flat_map(|matrix| of_drills(matrix, settings)),
        );
        if !production.has_pager() {
            gaps.push(Gap::NoPager);
        }
        gaps.extend(of_rollout(guards, forecast));
        let high_stakes = high_stakes(&self.line_up, self.is_high_stakes);
        gaps.extend(of_shadow(&candidate, self.shadow.as_deref(), high_stakes));
        Ok(Readiness {
            candidate,
            settings,
            gaps,
            accepted,
            order: None,
            line_up: self.line_up,
        })
    }

    /// Returns the candidate.
    fn check_input(&self) -> Result<VersionId, Error> {
        let Some(candidate) = self.line_up.candidate() else {
            let allowed = "a candidate to roll out; add it with `.with_candidate(..)`";
            return Err(Error::invalid("line-up of a rollout", "none", allowed));
        };
        self.line_up.validate()?;
        for (_, why) in &self.accepted {
            Error::unless_a_line("reason to accept a failure mode", why)?;
        }
        if let Some((mode, _)) = self.times.iter().find(|(_, time)| time.is_zero()) {
            let field = format!("time within which `{mode}` must be known");
            return Err(Error::invalid(field, "none", "more than no time"));
        }
        Ok(candidate.id().clone())
    }
}

fn of_rollout(guards: &[Mounted<Box<dyn Guard>>], forecast: Option<&PlanForecast>) -> Vec<Gap> {
    if !acts(guards, FailureMode::CorrectionsRise.guards()) {
        return vec![Gap::NoRolloutGuard];
    }
    let Some(forecast) = forecast else {
        return vec![Gap::NoForecast];
    };
    let mut acting = guards.iter().filter(|mounted| !mounted.dry_run);
    let is_of = |mounted: &Mounted<Box<dyn Guard>>| {
        mounted.guard.name() == forecast.name && mounted.guard.settings() == forecast.settings
    };
    if !acting.any(is_of) {
        return vec![Gap::OtherPlan {
            plan: forecast.name.clone(),
        }];
    }
    let warnings = forecast.feasibility.warnings().into_iter();
    warnings.map(|why| Gap::CannotBeJudged { why }).collect()
}

/// Why the change is one of high stakes, if it is.
fn high_stakes(line_up: &LineUp, is_declared: bool) -> Option<String> {
    let (from, to) = (line_up.stable().model(), line_up.candidate()?.model());
    if from != to {
        return Some(format!("its model is {to} instead of {from}"));
    }
    is_declared.then(|| "its change was declared one of high stakes".to_owned())
}

fn of_shadow(
    candidate: &VersionId,
    shadow: Option<&dyn Clearance>,
    high_stakes: Option<String>,
) -> Option<Gap> {
    let candidate = candidate.clone();
    match (shadow, high_stakes) {
        (Some(shadow), _) => {
            let why = shadow.clears(&candidate).err()?;
            Some(Gap::NotCleared { candidate, why })
        }
        (None, Some(why)) => Some(Gap::NoShadowRun { candidate, why }),
        (None, None) => None,
    }
}

impl<P> fmt::Debug for ReadinessBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadinessBuilder")
            .field("line_up", &self.line_up)
            .field("drilled", &self.drilled)
            .field("forecast", &self.forecast)
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}
