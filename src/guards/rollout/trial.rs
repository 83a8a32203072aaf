//! One candidate on its way: where it is, and what its answers and production's came to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::coverage::{Cadence, Coverage};
use super::evidence::corrections::{Change, Stored as StoredTruth, Truth};
use super::evidence::counts::{Book, Pair, Stage};
use super::evidence::likelihood::Weighed;
use super::evidence::review_delay::Pace;
use super::plan::Plan;
use super::status::RolloutState;
use crate::call::{Correction, Outcome, Role, Ticket};
use crate::event::{EventKind, Findings, HoldReason, Measure, NotCounted, Tally};
use crate::name::{DocumentType, VersionId};
use crate::stats::{Keyed, Place};
use crate::time::{Timestamp, hours};

/// Document types that are judged apart; the others share one book.
pub(super) const TYPES: usize = 1_000;
/// For so long after a promotion late corrections can still roll back.
const WATCH: Duration = hours(24);

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) candidate: VersionId,
    pub(super) stable: VersionId,
    pub(super) started: Timestamp,
    pub(super) stage: u8,
    /// Since when the stage runs; a pause moves it.
    pub(super) since: Timestamp,
    pub(super) state: RolloutState,
    /// Since when it is paused.
    pub(super) paused_at: Option<Timestamp>,
    /// Whether a person wants to be asked before the next stage.
    pub(super) held: bool,
    /// Whether a person approved the next stage.
    pub(super) approved: bool,
    /// Why it waits, as somebody was told.
    pub(super) told: Option<HoldReason>,
    pub(super) books: Keyed<DocumentType, Box<Book>>,
    /// Types that production keeps.
    pub(super) excluded: BTreeSet<DocumentType>,
    /// When each stage began.
    pub(super) began: Vec<Timestamp>,
    /// How fast people look at answers, by the stage of the answer: the versions' shares differ between
    /// stages, and only documents of one stage can be compared.
    pub(super) pace: Vec<Pair<Pace>>,
    pub(super) not_counted: BTreeMap<NotCounted, u64>,
    truth: Truth,
    /// The corrections of all types together, as of the last look.
    pub(super) all: Weighed,
}

