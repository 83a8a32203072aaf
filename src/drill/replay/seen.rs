//! What happened in a replay.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::call::{Destination, Reason};
use crate::event::{Event, EventKind, PipelineEvent, Severity};
use crate::name::VersionId;
use crate::pipeline::Diversion;

/// The number of events other than pages that are kept.
const KEPT_EVENTS: usize = 10_000;

/// How the recorded calls would have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReplayCounts {
    /// Calls whose answer would have been accepted.
    pub accepted: u64,
    /// Calls that would have served, and whose recorded end is a failure.
    pub failed: u64,
    /// Calls whose answer would have gone to human review.
    pub needs_review: u64,
    /// Calls that would not have been made. They have no outcome, whatever was recorded.
    pub diverted: u64,
    /// Calls that would have been made, and have no recorded end.
    pub never_answered: u64,
    /// Calls that another version than the recorded one would have answered: their ends are those of
    /// the recorded version, as that of the other is not known.
    pub by_another_version: u64,
    /// What became of the corrections.
    pub corrections: CorrectionCounts,
}

/// What became of the recorded corrections; one of two fields counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CorrectionCounts {
    /// The guards learnt of them.
    pub given: u64,
    /// They are about a call that would have been diverted.
    pub of_diverted: u64,
    /// No call of their document had begun.
    pub of_unknown: u64,
    /// They are about a call that had failed, or had no end yet.
    pub of_unanswered: u64,
}

/// What was seen in a replay.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) counts: ReplayCounts,
    pub(super) diversions: BTreeMap<(Destination, &'static str), u64>,
    pub(super) reviews: BTreeMap<&'static str, u64>,
    /// By the recorded version and the one that would have served.
    pub(super) other_versions: BTreeMap<(VersionId, VersionId), u64>,
    pub(super) log: EventLog,
}

impl Seen {
    pub(super) fn divert(&mut self, diversion: &Diversion) {
        self.counts.diverted += 1;
        for reason in diversion.reasons() {
            let place = (diversion.destination().clone(), reason.name());
            *self.diversions.entry(place).or_default() += 1;
        }
    }

    pub(super) fn review(&mut self, reasons: &BTreeSet<Reason>) {
        self.counts.needs_review += 1;
        let names: BTreeSet<_> = reasons.iter().map(Reason::name).collect();
        for name in names {
            *self.reviews.entry(name).or_default() += 1;
        }
    }
}

/// The events that reached the sink: all of them counted, and those kept that are not about one
/// document each.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    pub(super) kept: Vec<Event>,
    /// How many could have been kept and were not.
    pub(super) not_kept: u64,
    /// By guard and by the name of the event.
    pub(super) counted: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

impl EventLog {
    pub(super) fn add(&mut self, event: &Event) {
        if !self.counted.contains_key(&event.guard) {
            self.counted.insert(event.guard.clone(), BTreeMap::new());
        }
        if let Some(of_guard) = self.counted.get_mut(&event.guard) {
            *of_guard.entry(event.kind.name()).or_default() += 1;
        }
        if event.severity < Severity::Page {
            if is_of_one_document(&event.kind) {
                return;
            }
            if self.kept.len() >= KEPT_EVENTS {
                self.not_kept += 1;
                return;
            }
        }
        self.kept.push(event.clone());
    }
}

/// The counts of a replay say the same of all documents together.
fn is_of_one_document(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Pipeline(
            PipelineEvent::Diverted { .. }
                | PipelineEvent::LargerModel { .. }
                | PipelineEvent::PinLost { .. }
                | PipelineEvent::WouldAct { .. }
        )
    )
}
