//! What is wrong with a version, as its incident knows it: one page for one outage.

use super::rule::Rule;
use crate::call::Role;
use crate::event::BreakerEvent;
use crate::failure::FailureKind;
use crate::guard::{Cx, Trouble};
use crate::name::{DocumentType, VersionId};

const FAILING: &str = "failing";
const FAILING_TYPE: &str = "failing-type";
const EXHAUSTED: &str = "exhausted";
const EXHAUSTED_TYPE: &str = "exhausted-type";

/// A version fails, for all documents or for one type.
pub(super) fn failing<'a>(version: &'a VersionId, rule: &Rule, cx: &Cx<'a>) -> Trouble<'a> {
    match cx.scope() {
        None => of_version(FAILING, version, rule, cx).worse(),
        Some(_) => of_version(FAILING_TYPE, version, rule, cx)
            .joins_within(rule.hold_open)
            .caused_by(FAILING, version),
    }
}

/// No version is left to serve instead of `version`, which has this role. The failure of a version
/// that was to serve instead of production belongs to the incident of production.
pub(super) fn exhausted<'a>(
    version: &'a VersionId,
    role: Role,
    rule: &Rule,
    cx: &Cx<'a>,
) -> Trouble<'a> {
    let (what, failing) = match cx.scope() {
        None => (EXHAUSTED, FAILING),
        Some(_) => (EXHAUSTED_TYPE, FAILING_TYPE),
    };
    let trouble = of_version(what, version, rule, cx);
    let of_production = || trouble.caused_by(failing, cx.line_up().stable().id());
    match role {
        Role::Candidate => of_production(),
        Role::Stable => trouble.worse(),
        Role::Previous => of_production().worse(),
    }
}

/// A version that was out of service serves, because no version stands behind it any more.
pub(super) fn alone<'a>(version: &'a VersionId, rule: &Rule, cx: &Cx<'a>) -> Trouble<'a> {
    let failing = (FAILING, FAILING_TYPE);
    after(failing, ("alone", "alone-type"), version, rule, cx)
}

/// A version for which the provider was blamed is at fault itself: it waits for a person, who was
/// `told` that it comes back by itself.
pub(super) fn at_fault<'a>(
    version: &'a VersionId,
    told: Option<&BreakerEvent>,
    rule: &Rule,
    cx: &Cx<'a>,
) -> Trouble<'a> {
    let told = match told {
        Some(BreakerEvent::Exhausted { .. }) => (EXHAUSTED, EXHAUSTED_TYPE),
        _ => (FAILING, FAILING_TYPE),
    };
    after(told, ("at-fault", "at-fault-type"), version, rule, cx)
}

/// Something worse of a version of which another thing was told; both as they are called for all
/// documents and for one type.
fn after<'a>(
    told: (&'static str, &'static str),
    what: (&'static str, &'static str),
    version: &'a VersionId,
    rule: &Rule,
    cx: &Cx<'a>,
) -> Trouble<'a> {
    match cx.scope() {
        None => of_version(what.0, version, rule, cx).caused_by(told.0, version),
        Some(_) => of_version(what.1, version, rule, cx)
            .joins_within(rule.hold_open)
            .caused_by(told.1, version),
    }
    .worse()
}

/// A version is well again.
pub(super) fn end(version: &VersionId, rule: &Rule, cx: &Cx<'_>) {
    for trouble in of_failures(version, rule, cx) {
        cx.well(&trouble);
    }
}

/// The operator no longer wants to know about a version.
pub(super) fn put_right(version: &VersionId, rule: &Rule, cx: &Cx<'_>) {
    for trouble in of_failures(version, rule, cx) {
        cx.put_right(&trouble);
    }
}

fn of_failures<'a>(version: &'a VersionId, rule: &Rule, cx: &Cx<'a>) -> [Trouble<'a>; 4] {
    [
        at_fault(version, None, rule, cx),
        failing(version, rule, cx),
        exhausted(version, Role::Stable, rule, cx),
        alone(version, rule, cx),
    ]
}

/// Too large a share of calls is abandoned, whichever version serves: it lies with the callers.
pub(super) fn abandoned<'a>(rule: &Rule, cx: &Cx<'a>) -> Trouble<'a> {
    match cx.scope() {
        None => Trouble::new("abandoned").worse(),
        Some(document_type) => Trouble::new("abandoned-type").about(document_type.as_str()),
    }
    .held_open_for(rule.hold_open)
}

/// Too large a share of calls is throttled, whichever version serves: it lies with the account, so
/// it is never that of one type.
pub(super) fn throttled(rule: &Rule) -> Trouble<'static> {
    Trouble::new("throttled")
        .worse()
        .held_open_for(rule.hold_open)
}

/// Calls fail in a way that no version can cure; an unknown model is a matter of its version.
pub(super) fn urgent(version: &VersionId, failure: FailureKind) -> Trouble<'_> {
    let trouble = Trouble::new(failure.name()).seen().worse();
    match failure {
        FailureKind::NotFound => trouble.of_version(version),
        _ => trouble,
    }
}

fn of_version<'a>(
    what: &'static str,
    version: &'a VersionId,
    rule: &Rule,
    cx: &Cx<'a>,
) -> Trouble<'a> {
    let trouble = Trouble::new(what)
        .of_version(version)
        .held_open_for(rule.hold_open);
    let scope = cx.scope().map(DocumentType::as_str);
    scope.map_or(trouble, |scope| trouble.about(scope))
}
