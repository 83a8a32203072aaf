//! The controller: give the candidate a share, for a time, under conditions, then promote, hold,
//! roll back or escalate.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::agreement::{Agreement, Proposal, SLOT};
use super::coverage::Coverage;
use super::decide::View;
use super::incident;
use super::outlook::Outlook;
use super::plan::{Plan, WorseType};
use super::review_delays::ReviewDelays;
use super::revisions::Revisions;
use super::status::{RolloutState, RolloutStatus};
use super::stored::{Changed, Stored};
use super::trial::{TYPES, Trial};
use crate::call::Call;
use crate::error::Error;
use crate::event::{Decision, EventKind, Findings, HoldReason, Measure, RolloutEvent, Severity};
use crate::format::Format;
use crate::guard::{Cx, Route, Share, State, Wanted};
use crate::name::{BatchKey, DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::{BoundedMap, RatioTest, Split};
use crate::time::Timestamp;

/// The number of rejected candidates that are remembered.
const REJECTED: usize = 100;

#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) plan: Plan,
    pub(super) ratio_test: RatioTest,
    pub(super) core: Mutex<Core>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) trial: Option<Trial>,
    pub(super) revisions: Revisions,
    /// Assigns the trial's documents to the versions.
    pub(super) split: Split,
    /// How long reviews take.
    pub(super) review_delays: ReviewDelays,
    /// How many corrections come.
    pub(super) outlook: Outlook,
    /// When production last answered each type, if the expected types come from traffic.
    pub(super) seen: BoundedMap<DocumentType, Timestamp>,
    /// Candidates that were taken out of service: if one is deployed again, it gets no documents.
    pub(super) rejected: VecDeque<VersionId>,
    /// Events of the operator's commands, emitted at the pipeline's next call or tick.
    pub(super) pending_events: Vec<(Severity, EventKind)>,
    pub(super) latest: Timestamp,
    /// What all processes do alike.
    pub(super) agreement: Agreement,
    /// Whether there was a trial when it was last asked what has changed.
    had_trial: bool,
}

impl Core {
    fn stored(&mut self) -> Stored {
        let seen = self.seen.iter();
        Stored {
            format: Format,
            revision: self.revisions.of(self.trial.as_ref(), self.latest),
            trial: self.trial.clone(),
            delays: self.review_delays.stored(|_| true),
            outlook: self.outlook,
            seen: seen.map(|(name, at)| (name.clone(), *at)).collect(),
            rejected: self.rejected.clone(),
            pending_events: self.pending_events.clone(),
            latest: self.latest,
            agreed: self.agreement.agreed.clone(),
        }
    }

    /// What has changed since this was last asked: all, if all is asked for or the trial is another.
    fn take_changed(&mut self, all: bool) -> Changed {
        let had_trial = std::mem::replace(&mut self.had_trial, self.trial.is_some());
        let is_gone = had_trial && self.trial.is_none();
        let is_new = |trial: &Trial| !trial.is_shared;
        let is_whole = all || is_gone || self.trial.as_ref().is_some_and(is_new);
        let mut changed = Changed {
            is_whole,
            types: self.review_delays.take_changed().cloned().collect(),
            documents: Vec::new(),
        };
        if let Some(trial) = &mut self.trial {
            changed.types.extend(trial.by_type.take_changed().cloned());
            changed.documents = trial.documents.take_changed(is_whole);
            trial.is_shared = true;
        }
        changed
    }
}

