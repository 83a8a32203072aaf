//! When documents of a type that exceed the budget raise an alarm.

use std::time::Duration;

use crate::event::{BudgetEvent, EventKind, PipelineEvent, Severity};
use crate::guard::{Cx, Trouble};
use crate::name::{DocumentType, VersionId};
use crate::stats::{BoundedMap, DEFAULT_KEYS, Place, Span, Window};
use crate::time::hours;
use crate::tokens::TokenCount;

/// As long as the type has not been well for a day, its alarm goes on.
const HOLD_OPEN: Duration = hours(24);
const DOCUMENTS: u64 = 3;
const WITHIN: Span = Span::fixed(Duration::from_secs(15 * 60), 15);

/// Recent documents over the budget, by type.
#[derive(Debug)]
pub(super) struct Alarms(BoundedMap<DocumentType, OverBudget>);

#[derive(Debug)]
struct OverBudget {
    window: Window<1>,
    version: VersionId,
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self(BoundedMap::new(DEFAULT_KEYS))
    }

    /// Records another document over the budget of `version`.
    pub(super) fn record(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        tokens: Option<TokenCount>,
        limit: u64,
        severity: Severity,
        cx: &Cx<'_>,
    ) {
        let keys = self.0.limit();
        let (over, place) = self.0.entry(document_type, || OverBudget::of(version));
        if place == Place::FirstOverflow {
            let first = document_type.to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit: keys, first }),
            );
        }
        if over.version != *version {
            over.version = version.clone();
            over.window.clear();
        }
        over.window.add(cx.now(), [1]);
        let [documents] = over.window.total(cx.now());
        if documents >= DOCUMENTS {
            cx.still(&over_budget(document_type, version, severity), || {
                EventKind::Budget(BudgetEvent::BudgetAlarm {
                    document_type: document_type.clone(),
                    version: version.clone(),
                    documents,
                    within: WITHIN.length(),
                    tokens,
                    limit,
                })
            });
        }
    }
}

/// Documents of a type exceed the budget of a version; all types that do are one incident.
fn over_budget<'a>(
    document_type: &'a DocumentType,
    version: &'a VersionId,
    severity: Severity,
) -> Trouble<'a> {
    let trouble = Trouble::new("over-budget")
        .of_version(version)
        .seen()
        .worse();
    let trouble = trouble.about(document_type.as_str()).told_as(severity);
    trouble.held_open_for(HOLD_OPEN).joins_always()
}

impl OverBudget {
    fn of(version: &VersionId) -> Self {
        Self {
            window: Window::new(WITHIN),
            version: version.clone(),
        }
    }
}
