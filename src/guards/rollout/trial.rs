//! One candidate's trial: its stage, and the counts of its and production's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::coverage::{Cadence, Coverage};
use super::evidence::corrections::{Change, Corrections, Stored as StoredCorrections};
use super::evidence::counts::{Pair, StageCounts, TypeCounts};
use super::evidence::likelihood::Likelihood;
use super::evidence::review_delay::ReviewSpeed;
use super::plan::Plan;
use super::serving::Serving;
use super::status::RolloutState;
use crate::call::{Correction, Outcome, Role, Ticket};
use crate::event::{EventKind, Findings, HoldReason, Measure, NotCounted, RolloutEvent, Tally};
use crate::name::{DocumentType, VersionId};
use crate::stats::{BoundedMap, Place};
use crate::time::{Timestamp, hours};

/// The number of document types that are evaluated separately; further types share an overflow
/// entry.
pub(super) const TYPES: usize = 1_000;
/// How long after a promotion late corrections can still roll back.
const WATCH: Duration = hours(24);

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) candidate: VersionId,
    pub(super) stable: VersionId,
    pub(super) started: Timestamp,
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
    pub(super) by_type: BoundedMap<DocumentType, Box<TypeCounts>>,
    /// Types that returned to production.
    pub(super) excluded: BTreeSet<DocumentType>,
    /// When each stage began.
    pub(super) began: Vec<Timestamp>,
    /// How fast reviewers check answers, by the stage of the answer: the versions' shares differ
    /// between stages, so only answers of one stage can be compared.
    pub(super) review_speed: Vec<Pair<ReviewSpeed>>,
    pub(super) not_counted: BTreeMap<NotCounted, u64>,
    corrections: Corrections,
    /// The corrections of all types together, as of the last decision.
    pub(super) all: Likelihood,
    /// Whether both versions serve.
    pub(super) serving: Serving,
}

/// The stratum in which a call is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct StratumKey {
    pub(super) stage: usize,
    time_slice: usize,
    pub(super) role: Role,
}

impl Trial {
    pub(super) fn new(candidate: VersionId, stable: VersionId, now: Timestamp) -> Self {
        Self {
            candidate,
            stable,
            started: now,
            stage: 0,
            since: now,
            state: RolloutState::Running,
            paused_at: None,
            held: false,
            approved: false,
            last_reported_hold: Some(HoldReason::NotDue),
            by_type: BoundedMap::new(TYPES),
            excluded: BTreeSet::new(),
            began: vec![now],
            review_speed: Vec::new(),
            not_counted: BTreeMap::new(),
            corrections: Corrections::default(),
            all: Likelihood::default(),
            serving: Serving::new(now),
        }
    }

    /// The empty trial that the status shows while there is no rollout.
    pub(super) fn none() -> Self {
        let other = VersionId::other();
        Self::new(other.clone(), other, Timestamp::EPOCH)
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
        self.serving.enter(now);
        if self.began.len() <= usize::from(stage) {
            self.began.resize(usize::from(stage) + 1, now);
        }
    }

