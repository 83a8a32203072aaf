//! The canary preset: a small share first, then a larger one.

use std::time::Duration;

use super::plan::{DecisionRule, Plan, Stage};
use super::policy::{RolloutPolicy, RolloutPolicyBuilder};
use crate::ratio::Ratio;
use crate::time::hours;

const STAGES: [Stage; 2] = [
    Stage {
        share: Ratio::percent(5),
        at_least: hours(2),
        needs_approval: false,
    },
    Stage {
        share: Ratio::percent(25),
        at_least: hours(4),
        needs_approval: false,
    },
];
const NAME: &str = "canary";

/// Rolls out a new version in stages, and rolls it back when reviewers correct its answers too
/// often.
///
/// # What it watches
/// How many answers of the candidate and of production reviewers correct: report each correction
/// with [`Feedback::corrected`](crate::Feedback::corrected), days later if need be. A correction
/// counts for the version and the stage on its ticket; a
/// [retracted](crate::Feedback::retracted) one no longer counts. In addition, the policy counts how
/// many documents of each version fail, are truncated, go to human review or are abandoned.
///
/// A document counts once for each of these, however often it is tried or corrected; so do the
/// documents of a [batch](crate::Call::in_batch), all of which see one version. Failures in a row
/// that the provider causes count as one: for at most five minutes, or for as long as both versions
/// fail.
///
/// Report answers that a reviewer checked, right or wrong, with
/// [`Feedback::Reviewed`](crate::Feedback::Reviewed): then corrections are divided by what was
/// reviewed, and it does not matter that reviewers look at more answers of one version, or sooner.
/// Without such reports the policy assumes that they look at both alike, and its texts say so.
///
/// # When it acts
/// A rollout starts when a candidate is deployed, or when a shadow run has cleared it if
/// [you ask for that](CanaryPolicyBuilder::after_shadow). In this order, the policy decides to:
/// - *Roll back*, at any time, even while the rollout is paused or held. Over all document types,
///   the candidate must be corrected more than 1.5 times as often as production with a probability
///   of at least 95 %, *and* the evidence against "no worse" must be strong (e-value of at least
///   20). For one type alone, the required e-value is multiplied by the number of types. For
///   failures, truncations, diversions and abandonments, it is multiplied by four. The policy
///   checks this after every event of the candidate.
/// - *Hold*, with a reason and the time of the next evaluation: production or the candidate does
///   not serve its share, because another guard sends the documents elsewhere (an
///   [`ErrorRateBreaker`](crate::ErrorRateBreaker) that took production out of service, for all
///   documents or for one type); the stage has not run for its full time, without the time in which
///   one of them did not serve; reviews are reported of one version alone; there are too few
///   corrections (at a ratio of 1.5, at least three must be expected of the candidate in the first
///   stage and six in later ones); of the documents that came in the stage's time, less than half
///   of the expected corrections have arrived, or less than 90 % where the candidate's take longer
///   than production's; the candidate does not get its share of the documents (chi-square test, one
///   false alarm in a thousand); the probability that the ratio is above 1.5 is more than 20 %, in
///   the last stage 5 %; a measure, or a type with enough events to evaluate it alone (three
///   expected of the candidate at a ratio of 1.5), looks worse than with no data at all; an approval
///   is missing. The policy evaluates this at every [`tick`](crate::Pipeline::tick).
/// - *Promote* to the next stage, and after the last stage to all documents. Types with too few
///   corrections to evaluate them alone are named, and stay behind
///   [if you ask for it](crate::rollout::UnjudgedType::Keep). For another 24 hours, late
///   corrections can roll the candidate back, or are a page once it is the production version;
///   after that they are a warning.
/// - *Escalate* when documents have come for four times the length of a stage: the policy pages
///   once and the share stays. The operator decides, or the evidence does as before when it becomes
///   clear. Nights and weekends without documents do not count, nor the time in which production
///   does not serve, nor that in which reviews are late as they always are. Where the
///   candidate has answered 1,000 documents in the stage, or where no
///   document came at all, four times the length by the clock are enough.
///
/// # What it does
/// The policy votes for the candidate on a share of the documents. A document always gets the same
/// version, also on a retry, and every document in the 5 % is also in the 25 %. On a rollback,
/// production serves everything at once and the policy pages once; deployed again, the candidate
/// gets no documents until an operator [readmits](Self::readmit) it.
/// [`WorseType::Exclude`](crate::rollout::WorseType::Exclude) returns only the worse type to
/// production; the candidate continues with the others.
///
/// # What an operator can do
/// [`promote`](Self::promote), [`abort`](Self::abort), [`readmit`](Self::readmit),
/// [`pause`](Self::pause) and [`resume`](Self::resume), or [`hold`](Self::hold) a stage until
/// [`approve`](Self::approve). No command keeps a candidate in service when the evidence says that
/// it is worse. Before the start, [`feasibility`](Self::feasibility) estimates what the plan can
/// detect with the available documents, and [`fit`](Self::fit) finds the plan that detects enough
/// in time.
///
/// # What it cannot see
/// - Whether an answer is right that no reviewer corrected.
/// - How long corrections take, until it has recorded review delays for twice their 90th
///   percentile. Until then it promotes nothing, unless half of the answers have been reviewed or
///   corrected. It records delays from production too, so add the policy to the pipeline before you
///   deploy the first candidate.
/// - That reviewers look at more answers of one version than of the other, or sooner, where reviews
///   are not reported: then an equal candidate can be rolled back.
/// - Which documents are wrong for one cause, unless they are in one
///   [batch](crate::Call::in_batch): 20 invoices of one supplier count as 20.
/// - That a version no longer serves, before three of its documents went elsewhere; and with fewer
///   documents than that, not at all.
/// - More than 1,000 document types: it evaluates the rest together. More than 100,000 corrections:
///   further ones count, but a repeated report counts twice (an event says so).
///
/// # Defaults and why
/// 5 % for 2 hours, 25 % for 4 hours, then everything; a ratio of 1.5. A plain comparison of two
/// rates rolls back an equal candidate in a quarter of all rollouts at 50 documents, and in half of
/// them if it is repeated every five minutes. An e-value can be checked at any time, and its
/// false-alarm probability stays at 5 % or less (Lindon and Malek, "Anytime-Valid Inference for
/// Multinomial Count Data", 2022, arXiv 2011.03567). The other four measures together may add
/// another 5 %, and the types by themselves as much as both: 20 % is the bound. That the ratio must
/// be above 1.5 with a certainty of 95 % makes it less: of equal candidates 0 to 3 % are rolled back
/// ([how rollouts end](crate::documentation::rollouts), simulated, beside other rules). With 3 %
/// corrections and fewer than about 500 documents an hour this plan often escalates to the operator:
/// [`fit`](Self::fit) finds one that does not. A rollout whose plan has little chance says so once,
/// as soon as it is known how many corrections come and how late: from what the policy observed
/// before, or from the traffic that [you state](CanaryPolicyBuilder::for_traffic).
///
/// # Events
/// What each page means and what to do: [the runbook](crate::documentation::runbooks::rollout).
///
/// [`PlanTooShort`](crate::event::RolloutEvent::PlanTooShort) (warning, once);
/// [`RolloutWaits`](crate::event::RolloutEvent::RolloutWaits) (once),
/// [`StageStarted`](crate::event::RolloutEvent::StageStarted),
/// [`RolloutHolds`](crate::event::RolloutEvent::RolloutHolds) (once per reason),
/// [`RolloutPromoted`](crate::event::RolloutEvent::RolloutPromoted),
/// [`RolledBack`](crate::event::RolloutEvent::RolledBack) (page),
/// [`CandidateBarred`](crate::event::RolloutEvent::CandidateBarred) (warning),
/// [`FoundWorse`](crate::event::RolloutEvent::FoundWorse) (page; a day later, warning),
/// [`TypeExcluded`](crate::event::RolloutEvent::TypeExcluded) (page),
/// [`RolloutEscalated`](crate::event::RolloutEvent::RolloutEscalated) (page),
/// [`ApprovalNeeded`](crate::event::RolloutEvent::ApprovalNeeded) (warning), each with the
/// [`Findings`](crate::rollout::Findings) behind the decision;
/// [`RolloutCommanded`](crate::event::RolloutEvent::RolloutCommanded),
/// [`CorrectionNotCounted`](crate::event::RolloutEvent::CorrectionNotCounted).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, CanaryPolicy, DocumentType, LineUp, Pipeline, Ratio, Version};
/// use fusebox::rollout::{RolloutState, Traffic};
///
/// let canary = Arc::new(CanaryPolicy::default());
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
/// let pipeline = Pipeline::builder(line_up).guard(Arc::clone(&canary)).build()?;
///
/// let permit = pipeline.admit(&Call::new("inv-1", "invoice")?).permit();
/// assert_eq!(permit.and_then(|permit| permit.ticket().stage()), Some(1));
/// assert_eq!(canary.status().share, Ratio::percent(5));
/// assert_eq!(canary.status().state, RolloutState::Running);
/// println!("{}", canary.status()); // one line for the operator
///
/// // Is this worth starting with 500 invoices an hour, of which reviewers correct 3 %?
/// let traffic = Traffic::new([(DocumentType::new("invoice")?, 500.0)], Ratio::percent(3))?;
/// let feasibility = canary.feasibility(&traffic);
/// assert!(feasibility.equal.rolled_back < 0.05);
/// # Ok::<(), fusebox::Error>(())
/// ```
pub type CanaryPolicy = RolloutPolicy<Canary>;

