//! What a rollout observes: the outcomes of calls, and feedback on answers.

use super::controller::{Core, Rollout};
use super::documents::{REMEMBERED, document_key, unit};
use super::serving::{Routed, Served};
use crate::call::{Feedback, Outcome, Role, Signal, Ticket};
use crate::event::{
    Decision, EventKind, Measure, NotCounted, PipelineEvent, RolloutEvent, Severity,
};
use crate::guard::Cx;
use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::stats::Split;

impl Rollout {
    pub(super) fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        match signal {
            Signal::Opened if ticket.stage().is_some() => {
                let served = Served::By(ticket.version());
                self.note_route(&mut self.core.lock(), ticket, served);
            }
            Signal::Settled { outcome, .. } => {
                let is_diverted = matches!(outcome, Outcome::Diverted(_));
                let is_counted = ticket.stage().is_some() || self.expects_types_from_traffic();
                if !is_diverted && !is_counted {
                    return;
                }
                let mut core = self.core.lock();
                self.catch_up(&mut core, cx);
                if is_diverted && !ticket.has_lost_pin() {
                    self.note_route(&mut core, ticket, Served::ByNone);
                }
                if is_counted {
                    self.count_outcome(&mut core, ticket, outcome, cx);
                }
            }
            Signal::Feedback(
                feedback @ (Feedback::Corrected(_) | Feedback::Retracted(_) | Feedback::Reviewed),
            ) => {
                let mut core = self.core.lock();
                self.catch_up(&mut core, cx);
                self.count_feedback(&mut core, ticket, feedback, cx);
            }
            Signal::Opened | Signal::Feedback(_) => {}
        }
    }

    /// Takes in who serves a call, or `served` where that is not the version to which the split
    /// gives the document. A diverted call without a stage is one for which no version was left,
    /// unless its pin refused the version that would have served it.
    fn note_route(&self, core: &mut Core, ticket: &Ticket, served: Served<'_>) {
        let (now, split) = (core.latest, core.split);
        let (Some(trial), _) = self.view(core) else {
            return;
        };
        let document_type = ticket.document_type();
        let is_compared = ticket.stage().is_some() || trial.by_type.get(document_type).is_some();
        let is_excluded = trial.excluded.contains(document_type);
        if !trial.state.is_under_way() || !is_compared || is_excluded {
            return;
        }
        let is_paused = trial.paused_at.is_some();
        let could_be_decided = !is_paused && !trial.waits_for_reviews;
        trial.serving.call(now, could_be_decided);
        let assigned = assigned(split, ticket, self.share(trial));
        let is_own = ticket.stage().is_some() && ticket.role() == assigned;
        let call = Routed {
            document_type,
            assigned,
            served: if is_own { Served::AsAssigned } else { served },
        };
        trial.serving.route(call, now, is_paused);
    }

    fn count_outcome(&self, core: &mut Core, ticket: &Ticket, outcome: &Outcome, cx: &Cx<'_>) {
        let is_answer = matches!(outcome, Outcome::Accepted | Outcome::NeedsReview);
        if self.expects_types_from_traffic() && is_answer && ticket.role() != Role::Candidate {
            let latest = core.latest;
            *core.seen.entry(ticket.document_type(), || latest).0 = latest;
        }
        let (split, now) = (core.split, core.latest);
        let Some(trial) = &mut core.trial else { return };
        let Some(stratum) = trial.stratum(&self.plan, ticket) else {
            return;
        };
        if *outcome == Outcome::Released {
            return;
        }
        let ended = trial.ended(&self.plan, stratum, ticket, outcome, now);
        let is_current = trial.state.is_under_way() && stratum.stage == usize::from(trial.stage);
        let is_compared = is_current && !trial.excluded.contains(ticket.document_type());
        if is_compared && ended.is_new {
            let assigned = assigned(split, ticket, self.share(trial));
            if stratum.role == assigned {
                trial.serving.processed(assigned, ticket.admitted_at());
            }
        }
        if let Some(limit) = ended.overflow {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
        if let Some(measure) = ended.event.filter(|_| stratum.role == Role::Candidate) {
            self.roll_back_if_worse(core, ticket.document_type(), measure, cx);
        }
    }

    fn count_feedback(&self, core: &mut Core, ticket: &Ticket, feedback: &Feedback, cx: &Cx<'_>) {
        let now = core.latest;
        let was_reviewed = !matches!(feedback, Feedback::Retracted(_));
        let stratum = core
            .trial
            .as_ref()
            .and_then(|trial| trial.stratum(&self.plan, ticket));
        let is_first = match (&mut core.trial, stratum) {
            (Some(trial), Some(stratum)) if was_reviewed => {
                trial.reviewed(stratum, ticket, *feedback == Feedback::Reviewed, now)
            }
            _ => was_reviewed,
        };
        if is_first && ticket.admitted_at() <= now {
            let trial = core.trial.as_ref().filter(|trial| trial.has_started());
            let begun = trial.map(|trial| trial.started);
            core.review_delays
                .add(ticket.document_type(), ticket.admitted_at(), begun, now);
        }
        let is_correction = matches!(feedback, Feedback::Corrected(_));
        let corrected = is_correction.then(|| document_key(ticket));
        core.outlook.feedback(corrected, now);
        let trial = core.trial.as_mut().filter(|trial| trial.has_started());
        let Some(trial) = trial else { return };
        let counted = match stratum {
            None => Err(NotCounted::NotCompared),
            Some(stratum) => {
                let was_full = trial.is_full();
                let counted = match feedback {
                    Feedback::Corrected(correction) => trial.corrected(stratum, ticket, correction),
                    Feedback::Retracted(correction) => {
                        trial.retracted(stratum, ticket, correction).map(|()| false)
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
                counted.map(|counted| counted && stratum.role == Role::Candidate)
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
                self.roll_back_if_worse(core, ticket.document_type(), Measure::Corrections, cx);
            }
            _ => {}
        }
    }

    /// After an event of the candidate: rolls back at once if the evidence suffices. All other
    /// decisions wait for the next tick, because related events may still arrive.
    fn roll_back_if_worse(
        &self,
        core: &mut Core,
        document_type: &DocumentType,
        measure: Measure,
        cx: &Cx<'_>,
    ) {
        let (trial, view) = self.view(core);
        let Some(trial) = trial else { return };
        if trial.state.is_rejected() || !trial.is_worse_now(&view, document_type, measure) {
            return;
        }
        let (decision, findings) = trial.decide(&view);
        if decision == Decision::RollBack {
            self.act(trial, view.now, decision, findings, cx);
            core.remember();
        }
    }
}

/// The version to which the split gives a document.
fn assigned(split: Split, ticket: &Ticket, share: Ratio) -> Role {
    if split.contains(unit(ticket), share) {
        Role::Candidate
    } else {
        Role::Stable
    }
}
