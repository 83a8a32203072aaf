//! P4: small shares first.

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

/// Exposes a new version in steps, and rolls it back when people must correct its answers too often.
///
/// # What it watches
/// How many answers of the candidate and of production people correct: tell it with
/// [`Signal::corrected`](crate::call::Signal::corrected), days later if need be. A correction counts for the version, the stage and
/// the time that its ticket names; a document counts once, a [batch](crate::Correction::in_batch) counts once, and what was
/// [taken back](crate::call::Signal::retracted) does not count. Answers that somebody looked at, right or wrong, can be told with
/// [`Signal::reviewed`](crate::call::Signal::reviewed). Beside that: how many calls of each version fail, are cut short, go to people
/// or are abandoned.
///
/// # When it acts
/// It starts when a candidate is deployed. In this order:
/// - *Roll back*, at any moment, also while it is paused or waits: when the candidate is corrected more than 1.5 times as often
///   as production *and* the evidence against "no worse" is strong (e-value of at least 20), over all document types; or for one
///   type alone, where the evidence must be as many times stronger as there are types; or when one of the other measures is, with
///   evidence four times as strong. Looked at after every event of the candidate.
/// - *Hold*, with a reason and the time of the next look: the time of the stage is not over; there are too few corrections to
///   tell (three, then six, to be expected at 1.5 times); less than half of the corrections to expect have come; the candidate
///   does not get its share of the documents (chi-square, one in a thousand); the candidate is above 1.5 times with a
///   probability of more than 20 %, in the last stage 5 %; a person must approve. Looked at with every
///   [`tick`](crate::Pipeline::tick).
/// - *Promote* to the next stage, and after the last to everything. For 24 hours more, while the candidate is still in the line-up
///   as one, late corrections can roll it back.
/// - *Escalate* after four times the length of a stage: one page, the share stays, a person decides.
///
/// # What it does
/// Votes for the candidate on a share of the documents, always the same ones: a retried document gets the same version,
/// and a document in at 5 % is in at 25 %. Rolling back means that production serves everything, at once, and one page; or
/// production keeps the one type that is worse and the candidate goes on with the others, if
/// [you say so](CanaryPolicyBuilder::when_one_type_is_worse).
///
/// # What a person can do
/// [`promote`](Self::promote), [`abort`](Self::abort), [`pause`](Self::pause) and [`resume`](Self::resume), or
/// [`hold`](Self::hold) a stage until it is [approved](Self::approve). Nothing of it keeps a candidate in service that is
/// worse. [`feasibility`](Self::feasibility) says before the start what the plan can find out with the documents that there are.
///
/// # What it cannot see
/// - Whether answers that nobody corrected are right.
/// - How long corrections take, before it has watched for twice as long as nine in ten of them take: until then it promotes
///   nothing, unless reviews are told and half of the answers were looked at. It learns from production too, so give it to the
///   pipeline before the first candidate.
/// - That one version is looked at sooner than the other, from fewer than 20 corrections of each. From then on, only answers are
///   compared that are so old that nine in ten are looked at; this may be wrong for a while where corrections alone are told.
/// - Which corrections have one cause, unless they are told as a batch: 20 invoices of one supplier are then 20 facts.
/// - More than 1,000 document types: the others are judged together. More than 100,000 corrections: those beyond count, but
///   count again when told again (an event says so).
///
/// # Defaults and why
/// 5 % for 2 hours, 25 % for 4 hours, then everything; 1.5 times. The plain comparison of two rates rolls back an equal
/// candidate in a quarter of all cases at 50 documents, and in half of them when looked at every five minutes; an e-value
/// may be looked at as often as one likes, and is wrong in at most 5 % (Lindon and Malek, "Anytime-Valid Inference for
/// Multinomial Count Data", 2022, arXiv 2011.03567). The other measures may be wrong in another 5 % together. With 3 % corrections and less
/// than some 500 documents an hour this plan often ends with a question to a person.
///
/// # Events
/// [`StageStarted`](crate::EventKind::Rollout(RolloutEvent::StageStarted)), [`RolloutHolds`](crate::EventKind::Rollout(RolloutEvent::RolloutHolds)) (once for each reason),
/// [`RolloutPromoted`](crate::EventKind::Rollout(RolloutEvent::RolloutPromoted)), [`RolledBack`](crate::EventKind::Rollout(RolloutEvent::RolledBack)) (page),
/// [`TypeExcluded`](crate::EventKind::Rollout(RolloutEvent::TypeExcluded)) (page), [`RolloutEscalated`](crate::EventKind::Rollout(RolloutEvent::RolloutEscalated)) (page),
/// [`ApprovalNeeded`](crate::EventKind::Rollout(RolloutEvent::ApprovalNeeded)) (warning), each with the [`Findings`](crate::rollout::Findings) that it was
/// decided on; [`RolloutCommanded`](crate::EventKind::Rollout(RolloutEvent::RolloutCommanded)),
/// [`CorrectionNotCounted`](crate::EventKind::Rollout(RolloutEvent::CorrectionNotCounted)).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, CanaryPolicy, DocumentType, LineUp, Pipeline, Ratio, Version};
/// use fusebox::rollout::RolloutState;
///
/// let canary = Arc::new(CanaryPolicy::default());
/// let line_up = LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
/// let pipeline = Pipeline::builder(line_up).guard(Arc::clone(&canary)).build()?;
///
/// let permit = pipeline.admit(&Call::new("inv-1", "invoice")?).permit();
/// assert_eq!(permit.and_then(|permit| permit.ticket().stage()), Some(0));
/// assert_eq!(canary.status().share, Ratio::percent(5));
/// assert_eq!(canary.status().state, RolloutState::Running);
/// println!("{}", canary.status()); // one line for a person
///
/// // Is this worth starting with 500 invoices an hour, of which people correct 3 %?
/// let traffic = [(DocumentType::new("invoice")?, 500.0)];
/// let feasibility = canary.feasibility(&traffic, Ratio::percent(3))?;
/// assert!(feasibility.equal.rolled_back < 0.05);
/// # Ok::<(), fusebox::Error>(())
/// ```
pub type CanaryPolicy = RolloutPolicy<Canary>;