/// Where a call is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    stage: usize,
    stretch: usize,
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
            told: Some(HoldReason::NotDue),
            books: Keyed::new(TYPES),
            excluded: BTreeSet::new(),
            began: vec![now],
            pace: Vec::new(),
            not_counted: BTreeMap::new(),
            truth: Truth::default(),
            all: Weighed::default(),
        }
    }

    /// What there is to say when no rollout is on: nothing.
    pub(super) fn none() -> Self {
        let nobody = VersionId::other();
        Self::new(nobody.clone(), nobody, Timestamp::EPOCH)
    }

    /// A stage begins.
    pub(super) fn enter(&mut self, stage: u8, now: Timestamp) {
        self.stage = stage;
        self.since = now;
        self.state = RolloutState::Running;
        self.paused_at = None;
        (self.held, self.approved) = (false, false);
        self.told = Some(HoldReason::NotDue);
        if self.began.len() <= usize::from(stage) {
            self.began.resize(usize::from(stage) + 1, now);
        }
    }

    /// The candidate goes out of service; what there is to tell.
    pub(super) fn take_out(&mut self, state: RolloutState, findings: Findings) -> EventKind {
        self.state = state;
        self.paused_at = None;
        EventKind::RolledBack {
            candidate: self.candidate.clone(),
            stage: self.stage,
            findings: Box::new(findings),
        }
    }

    /// Whether the watch after a promotion is over, and late corrections change nothing any more.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        self.state == RolloutState::Promoted && now.since(self.since) >= WATCH
    }

    /// When that watch ends.
    pub(super) fn watched_until(&self) -> Timestamp {
        self.since + WATCH
    }

    pub(super) fn needs_approval(&self, plan: &Plan) -> bool {
        let by_plan = plan
            .stage(self.stage)
            .is_some_and(|stage| stage.needs_approval);
        (self.held || by_plan) && !self.approved
    }

    /// Where a call is counted; `None` if it is none of this rollout's.
    pub(super) fn spot(&self, plan: &Plan, ticket: &Ticket) -> Option<Spot> {
        let stage = ticket.stage()?;
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
        Some(Spot {
            stage: number,
            stretch: plan.stretch(planned, ticket.admitted_at().since(began)),
            role,
        })
    }

    fn pace(&mut self, spot: Spot) -> Option<&mut Pace> {
        if self.pace.len() <= spot.stage {
            self.pace.resize_with(spot.stage + 1, Pair::default);
        }
        let pace = self.pace.get_mut(spot.stage)?;
        Some(pace.of(spot.role))
    }

    fn book(&mut self, document_type: &DocumentType) -> (&mut Book, Place) {
        let (book, place) = self.books.entry(document_type, Box::default);
        (&mut **book, place)
    }

    /// Counts the end of a call. Says which measure it is an event of, and how many types are kept apart when they have just
    /// become too many.
    pub(super) fn ended(
        &mut self,
        plan: &Plan,
        spot: Spot,
        ticket: &Ticket,
        outcome: &Outcome,
    ) -> (Option<Measure>, Option<usize>) {
        let is_answer = matches!(outcome, Outcome::Accepted | Outcome::NeedsReview);
        if let Some(pace) = self.pace(spot).filter(|_| is_answer) {
            pace.answered();
        }
        let limit = self.books.limit();
        let (book, place) = self.book(ticket.document_type());
        let measure = book.ended((spot.stage, spot.stretch, spot.role), outcome);
        if let Some(coverage) = &plan.coverage {
            if is_answer && spot.role == Role::Candidate {
                let cadences = coverage.cadences(ticket.document_type());
                book.on_time.resize(cadences.len(), 0);
                for (count, cadence) in book.on_time.iter_mut().zip(cadences) {
                    *count = count.saturating_add(u32::from(cadence.is_on(ticket.admitted_at())));
                }
            }
        }
        (measure, (place == Place::FirstOfOthers).then_some(limit))
    }

    /// Counts that somebody looked at an answer; each document counts once.
    pub(super) fn looked_at(
        &mut self,
        spot: Spot,
        ticket: &Ticket,
        is_review: bool,
        now: Timestamp,
    ) {
        if !self.truth.look_at(ticket) {
            return;
        }
        let delay = now.since(ticket.admitted_at());
        if let Some(pace) = self.pace(spot) {
            pace.looked_at(delay, is_review);
        }
        let (book, _) = self.book(ticket.document_type());
        book.looked_at((spot.stage, spot.stretch, spot.role));
    }

    /// Counts a correction. Whether it changed anything.
    pub(super) fn corrected(
        &mut self,
        spot: Spot,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<bool, NotCounted> {
        let kept_apart = self.books.has_own(ticket.document_type());
        let document_type = if kept_apart {
            ticket.document_type().as_str()
        } else {
            ""
        };
        let place = (document_type, spot.stage, spot.stretch, spot.role);
        if self.truth.correct(ticket, correction, place) != Change::More {
            return Ok(false);
        }
        let (book, _) = self.book(ticket.document_type());
        if book.corrected((spot.stage, spot.stretch, spot.role)) {
            return Ok(true);
        }
        self.truth.retract(ticket, correction);
        Err(NotCounted::NoAnswer)
    }

    /// Takes a correction back.
    pub(super) fn retracted(
        &mut self,
        spot: Spot,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<(), NotCounted> {
        match self.truth.retract(ticket, correction) {
            Change::Unknown => return Err(NotCounted::NothingToRetract),
            Change::Less => {
                let (book, _) = self.book(ticket.document_type());
                book.retracted((spot.stage, spot.stretch, spot.role));
            }
            Change::More | Change::Nothing => {}
        }
        Ok(())
    }

    /// Counts answers and corrections in bulk, all of them looked at.
    pub(super) fn add(
        &mut self,
        plan: &Plan,
        document_type: &DocumentType,
        (stage, stretch): (u8, usize),
        tallies: Pair<Tally>,
    ) {
        let cadences = plan.coverage.as_ref();
        let cadences = cadences.map_or(0, |coverage| coverage.cadences(document_type).len());
        let (book, _) = self.book(document_type);
        book.add((usize::from(stage), stretch), tallies);
        let answered = u32::try_from(tallies.candidate.documents).unwrap_or(u32::MAX);
        book.on_time.resize(cadences, 0);
        for count in &mut book.on_time {
            *count = count.saturating_add(answered);
        }
    }

    /// Whether corrections are not remembered any more.
    pub(super) fn is_full(&self) -> bool {
        self.truth.is_full()
    }

    /// Notes what could not be counted; whether it is the first of its reason.
    pub(super) fn not_counted(&mut self, reason: NotCounted) -> bool {
        let count = self.not_counted.entry(reason).or_default();
        *count = count.saturating_add(1);
        *count == 1
    }

    /// The book of types that share one, under the name that they are reported by.
    pub(super) fn all_books(&mut self) -> impl Iterator<Item = (DocumentType, &mut Book)> {
        let (own, other) = self.books.all_mut();
        own.map(|(name, book)| (name.clone(), &mut **book))
            .chain(other.map(|book| (DocumentType::other(), &mut **book)))
    }

    /// The times at which the candidate has not answered a type often enough.
    pub(super) fn missing<'a>(
        &'a self,
        coverage: &'a Coverage,
        document_type: &DocumentType,
    ) -> impl Iterator<Item = Cadence> + 'a {
        let book = self.books.get::<DocumentType>(document_type);
        let answered = book.map_or(&[][..], |book| &book.on_time).iter();
        let answered = answered.copied().chain(std::iter::repeat(0));
        let cadences = coverage.cadences(document_type).iter();
        cadences
            .zip(answered)
            .filter(|(_, answered)| u64::from(*answered) < coverage.min_documents)
            .map(|(cadence, _)| *cadence)
    }

    /// Whether the candidate has answered a type often enough, at the times that count.
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
    told: Option<HoldReason>,
    books: Vec<(DocumentType, StoredBook)>,
    other: Option<StoredBook>,
    excluded: BTreeSet<DocumentType>,
    began: Vec<Timestamp>,
    pace: Vec<Pair<Pace>>,
    not_counted: BTreeMap<NotCounted, u64>,
    truth: StoredTruth,
}

