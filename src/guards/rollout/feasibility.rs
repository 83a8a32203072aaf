//! What a plan can find out with the documents that there are: told before it starts.

use std::fmt;
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::book::Pair;
use super::coverage::Cadence;
use super::decide::View;
use super::delay::Learnt;
use super::plan::Plan;
use super::stages::Rollout;
use super::status::RolloutState;
use super::trial::{TYPES, Trial};
use crate::error::Error;
use crate::evidence::{Decision, Tally};
use crate::keyed::Keyed;
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// So many rollouts are tried of an equal candidate, and as many of one that is twice as bad.
const RUNS: u32 = 400;
/// So often the evidence is looked at while a stage lasts as long as it should.
const LOOKS: u32 = 12;
/// So many corrections of the candidate are to be expected before a verdict: in half of all rollouts, and in nine of ten
/// (simulated with looks after every 25 documents, candidates that are equal or twice as bad).
const VERDICT: (f64, f64) = (10.5, 32.0);

/// What a plan can find out: how long it takes, how often it is wrong, and which types it cannot judge.
///
/// Printed as a table for a person. Probabilities come from 400 simulated rollouts each, with the conditions of the plan as
/// they are: they are off by less than 8 points. Corrections are taken to come at once, approvals to be given at once, and
/// every type to come all the time; what these take in truth comes on top.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Feasibility {
    /// What becomes of a candidate that is corrected as often as production.
    pub equal: Forecast,
    /// What becomes of a candidate that is corrected twice as often.
    pub twice: Forecast,
    /// The stages.
    pub stages: Vec<StageForecast>,
    /// The document types.
    pub types: Vec<TypeForecast>,
}

/// What becomes of rollouts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// The share that is promoted.
    pub promoted: f64,
    /// The share that is rolled back.
    pub rolled_back: f64,
    /// The share that waits for a person in the end, because it is not clear.
    pub escalated: f64,
    /// How long half of all rollouts take until one of these.
    pub median: Duration,
    /// How long nine of ten take.
    pub nine_in_ten: Duration,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StageForecast {
    /// The candidate's share.
    pub share: Ratio,
    /// How long it lasts at least.
    pub at_least: Duration,
    /// Documents of the candidate in that time.
    pub documents: f64,
    /// Corrections to expect of the candidate up to the end of the stage, if it were at the tolerated ratio.
    pub information: f64,
    /// How many the plan asks for before it goes on.
    pub needed: f64,
}

/// One document type by itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TypeForecast {
    /// Which.
    pub document_type: DocumentType,
    /// Documents an hour.
    pub per_hour: f64,
    /// Documents of the candidate while the plan lasts.
    pub documents: f64,
    /// Corrections of the candidate in that time, if it is as good as production.
    pub corrections: f64,
    /// How long the last stage would have to be for a verdict on this type alone, in half of all rollouts and in nine of ten.
    pub verdict: (Duration, Duration),
    /// Whether a verdict on this type alone can be expected while the plan lasts.
    pub can_be_judged: bool,
    /// For each time at which its documents are expected, how many windows of this length meet it, whenever they begin.
    pub windows: Vec<(Cadence, f64)>,
}

impl Rollout {
    pub(super) fn feasibility(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: Ratio,
    ) -> Result<Feasibility, Error> {
        let name = self.plan.name;
        if per_hour.is_empty() {
            let field = format!("{name} feasibility: document types");
            return Err(Error::invalid(field, "none", "at least one"));
        }
        for (document_type, rate) in per_hour {
            if !(*rate > 0.0 && *rate <= 1e7) {
                let field = format!("{name} feasibility: {document_type}");
                let allowed = "more than 0 and at most 10000000 documents an hour";
                return Err(Error::invalid(field, rate, allowed));
            }
        }
        if corrections == Ratio::ZERO || corrections > Ratio::percent(50) {
            let field = format!("{name} feasibility: corrections");
            let allowed = "more than 0 % and at most 50 %, as twice as many are tried";
            return Err(Error::invalid(field, corrections, allowed));
        }
        let corrections = corrections.as_f64();
        let forecast = |ratio| self.forecast(per_hour, corrections, ratio, RUNS);
        let begin = self.core.lock().latest;
        Ok(Feasibility {
            equal: forecast(1.0),
            twice: forecast(2.0),
            stages: self.plan.forecast_stages(per_hour, corrections),
            types: self.plan.forecast_types(per_hour, corrections, begin),
        })
    }

