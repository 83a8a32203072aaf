//! What the pagers of a drill accepted.

use serde::Serialize;

use crate::event::{IncidentKey, Severity};
use crate::name::RouteName;
use crate::pager::Action;

/// Something that a pager accepted.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Delivered {
    pub(super) route: RouteName,
    pub(super) incident: IncidentKey,
    pub(super) action: Action,
    pub(super) severity: Severity,
}

impl Delivered {
    /// Whether it wakes somebody.
    pub(super) fn is_page(&self) -> bool {
        self.action == Action::Trigger && self.severity == Severity::Page
    }
}