#[derive(Serialize, Deserialize)]
struct StoredBook {
    stages: Vec<Stage>,
    on_time: Vec<u32>,
}

impl From<&Book> for StoredBook {
    fn from(book: &Book) -> Self {
        Self {
            stages: book.stages.clone(),
            on_time: book.on_time.clone(),
        }
    }
}

impl From<StoredBook> for Book {
    fn from(stored: StoredBook) -> Self {
        Self::stored(stored.stages, stored.on_time)
    }
}

impl From<&Trial> for Stored {
    fn from(trial: &Trial) -> Self {
        let books = trial.books.iter();
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
            told: trial.told,
            books: books
                .map(|(name, book)| (name.clone(), StoredBook::from(&**book)))
                .collect(),
            other: trial.books.other().map(|book| StoredBook::from(&**book)),
            excluded: trial.excluded.clone(),
            began: trial.began.clone(),
            pace: trial.pace.clone(),
            not_counted: trial.not_counted.clone(),
            truth: trial.truth.stored(),
        }
    }
}

impl Stored {
    /// The trial; an error says what cannot be.
    pub(super) fn into_trial(self, plan: &Plan) -> Result<Trial, String> {
        if plan.stage(self.stage).is_none() {
            let number = u32::from(self.stage) + 1;
            return Err(format!("stage {number} does not exist in this plan"));
        }
        let mut trial = Trial::new(self.candidate, self.stable, self.started);
        trial.stage = self.stage;
        trial.since = self.since;
        trial.state = self.state;
        trial.paused_at = self.paused_at;
        (trial.held, trial.approved, trial.told) = (self.held, self.approved, self.told);
        let books = self.books.into_iter();
        trial.books.refill(
            books.map(|(name, book)| (name, Box::new(Book::from(book)))),
            self.other.map(|book| Box::new(Book::from(book))),
        );
        trial.excluded = self.excluded;
        trial.began = self.began;
        trial.pace = self.pace;
        trial.not_counted = self.not_counted;
        trial.truth = Truth::from(self.truth);
        let impossible = trial.all_books().find(|(_, book)| !book.is_possible());
        match impossible {
            Some((name, _)) => Err(format!(
                "more documents of type {name} were corrected, looked at or answered than there were"
            )),
            None => Ok(trial),
        }
    }
}