    fn forecast(
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

    /// One rollout, and how it ends.
    fn simulated(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: f64,
        ratio: f64,
        chance: &mut Chance,
    ) -> (RolloutState, Duration) {
        let begin = Timestamp::from_millis(1_000_000_000_000);
        let learnt = Learnt::immediate(begin);
        let seen = Keyed::new(TYPES);
        let mut now = begin;
        let mut trial = Trial::none();
        (trial.started, trial.since) = (begin, begin);
        trial.began = vec![begin];
        loop {
            let Some(stage) = self.plan.stage(trial.stage) else {
                return (trial.state, now.since(begin));
            };
            let step = stage.at_least / LOOKS;
            let spot = (
                trial.stage,
                self.plan.stretch(stage, now.since(trial.since)),
            );
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
                trial.add(&self.plan, document_type, spot, tallies);
            }
            now = now + step;
            trial.approved = true;
            let view = View {
                plan: &self.plan,
                judge: &self.judge,
                learnt: &learnt,
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

impl Plan {
    fn forecast_stages(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: f64,
    ) -> Vec<StageForecast> {
        let rate: f64 = per_hour.iter().map(|(_, rate)| rate).sum();
        let mut information = 0.0;
        let stages = (0..).zip(&self.stages).map(|(number, stage)| {
            let share = stage.share.as_f64();
            let documents = rate * share * stage.at_least.as_secs_f64() / 3_600.0;
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

    fn forecast_types(
        &self,
        per_hour: &[(DocumentType, f64)],
        corrections: f64,
        begin: Timestamp,
    ) -> Vec<TypeForecast> {
        let exposed = |stage: &super::plan::Stage| {
            stage.share.as_f64() * stage.at_least.as_secs_f64() / 3_600.0
        };
        let hours: f64 = self.stages.iter().map(exposed).sum();
        let length = self.stages.iter().map(|stage| stage.at_least).sum();
        let share = self.stages.last().map_or(0.0, |stage| stage.share.as_f64());
        let types = per_hour.iter().map(|(document_type, rate)| {
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
                verdict: (after(VERDICT.0), after(VERDICT.1)),
                can_be_judged: expected >= VERDICT.0,
                windows: windows.collect(),
            }
        });
        types.collect()
    }
}

/// Numbers by chance, the same in every run of the program.
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

    /// Between 0 and 1.
    fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        let hash = XxHash3_64::oneshot_with_seed(self.run, &self.drawn.to_le_bytes());
        let top = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }

    /// A count with this mean: by inversion, and in parts where the smallest probability would vanish.
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

impl Feasibility {
    /// What speaks against starting like this, one sentence each; nothing when all is well.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if self.equal.escalated > 0.2 {
            let share = percent(self.equal.escalated);
            warnings.push(format!(
                "there are too few documents: {share} of the candidates that are as good as production end with a question to a person"
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
        for found in &self.types {
            if !found.can_be_judged {
                warnings.push(format!(
                    "{} cannot be judged by itself: {:.1} corrections are to be expected of the candidate, and a verdict takes {:.1}",
                    found.document_type, found.corrections, VERDICT.0
                ));
            }
            for (cadence, share) in &found.windows {
                if *share < 0.9 {
                    warnings.push(format!(
                        "{} ({cadence}) is met by {} of all such windows: the rollout waits for it",
                        found.document_type,
                        percent(*share)
                    ));
                }
            }
        }
        warnings
    }
}

impl fmt::Display for Feasibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "stage  share   for at least  documents  information  needed"
        )?;
        for (number, stage) in (1..).zip(&self.stages) {
            let at_least = humantime::format_duration(stage.at_least).to_string();
            writeln!(
                f,
                "{number:>5}  {:<6}  {at_least:<12}  {:>9.0}  {:>11.1}  {:>6.0}",
                stage.share.to_string(),
                stage.documents,
                stage.information,
                stage.needed
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "a candidate that is    promoted  rolled back  asks a person  half within  90 % within"
        )?;
        for (name, forecast) in [
            ("as good as production", self.equal),
            ("corrected twice as often", self.twice),
        ] {
            writeln!(
                f,
                "{name:<24} {:>5.0} % {:>10.0} % {:>12.0} %  {:>11}  {:>11}",
                forecast.promoted * 100.0,
                forecast.rolled_back * 100.0,
                forecast.escalated * 100.0,
                shown(forecast.median),
                shown(forecast.nine_in_ten)
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "type                 an hour  documents  corrections  half judged in  90 % in"
        )?;
        for found in &self.types {
            writeln!(
                f,
                "{:<20} {:>7.1}  {:>9.0}  {:>11.1}  {:>14}  {:>7}",
                found.document_type,
                found.per_hour,
                found.documents,
                found.corrections,
                shown(found.verdict.0),
                shown(found.verdict.1)
            )?;
        }
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// Hours and days are enough here.
fn shown(time: Duration) -> String {
    let hours = time.as_secs_f64() / 3_600.0;
    if hours < 48.0 {
        format!("{hours:.1} h")
    } else {
        format!("{:.1} d", hours / 24.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::rollout::canary::CanaryPolicy;
    use crate::time::hours;

    fn types(count: u32, per_hour: f64) -> Vec<(DocumentType, f64)> {
        let name = |n| DocumentType::new(format!("type-{n}")).unwrap();
        (0..count).map(|n| (name(n), per_hour)).collect()
    }

    fn canary(types: &[(DocumentType, f64)], ratio: f64, runs: u32) -> Forecast {
        let policy = CanaryPolicy::default();
        policy.rollout().forecast(types, 0.03, ratio, runs)
    }

    /// The e-value allows 5 %. Runs 0 to 999; at least 24 looks each, 12 while a stage lasts as long as it should.
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

    /// 1,000 documents of the candidate in the two hours of the stage; an independent simulation found 95 %.
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
        assert!(found.rolled_back >= 0.90, "{found:?}");
    }

    /// Means and variances of 20,000 draws: both are the mean of the distribution; four standard errors of the mean, and a tenth of the
    /// variance, whose standard error is 1 % (4 % at the smallest mean).
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
