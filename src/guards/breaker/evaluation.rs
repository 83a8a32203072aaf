//! What a breaker evaluates its circuits with.

use std::time::Duration;

use super::by_version::ByVersion;
use super::generation::Generation;
use super::rule::{CountsAs, Rule};
use crate::call::{Outcome, Ticket};
use crate::event::BreakerMode;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::revision::Revision;
use crate::time::Timestamp;

/// What the circuits of all scopes share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mode: BreakerMode,
    /// Calls admitted before it are late for every version.
    pub(super) generation: Generation,
    pub(super) latest: Timestamp,
    /// The last time that a version went out of service or came back for all documents, or a command
    /// was given.
    pub(super) revision: Revision,
    /// Whether the provider has just been found at fault for all documents, so that it is for what
    /// failed alike in single types.
    pub(super) has_blamed_provider: bool,
}

impl Shared {
    /// A version went out of service or came back.
    pub(super) fn has_changed(&mut self, cx: &Cx<'_>) {
        if cx.scope().is_none() {
            self.revision.advance(self.latest);
        }
    }
}

/// What circuits are evaluated with: the rule, the shared state, and the context of the call or
/// tick.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    pub(super) rule: &'a Rule,
    pub(super) shared: &'a mut Shared,
    /// The circuits of all documents, when those of one type are evaluated.
    pub(super) all_documents: Option<&'a ByVersion>,
    pub(super) cx: &'a Cx<'a>,
}

impl<'a> Evaluation<'a> {
    /// The evaluation of all documents.
    pub(super) fn new(rule: &'a Rule, shared: &'a mut Shared, cx: &'a Cx<'a>) -> Self {
        Self {
            rule,
            shared,
            all_documents: None,
            cx,
        }
    }

    /// The evaluation of one type, whose events `cx` limits to the type.
    pub(super) fn of_type<'b>(
        &'b mut self,
        all_documents: &'b ByVersion,
        cx: &'b Cx<'b>,
    ) -> Evaluation<'b> {
        Evaluation {
            rule: self.rule,
            shared: self.shared,
            all_documents: Some(all_documents),
            cx,
        }
    }

    pub(super) fn is_out_for_all(&self, version: &VersionId) -> bool {
        let all_documents = self.all_documents;
        all_documents.is_some_and(|all| all.is_out(version))
    }
}

/// A call that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) outcome: &'a Outcome,
    /// What the call counts as for its version; `None` when it does not count.
    pub(super) counts_as: Option<CountsAs>,
    /// How long the API asked to wait.
    pub(super) wait: Option<Duration>,
}
