//! Simulated rollouts, decided by the plan's own rule.

use std::time::Duration;

use twox_hash::XxHash3_64;

use super::super::controller::Rollout;
use super::super::counts::Pair;
use super::super::decide::View;
use super::super::review_delays::ReviewDelays;
use super::super::status::RolloutState;
use super::super::trial::{TYPES, Trial};
use super::Forecast;
use crate::event::{Decision, Tally};
use crate::name::DocumentType;
use crate::stats::BoundedMap;
use crate::time::Timestamp;

/// The number of evaluations within the minimum time of a stage.
const EVALUATIONS: u32 = 12;

impl Rollout {
    /// How rollouts end if the candidate's correction rate is `ratio` times production's.
    pub(crate) fn forecast(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: f64,
        ratio: f64,
        runs: u32,
    ) -> Forecast {
        let mut forecast = Forecast::default();
        let mut times: Vec<Duration> = Vec::new();
        let each = 1.0 / f64::from(runs);
        for run in 0..runs {
            let mut chance = Chance::new(run);
            let (state, time) = self.simulated(per_hour, corrections, ratio, &mut chance);
            *match state {
                RolloutState::Promoted => &mut forecast.promoted,
                RolloutState::RolledBack => &mut forecast.rolled_back,
                _ => &mut forecast.escalated,
            } += each;
            times.push(time);
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        forecast.median = at(50).unwrap_or_default();
        forecast.nine_in_ten = at(90).unwrap_or_default();
        forecast
    }

    fn simulated(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: f64,
        ratio: f64,
        chance: &mut Chance,
    ) -> (RolloutState, Duration) {
        let begin = Timestamp::from_millis(1_000_000_000_000);
        let review_delays = ReviewDelays::immediate(begin);
        let seen = BoundedMap::new(TYPES);
        let mut now = begin;
        let mut trial = Trial::none();
        (trial.started, trial.since) = (begin, begin);
        trial.reviews_told = Pair {
            candidate: true,
            stable: true,
        };
        loop {
            let Some(stage) = self.plan.stage(trial.stage) else {
                return (trial.state, now.since(begin));
            };
            let step = stage.at_least / EVALUATIONS;
            let share = stage.share.as_f64();
            for (document_type, rate) in per_hour {
                let documents = rate * step.as_secs_f64() / 3_600.0;
                let mut arm = |share: f64, rate: f64| {
                    let documents = chance.poisson(documents * share);
                    #[allow(
                        clippy::cast_precision_loss,
                        reason = "counts of documents are far below 2^53"
                    )]
                    let events = chance.poisson(documents as f64 * rate);
                    Tally::new(events.min(documents), documents)
                };
                let tallies = Pair {
                    candidate: arm(share, (corrections * ratio).min(1.0)),
                    stable: arm(1.0 - share, corrections),
                };
                trial.add(&self.plan, document_type, tallies, now);
            }
            now = now + step;
            trial.serving.pass(step);
            trial.close_cohort(stage, now);
            trial.approved = true;
            let view = View {
                plan: &self.plan,
                ratio_test: &self.ratio_test,
                review_delays: &review_delays,
                seen: &seen,
                now,
            };
            match trial.decide(&view).0 {
                Decision::RollBack => return (RolloutState::RolledBack, now.since(begin)),
                Decision::Escalate => return (RolloutState::Escalated, now.since(begin)),
                Decision::Hold(_) => {}
                Decision::Promote if usize::from(trial.stage) + 1 == self.plan.stages.len() => {
                    return (RolloutState::Promoted, now.since(begin));
                }
                Decision::Promote => trial.enter(trial.stage + 1, now),
            }
        }
    }
}

/// Pseudo-random numbers, the same in every run of the program.
struct Chance {
    run: u64,
    drawn: u64,
}

impl Chance {
    fn new(run: u32) -> Self {
        Self {
            run: u64::from(run),
            drawn: 0,
        }
    }

    /// Uniformly distributed between 0 and 1.
    fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        let hash = XxHash3_64::oneshot_with_seed(self.run, &self.drawn.to_le_bytes());
        let top = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }

    /// Poisson-distributed with this mean: by inversion, in parts for which the smallest
    /// probability does not underflow.
    fn poisson(&mut self, mean: f64) -> u64 {
        const PART: f64 = 500.0;
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let part = left.min(PART);
            left -= part;
            let mut probability = (-part).exp();
            let mut missing = self.uniform() - probability;
            let mut drawn = 0_u32;
            while missing > 0.0 && probability > 0.0 {
                drawn += 1;
                probability *= part / f64::from(drawn);
                missing -= probability;
            }
            count += u64::from(drawn);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::rollout::canary::CanaryPolicy;
    use crate::ratio::Ratio;
    use crate::time::hours;

    fn types(count: u32, per_hour: f64) -> Vec<(DocumentType, f64)> {
        let name = |n| DocumentType::new(format!("type-{n}")).unwrap();
        (0..count).map(|n| (name(n), per_hour)).collect()
    }

    fn canary(types: &[(DocumentType, f64)], ratio: f64, runs: u32) -> Forecast {
        let policy = CanaryPolicy::default();
        policy.rollout().forecast(types, 0.03, ratio, runs)
    }

    /// The e-value allows 5 %. Runs 0 to 999, each with at least 24 evaluations, 12 within the
    /// minimum time of a stage.
    #[test]
    fn of_a_thousand_equal_candidates_at_most_one_in_twenty_is_rolled_back() {
        let found = canary(&types(1, 10_000.0), 1.0, 1_000);
        assert!(found.rolled_back <= 0.05, "{found:?}");
        assert!(found.promoted >= 0.90, "{found:?}");
    }

    #[test]
    fn ten_equal_types_together_are_not_ten_chances() {
        let found = canary(&types(10, 1_000.0), 1.0, 1_000);
        assert!(found.rolled_back <= 0.05, "{found:?}");
    }

    /// 1,000 documents of the candidate in the two hours of the stage, twelve evaluations; an
    /// independent simulation in numpy found 73.9 %.
    #[test]
    fn twice_the_corrections_are_seen_in_a_thousand_documents() {
        let policy = CanaryPolicy::builder()
            .stage(Ratio::percent(5), hours(2))
            .max_hold(1)
            .build()
            .unwrap();
        let found = policy
            .rollout()
            .forecast(&types(1, 10_000.0), 0.03, 2.0, 1_000);
        assert!((found.rolled_back - 0.739).abs() < 0.05, "{found:?}");
    }

    /// Means and variances of 20,000 draws both equal the mean of the distribution, within four
    /// standard errors of the mean and a tenth of the variance, whose standard error is 1 % (4 % at
    /// the smallest mean).
    #[test]
    fn counts_by_chance_have_the_mean_and_the_variance_of_poisson() {
        for mean in [0.05, 3.0, 40.0, 1_200.0] {
            let mut chance = Chance::new(7);
            let draws: Vec<f64> = (0..20_000)
                .map(|_| f64::from(u32::try_from(chance.poisson(mean)).unwrap()))
                .collect();
            let average = draws.iter().sum::<f64>() / 20_000.0;
            let squares = draws.iter().map(|draw| (draw - average).powi(2));
            let variance = squares.sum::<f64>() / 20_000.0;
            assert!(
                (average - mean).abs() < 4.0 * (mean / 20_000.0).sqrt(),
                "{mean}: {average}"
            );
            assert!((variance / mean - 1.0).abs() < 0.1, "{mean}: {variance}");
        }
    }
}
