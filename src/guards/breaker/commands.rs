//! Commands of the operator. A command changes the state at once; the calls that it makes late, its
//! event and the ends of incidents come with the next step.

use serde::{Deserialize, Serialize};

use super::outage;
use super::rule::Rule;
use crate::event::{BreakerEvent, BreakerMode, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};

/// A command whose event is still to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// Types are no longer evaluated: the circuits of these versions in these types were dropped.
    DropTypes(Vec<(DocumentType, VersionId)>),
    Rearm(VersionId),
    Reset,
    Switch(BreakerMode),
}

impl Command {
    /// Ends the incidents that it puts right, and reports it.
    pub(super) fn tell(self, rule: &Rule, cx: &Cx<'_>) {
        let (severity, event) = match self {
            Self::DropTypes(circuits) => {
                for (document_type, version) in &circuits {
                    outage::put_right(version, rule, &cx.only_for(document_type));
                }
                return;
            }
            Self::Rearm(version) => {
                cx.put_all_right(Some(&version));
                (Severity::Info, BreakerEvent::Rearmed { version })
            }
            Self::Reset => {
                cx.put_all_right(None);
                (Severity::Info, BreakerEvent::BreakerReset)
            }
            Self::Switch(mode) => (Severity::Warning, BreakerEvent::BreakerSwitched { mode }),
        };
        cx.emit(severity, EventKind::Breaker(event));
    }
}