/// Marks a rollout in steps.
#[derive(Debug)]
#[non_exhaustive]
pub enum Canary {}

impl CanaryPolicy {
    /// A canary with stages of your own.
    pub fn builder() -> CanaryPolicyBuilder {
        CanaryPolicyBuilder::new(Plan::new(NAME, Vec::new()))
    }

    /// The default stages under the plain rule, as it is often written: when the time of a stage is over, a candidate that is
    /// corrected more than 1.5 times as often is rolled back, and any other goes on, however little is known.
    ///
    /// For comparison, and for services with very many corrections. With production at 3 % and 19 times the documents of
    /// the candidate, one look rolls back an equal candidate in 25.8 % of all rollouts with 50 documents of the candidate,
    /// in 12.2 % with 200 and in 0.6 % with 1,000; it lets one with twice the corrections go on in 36.1 %, 19.8 % and
    /// 2.3 % (exact enumeration of both binomials).
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
    /// Adds a stage: this share of the documents, for at least so long. After the last the candidate serves everything.
    pub fn stage(mut self, share: Ratio, at_least: Duration) -> Self {
        self.plan.stages.push(Stage {
            share,
            at_least,
            needs_approval: false,
        });
        self
    }

    /// After the stage that was added last a person must approve what comes next: when all conditions are met the canary
    /// asks, and waits. Before any stage was added it says nothing.
    pub fn then_approval(mut self) -> Self {
        if let Some(stage) = self.plan.stages.last_mut() {
            stage.needs_approval = true;
        }
        self
    }

    /// Judges by the plain ratio, once at the end of each stage; see [`CanaryPolicy::with_plain_ratio`] for what that costs.
    pub fn plain_ratio(mut self) -> Self {
        self.plan.rule = DecisionRule::PlainRatio;
        self
    }
}
