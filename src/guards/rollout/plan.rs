//! The stages of a rollout and the conditions for leaving them.

use std::sync::Arc;
use std::time::Duration;

use super::coverage::Coverage;
use super::thresholds::Bar;
use super::traffic::Traffic;
use crate::error::Error;
use crate::guard::Clearance;
use crate::ratio::Ratio;

/// After this many times its own length, a stage that is still unclear escalates to the operator.
const MAX_HOLD: u32 = 4;
const MAX_RATIO: Ratio = Ratio::percent(150);
/// The grid of ratios in the ratio test ends at 8.
const LARGEST_MAX_RATIO: Ratio = Ratio::percent(400);

/// A share of the documents, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) share: Ratio,
    pub(super) at_least: Duration,
    /// Whether the operator must approve the step after this stage.
    pub(super) needs_approval: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) stages: Vec<Stage>,
    pub(super) max_ratio: Ratio,
    pub(super) rule: DecisionRule,
    /// After how many times its own length an unclear stage escalates.
    pub(super) max_hold: u32,
    /// How long a stage waits for missing document types, if not `max_hold` times its length.
    pub(super) longest: Option<Duration>,
    pub(super) coverage: Option<Coverage>,
    pub(super) denominator: Denominator,
    pub(super) worse_type: WorseType,
    pub(super) unjudged_type: UnjudgedType,
    /// What the user expects to come.
    pub(super) traffic: Option<Traffic>,
    /// What must clear a candidate before it serves its first document.
    pub(super) clearance: Option<Arc<dyn Clearance>>,
}

/// How a stage is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecisionRule {
    /// By the strength of the evidence, at every evaluation.
    Evidence,
    /// By the plain ratio, at the end of the stage.
    PlainRatio,
}

/// The denominator of the correction rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denominator {
    /// The reviewed answers, once reviews are reported
    /// ([`Feedback::Reviewed`](crate::Feedback::Reviewed)); all answers until then, as if reviewers
    /// looked at both versions alike. While reviews of one version alone are reported, no stage ends.
    #[default]
    Automatic,
    /// All documents that a version received, including failed and diverted ones.
    Processed,
    /// All answers. That is right only where reviewers look at as many answers of one version as of
    /// the other, and as soon.
    Reviewable,
    /// The reviewed answers; a corrected answer counts as reviewed. Until reviews of both versions
    /// are reported, no stage ends.
    Reviewed,
}

/// What happens after a promotion to a document type with too few corrections to evaluate it by
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnjudgedType {
    /// It stays at the share of the last stage until it can be evaluated.
    Keep,
    /// The candidate serves it like all others; the events name it.
    #[default]
    Promote,
}

/// What happens when a candidate is worse for one document type alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorseType {
    /// The type returns to production, and the candidate continues with the others.
    Exclude,
    /// The candidate goes out of service.
    #[default]
    RollBack,
}

impl Plan {
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
            unjudged_type: UnjudgedType::default(),
            traffic: None,
            clearance: None,
        }
    }

    /// Of a clearance and of times of one's own, which are code, only that they are there.
    pub(super) fn settings(&self) -> String {
        let Self {
            name,
            stages,
            max_ratio,
            rule,
            max_hold,
            longest,
            coverage,
            denominator,
            worse_type,
            unjudged_type,
            traffic,
            clearance,
        } = self;
        let coverage = coverage.as_ref().map(Coverage::settings);
        let has_clearance = clearance.is_some();
        format!(
            "{name} {stages:?} {max_ratio:?} {rule:?} {max_hold} {longest:?} {coverage:?} \
             {denominator:?} {worse_type:?} {unjudged_type:?} {traffic:?} {has_clearance}"
        )
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
                "at least 1",
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

    pub(super) fn last_stage(&self) -> u8 {
        let last = self.stages.len().saturating_sub(1);
        u8::try_from(last).unwrap_or(u8::MAX)
    }

    pub(super) fn last_bar(&self) -> Bar {
        self.bar(self.last_stage())
    }

    pub(super) fn bar(&self, number: u8) -> Bar {
        let is_last = usize::from(number) + 1 == self.stages.len();
        Bar::of_stage(number == 0, is_last)
    }

    /// For how long documents come to an unclear stage before it escalates.
    pub(super) fn patience(&self, stage: &Stage) -> Duration {
        stage.at_least.saturating_mul(self.max_hold)
    }
}
