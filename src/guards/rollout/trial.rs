//! One candidate's trial: its stage, and the counts of its and production's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bursts::Bursts;
use super::cohort::Cohort;
use super::counts::{Pair, TypeCounts};
use super::coverage::{Cadence, Coverage};
use super::documents::Documents;
use super::incident;
use super::plan::{Denominator, Plan, Stage};
use super::serving::Serving;
use super::status::RolloutState;
use crate::call::Role;
use crate::event::{EventKind, Findings, HoldReason, NotCounted, RolloutEvent};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::stats::{BoundedMap, Tracked, Waits};
use crate::time::{Timestamp, hours};

/// The number of document types that are evaluated separately; further types share an overflow
/// entry.
pub(super) const TYPES: usize = 1_000;
/// A stage waits for the corrections of so many answers of the candidate at least.
const COHORT: u32 = 20;
/// The number of things that people were told that is remembered.
const TOLD: usize = 8;
/// How long after a promotion late corrections can still roll back.
const WATCH: Duration = hours(24);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and most of their combinations occur"
)]
pub(super) struct Trial {
    pub(super) candidate: VersionId,
    pub(super) stable: VersionId,
    pub(super) started: Timestamp,
    /// Whether it is no rollout of which other processes know nothing: one of its steps was agreed
    /// on, or it began anew.
    #[serde(default)]
    pub(super) is_known: bool,
    /// The stage's place in the plan, from 0; what people see is its `number`.
    pub(super) stage: u8,
    /// When the stage started; a pause moves it.
    pub(super) since: Timestamp,
    pub(super) state: RolloutState,
    pub(super) paused_at: Option<Timestamp>,
    /// Whether the operator requires an approval before the next stage.
    pub(super) held: bool,
    /// Whether the operator approved the next stage.
    pub(super) approved: bool,
    /// The hold reason that was reported last.
    pub(super) last_reported_hold: Option<HoldReason>,
    #[serde(with = "stored_types")]
    pub(super) by_type: BoundedMap<DocumentType, Tracked<TypeCounts>>,
    /// Types that returned to production.
    pub(super) excluded: BTreeSet<DocumentType>,
    /// Which documents of the stage must mature before it ends.
    pub(super) cohort: Cohort,
    /// Whether a review that was no correction was reported, of each version.
    pub(super) reviews_told: Pair<bool>,
    /// How long the first reviews of each version's answers took.
    pub(super) waits: Pair<Waits>,
    pub(super) not_counted: BTreeMap<NotCounted, u64>,
    pub(super) documents: Documents,
    pub(super) bursts: Pair<Bursts>,
    /// Whether the stage waits for corrections of which it is known when they come: that is no reason
    /// to ask a person.
    pub(super) waits_for_reviews: bool,
    /// Whether both versions serve.
    pub(super) serving: Serving,
    /// Whether the promoted candidate has become the production version.
    pub(super) is_production: bool,
    /// Whether it was told that the promoted candidate is worse.
    pub(super) was_told_worse: bool,
    /// Why the candidate has not begun to serve, in the words of what must clear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_cleared: Option<String>,
    /// What people were told of what this trial did, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) told: Vec<RolloutEvent>,
    /// Whether it was given away to be stored: one that was not is another than the one before it.
    #[serde(skip)]
    pub(super) is_shared: bool,
}

impl Trial {
    pub(super) fn new(candidate: VersionId, stable: VersionId, now: Timestamp) -> Self {
        Self {
            candidate,
            stable,
            started: now,
            is_known: false,
            stage: 0,
            since: now,
            state: RolloutState::Running,
            paused_at: None,
            held: false,
            approved: false,
            last_reported_hold: Some(HoldReason::NotDue),
            by_type: BoundedMap::new(TYPES),
            excluded: BTreeSet::new(),
            cohort: Cohort::default(),
            reviews_told: Pair::default(),
            waits: Pair::default(),
            not_counted: BTreeMap::new(),
            documents: Documents::default(),
            bursts: Pair::default(),
            waits_for_reviews: false,
            serving: Serving::new(now),
            is_production: false,
            was_told_worse: false,
            not_cleared: None,
            told: Vec::new(),
            is_shared: false,
        }
    }

    /// The empty trial that the status shows while there is no rollout.
    pub(super) fn none() -> Self {
        let other = VersionId::other();
        Self::new(other.clone(), other, Timestamp::EPOCH)
    }

