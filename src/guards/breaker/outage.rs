//! What is wrong with a version, as its incident knows it: one page for one outage.

use super::rule::Rule;
use crate::failure::FailureKind;
use crate::guard::{Cx, Trouble};
use crate::name::{DocumentType, VersionId};

const FAILING: &str = "failing";
const FAILING_TYPE: &str = "failing-type";

/// A version fails, for all documents or for one type.
pub(super) fn failing<'a>(version: &'a VersionId, rule: &Rule, cx: &Cx<'a>) -> Trouble<'a> {
    match cx.scope() {
        None => of_version(FAILING, version, rule, cx).worse(),
        Some(_) => of_version(FAILING_TYPE, version, rule, cx)
            .joins_within(rule.hold_open)
            .caused_by(FAILING, version),
    }
}

/// No version is left: `version` failed as well, after `cause` where there is one.
pub(super) fn exhausted<'a>(
    version: &'a VersionId,
    cause: Option<&'a VersionId>,
    rule: &Rule,
    cx: &Cx<'a>,
) -> Trouble<'a> {
    let trouble = of_version("exhausted", version, rule, cx).worse();
    match (cause, cx.scope()) {
        (None, _) => trouble,
        (Some(cause), None) => trouble.caused_by(FAILING, cause),
        (Some(cause), Some(_)) => trouble.caused_by(FAILING_TYPE, cause),
    }
}

/// A version is well again.
pub(super) fn end(version: &VersionId, rule: &Rule, cx: &Cx<'_>) {
    cx.well(&failing(version, rule, cx));
    cx.well(&exhausted(version, None, rule, cx));
}

/// Too large a share of calls is abandoned, whichever version serves: it lies with the callers.
pub(super) fn abandoned<'a>(rule: &Rule, cx: &Cx<'a>) -> Trouble<'a> {
    match cx.scope() {
        None => Trouble::new("abandoned").worse(),
        Some(document_type) => Trouble::new("abandoned-type").about(document_type.as_str()),
    }
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
