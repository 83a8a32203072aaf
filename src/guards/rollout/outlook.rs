//! Whether a plan can finish with the corrections that come. It needs no simulation, so that a
//! rollout can ask at its start: of the candidates that are as good as production, half need more
//! corrections than are expected, and half fewer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decide::View;
use super::plan::{DecisionRule, Plan, Stage};
use super::status::RolloutState;
use super::trial::Trial;
use crate::event::{EventKind, RolloutEvent};
use crate::stats::{Counts, RatioTest, Stratum};
use crate::time::{Timestamp, hours, in_hours, minutes};

/// The longest time that a stage is said to need: 10 years.
const LONGEST: Duration = hours(24 * 3_653);
/// The documents on which shares are compared.
const DOCUMENTS: f64 = 1_000_000.0;

/// Corrections are counted over this time at least, and over twice this time at most.
const OBSERVED: (Duration, Duration) = (hours(2), hours(24 * 7));
/// How long nothing is asked again.
const AGAIN: Duration = hours(1);
/// The 95 % quantile of the normal distribution.
const Z: f64 = 1.644_854;

/// The corrections that come, with or without a rollout, and whether the current rollout has said
/// that they are too few.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outlook {
    /// Since when they are counted.
    since: Option<Timestamp>,
    corrected: u32,
    /// The document that was corrected last: a reviewer reports its fields one after another.
    latest: u64,
    /// The start of the rollout of which the rest speaks.
    rollout: Timestamp,
    was_told: bool,
    /// When to ask again.
    next: Timestamp,
}

impl Outlook {
    /// Takes in feedback, and the document if it was corrected.
    pub(super) fn feedback(&mut self, corrected: Option<u64>, now: Timestamp) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) > OBSERVED.1 * 2 {
            self.corrected /= 2;
            self.since = Some(since + now.since(since) / 2);
        }
        if let Some(document) = corrected.filter(|document| *document != self.latest) {
            self.latest = document;
            self.corrected = self.corrected.saturating_add(1);
        }
    }

    /// The event that the plan is too short for a rollout in its first stage: once, and only where
    /// the corrections and their delays are known or stated.
    pub(super) fn warning(&mut self, trial: &Trial, view: &View<'_>) -> Option<EventKind> {
        if self.rollout != trial.started {
            (self.rollout, self.was_told, self.next) = (trial.started, false, trial.started);
        }
        let is_first = trial.state == RolloutState::Running && trial.stage == 0;
        let is_asked = view.plan.rule == DecisionRule::Evidence && view.now >= self.next;
        if self.was_told || !is_first || !is_asked {
            return None;
        }
        self.next = view.now + AGAIN;
        let coming = self.observed(view).or_else(|| Coming::stated(view.plan))?;
        let short = too_short(view.plan, view.ratio_test, coming.most_per_hour)?;
        self.was_told = true;
        Some(EventKind::Rollout(RolloutEvent::PlanTooShort {
            candidate: trial.candidate.clone(),
            stage: short.stage.saturating_add(1),
            corrected: coming.corrected,
            over: whole_hours(coming.over),
            waits: short.waits,
            needed: whole_hours(short.needed) + hours(1),
        }))
    }

    /// What has come, once it is known how late corrections come.
    fn observed(&self, view: &View<'_>) -> Option<Coming> {
        let most = view.review_delays.of_all(view.now)?.percentile_90();
        let over = view.now.since(self.since?);
        let counted = over.saturating_sub(most);
        if counted < OBSERVED.0.max(most) {
            return None;
        }
        Some(Coming {
            corrected: u64::from(self.corrected),
            over,
            most_per_hour: at_most(self.corrected) / in_hours(counted),
        })
    }
}

/// The corrections of both versions that are expected.
#[derive(Clone, Copy, Debug)]
struct Coming {
    corrected: u64,
    over: Duration,
    /// So many come in an hour, or fewer.
    most_per_hour: f64,
}

impl Coming {
    fn stated(plan: &Plan) -> Option<Self> {
        let traffic = plan.traffic.as_ref()?;
        let over = hours(24);
        Some(Self {
            corrected: whole(traffic.corrections_per_hour() * in_hours(over)),
            over,
            most_per_hour: traffic.corrections_per_hour(),
        })
    }
}

/// The upper end of the one-sided 95 % interval of the mean of a Poisson count (Wilson and Hilferty,
/// "The Distribution of Chi-Square", 1931).
fn at_most(count: u32) -> f64 {
    let shape = f64::from(count) + 1.0;
    shape * (1.0 - 1.0 / (9.0 * shape) + Z / (3.0 * shape.sqrt())).powi(3)
}

/// Nobody reads the minutes of days.
fn whole_hours(time: Duration) -> Duration {
    hours(time.as_secs() / hours(1).as_secs())
}

/// A stage that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooShort {
    /// Its place in the plan, from 0.
    pub(super) stage: u8,
    /// How long it waits before it escalates.
    pub(super) waits: Duration,
    /// How long half of the candidates that are as good as production need there.
    pub(super) needed: Duration,
}

