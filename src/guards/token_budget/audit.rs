//! Compares the usage that the API reports with the count, because a guard that counts wrong must
//! say so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::Ticket;
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::time::Timestamp;
use crate::tokens::{Measurement, Provenance};

/// The relative error that the API's own framing explains ..
const TOLERANCE: Ratio = Ratio::percent(2);
/// .. above this many tokens, which are more than 2 % of a short prompt.
const SLACK: u64 = 16;
/// The minimum time between two pages for the same model and mismatch.
const PAGE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// When each mismatch of a model last raised a page.
#[derive(Debug, Default)]
pub(super) struct LastReports(BTreeMap<(Mismatch, ModelName), Timestamp>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mismatch {
    PromptCut,
    CountWrong,
}

/// The result of comparing the reported usage with the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    /// The service read less than the prompt: it cut the prompt.
    Cut,
    /// The count was wrong.
    Wrong,
    /// They agree.
    Agrees,
}

/// Compares the reported input tokens with the count.
pub(super) fn compare(measurement: &Measurement, reported: u64) -> Audit {
    let counted = measurement.prompt;
    let is_significant = |difference: u64| {
        difference > SLACK && TOLERANCE.is_exceeded_by(difference - SLACK, reported.max(1))
    };
    if reported < counted.lower() && is_significant(counted.lower() - reported) {
        return Audit::Cut;
    }
    let above = counted
        .upper()
        .map_or(0, |upper| reported.saturating_sub(upper));
    // One document in a hundred is expected to exceed a calibrated bound.
    let is_firm = !matches!(
        counted.provenance(),
        Provenance::Calibrated { .. } | Provenance::Assumed
    );
    if is_firm && is_significant(above) {
        Audit::Wrong
    } else {
        Audit::Agrees
    }
}

impl LastReports {
    pub(super) fn prompt_cut(
        &mut self,
        ticket: &Ticket,
        measurement: &Measurement,
        reported: u64,
        cx: &Cx<'_>,
    ) {
        let kind = EventKind::Budget(BudgetEvent::PromptCut {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            model: measurement.model.clone(),
            counted: measurement.prompt,
            reported,
        });
        let severity = self.severity(Mismatch::PromptCut, &measurement.model, cx.now());
        cx.emit(severity, kind);
    }

    /// `reported` is `None` if the API only reported that the prompt was too long.
    pub(super) fn count_wrong(
        &mut self,
        ticket: &Ticket,
        measurement: &Measurement,
        reported: Option<u64>,
        cx: &Cx<'_>,
    ) {
        let kind = EventKind::Budget(BudgetEvent::CountWrong {
            document: ticket.document().clone(),
            document_type: ticket.document_type().clone(),
            version: ticket.version().clone(),
            model: measurement.model.clone(),
            counted: measurement.prompt,
            reported,
        });
        let severity = self.severity(Mismatch::CountWrong, &measurement.model, cx.now());
        cx.emit(severity, kind);
    }

    fn severity(&mut self, mismatch: Mismatch, model: &ModelName, now: Timestamp) -> Severity {
        let last = self.0.entry((mismatch, model.clone()));
        let mut is_first = false;
        let last = last.or_insert_with(|| {
            is_first = true;
            now
        });
        if is_first || now.since(*last) >= PAGE_INTERVAL {
            *last = now;
            return Severity::Page;
        }
        Severity::Warning
    }
}
