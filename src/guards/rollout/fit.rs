//! The plan that reaches a verdict with the documents that come, and what it promises.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::canary::{CanaryPolicy, CanaryPolicyBuilder};
use super::feasibility::simulation::Simulation;
use super::feasibility::{ExpectedDelays, Feasibility, shown};
use super::outlook::time_needed;
use super::plan::Plan;
use super::status::RolloutState;
use super::traffic::Traffic;
use crate::error::Error;
use crate::ratio::Ratio;
use crate::stats::RatioTest;
use crate::time::{Timestamp, as_millis, in_hours, minutes};

/// The number of simulated rollouts with which a plan is chosen.
const RUNS: u32 = 200;
/// The shares of the last stage that are tried, in percent.
const SHARES: [u32; 9] = [5, 10, 15, 20, 25, 30, 40, 50, 60];
/// A first stage has this part of the last one's share.
const FIRST: u32 = 5;
/// The times of a stage that are tried, in minutes: from a quarter of an hour to 256 days.
const TIMES: [u64; 30] = [
    15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1_440, 2_160, 2_880, 4_320, 5_760,
    8_640, 11_520, 17_280, 23_040, 34_560, 46_080, 69_120, 92_160, 138_240, 184_320, 245_760,
    276_480, 368_640,
];
/// The limit that a shortfall proposes in place of a lower one.
const WIDER: Ratio = Ratio::percent(200);

/// What you accept of a rollout, for [`CanaryPolicy::fit`]: how long it may take, and how often it
/// may be wrong.
///
/// ```
/// use std::time::Duration;
/// use fusebox::Ratio;
/// use fusebox::rollout::Risk;
///
/// // A verdict within a week, in 95 of 100 rollouts without a person.
/// let week = Risk::within(Duration::from_secs(7 * 86_400));
/// // Or in 80 of 100, with at most a quarter of the documents.
/// let careful = week.unfinished(Ratio::percent(20)).largest_share(Ratio::percent(25));
/// # let _ = careful;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it only says what is accepted"]
pub struct Risk {
    within: Duration,
    unfinished: Ratio,
    worse_promoted: Ratio,
    largest_share: Ratio,
    max_ratio: Ratio,
}

impl Risk {
    /// A rollout may take this long, of the time in which documents come.
    pub const fn within(longest: Duration) -> Self {
        Self {
            within: longest,
            unfinished: Ratio::percent(5),
            worse_promoted: Ratio::percent(5),
            largest_share: Ratio::percent(50),
            max_ratio: Ratio::percent(150),
        }
    }

    /// Of the candidates that are as good as production, the share that may not be promoted without
    /// a person (default 5 %, from 1 % to 50 %): what is left is the power of the plan. False alarms
    /// are among them; the rule keeps those below 5 %.
    pub const fn unfinished(mut self, share: Ratio) -> Self {
        self.unfinished = share;
        self
    }

    /// Of the candidates that are worse than tolerated by a third, twice as often corrected as
    /// production with the default limit, the share that may be promoted (default 5 %, from 1 % to
    /// 50 %).
    pub const fn worse_promoted(mut self, share: Ratio) -> Self {
        self.worse_promoted = share;
        self
    }

    /// The largest share of the documents that a candidate may have before its promotion (default
    /// 50 %, from 5 % to 60 %; with more than half, production is what is too seldom seen).
    pub const fn largest_share(mut self, share: Ratio) -> Self {
        self.largest_share = share;
        self
    }

    /// The tolerated ratio of the candidate's correction rate to production's (default 150 %): the
    /// wider it is, the sooner there is a verdict.
    pub const fn max_ratio(mut self, ratio: Ratio) -> Self {
        self.max_ratio = ratio;
        self
    }

    fn validate(&self) -> Result<(), Error> {
        if self.within.is_zero() {
            return Err(Error::invalid("risk: within", "0s", "longer than zero"));
        }
        let percent = |least, most| (Ratio::percent(least), Ratio::percent(most));
        for (field, share, (least, most)) in [
            ("risk: unfinished", self.unfinished, percent(1, 50)),
            ("risk: worse_promoted", self.worse_promoted, percent(1, 50)),
            ("risk: largest_share", self.largest_share, percent(5, 60)),
        ] {
            if share < least || share > most {
                let allowed = format!("from {least} to {most}");
                return Err(Error::invalid(field, share, allowed));
            }
        }
        Ok(())
    }
}

/// What [`CanaryPolicy::fit`] found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fit {
    /// A plan that keeps to the risk.
    Plan(Box<FittedPlan>),
    /// No plan does: what would be needed.
    Needs(Shortfall),
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(plan) => plan.fmt(f),
            Self::Needs(shortfall) => shortfall.fmt(f),
        }
    }
}