/// The first stage that escalates before half of the candidates that are as good as production can
/// leave it.
pub(super) fn too_short(plan: &Plan, ratio_test: &RatioTest, per_hour: f64) -> Option<TooShort> {
    let mut stages = (0..).zip(times_in_stages(plan, ratio_test, per_hour));
    stages.find_map(|(number, (stage, needed))| {
        let waits = plan.patience(stage);
        (needed > waits).then_some(TooShort {
            stage: number,
            waits,
            needed,
        })
    })
}

/// How long half of the candidates that are as good as production need for the whole plan, at least.
pub(super) fn time_needed(plan: &Plan, ratio_test: &RatioTest, per_hour: f64) -> Duration {
    let stages = times_in_stages(plan, ratio_test, per_hour);
    let times = stages.map(|(stage, needed)| needed.max(stage.at_least));
    times.fold(Duration::ZERO, Duration::saturating_add)
}

/// The stages, and how long half of the candidates that are as good as production need in each.
fn times_in_stages<'a>(
    plan: &'a Plan,
    ratio_test: &'a RatioTest,
    per_hour: f64,
) -> impl Iterator<Item = (&'a Stage, Duration)> {
    let mut evidence = Expected::new(plan, ratio_test, per_hour);
    (0..).zip(&plan.stages).map(move |(number, stage)| {
        let share = stage.share.as_f64();
        let needed = evidence.time_in(number, share);
        evidence.pass(share, needed.max(stage.at_least));
        (stage, needed)
    })
}

/// The corrections that are expected of a candidate that is as good as production.
struct Expected<'a> {
    plan: &'a Plan,
    ratio_test: &'a RatioTest,
    /// The corrections of both versions.
    per_hour: f64,
    passed: Vec<Stratum>,
}

impl<'a> Expected<'a> {
    fn new(plan: &'a Plan, ratio_test: &'a RatioTest, per_hour: f64) -> Self {
        Self {
            plan,
            ratio_test,
            per_hour,
            passed: Vec::new(),
        }
    }

    fn stratum(&self, share: f64, time: Duration) -> Stratum {
        let corrections = self.per_hour * in_hours(time);
        let arm = |share: f64| Counts {
            events: whole(corrections * share),
            documents: whole(DOCUMENTS * share),
        };
        Stratum {
            first: arm(share),
            second: arm(1.0 - share),
        }
    }

    fn pass(&mut self, share: f64, time: Duration) {
        self.passed.push(self.stratum(share, time));
    }

    /// How long a stage with this share needs until its evidence suffices.
    fn time_in(&self, stage: u8, share: f64) -> Duration {
        let bar = self.plan.bar(stage);
        let suffices = |time| {
            let strata = self.passed.iter().copied();
            let likelihood = self
                .ratio_test
                .add_up(strata.chain([self.stratum(share, time)]));
            self.ratio_test.information(likelihood.weighted) >= bar.information
                && self.ratio_test.p_exceeds(&likelihood) <= bar.risk
        };
        let (mut low, mut high) = (Duration::ZERO, minutes(1));
        while high < LONGEST && !suffices(high) {
            (low, high) = (high, high * 2);
        }
        while high.saturating_sub(low) > minutes(1).max(high / 64) {
            let middle = (low + high) / 2;
            if suffices(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high.min(LONGEST)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, far below 2^53"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::rollout::canary::CanaryPolicy;
    use crate::ratio::Ratio;

    /// Exact limits: half of the 95 % quantile of chi-square with 2, 8 and 22 degrees of freedom.
    #[test]
    fn counts_have_the_published_upper_limit() {
        for (count, expected) in [(0, 2.996), (3, 7.754), (10, 16.962)] {
            let found = at_most(count);
            assert!((found / expected - 1.0).abs() < 0.01, "{count}: {found}");
        }
    }

    /// One stage with half of the documents, its prior aside: the logarithm of the ratio has a
    /// standard error of `sqrt(1/x + 1/y)`, and `ln 1.5` must be 1.645 of them, so that each version
    /// needs 33 corrections: 2.7 days at 24 corrections a day. The prior, which prefers no
    /// difference, needs less.
    #[test]
    fn a_stage_needs_the_corrections_of_the_normal_approximation() {
        let policy = CanaryPolicy::builder()
            .stage(Ratio::percent(50), hours(16))
            .build()
            .unwrap();
        let rollout = policy.rollout();
        let (plan, ratio_test) = (&rollout.plan, &rollout.ratio_test);
        let short = too_short(plan, ratio_test, 1.0).unwrap();
        assert_eq!((short.stage, short.waits), (0, hours(64)));
        let needed = in_hours(short.needed);
        assert!((needed / 65.8 - 1.0).abs() < 0.1, "{needed} h");
        assert_eq!(time_needed(plan, ratio_test, 1.0), short.needed);
        assert_eq!(too_short(plan, ratio_test, 1.1), None, "60 h are enough");
    }
}
