//! What a plan can detect with the available documents, estimated before the start.

mod chance;
mod report;
pub(super) mod simulation;

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::controller::Rollout;
use super::coverage::Cadence;
use super::plan::Plan;
use super::review_delays::ReviewDelays;
use super::status::RolloutState;
use super::traffic::Traffic;
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::stats::{Delays, RatioTest};
use crate::time::{Timestamp, as_millis, in_hours, millis};
use simulation::{Ended, Simulation};

/// The number of simulated rollouts, of an equal candidate and again of one that is corrected twice
/// as often.
const RUNS: u32 = 400;
/// The number of the candidate's corrections that must be expected for a decision in 50 % and in 90
/// % of all rollouts (simulated with evaluations after every 25 documents, candidates that are
/// equal or corrected twice as often).
const NEEDED_CORRECTIONS: (f64, f64) = (10.5, 32.0);

/// What a plan can detect: how long it takes, how often it is wrong, and which types it cannot
/// evaluate.
///
/// `Display` prints it as a table for the operator. Each probability comes from 400 simulated
/// rollouts under the conditions of the plan; its error is below 8 percentage points. Corrections
/// arrive as late as the policy has learnt, or as [`Traffic`] says where it has not. The simulation
/// assumes that the policy knows these delays when the candidate is deployed, that corrections
/// alone are reported, that every type arrives all the time, and that approvals are given at once.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Feasibility {
    /// Outcomes for a candidate that is corrected as often as production.
    pub equal: Forecast,
    /// Outcomes for a candidate that is corrected twice as often.
    pub twice: Forecast,
    /// The stages.
    pub stages: Vec<StageForecast>,
    /// The document types.
    pub types: Vec<TypeForecast>,
    /// Where the review delays come from.
    pub delays: DelaySource,
    /// How long the policy must have been in the pipeline before the deployment to know them: twice
    /// the time within which nine of ten answers are reviewed.
    #[serde(with = "as_millis")]
    pub learning: Duration,
}

/// Where the review delays of a forecast come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DelaySource {
    /// The policy has observed them.
    Learnt,
    /// [`Traffic::reviewed_after`] stated them.
    Stated,
    /// They are not known: the forecast assumes that reviews come at once.
    Unknown,
}

/// How rollouts end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// The share of rollouts that are promoted.
    pub promoted: f64,
    /// The share that are rolled back.
    pub rolled_back: f64,
    /// The share that escalate to the operator because the evidence stays unclear.
    pub escalated: f64,
    /// The median time until one of these.
    #[serde(with = "as_millis")]
    pub median: Duration,
    /// The 90th percentile of that time.
    #[serde(with = "as_millis")]
    pub nine_in_ten: Duration,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StageForecast {
    /// The candidate's share.
    pub share: Ratio,
    /// Its minimum time.
    #[serde(with = "as_millis")]
    pub at_least: Duration,
    /// Documents of the candidate in that time.
    pub documents: f64,
    /// Expected corrections of the candidate up to the end of the stage, at the tolerated ratio.
    pub information: f64,
    /// The number of them that the plan requires before the next stage.
    pub needed: f64,
}

/// One document type by itself.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TypeForecast {
    /// The document type.
    pub document_type: DocumentType,
    /// Documents per hour.
    pub per_hour: f64,
    /// Documents of the candidate over the whole plan.
    pub documents: f64,
    /// Expected corrections of the candidate over the whole plan, if it is as good as production.
    pub corrections: f64,
    /// How long the last stage would need to be for a decision on this type alone, in 50 % and in
    /// 90 % of all rollouts.
    #[serde(serialize_with = "both_in_millis")]
    pub verdict: (Duration, Duration),
    /// Whether the plan is long enough to evaluate this type alone.
    pub can_be_judged: bool,
    /// For each cadence of the type, the share of windows of the plan's length that include it,
    /// over all start times in a year.
    pub windows: Vec<(Cadence, f64)>,
}

fn both_in_millis<S: Serializer>(
    (half, most): &(Duration, Duration),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    [millis(*half), millis(*most)].serialize(serializer)
}

/// The review delays of a forecast.
#[derive(Debug)]
pub(super) struct ExpectedDelays {
    pub(super) known: ReviewDelays,
    source: DelaySource,
    all: Delays,
}

impl ExpectedDelays {
    pub(super) fn stated(traffic: &Traffic) -> Self {
        let (mean, source) = match traffic.delay {
            Some(mean) => (mean, DelaySource::Stated),
            None => (Duration::ZERO, DelaySource::Unknown),
        };
        Self::new(Delays::exponential(mean), [], source)
    }

    fn new(
        all: Delays,
        own: impl IntoIterator<Item = (DocumentType, Delays)>,
        source: DelaySource,
    ) -> Self {
        Self {
            known: ReviewDelays::known(all, own),
            source,
            all,
        }
    }
}

impl Rollout {
    pub(super) fn feasibility(&self, traffic: &Traffic) -> Feasibility {
        let core = self.core.lock();
        let begin = core.latest;
        let delays = match core.review_delays.of_all(begin) {
            None => ExpectedDelays::stated(traffic),
            Some(all) => {
                let own = traffic.types.iter().filter_map(|(name, _)| {
                    let own = core.review_delays.of(name, begin)?;
                    Some((name.clone(), *own))
                });
                ExpectedDelays::new(*all, own, DelaySource::Learnt)
            }
        };
        drop(core);
        Feasibility::of(&self.plan, &self.ratio_test, traffic, &delays, begin)
    }
}

