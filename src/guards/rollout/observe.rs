//! What a rollout learns: how calls end, and what people say of answers.

use super::controller::{Core, Rollout};
use super::evidence::corrections::REMEMBERED;
use crate::call::{Feedback, Outcome, Role, Signal, Ticket};
use crate::event::{
    Decision, EventKind, Measure, NotCounted, PipelineEvent, RolloutEvent, Severity,
};
use crate::guard::Cx;
use crate::name::DocumentType;

impl Rollout {
    pub(super) fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        match signal {
            Signal::Settled { outcome, .. } if ticket.stage().is_some() || self.learns_types() => {
                let mut core = self.core.lock();
                self.catch_up(&mut core, cx);
                self.settled(&mut core, ticket, outcome, cx);
            }
            Signal::Feedback(
                feedback @ (Feedback::Corrected(_) | Feedback::Retracted(_) | Feedback::Reviewed),
            ) => {
                let mut core = self.core.lock();
                self.catch_up(&mut core, cx);
                self.heard(&mut core, ticket, feedback, cx);
            }
            Signal::Opened | Signal::Settled { .. } | Signal::Feedback(_) => {}
        }
    }

    /// A call ended.
    fn settled(&self, core: &mut Core, ticket: &Ticket, outcome: &Outcome, cx: &Cx<'_>) {
        let is_answer = matches!(outcome, Outcome::Accepted | Outcome::NeedsReview);
        if self.learns_types() && is_answer && ticket.role() != Role::Candidate {
            let latest = core.latest;
            *core.seen.entry(ticket.document_type(), || latest).0 = latest;
        }
        let Some(trial) = &mut core.trial else { return };
        let Some(key) = trial.key(&self.plan, ticket) else {
            return;
        };
        if *outcome == Outcome::Released {
            return;
        }
        let (measure, limit) = trial.ended(&self.plan, key, ticket, outcome);
        if let Some(limit) = limit {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
        if let Some(measure) = measure.filter(|_| key.role == Role::Candidate) {
            self.roll_back_if_worse(core, ticket.document_type(), measure, cx);
        }
    }

    /// A person said something of an answer.
    fn heard(&self, core: &mut Core, ticket: &Ticket, feedback: &Feedback, cx: &Cx<'_>) {
        let now = core.latest;
        let is_look = !matches!(feedback, Feedback::Retracted(_));
        if is_look && ticket.admitted_at() <= now {
            let begun = core.trial.as_ref().map(|trial| trial.started);
            core.review_delays
                .add(ticket.document_type(), ticket.admitted_at(), begun, now);
        }
        let Some(trial) = &mut core.trial else { return };
        let counted = match trial.key(&self.plan, ticket) {
            None => Err(NotCounted::NotCompared),
            Some(key) => {
                if is_look {
                    let is_review = *feedback == Feedback::Reviewed;
                    trial.looked_at(key, ticket, is_review, now);
                }
                let was_full = trial.is_full();
                let counted = match feedback {
                    Feedback::Corrected(correction) => trial.corrected(key, ticket, correction),
                    Feedback::Retracted(correction) => {
                        trial.retracted(key, ticket, correction).map(|()| false)
                    }
                    _ => Ok(false),
                };
                if trial.is_full() && !was_full {
                    let kind = EventKind::Pipeline(PipelineEvent::KeysExhausted {
                        limit: REMEMBERED,
                        first: ticket.document().to_string(),
                    });
                    cx.emit(Severity::Warning, kind);
                }
                counted.map(|counted| counted && key.role == Role::Candidate)
            }
        };
        match counted {
            Err(reason) if trial.not_counted(reason) => {
                let kind = EventKind::Rollout(RolloutEvent::CorrectionNotCounted {
                    document: ticket.document().clone(),
                    document_type: ticket.document_type().clone(),
                    version: ticket.version().clone(),
                    reason,
                });
                cx.emit(Severity::Info, kind);
            }
            Ok(true) => {
                self.roll_back_if_worse(core, ticket.document_type(), Measure::Corrections, cx)
            }
            _ => {}
        }
    }

    /// After an event of the candidate: if it is one too many, the candidate is not kept until the next look. All else is, as
    /// what belongs together may still be coming in.
    fn roll_back_if_worse(
        &self,
        core: &mut Core,
        document_type: &DocumentType,
        measure: Measure,
        cx: &Cx<'_>,
    ) {
        let (trial, view) = self.view(core);
        let Some(trial) = trial else { return };
        if trial.may_be_worse(&view, document_type, measure)
            && trial.decide(&view).0 == Decision::RollBack
        {
            self.look_at(trial, &view, cx);
            core.remember();
        }
    }
}
