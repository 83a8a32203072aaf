//! The stages of a rollout and the conditions for leaving them.

use std::time::Duration;

use super::coverage::Coverage;
use crate::error::Error;
use crate::event::{HoldReason, Measure};
use crate::ratio::Ratio;

/// Evidence of this strength against "no worse" rolls back: at most 5 % of candidates that are no worse, however often
/// one looks.
const E_VALUE: f64 = 20.0;
/// Failures, diversions, truncations and abandonments share another 5 %.
const AT_ONCE: f64 = 4.0;
/// Such a share of the corrections to expect must have come before a stage ends.
pub(super) const MIN_MATURITY: f64 = 0.5;
/// A stage is compared in stretches of a quarter of its time, or longer ones if there were more than so many.
const TIME_SLICES: u32 = 32;
/// A stage that is not clear after so many times its own length waits for a person.
const MAX_HOLD: u32 = 4;
const MAX_RATIO: Ratio = Ratio::percent(150);
/// The grid of ratios that evidence is weighed on ends at 8.
const LARGEST_MAX_RATIO: Ratio = Ratio::percent(400);

/// A share of the documents, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) share: Ratio,
    pub(super) at_least: Duration,
    /// Whether a person must approve what comes after it.
    pub(super) needs_approval: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) stages: Vec<Stage>,
    pub(super) max_ratio: Ratio,
    pub(super) rule: DecisionRule,
    /// After how many times its own length a stage that is not clear waits for a person.
    pub(super) max_hold: u32,
    /// How long a stage waits for document types to be seen, if not four times its length.
    pub(super) longest: Option<Duration>,
    pub(super) coverage: Option<Coverage>,
    pub(super) denominator: Denominator,
    pub(super) worse_type: WorseType,
}

/// How a stage is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecisionRule {
    /// By the strength of the evidence, at every look.
    Evidence,
    /// By the plain ratio, once the time of the stage is over.
    PlainRatio,
}

/// What corrections are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denominator {
    /// All documents that a version was given, failed and diverted ones too.
    Processed,
    /// All answers.
    #[default]
    Reviewable,
    /// The answers that a person looked at: for reviews by sample. Tell of them with
    /// [`Signal::reviewed`](crate::call::Signal::reviewed); a corrected answer counts as looked at.
    Reviewed,
}

/// What happens when a candidate is worse for one document type alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorseType {
    /// Production keeps this type, and the candidate goes on with the others.
    Exclude,
    /// The candidate goes out of service.
    #[default]
    RollBack,
}

/// What a stage asks of the evidence before the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// The probability of being above the tolerated ratio may be at most this.
    pub(super) risk: f64,
    /// So many corrections must have been possible.
    pub(super) information: f64,
}

/// How strong evidence must be, as the logarithm of an e-value, when so many document types are judged beside each other.
pub(super) fn ln_bar(measure: Measure, types: usize) -> f64 {
    let types = u32::try_from(types)
        .map_or(f64::INFINITY, f64::from)
        .max(1.0);
    let kinds = if measure == Measure::Corrections {
        1.0
    } else {
        AT_ONCE
    };
    (E_VALUE * kinds * types).ln()
}

impl Plan {
    /// These stages, with the default numbers.
    pub(super) fn new(name: &'static str, stages: Vec<Stage>) -> Self {
        Self {
            name,
            stages,
            max_ratio: MAX_RATIO,
            rule: DecisionRule::Evidence,
            max_hold: MAX_HOLD,
            longest: None,
            coverage: None,
            denominator: Denominator::default(),
            worse_type: WorseType::default(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let name = self.name;
        if self.stages.is_empty() {
            return Err(Error::invalid(
                format!("{name} stages"),
                "none",
                "at least one",
            ));
        }
        if self.stages.len() > usize::from(u8::MAX) {
            return Err(Error::invalid(
                format!("{name} stages"),
                self.stages.len(),
                "at most 255",
            ));
        }
        let mut before = Ratio::ZERO;
        for (number, stage) in (1..).zip(&self.stages) {
            let field = |what| format!("{name} stage {number}: {what}");
            if stage.share <= before || stage.share >= Ratio::ONE {
                let allowed = match number {
                    1 => "more than 0 % and less than 100 %".to_owned(),
                    _ => format!(
                        "more than stage {}'s {before} and less than 100 %",
                        number - 1
                    ),
                };
                return Err(Error::invalid(field("share"), stage.share, allowed));
            }
            if stage.at_least.is_zero() {
                let shown = humantime::format_duration(stage.at_least);
                return Err(Error::invalid(field("time"), shown, "longer than zero"));
            }
            if let Some(longest) = self.longest.filter(|longest| *longest < stage.at_least) {
                let window = humantime::format_duration(stage.at_least);
                return Err(Error::invalid(
                    format!("{name} longest"),
                    humantime::format_duration(longest),
                    format!("at least the window, {window}"),
                ));
            }
            before = stage.share;
        }
        if self.max_hold == 0 {
            return Err(Error::invalid(
                format!("{name} max_hold"),
                self.max_hold,
                "at least 1 time the length of a stage",
            ));
        }
        if self.max_ratio <= Ratio::ONE || self.max_ratio > LARGEST_MAX_RATIO {
            let allowed = format!("more than 100 % and at most {LARGEST_MAX_RATIO}");
            return Err(Error::invalid(
                format!("{name} max_ratio"),
                self.max_ratio,
                allowed,
            ));
        }
        Ok(())
    }

    pub(super) fn stage(&self, number: u8) -> Option<&Stage> {
        self.stages.get(usize::from(number))
    }

    /// What the last stage asks for.
    pub(super) fn last_bar(&self) -> Bar {
        let last = self.stages.len().saturating_sub(1);
        self.bar(u8::try_from(last).unwrap_or(u8::MAX))
    }

    pub(super) fn bar(&self, number: u8) -> Bar {
        let is_last = usize::from(number) + 1 == self.stages.len();
        Bar {
            risk: if is_last { 0.05 } else { 0.20 },
            information: if number == 0 && !is_last { 3.0 } else { 6.0 },
        }
    }

    /// Answers that were admitted in the same stretch of a stage are compared with each other.
    pub(super) fn time_slice(&self, stage: &Stage, age: Duration) -> usize {
        let length = self.time_slice_length(stage).as_millis().max(1);
        let time_slice = usize::try_from(age.as_millis() / length).unwrap_or(usize::MAX);
        time_slice.min(TIME_SLICES as usize - 1)
    }

    pub(super) fn time_slice_length(&self, stage: &Stage) -> Duration {
        let longest = self.patience(stage, HoldReason::Coverage);
        (stage.at_least / 4).max(longest / TIME_SLICES)
    }

    /// After how long a stage that does not come to an end waits for a person.
    pub(super) fn patience(&self, stage: &Stage, reason: HoldReason) -> Duration {
        let usual = stage.at_least.saturating_mul(self.max_hold);
        match (reason, self.longest) {
            (HoldReason::Coverage, Some(longest)) => longest,
            _ => usual,
        }
    }
}