impl Forecast {
    fn of(ends: &[Ended]) -> Self {
        let mut forecast = Self::default();
        #[allow(clippy::cast_precision_loss, reason = "a few hundred runs")]
        let each = 1.0 / ends.len().max(1) as f64;
        for ended in ends {
            *match ended.state {
                RolloutState::Promoted => &mut forecast.promoted,
                RolloutState::RolledBack => &mut forecast.rolled_back,
                _ => &mut forecast.escalated,
            } += each;
        }
        let mut times: Vec<Duration> = ends.iter().map(|ended| ended.after).collect();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        forecast.median = at(50).unwrap_or_default();
        forecast.nine_in_ten = at(90).unwrap_or_default();
        forecast
    }
}

impl Plan {
    fn forecast_stages(&self, traffic: &Traffic) -> Vec<StageForecast> {
        let (rate, corrections) = (traffic.per_hour(), traffic.corrections.as_f64());
        let mut information = 0.0;
        let stages = (0..).zip(&self.stages).map(|(number, stage)| {
            let share = stage.share.as_f64();
            let documents = rate * share * in_hours(stage.at_least);
            information += self.max_ratio.as_f64() * documents * (1.0 - share) * corrections;
            StageForecast {
                share: stage.share,
                at_least: stage.at_least,
                documents,
                information,
                needed: self.bar(number).information,
            }
        });
        stages.collect()
    }

    fn forecast_types(&self, traffic: &Traffic, begin: Timestamp) -> Vec<TypeForecast> {
        let corrections = traffic.corrections.as_f64();
        let exposed = |stage: &super::plan::Stage| stage.share.as_f64() * in_hours(stage.at_least);
        let hours: f64 = self.stages.iter().map(exposed).sum();
        let length = self.stages.iter().map(|stage| stage.at_least).sum();
        let share = self.stages.last().map_or(0.0, |stage| stage.share.as_f64());
        let types = traffic.types.iter().map(|(document_type, rate)| {
            let expected = rate * hours * corrections;
            let after = |needed: f64| {
                let hours = needed / (rate * share * corrections);
                Duration::try_from_secs_f64((hours * 60.0).ceil() * 60.0).unwrap_or(Duration::MAX)
            };
            let cadences = self.coverage.as_ref();
            let cadences = cadences.and_then(|coverage| coverage.expected.get(document_type));
            let windows = cadences
                .into_iter()
                .flatten()
                .map(|cadence| (*cadence, cadence.share_of_windows(begin, length)));
            TypeForecast {
                document_type: document_type.clone(),
                per_hour: *rate,
                documents: rate * hours,
                corrections: expected,
                verdict: (after(NEEDED_CORRECTIONS.0), after(NEEDED_CORRECTIONS.1)),
                can_be_judged: expected >= NEEDED_CORRECTIONS.0,
                windows: windows.collect(),
            }
        });
        types.collect()
    }
}

impl Feasibility {
    pub(super) fn of(
        plan: &Plan,
        ratio_test: &RatioTest,
        traffic: &Traffic,
        delays: &ExpectedDelays,
        begin: Timestamp,
    ) -> Self {
        let simulation = Simulation {
            plan,
            ratio_test,
            traffic,
            review_delays: &delays.known,
        };
        let forecast = |ratio| Forecast::of(&simulation.ends(ratio, RUNS).collect::<Vec<_>>());
        Self {
            equal: forecast(1.0),
            twice: forecast(2.0),
            stages: plan.forecast_stages(traffic),
            types: plan.forecast_types(traffic, begin),
            delays: delays.source,
            learning: delays.all.percentile_90() * 2,
        }
    }

    /// Whether the policy must have learnt the delays before the first stage begins.
    fn must_learn(&self) -> bool {
        let first = self.stages.first().map(|stage| stage.at_least);
        self.delays == DelaySource::Stated && first.is_some_and(|first| self.learning > first)
    }

    /// Reasons not to start like this, one sentence each; empty if there are none.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if self.equal.escalated > 0.2 {
            let share = percent(self.equal.escalated);
            warnings.push(format!(
                "too few documents: {share} of the candidates that are as good as production escalate to the operator"
            ));
        }
        if self.equal.rolled_back > 0.05 {
            let share = percent(self.equal.rolled_back);
            warnings.push(format!(
                "{share} of the candidates that are as good as production are rolled back"
            ));
        }
        if self.twice.promoted > 0.05 {
            let share = percent(self.twice.promoted);
            warnings.push(format!(
                "{share} of the candidates with twice the corrections are promoted"
            ));
        }
        if self.delays == DelaySource::Unknown {
            warnings.push(
                "how long reviews take is neither learnt nor stated: the forecast assumes that they come at once"
                    .to_owned(),
            );
        }
        if self.must_learn() {
            let learning = shown(self.learning);
            warnings.push(format!(
                "the policy has not learnt how long reviews take: unless it has been in the pipeline for {learning} before the deployment, its first stage waits longer, or escalates"
            ));
        }
        for found in &self.types {
            if !found.can_be_judged {
                warnings.push(format!(
                    "{} cannot be evaluated by itself: {:.1} corrections of the candidate are expected, and a decision needs {:.1}",
                    found.document_type, found.corrections, NEEDED_CORRECTIONS.0
                ));
            }
            for (cadence, share) in &found.windows {
                if *share < 0.9 {
                    warnings.push(format!(
                        "only {} of all windows include {} ({cadence}); in the others the rollout waits for it",
                        percent(*share),
                        found.document_type
                    ));
                }
            }
        }
        warnings
    }
}

/// Hours, and days from two on.
pub(super) fn shown(time: Duration) -> String {
    let hours = in_hours(time);
    if hours < 48.0 {
        format!("{hours:.1} h")
    } else {
        format!("{:.1} d", hours / 24.0)
    }
}
