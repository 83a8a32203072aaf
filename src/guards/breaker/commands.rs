//! Commands of the operator. A command changes the state at once; the calls that it makes late, its
//! event and the ends of incidents come with the next step.

use serde::{Deserialize, Serialize};

use super::outage;
use super::rule::Rule;
use crate::event::{BreakerEvent, BreakerMode, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::order::Order;

/// A command whose event is still to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// Types are no longer evaluated: the circuits of these versions in these types were dropped.
    DropTypes(Vec<(DocumentType, VersionId)>),
    Rearm(VersionId, Order),
    Reconfigure(Order),
    Reset(Order),
    Switch(BreakerMode, Order),
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::DropTypes(_) | Self::Reconfigure(_) => "reconfigure",
            Self::Rearm(..) => "rearm",
            Self::Reset(_) => "reset",
            Self::Switch(..) => "switch",
        }
    }

    /// Who gave it; nobody where a step of the guard follows from a command.
    pub(super) fn order_mut(&mut self) -> Option<&mut Order> {
        match self {
            Self::DropTypes(_) => None,
            Self::Rearm(_, order)
            | Self::Reconfigure(order)
            | Self::Reset(order)
            | Self::Switch(_, order) => Some(order),
        }
    }

    /// Ends the incidents that it puts right, and reports it.
    pub(super) fn tell(self, rule: &Rule, cx: &Cx<'_>) {
        let (severity, event) = match self {
            Self::DropTypes(circuits) => {
                for (document_type, version) in &circuits {
                    outage::put_right(version, rule, &cx.only_for(document_type));
                }
                return;
            }
            Self::Rearm(version, order) => {
                cx.put_all_right(Some(&version));
                let event = BreakerEvent::Rearmed {
                    version,
                    who: order.who,
                    why: order.why,
                    before: order.before,
                    after: order.after,
                };
                (Severity::Info, event)
            }
            Self::Reconfigure(order) => {
                let event = BreakerEvent::BreakerReconfigured {
                    who: order.who,
                    why: order.why,
                    before: order.before,
                    after: order.after,
                };
                (Severity::Info, event)
            }
            Self::Reset(order) => {
                cx.put_all_right(None);
                let event = BreakerEvent::BreakerReset {
                    who: order.who,
                    why: order.why,
                    before: order.before,
                    after: order.after,
                };
                (Severity::Info, event)
            }
            Self::Switch(mode, order) => {
                let event = BreakerEvent::BreakerSwitched {
                    mode,
                    who: order.who,
                    why: order.why,
                    before: order.before,
                    after: order.after,
                };
                (Severity::Warning, event)
            }
        };
        cx.emit(severity, EventKind::Breaker(event));
    }
}