/// A plan that reaches a verdict in time, and what it promises. `Display` prints both.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FittedPlan {
    builder: CanaryPolicyBuilder,
    /// The accepted share of rollouts apart, the verdict comes within this time, if the candidate is
    /// as good as production.
    pub verdict_within: Duration,
    /// How rollouts with this plan end.
    pub feasibility: Feasibility,
}

impl FittedPlan {
    /// A builder with the stages and the limit of this plan, for what else you want to configure.
    pub fn builder(&self) -> CanaryPolicyBuilder {
        self.builder.clone()
    }

    /// The policy.
    pub fn build(&self) -> Result<CanaryPolicy, Error> {
        self.builder().build()
    }
}

impl fmt::Display for FittedPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = self.feasibility.stages.iter();
        let stages = stages.map(|stage| {
            let at_least = humantime::format_duration(stage.at_least);
            format!("{} for {at_least}", stage.share)
        });
        let stages: Vec<_> = stages.collect();
        let Feasibility { equal, twice, .. } = self.feasibility;
        writeln!(
            f,
            "{}: {:.0} % of the candidates that are as good as production are promoted without a \
             person, all but the accepted share within {}; of those that are corrected twice as \
             often, {:.0} %\n",
            stages.join(", then "),
            equal.promoted * 100.0,
            shown(self.verdict_within),
            twice.promoted * 100.0,
        )?;
        self.feasibility.fmt(f)
    }
}

/// Why no plan keeps to the risk, and what would. `Display` prints it as one sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Shortfall {
    /// How long the rollout may take.
    #[serde(with = "as_millis")]
    pub within: Duration,
    /// What would reach a verdict: with the largest share and more time, or with a wider limit too.
    /// Empty if half a year would not do.
    pub alternatives: Vec<Alternative>,
}

/// A way to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Alternative {
    /// The candidate's share.
    pub share: Ratio,
    /// The tolerated ratio.
    pub max_ratio: Ratio,
    /// The time that it takes.
    #[serde(with = "as_millis")]
    pub within: Duration,
    /// The documents that come in this time.
    pub documents: f64,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = shown(self.within);
        write!(f, "no plan reaches a verdict within {within}")?;
        for (number, way) in (0..).zip(&self.alternatives) {
            f.write_str(if number == 0 { ": it needs " } else { "; or " })?;
            write!(
                f,
                "{:.0} documents, {} with {} of them for the candidate and a limit of {}",
                way.documents,
                shown(way.within),
                way.share,
                way.max_ratio
            )?;
        }
        Ok(())
    }
}

impl CanaryPolicy {
    /// The plan with the smallest share for the candidate, and with the shortest stages, that
    /// reaches a verdict within the time that `risk` allows; or what would be needed. A small first
    /// stage comes before the last one where there is time for it. Each plan is simulated, as
    /// [`feasibility`](Self::feasibility) does, which takes seconds. Returns an error if a number of
    /// `risk` is out of range.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fusebox::{CanaryPolicy, DocumentType, Ratio};
    /// use fusebox::rollout::{Fit, Risk, Traffic};
    ///
    /// # fn plan() -> Result<(), fusebox::Error> {
    /// let invoices = [(DocumentType::new("invoice")?, 100.0)];
    /// let traffic = Traffic::new(invoices, Ratio::percent(3))?
    ///     .reviewed_after(Duration::from_secs(6 * 3_600));
    /// let week = Risk::within(Duration::from_secs(7 * 86_400));
    /// match CanaryPolicy::fit(&traffic, &week)? {
    ///     Fit::Plan(plan) => {
    ///         println!("{plan}");
    ///         let canary = plan.build()?;
    ///     }
    ///     needs => println!("{needs}"),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fit(traffic: &Traffic, risk: &Risk) -> Result<Fit, Error> {
        risk.validate()?;
        builder(&[risk.largest_share], minutes(15), risk.max_ratio).build()?;
        let search = Search {
            traffic,
            delays: ExpectedDelays::stated(traffic),
            risk,
        };
        let shares = SHARES.map(Ratio::percent).into_iter();
        let shares = shares.filter(|share| *share < risk.largest_share);
        for share in shares.chain([risk.largest_share]) {
            for shares in [&[first_of(share), share][..], &[share]] {
                let found = search.shortest(shares, risk.max_ratio, risk.within);
                if let Some((builder, verdict_within)) = found {
                    let builder = builder.for_traffic(traffic.clone());
                    let plan = &builder.plan;
                    let ratio_test = RatioTest::new(plan.max_ratio.as_f64());
                    let begin = Timestamp::EPOCH;
                    return Ok(Fit::Plan(Box::new(FittedPlan {
                        verdict_within,
                        feasibility: Feasibility::of(
                            plan,
                            &ratio_test,
                            traffic,
                            &search.delays,
                            begin,
                        ),
                        builder,
                    })));
                }
            }
        }
        Ok(Fit::Needs(search.shortfall()))
    }
}