impl Rollout {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            ratio_test: RatioTest::new(plan.max_ratio.as_f64()),
            plan,
            core: Mutex::new(Core {
                trial: None,
                revisions: Revisions::default(),
                split: Split::default(),
                review_delays: ReviewDelays::new(TYPES),
                outlook: Outlook::default(),
                seen: BoundedMap::new(TYPES),
                rejected: VecDeque::new(),
                pending_events: Vec::new(),
                latest: Timestamp::default(),
                agreement: Agreement::default(),
                had_trial: false,
            }),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.plan.name
    }

    pub(super) fn status(&self) -> RolloutStatus {
        let mut core = self.core.lock();
        let core = &mut *core;
        let revision = core.revisions.of(core.trial.as_ref(), core.latest);
        let (trial, view) = self.view(core);
        let is_on = trial.is_some();
        let mut none = Trial::none();
        let trial = trial.unwrap_or(&mut none);
        let corrections = trial.evidence(&view, Measure::Corrections);
        let (decision, mut findings) = trial.decide_by(&view, corrections);
        if trial.state == RolloutState::Promoted {
            let until = trial.watched_until();
            findings.next_evaluation = (until > view.now).then_some(until);
        }
        RolloutStatus {
            candidate: is_on.then(|| trial.candidate.clone()),
            revision,
            state: trial.state,
            stage: if is_on { trial.number() } else { 0 },
            share: if is_on {
                self.share(trial)
            } else {
                Ratio::ZERO
            },
            paused: trial.paused_at.is_some(),
            not_cleared: trial.waits_for().map(str::to_owned),
            decision: (is_on && trial.state.has_decision()).then_some(decision),
            evidence: corrections,
            findings,
            types: trial.types(&view),
            at_once: trial.at_once(&view),
            not_counted: trial.not_counted.clone(),
        }
    }

    pub(super) fn route(&self, call: &Call<'_>, cx: &Cx<'_>) -> Route {
        if cx.line_up().candidate().is_none() {
            return Route::Abstain;
        }
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        let split = core.split;
        let (Some(trial), view) = self.view(&mut core) else {
            return Route::Abstain;
        };
        let share = self.share_of(trial, &view, call.document_type());
        if trial.state.is_under_way() || (Ratio::ZERO < share && share < Ratio::ONE) {
            cx.mark_stage(trial.number());
        }
        let unit = call
            .batch()
            .map_or(call.document().as_str(), BatchKey::as_str);
        if split.contains(unit, share) {
            Route::Candidate
        } else {
            Route::Stable
        }
    }

    pub(super) fn tick(&self, cx: &Cx<'_>) {
        self.ask_for_clearance(cx);
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        let mut outlook = core.outlook;
        let (trial, view) = self.view(&mut core);
        if let Some(trial) = trial {
            if let Some(stage) = self.plan.stage(trial.stage) {
                let is_paused = trial.paused_at.is_some();
                trial
                    .serving
                    .forget_quiet(stage.at_least, view.now, is_paused);
                trial.close_cohort(stage, view.now);
            }
            self.evaluate(trial, &view, cx);
            Self::report_waiting(trial, &view, cx);
            if let Some(kind) = outlook.warning(trial, &view) {
                cx.emit(Severity::Warning, kind);
            }
        }
        core.outlook = outlook;
        core.remember();
    }

    pub(super) fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let stored = self.core.lock().stored();
        State::write(&stored, cx).map(Some)
    }

    pub(super) fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        self.restore_stored(state.read(cx)?, cx)
    }

    pub(super) fn give(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            return Ok(Share::default());
        }
        let (stored, changed, proposal) = {
            let mut core = self.core.lock();
            let changed = core.take_changed(wanted == Wanted::AllRegisters);
            // They may be many, and are stored apart.
            let documents = core
                .trial
                .as_mut()
                .map(|trial| std::mem::take(&mut trial.documents));
            let stored = core.stored();
            if let Some((trial, documents)) = core.trial.as_mut().zip(documents) {
                trial.documents = documents;
            }
            let trial = core.trial.as_ref();
            let proposal = trial.and_then(|trial| core.agreement.proposal(trial, stored.revision));
            (stored, changed, proposal)
        };
        let mut share = stored.share(&changed, cx)?;
        if let Some(proposal) = proposal {
            share.propose(SLOT, &proposal, cx)?;
        }
        Ok(share)
    }

    pub(super) fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        self.restore_stored(Stored::taken(shared, cx)?, cx)
    }

    fn restore_stored(&self, stored: Stored, cx: &Cx<'_>) -> Result<(), Error> {
        let trial = stored.trial;
        let valid = trial
            .as_ref()
            .map_or(Ok(()), |trial| trial.validate(&self.plan));
        valid.map_err(|reason| Error::state(cx.guard(), reason))?;
        let mut core = self.core.lock();
        core.split = trial
            .as_ref()
            .map_or_else(Split::default, |trial| self.split(&trial.candidate));
        core.revisions = Revisions::restored(stored.revision, trial.as_ref());
        core.trial = trial;
        core.review_delays.restore(stored.delays);
        core.outlook = stored.outlook;
        core.seen.refill(stored.seen, None);
        core.rejected = stored.rejected;
        core.pending_events = stored.pending_events;
        core.latest = core.latest.max(stored.latest);
        core.agreement = Agreement::restored(stored.agreed);
        // All of it is another one.
        core.had_trial = true;
        Ok(())
    }

    /// The trial, if there is one, and what it is decided with.
    pub(super) fn view<'a>(&'a self, core: &'a mut Core) -> (Option<&'a mut Trial>, View<'a>) {
        let view = View {
            plan: &self.plan,
            ratio_test: &self.ratio_test,
            review_delays: &core.review_delays,
            seen: &core.seen,
            now: core.latest,
        };
        (core.trial.as_mut(), view)
    }

    /// Whether the expected types are those that production answers.
    pub(super) fn expects_types_from_traffic(&self) -> bool {
        self.plan
            .coverage
            .as_ref()
            .is_some_and(Coverage::is_from_traffic)
    }

    fn split(&self, candidate: &VersionId) -> Split {
        Split::new(self.plan.name, candidate.as_str())
    }

    /// The candidate's current share of a document type. After a promotion, a type that the
    /// candidate has not answered often enough, or that cannot be evaluated if that is asked for,
    /// stays at the share of the last stage until it can.
    fn share_of(&self, trial: &Trial, view: &View<'_>, document_type: &DocumentType) -> Ratio {
        if trial.excluded.contains(document_type) {
            return Ratio::ZERO;
        }
        let share = self.share(trial);
        if trial.state == RolloutState::Promoted && !trial.may_serve_all(view, document_type) {
            return self
                .plan
                .stage(trial.stage)
                .map_or(share, |stage| stage.share);
        }
        share
    }

    /// The candidate's current share.
    pub(super) fn share(&self, trial: &Trial) -> Ratio {
        match trial.state {
            RolloutState::Promoted => Ratio::ONE,
            RolloutState::Aborted | RolloutState::RolledBack | RolloutState::Waiting => Ratio::ZERO,
            RolloutState::Escalated | RolloutState::Running => self
                .plan
                .stage(trial.stage)
                .map_or(Ratio::ZERO, |stage| stage.share),
        }
    }

    /// Takes over the time and the line-up. Another candidate, or another production version,
    /// starts a new trial.
    pub(super) fn catch_up(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = core.latest.max(cx.now());
        for (severity, kind) in core.pending_events.drain(..) {
            cx.emit(severity, kind);
        }
        let stable = cx.line_up().stable().id();
        match cx.line_up().candidate() {
            None => {
                // The candidate that was promoted may have become production: its watch goes on.
                core.trial = core.trial.take().filter(|trial| {
                    trial.state == RolloutState::Promoted && trial.candidate == *stable
                });
                if let Some(trial) = &mut core.trial {
                    trial.is_production = true;
                }
            }
            Some(candidate) => {
                let goes_on =
                    |trial: &Trial| trial.candidate == *candidate.id() && trial.stable == *stable;
                if let Some(trial) = core.trial.as_mut().filter(|trial| goes_on(trial)) {
                    trial.is_production = false;
                } else {
                    core.split = self.split(candidate.id());
                    core.review_delays.begin();
                    core.trial = Some(Trial::new(
                        candidate.id().clone(),
                        stable.clone(),
                        core.latest,
                    ));
                    self.begin(core, cx);
                }
            }
        }
    }

    fn begin(&self, core: &mut Core, cx: &Cx<'_>) {
        if self.joins(core, cx) {
            return;
        }
        let rejected = core.rejected.clone();
        let (trial, view) = self.view(core);
        let Some(trial) = trial else { return };
        if self.plan.clearance.is_some() {
            trial.wait();
        }
        if rejected.contains(&trial.candidate) {
            trial.state = RolloutState::RolledBack;
            let candidate = trial.candidate.clone();
            let kind = EventKind::Rollout(RolloutEvent::CandidateBarred { candidate });
            cx.emit(Severity::Warning, kind);
        } else if trial.state == RolloutState::Running {
            let (_, findings) = trial.decide(&view);
            let kind = self.stage_started(trial, findings);
            cx.emit(Severity::Info, kind);
        }
    }

    /// Decides, and acts on the decision.
    fn evaluate(&self, trial: &mut Trial, view: &View<'_>, cx: &Cx<'_>) {
        let is_over = trial.is_over(view.now) && trial.uncovered(view).is_empty();
        if trial.state.is_rejected() || trial.state == RolloutState::Waiting || is_over {
            return;
        }
        let (decision, findings) = trial.decide(view);
        self.act(trial, view.now, decision, findings, cx);
    }

    pub(super) fn act(
        &self,
        trial: &mut Trial,
        now: Timestamp,
        decision: Decision,
        findings: Findings,
        cx: &Cx<'_>,
    ) {
        match decision {
            Decision::Hold(reason) => Self::hold_for(trial, now, reason, findings, cx),
            Decision::Promote if trial.state == RolloutState::Promoted => {}
            Decision::Promote => {
                let kind = self.advance(trial, now, findings);
                cx.emit(Severity::Info, kind);
            }
            Decision::RollBack
                if trial.is_production || self.is_too_late(trial, now, &findings) =>
            {
                if !std::mem::replace(&mut trial.was_told_worse, true) {
                    let kind = trial.found_worse(findings);
                    if trial.is_over(now) {
                        cx.emit(Severity::Warning, kind);
                    } else {
                        cx.page(&incident::found_worse(&trial.candidate), kind);
                    }
                }
            }
            Decision::RollBack => match &findings.document_type {
                Some(name) if self.can_exclude(trial, name) => {
                    let name = name.clone();
                    trial.exclude(&name, now);
                    let event = RolloutEvent::TypeExcluded {
                        candidate: trial.candidate.clone(),
                        stage: trial.number(),
                        document_type: name,
                        findings: Box::new(findings),
                    };
                    trial.tell(event, cx);
                }
                _ => {
                    let event = trial.take_out_of_service(RolloutState::RolledBack, findings);
                    trial.tell(event, cx);
                }
            },
            Decision::Escalate if trial.state == RolloutState::Escalated => {}
            Decision::Escalate => {
                trial.state = RolloutState::Escalated;
                let kind = trial.escalated(findings);
                cx.page(&incident::escalated(&trial.candidate), kind);
            }
        }
    }

    /// Whether the watch after a promotion is over, also for a type that the candidate had not answered
    /// often enough.
    fn is_too_late(&self, trial: &Trial, now: Timestamp, findings: &Findings) -> bool {
        let is_watched = |name: &DocumentType| !trial.covers(&self.plan, name);
        trial.is_over(now) && !findings.document_type.as_ref().is_some_and(is_watched)
    }

    /// Whether the candidate can continue without a document type.
    fn can_exclude(&self, trial: &Trial, document_type: &DocumentType) -> bool {
        let is_other =
            |(name, _): (&DocumentType, _)| name != document_type && !trial.excluded.contains(name);
        self.plan.worse_type == WorseType::Exclude
            && trial.by_type.has_own(document_type)
            && trial.by_type.iter().any(is_other)
    }

    /// Reports each hold reason once.
    fn hold_for(
        trial: &mut Trial,
        now: Timestamp,
        reason: HoldReason,
        findings: Findings,
        cx: &Cx<'_>,
    ) {
        if trial.last_reported_hold == Some(reason) || trial.serving.is_reported(reason, now) {
            return;
        }
        trial.last_reported_hold = Some(reason);
        if reason == HoldReason::Approval {
            let kind = trial.approval_needed(findings);
            cx.page(&incident::approval_needed(&trial.candidate), kind);
        } else {
            let kind = EventKind::Rollout(RolloutEvent::RolloutHolds {
                candidate: trial.candidate.clone(),
                stage: trial.number(),
                reason,
                findings: Box::new(findings),
            });
            cx.emit(Severity::Info, kind);
        }
    }

    /// Says what a person is still needed for.
    pub(super) fn report_waiting(trial: &mut Trial, view: &View<'_>, cx: &Cx<'_>) {
        let candidate = trial.candidate.clone();
        let is_running = trial.state == RolloutState::Running;
        if trial.state == RolloutState::Escalated {
            cx.still(&incident::escalated(&candidate), || {
                let (_, findings) = trial.decide(view);
                trial.escalated(findings)
            });
        } else if is_running && trial.last_reported_hold == Some(HoldReason::Approval) {
            cx.still(&incident::approval_needed(&candidate), || {
                let (_, findings) = trial.decide(view);
                trial.approval_needed(findings)
            });
        }
    }

    /// Starts the next stage or completes the rollout; returns the event.
    pub(super) fn advance(
        &self,
        trial: &mut Trial,
        now: Timestamp,
        findings: Findings,
    ) -> EventKind {
        let is_last = usize::from(trial.stage) + 1 >= self.plan.stages.len();
        trial.enter(trial.stage.saturating_add(u8::from(!is_last)), now);
        if is_last {
            trial.state = RolloutState::Promoted;
            return EventKind::Rollout(RolloutEvent::RolloutPromoted {
                candidate: trial.candidate.clone(),
                findings: Box::new(findings),
            });
        }
        self.stage_started(trial, findings)
    }

    pub(super) fn stage_started(&self, trial: &Trial, findings: Findings) -> EventKind {
        EventKind::Rollout(RolloutEvent::StageStarted {
            candidate: trial.candidate.clone(),
            stage: trial.number(),
            share: self.share(trial),
            findings: Box::new(findings),
        })
    }
}