    /// The same trial from its first stage, with nothing counted.
    pub(super) fn again(&self, now: Timestamp) -> Self {
        let (candidate, stable) = (self.candidate.clone(), self.stable.clone());
        Self {
            is_known: true,
            ..Self::new(candidate, stable, now)
        }
    }

    /// Gives the candidate no document until it is cleared.
    pub(super) fn wait(&mut self) {
        self.state = RolloutState::Waiting;
        self.last_reported_hold = None;
        self.not_cleared = Some("no tick has asked it yet".to_owned());
    }

    /// Whether the candidate does not wait for its clearance, or no longer.
    pub(super) fn has_started(&self) -> bool {
        self.state != RolloutState::Waiting
    }

    /// Why the candidate waits, if it does.
    pub(super) fn waits_for(&self) -> Option<&str> {
        let why = self.not_cleared.as_deref();
        why.filter(|_| !self.has_started())
    }

    /// Which candidate waits for its clearance, and since when.
    pub(super) fn asks(&self) -> Option<(VersionId, Timestamp)> {
        (!self.has_started()).then(|| (self.candidate.clone(), self.started))
    }

    /// The stage's number, from 1, as it stands in events, on tickets and in the status.
    pub(super) fn number(&self) -> u8 {
        self.stage.saturating_add(1)
    }

    pub(super) fn enter(&mut self, stage: u8, now: Timestamp) {
        self.stage = stage;
        self.since = now;
        self.state = RolloutState::Running;
        self.paused_at = None;
        (self.held, self.approved) = (false, false);
        self.last_reported_hold = Some(HoldReason::NotDue);
        self.cohort = Cohort::default();
        self.waits_for_reviews = false;
        self.serving.enter(now);
    }

    /// Takes the candidate out of service; returns the event.
    pub(super) fn take_out_of_service(
        &mut self,
        state: RolloutState,
        findings: Findings,
    ) -> RolloutEvent {
        self.state = state;
        self.paused_at = None;
        RolloutEvent::RolledBack {
            candidate: self.candidate.clone(),
            stage: self.number(),
            findings: Box::new(findings),
        }
    }

    /// Returns a type to production.
    pub(super) fn exclude(&mut self, document_type: &DocumentType, now: Timestamp) {
        if self.excluded.insert(document_type.clone()) {
            let is_paused = self.paused_at.is_some();
            self.serving.forget(document_type, now, is_paused);
        }
    }

    /// Tells people that the candidate was rolled back or that a type was excluded.
    pub(super) fn tell(&mut self, event: RolloutEvent, cx: &Cx<'_>) {
        let trouble = match &event {
            RolloutEvent::TypeExcluded { document_type, .. } => {
                incident::type_excluded(&self.candidate, document_type)
            }
            _ => incident::rolled_back(&self.candidate),
        };
        cx.page(&trouble, EventKind::Rollout(event.clone()));
        if self.told.len() >= TOLD {
            self.told.remove(0);
        }
        self.told.push(event);
    }

    /// Tells people what another process has told of the same rollout.
    pub(super) fn tell_too(&mut self, told: &[RolloutEvent], cx: &Cx<'_>) {
        for event in told {
            if !self.told.contains(event) {
                self.tell(event.clone(), cx);
            }
        }
    }

    /// The event that a stage did not meet its conditions in time.
    pub(super) fn escalated(&self, findings: Findings) -> EventKind {
        EventKind::Rollout(RolloutEvent::RolloutEscalated {
            candidate: self.candidate.clone(),
            stage: self.number(),
            findings: Box::new(findings),
        })
    }

    /// The event that a stage waits for an approval.
    pub(super) fn approval_needed(&self, findings: Findings) -> EventKind {
        EventKind::Rollout(RolloutEvent::ApprovalNeeded {
            candidate: self.candidate.clone(),
            stage: self.number(),
            findings: Box::new(findings),
        })
    }

    /// The event that a promoted candidate is worse, and no rollout takes it back.
    pub(super) fn found_worse(&self, findings: Findings) -> EventKind {
        EventKind::Rollout(RolloutEvent::FoundWorse {
            candidate: self.candidate.clone(),
            stable: self.stable.clone(),
            findings: Box::new(findings),
        })
    }

