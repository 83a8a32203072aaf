//! What each call and each report of a reviewer adds to the counts of a trial.

use super::bursts::Failed;
use super::counts::{TypeCounts, measure_of};
use super::documents::{Added, Change, Failure};
use super::plan::Plan;
use super::trial::Trial;
use crate::call::{Correction, Outcome, Role, Ticket};
use crate::event::{Measure, NotCounted};
use crate::failure::Cause;
use crate::name::DocumentType;
use crate::stats::{Place, Tracked};
use crate::time::Timestamp;

/// Where a call is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stratum {
    pub(super) stage: usize,
    pub(super) role: Role,
}

/// What the end of a call changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// The measure of which it is an event that counts.
    pub(super) event: Option<Measure>,
    /// Whether the document was counted for the first time.
    pub(super) is_new: bool,
    /// The limit of types, if this call was the first to overflow it.
    pub(super) overflow: Option<usize>,
}

impl Trial {
    /// The stratum of a call; `None` if the call is not part of this trial.
    pub(super) fn stratum(&self, plan: &Plan, ticket: &Ticket) -> Option<Stratum> {
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
        plan.stage(stage)?;
        let stage = usize::from(stage);
        Some(Stratum { stage, role })
    }

    fn is_in_cohort(&self, stratum: Stratum, ticket: &Ticket) -> bool {
        stratum.stage == usize::from(self.stage) && self.cohort.includes(ticket.admitted_at())
    }

    fn counts(&mut self, document_type: &DocumentType) -> (&mut TypeCounts, Place) {
        let (counts, place) = self.by_type.entry(document_type, Tracked::default);
        (counts.change(), place)
    }

    /// Counts the outcome of a call.
    pub(super) fn ended(
        &mut self,
        plan: &Plan,
        stratum: Stratum,
        ticket: &Ticket,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Ended {
        let is_answer = matches!(outcome, Outcome::Accepted | Outcome::NeedsReview);
        let measure = measure_of(outcome);
        let mut added = self.documents.ended(ticket, measure, is_answer);
        let is_new = added.document;
        match outcome {
            // What a prompt causes is no burst: each document counts.
            Outcome::Failed(kind) if kind.cause() != Cause::Prompt => {
                if added.event && !self.counts_failure(stratum, ticket, added, now) {
                    (added.event, added.document) = (false, false);
                }
            }
            _ => self.bursts.of(stratum.role).went_well(),
        }
        if added.answer && self.is_in_cohort(stratum, ticket) {
            if let Some(stage) = plan.stage(self.stage) {
                let age = ticket.admitted_at().since(self.since);
                self.cohort.answered(stratum.role, 1, age, stage.at_least);
            }
        }
        let limit = self.by_type.limit();
        let (counts, place) = self.counts(ticket.document_type());
        counts
            .arm((stratum.stage, stratum.role))
            .ended(added, measure);
        if let Some(coverage) = &plan.coverage {
            if added.answer && stratum.role == Role::Candidate {
                let cadences = coverage.cadences(ticket.document_type());
                counts.on_time.resize(cadences.len(), 0);
                for (count, cadence) in counts.on_time.iter_mut().zip(cadences) {
                    *count = count.saturating_add(u32::from(cadence.is_on(ticket.admitted_at())));
                }
            }
        }
        Ended {
            event: measure.filter(|_| added.event),
            is_new: is_new && self.documents.is_first_of_batch(ticket),
            overflow: (place == Place::FirstOverflow).then_some(limit),
        }
    }

    /// Whether a failure counts, which it does not in the middle of a burst.
    fn counts_failure(
        &mut self,
        stratum: Stratum,
        ticket: &Ticket,
        added: Added,
        now: Timestamp,
    ) -> bool {
        let failure = Failure::new(ticket, added);
        let failed = Failed {
            at: now,
            failure,
            document_type: ticket.document_type().clone(),
            stage: stratum.stage,
        };
        let with_other = self.bursts.other(stratum.role).is_on(now);
        let effect = self.bursts.of(stratum.role).failed(failed, with_other);
        if !effect.counts {
            self.documents.take_back(&failure);
        }
        for failed in &effect.take_back {
            self.documents.take_back(&failed.failure);
            let (counts, _) = self.counts(&failed.document_type);
            let arm = counts.arm((failed.stage, stratum.role));
            arm.take_back(&failed.failure);
        }
        for failed in &effect.give_back {
            let added = self.documents.give_back(&failed.failure);
            let (counts, _) = self.counts(&failed.document_type);
            let arm = counts.arm((failed.stage, stratum.role));
            arm.ended(added, Some(Measure::Failures));
        }
        effect.counts
    }

    /// Counts a review of an answer, once per document; returns whether it is the first.
    pub(super) fn reviewed(
        &mut self,
        stratum: Stratum,
        ticket: &Ticket,
        is_review: bool,
        now: Timestamp,
    ) -> bool {
        *self.reviews_told.of(stratum.role) |= is_review;
        let (counts, _) = self.by_type.entry(ticket.document_type(), Tracked::default);
        let arm = counts.change().arm((stratum.stage, stratum.role));
        if arm.looked_at >= arm.answered || !self.documents.review(ticket) {
            return false;
        }
        arm.looked_at += 1;
        self.waits.of(stratum.role).add(ticket.admitted_at(), now);
        if self.is_in_cohort(stratum, ticket) {
            self.cohort.looked_at(stratum.role);
        }
        true
    }

    /// Counts a correction; returns whether it changed the counts.
    pub(super) fn corrected(
        &mut self,
        stratum: Stratum,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<bool, NotCounted> {
        if self.documents.correct(ticket, correction) != Change::More {
            return Ok(false);
        }
        let (counts, _) = self.counts(ticket.document_type());
        let arm = counts.arm((stratum.stage, stratum.role));
        if arm.corrected < arm.looked_at {
            arm.corrected += 1;
            return Ok(true);
        }
        self.documents.retract(ticket, correction);
        Err(NotCounted::NoAnswer)
    }

    /// Counts a retraction.
    pub(super) fn retracted(
        &mut self,
        stratum: Stratum,
        ticket: &Ticket,
        correction: &Correction,
    ) -> Result<(), NotCounted> {
        match self.documents.retract(ticket, correction) {
            Change::Unknown => return Err(NotCounted::NothingToRetract),
            Change::Less => {
                let (counts, _) = self.counts(ticket.document_type());
                let arm = counts.arm((stratum.stage, stratum.role));
                arm.corrected = arm.corrected.saturating_sub(1);
            }
            Change::More | Change::Nothing => {}
        }
        Ok(())
    }

    /// Counts feedback that could not be counted; returns whether it is the first for this reason.
    pub(super) fn not_counted(&mut self, reason: NotCounted) -> bool {
        let count = self.not_counted.entry(reason).or_default();
        *count = count.saturating_add(1);
        *count == 1
    }

    /// Whether further corrections can no longer be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.documents.is_full()
    }
}
