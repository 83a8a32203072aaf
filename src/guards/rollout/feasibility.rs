//! What a plan can detect with the available documents, estimated before the start.

mod simulation;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::controller::Rollout;
use super::coverage::Cadence;
use super::plan::Plan;
use crate::error::Error;
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::time::{Timestamp, as_millis, millis};

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
/// rollouts under the conditions of the plan; its error is below 8 percentage points. The
/// simulation assumes that corrections and approvals arrive at once, and that every type arrives
/// all the time; real delays add to the times.
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
                let allowed = "more than 0 and at most 10000000 documents per hour";
                return Err(Error::invalid(field, rate, allowed));
            }
        }
        if corrections == Ratio::ZERO || corrections > Ratio::percent(50) {
            let field = format!("{name} feasibility: corrections");
            let allowed = "more than 0 % and at most 50 %, because the simulation doubles them";
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
                verdict: (after(NEEDED_CORRECTIONS.0), after(NEEDED_CORRECTIONS.1)),
                can_be_judged: expected >= NEEDED_CORRECTIONS.0,
                windows: windows.collect(),
            }
        });
        types.collect()
    }
}

impl Feasibility {
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

impl fmt::Display for Feasibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "stage  share   minimum time  documents  information  needed"
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
            "a candidate that is    promoted  rolled back      escalated  median time  90 % within"
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
            "type                per hour  documents  corrections   decided: 50 %     90 %"
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

fn shown(time: Duration) -> String {
    let hours = time.as_secs_f64() / 3_600.0;
    if hours < 48.0 {
        format!("{hours:.1} h")
    } else {
        format!("{:.1} d", hours / 24.0)
    }
}