    /// Whether the 24 hours after a promotion are over, so that late corrections no longer roll back.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.state == RolloutState::Promoted && now.since(self.since) >= WATCH
    }

    /// When they end.
    pub(super) fn watched_until(&self) -> Timestamp {
        self.since + WATCH
    }

    pub(super) fn needs_approval(&self, plan: &Plan) -> bool {
        let by_plan = plan
            .stage(self.stage)
            .is_some_and(|stage| stage.needs_approval);
        (self.held || by_plan) && !self.approved
    }

    /// The time of the stage in which both versions served.
    pub(super) fn observed(&self, now: Timestamp) -> Duration {
        let away = self.serving.without_production(now) + self.serving.without_candidate(now);
        now.since(self.since).saturating_sub(away)
    }

    /// Ends the cohort once the stage has run for its time and the candidate has answered something.
    pub(super) fn close_cohort(&mut self, stage: &Stage, now: Timestamp) {
        let (answered, _) = self.cohort.counts(Role::Candidate);
        let is_due = self.observed(now) >= stage.at_least;
        if self.state.is_under_way() && is_due && answered >= COHORT {
            self.cohort.close(now);
        }
    }

    /// What corrections are divided by: the reviewed answers, where reviews are reported, or as the
    /// plan says.
    pub(super) fn divide_by(&self, plan: &Plan) -> Denominator {
        let is_told = self.reviews_told.candidate || self.reviews_told.stable;
        match plan.denominator {
            Denominator::Automatic if is_told => Denominator::Reviewed,
            Denominator::Automatic => Denominator::Reviewable,
            stated => stated,
        }
    }

    /// Whether the reviews that are reported cannot be compared: of one version alone, or none where
    /// the plan divides by them.
    pub(super) fn lacks_reviews(&self, plan: &Plan) -> bool {
        let Pair { candidate, stable } = self.reviews_told;
        match plan.denominator {
            Denominator::Reviewed => !(candidate && stable),
            Denominator::Automatic => candidate != stable,
            Denominator::Processed | Denominator::Reviewable => false,
        }
    }

    /// The cadences at which the candidate has not answered a type often enough.
    pub(super) fn missing<'a>(
        &'a self,
        coverage: &'a Coverage,
        document_type: &DocumentType,
    ) -> impl Iterator<Item = Cadence> + 'a {
        let counts = self.by_type.get::<DocumentType>(document_type);
        let answered = counts.map_or(&[][..], |counts| &counts.on_time).iter();
        let answered = answered.copied().chain(std::iter::repeat(0));
        let cadences = coverage.cadences(document_type).iter();
        cadences
            .zip(answered)
            .filter(|(_, answered)| u64::from(*answered) < coverage.min_documents)
            .map(|(cadence, _)| *cadence)
    }

    /// Whether the candidate has answered a type often enough at each cadence.
    pub(super) fn covers(&self, plan: &Plan, document_type: &DocumentType) -> bool {
        let coverage = plan.coverage.as_ref();
        coverage.is_none_or(|coverage| self.missing(coverage, document_type).next().is_none())
    }

    /// The reason why a stored trial is invalid.
    pub(super) fn validate(&self, plan: &Plan) -> Result<(), String> {
        if plan.stage(self.stage).is_none() {
            return Err(format!(
                "the plan has no stage {}",
                u32::from(self.stage) + 1
            ));
        }
        let own = self
            .by_type
            .iter()
            .map(|(name, counts)| (name.clone(), counts));
        let other = self
            .by_type
            .other()
            .map(|counts| (DocumentType::other(), counts));
        match own.chain(other).find(|(_, counts)| !counts.is_possible()) {
            Some((name, _)) => Err(format!(
                "the counts of type {name} contradict each other (corrected, reviewed, answered, processed)"
            )),
            None => Ok(()),
        }
    }
}

/// The counts of all types as they are stored: a list, and the overflow entry.
mod stored_types {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{BoundedMap, DocumentType, TYPES, Tracked, TypeCounts};

    type Types = BoundedMap<DocumentType, Tracked<TypeCounts>>;
    type Stored = (
        Vec<(DocumentType, Arc<TypeCounts>)>,
        Option<Arc<TypeCounts>>,
    );

    pub(super) fn serialize<S: Serializer>(types: &Types, to: S) -> Result<S::Ok, S::Error> {
        let stored: Stored = (types.shared(|_| true), types.other().map(Tracked::shared));
        stored.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Types, D::Error> {
        let (own, other) = Stored::deserialize(from)?;
        let mut types = Types::new(TYPES);
        let own = own.into_iter();
        types.refill(
            own.map(|(name, counts)| (name, Tracked::of(counts))),
            other.map(Tracked::of),
        );
        Ok(types)
    }
}