    /// Takes the candidate out of service; returns the event.
    pub(super) fn take_out_of_service(
        &mut self,
        state: RolloutState,
        findings: Findings,
    ) -> EventKind {
        self.state = state;
        self.paused_at = None;
        EventKind::Rollout(RolloutEvent::RolledBack {
            candidate: self.candidate.clone(),
            stage: self.number(),
            findings: Box::new(findings),
        })
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

    /// Whether the 24 hours after a promotion are over, so that late corrections no longer count.
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

    /// The stratum of a call; `None` if the call is not part of this trial.
    pub(super) fn key(&self, plan: &Plan, ticket: &Ticket) -> Option<StratumKey> {
        let stage = ticket.stage()?.checked_sub(1)?;
        let role = ticket.role();
        let version = match role {
            Role::Candidate => &self.candidate,
            Role::Stable => &self.stable,
            Role::Previous => return None,
        };
        if ticket.version() != version || ticket.admitted_at() < self.started {
            return None;
        }
        let planned = plan.stage(stage)?;
        let number = usize::from(stage);
        let began = self.began.get(number).copied().unwrap_or(self.since);
        Some(StratumKey {
            stage: number,
            time_slice: plan.time_slice(planned, ticket.admitted_at().since(began)),
            role,
        })
    }

    fn review_speed(&mut self, key: StratumKey) -> Option<&mut ReviewSpeed> {
        if self.review_speed.len() <= key.stage {
            self.review_speed.resize_with(key.stage + 1, Pair::default);
        }
        let review_speed = self.review_speed.get_mut(key.stage)?;
        Some(review_speed.of(key.role))
    }

    fn counts(&mut self, document_type: &DocumentType) -> (&mut TypeCounts, Place) {
        let (counts, place) = self.by_type.entry(document_type, Box::default);
        (&mut **counts, place)
    }

    /// Counts the outcome of a call. Returns the measure that it is an event of, and the limit of
    /// types if this call was the first to overflow it.
    pub(super) fn ended(
        &mut self,
        plan: &Plan,
        key: StratumKey,
        ticket: &Ticket,
        outcome: &Outcome,
    ) -> (Option<Measure>, Option<usize>) {
        let is_answer = matches!(outcome, Outcome::Accepted | Outcome::NeedsReview);
        if let Some(review_speed) = self.review_speed(key).filter(|_| is_answer) {
            review_speed.answered();
        }
        let limit = self.by_type.limit();
        let (counts, place) = self.counts(ticket.document_type());
        let measure = counts.ended((key.stage, key.time_slice, key.role), outcome);
        if let Some(coverage) = &plan.coverage {
            if is_answer && key.role == Role::Candidate {
                let cadences = coverage.cadences(ticket.document_type());
                counts.on_time.resize(cadences.len(), 0);
                for (count, cadence) in counts.on_time.iter_mut().zip(cadences) {
                    *count = count.saturating_add(u32::from(cadence.is_on(ticket.admitted_at())));
                }
            }
        }
        (measure, (place == Place::FirstOverflow).then_some(limit))
    }

    /// Counts a review of an answer, once per document.
    pub(super) fn reviewed(
        &mut self,
        key: StratumKey,
        ticket: &Ticket,
        is_review: bool,
        now: Timestamp,
    ) {
        if !self.corrections.review(ticket) {
            return;
        }
        let delay = now.since(ticket.admitted_at());
        if let Some(review_speed) = self.review_speed(key) {
            review_speed.reviewed(delay, is_review);
        }
        let (counts, _) = self.counts(ticket.document_type());
        counts.reviewed((key.stage, key.time_slice, key.role));
    }

    /// Counts a correction; returns whether it changed the counts.
    pub(super) fn corrected(
        &mut self,
        key: StratumKey,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<bool, NotCounted> {
        let kept_apart = self.by_type.has_own(ticket.document_type());
        let document_type = if kept_apart {
            ticket.document_type().as_str()
        } else {
            ""
        };
        let place = (document_type, key.stage, key.time_slice, key.role);
        if self.corrections.correct(ticket, correction, place) != Change::More {
            return Ok(false);
        }
        let (counts, _) = self.counts(ticket.document_type());
        if counts.corrected((key.stage, key.time_slice, key.role)) {
            return Ok(true);
        }
        self.corrections.retract(ticket, correction);
        Err(NotCounted::NoAnswer)
    }

    /// Counts a retraction.
    pub(super) fn retracted(
        &mut self,
        key: StratumKey,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<(), NotCounted> {
        match self.corrections.retract(ticket, correction) {
            Change::Unknown => return Err(NotCounted::NothingToRetract),
            Change::Less => {
                let (counts, _) = self.counts(ticket.document_type());
                counts.retracted((key.stage, key.time_slice, key.role));
            }
            Change::More | Change::Nothing => {}
        }
        Ok(())
    }

    /// Counts answers and corrections in bulk, all of them reviewed.
    pub(super) fn add(
        &mut self,
        plan: &Plan,
        document_type: &DocumentType,
        (stage, time_slice): (u8, usize),
        tallies: Pair<Tally>,
    ) {
        let cadences = plan.coverage.as_ref();
        let cadences = cadences.map_or(0, |coverage| coverage.cadences(document_type).len());
        self.serving
            .add(tallies.candidate.documents, tallies.stable.documents);
        let (counts, _) = self.counts(document_type);
        counts.add((usize::from(stage), time_slice), tallies);
        let answered = u32::try_from(tallies.candidate.documents).unwrap_or(u32::MAX);
        counts.on_time.resize(cadences, 0);
        for count in &mut counts.on_time {
            *count = count.saturating_add(answered);
        }
    }

    /// Whether further corrections can no longer be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.corrections.is_full()
    }

    /// Counts feedback that could not be counted; returns whether it is the first for this reason.
    pub(super) fn not_counted(&mut self, reason: NotCounted) -> bool {
        let count = self.not_counted.entry(reason).or_default();
        *count = count.saturating_add(1);
        *count == 1
    }

    /// Every type, and the overflow types under their common name.
    pub(super) fn all_types(&mut self) -> impl Iterator<Item = (DocumentType, &mut TypeCounts)> {
        let (own, other) = self.by_type.all_mut();
        own.map(|(name, counts)| (name.clone(), &mut **counts))
            .chain(other.map(|counts| (DocumentType::other(), &mut **counts)))
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
}

/// A trial as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    candidate: VersionId,
    stable: VersionId,
    started: Timestamp,
    pub(super) stage: u8,
    since: Timestamp,
    state: RolloutState,
    paused_at: Option<Timestamp>,
    held: bool,
    approved: bool,
    last_reported_hold: Option<HoldReason>,
    by_type: Vec<(DocumentType, StoredCounts)>,
    other: Option<StoredCounts>,
    excluded: BTreeSet<DocumentType>,
    began: Vec<Timestamp>,
    review_speed: Vec<Pair<ReviewSpeed>>,
    not_counted: BTreeMap<NotCounted, u64>,
    corrections: StoredCorrections,
    #[serde(default)]
    serving: Serving,
}

#[derive(Serialize, Deserialize)]
struct StoredCounts {
    stages: Vec<StageCounts>,
    on_time: Vec<u32>,
}

impl From<&TypeCounts> for StoredCounts {
    fn from(counts: &TypeCounts) -> Self {
        Self {
            stages: counts.stages.clone(),
            on_time: counts.on_time.clone(),
        }
    }
}

impl From<StoredCounts> for TypeCounts {
    fn from(stored: StoredCounts) -> Self {
        Self::stored(stored.stages, stored.on_time)
    }
}

impl From<&Trial> for Stored {
    fn from(trial: &Trial) -> Self {
        let by_type = trial.by_type.iter();
        Self {
            candidate: trial.candidate.clone(),
            stable: trial.stable.clone(),
            started: trial.started,
            stage: trial.stage,
            since: trial.since,
            state: trial.state,
            paused_at: trial.paused_at,
            held: trial.held,
            approved: trial.approved,
            last_reported_hold: trial.last_reported_hold,
            by_type: by_type
                .map(|(name, counts)| (name.clone(), StoredCounts::from(&**counts)))
                .collect(),
            other: trial
                .by_type
                .other()
                .map(|counts| StoredCounts::from(&**counts)),
            excluded: trial.excluded.clone(),
            began: trial.began.clone(),
            review_speed: trial.review_speed.clone(),
            not_counted: trial.not_counted.clone(),
            corrections: trial.corrections.stored(),
            serving: trial.serving.clone(),
        }
    }
}

impl Stored {
    /// The trial, or the reason why the stored state is invalid.
    pub(super) fn into_trial(self, plan: &Plan) -> Result<Trial, String> {
        if plan.stage(self.stage).is_none() {
            let number = u32::from(self.stage) + 1;
            return Err(format!("the plan has no stage {number}"));
        }
        let mut trial = Trial::new(self.candidate, self.stable, self.started);
        trial.stage = self.stage;
        trial.since = self.since;
        trial.state = self.state;
        trial.paused_at = self.paused_at;
        (trial.held, trial.approved, trial.last_reported_hold) =
            (self.held, self.approved, self.last_reported_hold);
        let by_type = self.by_type.into_iter();
        trial.by_type.refill(
            by_type.map(|(name, counts)| (name, Box::new(TypeCounts::from(counts)))),
            self.other.map(|counts| Box::new(TypeCounts::from(counts))),
        );
        trial.excluded = self.excluded;
        trial.began = self.began;
        trial.review_speed = self.review_speed;
        trial.not_counted = self.not_counted;
        trial.corrections = Corrections::from(self.corrections);
        trial.serving = self.serving;
        let impossible = trial.all_types().find(|(_, counts)| !counts.is_possible());
        match impossible {
            Some((name, _)) => Err(format!(
                "the counts of type {name} contradict each other (corrected, reviewed, answered, processed)"
            )),
            None => Ok(trial),
        }
    }
}
