//! The stages of a rollout and the conditions for leaving them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::status::HoldReason;
use crate::error::Error;
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::time::hours;

/// Evidence of this strength against "no worse" rolls back: at most 5 % of candidates that are no worse, however often
/// one looks.
pub(super) const E_VALUE: f64 = 20.0;
/// A stage that is not clear after so many times its own length waits for a person.
const PATIENCE: u32 = 4;
/// For so long after a promotion late corrections can still roll back.
pub(super) const WATCH: Duration = hours(24);
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
    pub(super) rule: Rule,
    /// How long a stage waits for document types to be seen, if not four times its length.
    pub(super) longest: Option<Duration>,
    pub(super) coverage: Option<Coverage>,
}

/// How a stage is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// By the strength of the evidence, at every look.
    Evidence,
    /// By the plain ratio, once the time of the stage is over.
    PlainRatio,
}

/// Which document types a candidate must have answered, and how often.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    /// If empty, every type that production answered meanwhile.
    pub(super) expected: BTreeSet<DocumentType>,
    pub(super) min_documents: u64,
}

/// What a stage asks of the evidence before the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// The probability of being above the tolerated ratio may be at most this.
    pub(super) risk: f64,
    /// So many corrections must have been possible.
    pub(super) information: f64,
}

impl Plan {
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
            before = stage.share;
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

    pub(super) fn bar(&self, number: u8) -> Bar {
        let is_last = usize::from(number) + 1 == self.stages.len();
        Bar {
            risk: if is_last { 0.05 } else { 0.20 },
            information: if number == 0 && !is_last { 3.0 } else { 6.0 },
        }
    }

    /// After how long a stage that does not come to an end waits for a person.
    pub(super) fn patience(&self, stage: &Stage, reason: HoldReason) -> Duration {
        let usual = stage.at_least.saturating_mul(PATIENCE);
        match (reason, self.longest) {
            (HoldReason::Coverage, Some(longest)) => longest,
            _ => usual,
        }
    }
}