fn first_of(share: Ratio) -> Ratio {
    Ratio::new(share.numerator(), share.denominator().saturating_mul(FIRST)).unwrap_or(share)
}

fn builder(shares: &[Ratio], at_least: Duration, max_ratio: Ratio) -> CanaryPolicyBuilder {
    let builder = CanaryPolicy::builder().max_ratio(max_ratio);
    shares
        .iter()
        .fold(builder, |builder, share| builder.stage(*share, at_least))
}

/// The search for a plan.
struct Search<'a> {
    traffic: &'a Traffic,
    delays: ExpectedDelays,
    risk: &'a Risk,
}

impl Search<'_> {
    /// The shortest stages of these shares that keep to the risk, and the time to the verdict, if
    /// that is short enough.
    fn shortest(
        &self,
        shares: &[Ratio],
        max_ratio: Ratio,
        within: Duration,
    ) -> Option<(CanaryPolicyBuilder, Duration)> {
        let builder = |at_least| builder(shares, at_least, max_ratio);
        let ratio_test = RatioTest::new(max_ratio.as_f64());
        let per_hour = self.traffic.corrections_per_hour();
        let stages = u32::try_from(shares.len()).unwrap_or(u32::MAX);
        let times = TIMES.map(minutes).into_iter();
        let times: Vec<_> = times.take_while(|time| *time * stages <= within).collect();
        let shortest = builder(*times.first()?).plan;
        if time_needed(&shortest, &ratio_test, per_hour) > within {
            return None;
        }
        let verdict = |at_least| self.verdict_within(&builder(at_least).plan, &ratio_test);
        let (longest, shorter) = times.split_last()?;
        let mut verdict_within = verdict(*longest)?;
        // The shortest time that keeps to the risk is the last of those that were found to.
        let first = shorter.partition_point(|at_least| {
            let found = verdict(*at_least);
            verdict_within = found.unwrap_or(verdict_within);
            found.is_none()
        });
        let at_least = *times.get(first)?;
        (verdict_within <= within).then(|| (builder(at_least), verdict_within))
    }

    /// The time to the verdict with this plan, if it keeps to the risk.
    fn verdict_within(&self, plan: &Plan, ratio_test: &RatioTest) -> Option<Duration> {
        let simulation = Simulation {
            plan,
            ratio_test,
            traffic: self.traffic,
            review_delays: &self.delays.known,
        };
        // One standard error less than accepted: the plan is chosen by the same runs.
        let (runs, unfinished) = (f64::from(RUNS), self.risk.unfinished.as_f64());
        let error = (unfinished * (1.0 - unfinished) * runs).sqrt();
        let accepted = [
            unfinished * runs - error,
            self.risk.worse_promoted.as_f64() * runs,
        ];
        let mut times = Vec::new();
        let worse = plan.max_ratio.as_f64() * 4.0 / 3.0;
        for ((ratio, is_wanted), mut left) in
            [(1.0, true), (worse, false)].into_iter().zip(accepted)
        {
            for ended in simulation.ends(ratio, RUNS) {
                if is_wanted {
                    times.push(ended.after);
                }
                if (ended.state == RolloutState::Promoted) != is_wanted {
                    left -= 1.0;
                    if left < 0.0 {
                        return None;
                    }
                }
            }
        }
        times.sort_unstable();
        let later = self.risk.unfinished.of(u64::from(RUNS));
        let last = times.len().checked_sub(usize::try_from(later).ok()? + 1)?;
        times.get(last).copied()
    }

    /// What would reach a verdict with the largest share.
    fn shortfall(&self) -> Shortfall {
        let share = self.risk.largest_share;
        let asked = self.risk.max_ratio;
        let wider = Some(WIDER).filter(|wider| *wider > asked);
        let half_a_year = minutes(184 * 24 * 60);
        let alternatives = [Some(asked), wider].into_iter().flatten();
        let alternatives = alternatives.filter_map(|max_ratio| {
            let (_, within) = self.shortest(&[share], max_ratio, half_a_year)?;
            Some(Alternative {
                share,
                max_ratio,
                within,
                documents: self.traffic.per_hour() * in_hours(within),
            })
        });
        Shortfall {
            within: self.risk.within,
            alternatives: alternatives.collect(),
        }
    }
}
