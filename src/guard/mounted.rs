//! Guards that wrap a guard: for one document type, as an onlooker, under another name.

use std::collections::BTreeSet;

use super::context::Cx;
use super::state::State;
use super::vote::{Acceptance, Route, Verdict};
use super::{Guard, shielded};
use crate::call::{Call, LineUp, Report, Signal, Ticket, Version};
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::name::{DocumentId, DocumentType};

/// A guard for documents of one type; made by [`Guard::only_for`].
#[derive(Debug)]
pub struct OnlyFor<G> {
    inner: G,
    document_type: DocumentType,
}

impl<G> OnlyFor<G> {
    pub(crate) fn new(inner: G, document_type: DocumentType) -> Self {
        Self {
            inner,
            document_type,
        }
    }
}

impl<G: Guard> Guard for OnlyFor<G> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        if *call.document_type() == self.document_type {
            self.inner.route(call, cx)
        } else {
            Route::Abstain
        }
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &mut Cx<'_>) -> Verdict {
        if *call.document_type() == self.document_type {
            self.inner.check(call, version, cx)
        } else {
            Verdict::Proceed
        }
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
        if *ticket.document_type() == self.document_type {
            self.inner.review(ticket, report, cx)
        } else {
            Acceptance::Accept
        }
    }

    fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        if *signal.ticket().document_type() == self.document_type {
            self.inner.observe(signal, cx);
        }
    }

    fn tick(&self, cx: &mut Cx<'_>) {
        self.inner.tick(cx);
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        self.inner.check_line_up(line_up)
    }

    fn snapshot(&self) -> Option<State> {
        self.inner.snapshot()
    }

    fn restore(&self, state: &State, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.inner.restore(state, cx)
    }
}

/// A guard that judges and reports, and never acts; made by [`Guard::dry_run`].
///
/// It learns from every call as it would otherwise. What it would have done is an event of its own, and its pages are
/// warnings.
#[derive(Debug)]
pub struct DryRun<G>(G);

impl<G> DryRun<G> {
    pub(crate) fn new(inner: G) -> Self {
        Self(inner)
    }
}

impl<G: Guard> Guard for DryRun<G> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        let mut watching = cx.watching();
        let route = watched(&mut watching, |cx| self.0.route(call, cx));
        if route > Route::Stable {
            let (document, document_type) = (call.document().clone(), call.document_type().clone());
            watching.emit(
                Severity::Info,
                would_reroute(document, document_type, route),
            );
        }
        Route::Abstain
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &mut Cx<'_>) -> Verdict {
        let mut watching = cx.watching();
        let verdict = watched(&mut watching, |cx| self.0.check(call, version, cx));
        let (route, reasons) = match verdict {
            Verdict::Proceed => return Verdict::Proceed,
            Verdict::UseModel(model) => (Some(model.name().to_string()), BTreeSet::new()),
            Verdict::Divert(divert) => (None, divert.reasons().clone()),
        };
        watching.emit(
            Severity::Info,
            EventKind::WouldAct {
                document: call.document().clone(),
                document_type: call.document_type().clone(),
                route,
                reasons,
            },
        );
        Verdict::Proceed
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
        let mut watching = cx.watching();
        if let Acceptance::Review(reasons) =
            watched(&mut watching, |cx| self.0.review(ticket, report, cx))
        {
            watching.emit(
                Severity::Info,
                EventKind::WouldAct {
                    document: ticket.document().clone(),
                    document_type: ticket.document_type().clone(),
                    route: None,
                    reasons,
                },
            );
        }
        Acceptance::Accept
    }

    fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        watched(&mut cx.watching(), |cx| self.0.observe(signal, cx));
    }

    fn tick(&self, cx: &mut Cx<'_>) {
        watched(&mut cx.watching(), |cx| self.0.tick(cx));
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        self.0.check_line_up(line_up)
    }

    fn snapshot(&self) -> Option<State> {
        self.0.snapshot()
    }

    fn restore(&self, state: &State, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.0.restore(state, &mut cx.watching())
    }
}

fn would_reroute(document: DocumentId, document_type: DocumentType, route: Route) -> EventKind {
    EventKind::WouldAct {
        document,
        document_type,
        route: Some(format!("{route:?}")),
        reasons: BTreeSet::new(),
    }
}

/// One step of a guard that never acts: if it panics, it has no opinion.
fn watched<T: Default>(cx: &mut Cx<'_>, step: impl FnOnce(&mut Cx<'_>) -> T) -> T {
    shielded(cx, Severity::Warning, T::default(), step)
}

/// A guard under another name; made by [`Guard::named`].
#[derive(Debug)]
pub struct Named<G> {
    inner: G,
    name: String,
}

impl<G> Named<G> {
    pub(crate) fn new(inner: G, name: String) -> Self {
        Self { inner, name }
    }
}

impl<G: Guard> Guard for Named<G> {
    fn name(&self) -> &str {
        &self.name
    }

    fn route(&self, call: &Call<'_>, cx: &mut Cx<'_>) -> Route {
        self.inner.route(call, cx)
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &mut Cx<'_>) -> Verdict {
        self.inner.check(call, version, cx)
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &mut Cx<'_>) -> Acceptance {
        self.inner.review(ticket, report, cx)
    }

    fn observe(&self, signal: &Signal, cx: &mut Cx<'_>) {
        self.inner.observe(signal, cx);
    }

    fn tick(&self, cx: &mut Cx<'_>) {
        self.inner.tick(cx);
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        self.inner.check_line_up(line_up)
    }

    fn snapshot(&self) -> Option<State> {
        self.inner.snapshot()
    }

    fn restore(&self, state: &State, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.inner.restore(state, cx)
    }
}
