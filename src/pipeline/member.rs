//! A guard as the pipeline holds it: the one place that applies its name, its document type and its
//! dry run.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::call::{Call, LineUp, Reason, Report, Signal, Ticket, Version};
use crate::error::Error;
use crate::event::{EventKind, OpenIncident, PipelineEvent, Severity};
use crate::guard::{
    Acceptance, Attached, Cx, Decided, Fact, Guard, Incidents, Mounted, Route, Share, State,
    Trouble, Verdict, Wanted,
};
use crate::json::Json;
use crate::name::{DocumentId, DocumentType};
use crate::time::hours;

#[derive(Debug)]
pub(super) struct Member {
    held: Mounted<Box<dyn Guard>>,
    pub(super) name: Arc<str>,
    pub(super) incidents: Incidents,
    /// Whether the guard has the mark of this pipeline.
    is_attached: bool,
}

/// The name under which a pipeline holds a guard.
pub(super) fn name_of(held: &Mounted<Box<dyn Guard>>) -> &str {
    held.name.as_deref().unwrap_or_else(|| held.guard.name())
}

impl Member {
    pub(super) fn new(held: Mounted<Box<dyn Guard>>) -> Self {
        Self {
            name: name_of(&held).into(),
            incidents: Incidents::new(),
            is_attached: false,
            held,
        }
    }

    pub(super) fn held(&self) -> &Mounted<Box<dyn Guard>> {
        &self.held
    }

    /// Takes the guard for this pipeline; an error if another has it.
    pub(super) fn attach(&mut self) -> Result<(), Error> {
        if let Some(mark) = self.held.guard.attached() {
            if !mark.take() {
                let allowed = "a guard that no pipeline holds yet; make one for each pipeline, or clone the pipeline";
                return Err(Error::invalid("guard", &self.name, allowed));
            }
            self.is_attached = true;
        }
        Ok(())
    }

    /// Whether it holds the guard with this mark.
    pub(super) fn holds(&self, mark: &Attached) -> bool {
        let own = self.held.guard.attached();
        own.is_some_and(|own| std::ptr::eq(own, mark))
    }

