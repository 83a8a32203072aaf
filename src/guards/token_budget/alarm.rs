//! When documents of a type that exceed the budget raise an alarm.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{BudgetEvent, EventKind, PipelineEvent, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::stats::{BoundedMap, DEFAULT_KEYS, Place, Span, Window};
use crate::tokens::TokenCount;

const DOCUMENTS: u64 = 3;
const WITHIN: Span = Span::fixed(Duration::from_secs(15 * 60), 15);
/// The number of versions per type for which an alarm is not repeated.
const REMEMBERED_VERSIONS: usize = 8;

/// Recent documents over the budget, by type.
#[derive(Debug)]
pub(super) struct Alarms(BoundedMap<DocumentType, OverBudget>);

#[derive(Debug)]
struct OverBudget {
    window: Window<1>,
    version: VersionId,
    /// The versions that an alarm was raised for, latest first.
    alarmed: VecDeque<VersionId>,
}

/// What a restart keeps: the versions for which a type was reported.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Alarmed {
    document_type: DocumentType,
    versions: VecDeque<VersionId>,
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
        if documents >= DOCUMENTS && over.is_new() {
            let kind = EventKind::Budget(BudgetEvent::BudgetAlarm {
                document_type: document_type.clone(),
                version: version.clone(),
                documents,
                within: WITHIN.length(),
                tokens,
                limit,
            });
            cx.emit(severity, kind);
        }
    }

    pub(super) fn stored(&self) -> Vec<Alarmed> {
        let reported = self.0.iter().filter(|(_, over)| !over.alarmed.is_empty());
        let stored = reported.map(|(document_type, over)| Alarmed {
            document_type: document_type.clone(),
            versions: over.alarmed.clone(),
        });
        stored.collect()
    }

    pub(super) fn restore(&mut self, stored: Vec<Alarmed>) {
        for Alarmed {
            document_type,
            versions,
        } in stored
        {
            if let Some(latest) = versions.front() {
                let (over, _) = self.0.entry(&document_type, || OverBudget::of(latest));
                over.alarmed = versions;
                over.alarmed.truncate(REMEMBERED_VERSIONS);
            }
        }
    }
}

impl OverBudget {
    fn of(version: &VersionId) -> Self {
        Self {
            window: Window::new(WITHIN),
            version: version.clone(),
            alarmed: VecDeque::new(),
        }
    }

    /// Whether the current version has not raised an alarm yet; marks it as raised.
    fn is_new(&mut self) -> bool {
        if self.alarmed.contains(&self.version) {
            return false;
        }
        self.alarmed.truncate(REMEMBERED_VERSIONS - 1);
        self.alarmed.push_front(self.version.clone());
        true
    }
}