/// The kind of rollout that increases the share in stages.
#[derive(Debug)]
#[non_exhaustive]
pub enum Canary {}

impl CanaryPolicy {
    /// A builder without stages: add your own.
    pub fn builder() -> CanaryPolicyBuilder {
        CanaryPolicyBuilder::new(Plan::new(NAME, Vec::new()))
    }

    /// The default stages with the plain ratio as it is often written: at the end of a stage, roll
    /// back a candidate that is corrected more than 1.5 times as often as production, and promote
    /// any other, however little evidence there is.
    ///
    /// For comparison, and for services with very many corrections. With production corrected at 3
    /// % and serving 19 times as many documents, a single evaluation rolls back an equal candidate
    /// in 25.8 % of all rollouts with 50 documents of the candidate, in 12.2 % with 200 and in 0.6
    /// % with 1,000; it promotes a candidate with twice the corrections in 36.1 %, 19.8 % and 2.3 %
    /// (exact enumeration of both binomials).
    pub fn with_plain_ratio() -> Self {
        let plan = Plan::new(NAME, STAGES.to_vec());
        Self::new(Plan {
            rule: DecisionRule::PlainRatio,
            ..plan
        })
    }
}

impl Default for CanaryPolicy {
    fn default() -> Self {
        Self::new(Plan::new(NAME, STAGES.to_vec()))
    }
}

/// Configures a [`CanaryPolicy`].
pub type CanaryPolicyBuilder = RolloutPolicyBuilder<Canary>;

impl CanaryPolicyBuilder {
    /// Adds a stage: the candidate's share of the documents, and the minimum time. After the last
    /// stage the candidate serves everything.
    pub fn stage(mut self, share: Ratio, at_least: Duration) -> Self {
        self.plan.stages.push(Stage {
            share,
            at_least,
            needs_approval: false,
        });
        self
    }

    /// Requires the operator's approval after the stage that was added last: when all other
    /// conditions are met, the policy asks for it and waits. Without a stage it has no effect.
    pub fn then_approval(mut self) -> Self {
        if let Some(stage) = self.plan.stages.last_mut() {
            stage.needs_approval = true;
        }
        self
    }

    /// Decides by the plain ratio, once at the end of each stage;
    /// [`CanaryPolicy::with_plain_ratio`] states the cost.
    pub fn plain_ratio(mut self) -> Self {
        self.plan.rule = DecisionRule::PlainRatio;
        self
    }
}
