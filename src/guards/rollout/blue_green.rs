//! The blue/green preset: two versions run side by side, long enough for document types that arrive
//! only on some days.

use std::collections::BTreeMap;
use std::time::Duration;

use super::coverage::{Cadence, Coverage};
use super::plan::{Plan, Stage};
use super::policy::{RolloutPolicy, RolloutPolicyBuilder};
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::time::hours;

const SHARE: Ratio = Ratio::percent(10);
const WINDOW: Duration = hours(48);
const LONGEST: Duration = hours(35 * 24);
const MIN_DOCUMENTS: u64 = 20;

/// Runs two versions side by side and compares them per document type until the candidate has
/// answered every expected type.
///
/// # What it watches
/// The signals that a [`CanaryPolicy`](crate::CanaryPolicy) watches: corrections and the outcomes
/// of calls. In addition, the document types that production answers, with or without a candidate.
///
/// # When it acts
/// A rollout starts when a candidate is deployed, or when a shadow run has cleared it if
/// [you ask for that](BlueGreenPolicyBuilder::after_shadow). The policy rolls back as a canary does, for all
/// types together or for one type alone. It promotes when 48 hours have passed, half of the
/// expected corrections have arrived, the candidate has answered every expected type at least 20
/// times, no type that can be evaluated alone looks worse, and the probability that its correction
/// ratio is above 1.5 is at most 5 %. Like a canary, it holds while production or the candidate does not serve its share, also of one type; a type of
/// which no document comes for as long as the window holds nothing up. It escalates to the operator
/// when that is still unclear when documents have come for four times the window, or when expected types are missing after
/// 35 days; the page names them.
///
/// You declare the expected types and [when their documents arrive](BlueGreenPolicyBuilder::expect)
/// (daily, weekly, at month end, or at times of your own). If you declare none, the policy expects
/// every type that production answered in the last 35 days.
///
/// # What it does
/// The policy votes for the candidate on 10 % of the documents; a document always gets the same
/// version. On a rollback, production serves everything at once and the policy pages once.
/// [`WorseType::Exclude`](crate::rollout::WorseType::Exclude) returns only the worse type to
/// production. After a promotion, a type that the candidate has not answered often enough stays at
/// 10 % until it has, and is evaluated until then; so the operator can promote before month end.
///
/// # What an operator can do
/// The same as with a [`CanaryPolicy`](crate::CanaryPolicy): [`promote`](Self::promote),
/// [`abort`](Self::abort), [`pause`](Self::pause), [`resume`](Self::resume), [`hold`](Self::hold)
/// and [`approve`](Self::approve); [`feasibility`](Self::feasibility) before the start.
///
/// # What it cannot see
/// Everything that a canary cannot see, and types that never arrive. A 48-hour window includes a
/// type that arrives on one day of the week with a probability of 43 %, and one that arrives on one
/// day of the month with a probability of 10 %. Cadences use UTC. The policy records the types that
/// production answers only while it is in the pipeline.
///
/// # Defaults and why
/// 10 % for 48 hours; at least 20 documents of each type; 35 days, because that includes a month
/// end.
///
/// # Events
/// What each page means and what to do: [the runbook](crate::documentation::runbooks::rollout).
///
/// The same as for a [`CanaryPolicy`](crate::CanaryPolicy#events).
///
/// # Example
/// ```
/// use fusebox::{BlueGreenPolicy, DocumentType};
/// use fusebox::rollout::{Cadence, WorseType};
///
/// let policy = BlueGreenPolicy::builder()
///     .expect(DocumentType::new("invoice")?, Cadence::Daily)
///     .expect(DocumentType::new("statement")?, Cadence::MonthEnd)
///     .when_one_type_is_worse(WorseType::Exclude)
///     .build()?;
/// assert_eq!(policy.status().candidate, None); // no rollout yet
/// # Ok::<(), fusebox::Error>(())
/// ```
pub type BlueGreenPolicy = RolloutPolicy<BlueGreen>;

/// The kind of rollout that runs two versions side by side.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlueGreen {}

impl BlueGreenPolicy {
    /// A builder with the default numbers.
    pub fn builder() -> BlueGreenPolicyBuilder {
        BlueGreenPolicyBuilder::new(plan())
    }
}

fn plan() -> Plan {
    let stage = Stage {
        share: SHARE,
        at_least: WINDOW,
        needs_approval: false,
    };
    Plan {
        longest: Some(LONGEST),
        coverage: Some(Coverage {
            expected: BTreeMap::new(),
            min_documents: MIN_DOCUMENTS,
        }),
        ..Plan::new("blue-green", vec![stage])
    }
}

impl Default for BlueGreenPolicy {
    fn default() -> Self {
        Self::new(plan())
    }
}

/// Configures a [`BlueGreenPolicy`].
pub type BlueGreenPolicyBuilder = RolloutPolicyBuilder<BlueGreen>;

impl BlueGreenPolicyBuilder {
    /// The candidate's share (default 10 %; more than 0 % and less than 100 %).
    pub fn share(mut self, share: Ratio) -> Self {
        self.stage(|stage| stage.share = share);
        self
    }

    /// The minimum time for which both versions run (default 48 hours).
    pub fn window(mut self, window: Duration) -> Self {
        self.stage(|stage| stage.at_least = window);
        self
    }

    /// How long the rollout waits for missing types before it escalates to the operator (default 35
    /// days; at least the window).
    pub fn longest(mut self, longest: Duration) -> Self {
        self.plan.longest = Some(longest);
        self
    }

    /// Types that the candidate must answer, expected daily (default: the types that production
    /// answered in the last 35 days).
    pub fn expect_types(self, types: impl IntoIterator<Item = DocumentType>) -> Self {
        let expected = types.into_iter();
        expected.fold(self, |builder, document_type| {
            builder.expect(document_type, Cadence::Daily)
        })
    }

    /// A type that the candidate must answer, and when its documents arrive. A type can have
    /// several cadences; the candidate must then answer enough documents at each.
    pub fn expect(mut self, document_type: DocumentType, cadence: Cadence) -> Self {
        if let Some(coverage) = &mut self.plan.coverage {
            let cadences = coverage.expected.entry(document_type).or_default();
            cadences.push(cadence);
        }
        self
    }

    /// How many documents of each expected type the candidate must answer (default 20).
    pub fn min_documents(mut self, documents: u64) -> Self {
        if let Some(coverage) = &mut self.plan.coverage {
            coverage.min_documents = documents;
        }
        self
    }

    /// Requires the operator's approval for the promotion: when all other conditions are met, the
    /// policy asks for it and waits.
    pub fn with_approval(mut self) -> Self {
        self.stage(|stage| stage.needs_approval = true);
        self
    }

    fn stage(&mut self, change: impl Fn(&mut Stage)) {
        self.plan.stages.iter_mut().for_each(change);
    }
}
