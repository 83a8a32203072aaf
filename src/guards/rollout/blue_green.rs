//! P5: two versions live side by side, long enough for types that only come on some days.

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

/// Keeps two versions live and compares them per document type, until every type was seen.
///
/// # What it watches
/// What a [`CanaryPolicy`](crate::CanaryPolicy) watches: corrections by ticket, and how calls end. Beside that, which document
/// types production answers, with a candidate or without one.
///
/// # When it acts
/// It starts when a candidate is deployed. It rolls back as a canary does: over all types together, or for one type alone. It
/// promotes when 48 hours are over, half of the corrections to expect have come, every expected type was answered at least 20
/// times by the candidate, and the candidate is above 1.5 times with a probability of at most 5 %. It asks a person when that
/// is not clear after four times the window, or when types were not seen after 35 days, and names them.
///
/// Expected are the types that you declare, [with the times](BlueGreenPolicyBuilder::expect) at which their documents come
/// (daily, weekly, at a month's end, or as you say); or, if you declare none, those that production answered in the last 35
/// days.
///
/// # What it does
/// Votes for the candidate on 10 % of the documents, always the same ones. Rolling back means that production serves
/// everything, at once, and one page; or that production keeps the one type that is worse, if
/// [you say so](BlueGreenPolicyBuilder::when_one_type_is_worse). After a promotion, types that the candidate has not answered
/// often enough keep the 10 % until it has, and are judged until then; so a person may promote before a month's end.
///
/// # What a person can do
/// The same as with a [`CanaryPolicy`](crate::CanaryPolicy): [`promote`](Self::promote), [`abort`](Self::abort),
/// [`pause`](Self::pause), [`resume`](Self::resume), [`hold`](Self::hold) and [`approve`](Self::approve);
/// [`feasibility`](Self::feasibility) before the start.
///
/// # What it cannot see
/// What a canary cannot see, and types that never come. A window of 48 hours meets a type that comes on one day of the week with
/// a probability of 43 %, and one that comes on one day of the month with 10 %. Times are judged in UTC. What production
/// answered is learnt only while the guard is in the pipeline.
///
/// # Defaults and why
/// 10 % for 48 hours; at least 20 documents of each type; 35 days, so that a month's end is in it.
///
/// # Events
/// Those of a [`CanaryPolicy`](crate::CanaryPolicy#events).
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
/// assert_eq!(policy.status().candidate, None); // nothing is on trial yet
/// # Ok::<(), fusebox::Error>(())
/// ```
pub type BlueGreenPolicy = RolloutPolicy<BlueGreen>;

/// Marks a rollout of two versions side by side.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlueGreen {}

impl BlueGreenPolicy {
    /// A comparison with the default numbers.
    pub fn builder() -> BlueGreenPolicyBuilder {
        BlueGreenPolicyBuilder::new(plan())
    }
}

/// One stage with the default numbers.
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
    /// The candidate's share (10 % by default; between 0 % and 100 %).
    pub fn share(mut self, share: Ratio) -> Self {
        self.stage(|stage| stage.share = share);
        self
    }

    /// How long both versions are live at least (48 hours by default).
    pub fn window(mut self, window: Duration) -> Self {
        self.stage(|stage| stage.at_least = window);
        self
    }

    /// How long to wait for types that were not seen, before a person is asked (35 days by default; not shorter than the window).
    pub fn longest(mut self, longest: Duration) -> Self {
        self.plan.longest = Some(longest);
        self
    }

    /// The types that must have been seen (by default those that production answers meanwhile).
    pub fn expect_types(self, types: impl IntoIterator<Item = DocumentType>) -> Self {
        let expected = types.into_iter();
        expected.fold(self, |builder, document_type| {
            builder.expect(document_type, Cadence::Daily)
        })
    }

    /// A type that must have been seen, and when its documents come. One type may be expected at several times, and must then
    /// have been seen often enough at each.
    pub fn expect(mut self, document_type: DocumentType, cadence: Cadence) -> Self {
        if let Some(coverage) = &mut self.plan.coverage {
            let cadences = coverage.expected.entry(document_type).or_default();
            cadences.push(cadence);
        }
        self
    }

    /// How many documents of a type the candidate must have answered (20 by default).
    pub fn min_documents(mut self, documents: u64) -> Self {
        if let Some(coverage) = &mut self.plan.coverage {
            coverage.min_documents = documents;
        }
        self
    }

    /// Whether a person must approve the promotion (no by default): when all conditions are met it asks, and waits.
    pub fn with_approval(mut self) -> Self {
        self.stage(|stage| stage.needs_approval = true);
        self
    }

    fn stage(&mut self, change: impl Fn(&mut Stage)) {
        self.plan.stages.iter_mut().for_each(change);
    }
}