    /// Turns a context into the guard's.
    #[inline]
    pub(super) fn enter<'a>(&'a self, cx: &mut Cx<'a>) {
        let Mounted {
            only_for, dry_run, ..
        } = &self.held;
        cx.enter(&self.name, only_for.as_ref(), *dry_run, &self.incidents);
    }

    /// What it reports as wrong; in a dry run nothing.
    pub(super) fn open_incidents(&self) -> Vec<OpenIncident> {
        if self.held.dry_run {
            return Vec::new();
        }
        self.incidents.open(&self.name)
    }

    /// Its vote; the guard's name if it panicked instead.
    #[inline]
    pub(super) fn route(&self, call: &Call<'_>, cx: &Cx<'_>) -> Result<Route, &str> {
        if !self.concerns(call.document_type()) {
            return Ok(Route::Abstain);
        }
        let vote = self.caught(cx, |guard| guard.route(call, cx));
        if !self.held.dry_run {
            return vote.ok_or(&self.name);
        }
        if let Some(route) = vote.filter(|route| *route > Route::Stable) {
            let (document, document_type) = (call.document(), call.document_type());
            report_dry_run(
                document,
                document_type,
                Some(route.to_string()),
                BTreeSet::new(),
                cx,
            );
        }
        Ok(Route::Abstain)
    }

    #[inline]
    pub(super) fn check(&self, call: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
        if !self.concerns(call.document_type()) {
            return Verdict::Proceed;
        }
        let verdict = self.caught(cx, |guard| guard.check(call, version, cx));
        if !self.held.dry_run {
            let strictest =
                || Verdict::divert(crate::call::Destination::HumanReview, self.failed());
            return verdict.unwrap_or_else(strictest);
        }
        let (document, document_type) = (call.document(), call.document_type());
        match verdict.unwrap_or_default() {
            Verdict::Proceed => {}
            Verdict::UseModel(model) => {
                let model = Some(model.name().to_string());
                report_dry_run(document, document_type, model, BTreeSet::new(), cx);
            }
            Verdict::Divert(divert) => {
                report_dry_run(document, document_type, None, divert.reasons().clone(), cx);
            }
        }
        Verdict::Proceed
    }

    #[inline]
    pub(super) fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        if !self.concerns(ticket.document_type()) {
            return Acceptance::Accept;
        }
        let vote = self.caught(cx, |guard| guard.review(ticket, report, cx));
        if !self.held.dry_run {
            return vote.unwrap_or_else(|| Acceptance::review(self.failed()));
        }
        if let Some(Acceptance::Review(reasons)) = vote {
            report_dry_run(ticket.document(), ticket.document_type(), None, reasons, cx);
        }
        Acceptance::Accept
    }

    #[inline]
    pub(super) fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if self.concerns(ticket.document_type()) {
            self.caught(cx, |guard| guard.observe(ticket, signal, cx));
        }
    }

    pub(super) fn tick(&self, cx: &Cx<'_>) {
        self.caught(cx, |guard| guard.tick(cx));
        cx.end_incidents();
    }

    /// Whether the guard refuses a line-up; in a dry run it reports the refusal in an event.
    pub(super) fn check_line_up(&self, line_up: &LineUp, cx: &Cx<'_>) -> Result<(), Error> {
        let result = self.caught(cx, |guard| guard.check_line_up(line_up));
        match result.unwrap_or_else(|| Err(Error::panicked(&self.name, "checked the line-up"))) {
            Err(error) if self.held.dry_run => {
                let kind = EventKind::Pipeline(PipelineEvent::WouldRefuse {
                    reason: error.to_string(),
                });
                cx.emit(Severity::Warning, kind);
                Ok(())
            }
            result => result,
        }
    }

    pub(super) fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let state = self.caught(cx, |guard| guard.snapshot(cx));
        state.unwrap_or_else(|| Err(Error::panicked(&self.name, "wrote its state")))
    }

    pub(super) fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let result = self.caught(cx, |guard| guard.restore(state, cx));
        result.unwrap_or_else(|| Err(Error::panicked(&self.name, "read its state")))
    }

    /// What happened, as the guard gives it away; nothing if it cannot, which it reports.
    pub(super) fn share_facts(&self, cx: &Cx<'_>) -> Vec<Fact> {
        let share = self.caught(cx, |guard| guard.share(Wanted::Facts, cx));
        match share {
            Some(Ok(share)) if share.registers.is_empty() && share.slots.is_empty() => {
                self.that_can_be_written(share.facts, cx)
            }
            Some(answer) => {
                let error = answer.err().unwrap_or_else(|| {
                    let reason = "it shares registers or proposals where facts are wanted";
                    Error::state(&self.name, reason)
                });
                self.report(&error, cx);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A store would refuse the others with one that cannot be written, which is reported.
    fn that_can_be_written(&self, mut facts: Vec<Fact>, cx: &Cx<'_>) -> Vec<Fact> {
        facts.retain(|fact| {
            let written = Json::check(&fact.value);
            if let Err(error) = &written {
                let reason = format!("fact {} {}: {error}", fact.kind, fact.id);
                self.report(&Error::state(&self.name, reason), cx);
            }
            written.is_ok()
        });
        facts
    }

    pub(super) fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        let share = self.caught(cx, |guard| guard.share(wanted, cx));
        let share = share.unwrap_or_else(|| Err(Error::panicked(&self.name, "wrote its state")));
        let mut share = share?;
        if !share.facts.is_empty() {
            let reason = "it shares facts where registers are wanted";
            return Err(Error::state(&self.name, reason));
        }
        for (slot, value) in &share.slots {
            let written = Json::check(value);
            written.map_err(|error| Error::state(&self.name, format!("slot {slot}: {error}")))?;
        }
        if self.held.dry_run {
            // What it only tries out holds nowhere else.
            share.slots.clear();
        }
        share.is_whole |= wanted == Wanted::AllRegisters;
        Ok(share)
    }

    pub(super) fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let result = self.caught(cx, |guard| guard.take(shared, cx));
        result.unwrap_or_else(|| Err(Error::panicked(&self.name, "read its state")))
    }

    /// Hands on what was decided for all processes; the guard may not be able to read it, which is
    /// reported.
    pub(super) fn decided(&self, decided: &Decided, cx: &Cx<'_>) {
        if self.held.dry_run {
            return;
        }
        let result = self.caught(cx, |guard| guard.decided(decided, cx));
        if let Some(Err(error)) = result {
            self.report(&error, cx);
        }
    }

    /// Leaves an event about what the guard did wrong.
    fn report(&self, error: &Error, cx: &Cx<'_>) {
        let kind = EventKind::custom(self.name.to_string(), error.to_string());
        cx.emit(Severity::Warning, kind);
    }

    /// The one type of documents that the guard is mounted for; `None` if it is for all.
    pub(super) fn only_for(&self) -> Option<&DocumentType> {
        self.held.only_for.as_ref()
    }

    fn concerns(&self, document_type: &DocumentType) -> bool {
        self.only_for().is_none_or(|only| only == document_type)
    }

    /// Runs one step of the guard; `None` after a panic, which it reports.
    #[inline]
    fn caught<T>(&self, cx: &Cx<'_>, step: impl FnOnce(&dyn Guard) -> T) -> Option<T> {
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| step(&*self.held.guard))) {
            return Some(result);
        }
        let guard = self.name.to_string();
        let trouble = Trouble::new("panicked")
            .seen()
            .held_open_for(hours(1))
            .worse();
        cx.page(
            &trouble,
            EventKind::Pipeline(PipelineEvent::GuardPanicked { guard }),
        );
        None
    }

    fn failed(&self) -> Reason {
        Reason::GuardFailed {
            guard: self.name.to_string(),
        }
    }
}

/// With the last clone of the pipeline: another may take the guard.
impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mark) = self.held.guard.attached().filter(|_| self.is_attached) {
            mark.give_back();
        }
    }
}

/// Reports what a guard in a dry run would have done with a document.
fn report_dry_run(
    document: &DocumentId,
    document_type: &DocumentType,
    route: Option<String>,
    reasons: BTreeSet<Reason>,
    cx: &Cx<'_>,
) {
    let kind = EventKind::Pipeline(PipelineEvent::WouldAct {
        document: document.clone(),
        document_type: document_type.clone(),
        route,
        reasons,
    });
    cx.emit(Severity::Info, kind);
}