impl Core {
    /// Remembers a candidate that has just been taken out of service.
    pub(super) fn remember(&mut self) {
        let rejected = self
            .trial
            .as_ref()
            .filter(|trial| trial.state.is_rejected());
        if let Some(candidate) = rejected.map(|trial| trial.candidate.clone()) {
            self.reject(&candidate);
        }
    }

    /// Another step was decided than that of this process, which keeps to its own: what was excluded
    /// there is excluded here too, and told, for what is told there may end with that process.
    pub(super) fn keep_to_own(&mut self, proposal: &Proposal, cx: &Cx<'_>) {
        let step = &proposal.agreed.step;
        let Some(trial) = &mut self.trial else { return };
        if trial.is_production {
            if step.state.is_rejected() {
                self.reject(&step.candidate);
            }
        } else if trial.started == step.started {
            step.exclude(trial, self.latest);
            let excluded =
                |event: &&RolloutEvent| matches!(event, RolloutEvent::TypeExcluded { .. });
            let told: Vec<_> = proposal.told.iter().filter(excluded).cloned().collect();
            trial.tell_too(&told, cx);
        }
    }

    /// Remembers a candidate that was taken out of service.
    pub(super) fn reject(&mut self, candidate: &VersionId) {
        if !self.rejected.contains(candidate) {
            self.rejected.truncate(REJECTED - 1);
            self.rejected.push_front(candidate.clone());
        }
    }
}
