//! What the API reports, held against what was counted: a guard that counts wrong must say so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::Ticket;
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::time::Timestamp;
use crate::tokens::{Measurement, Provenance};

/// The error of an exact count that is still the API's own framing ..
const TOLERANCE: Ratio = Ratio::percent(2);
/// .. and so many tokens beside, which are more than 2 % of a short prompt.
const SLACK: u64 = 16;
/// A person is woken up once in so long about one model and one kind of trouble.
const ONCE_IN: Duration = Duration::from_secs(60 * 60);

/// When a person was last told of a model.
#[derive(Debug, Default)]
pub(super) struct LastReports(BTreeMap<(Trouble, ModelName), Timestamp>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    PromptCut,
    CountWrong,
}

/// What the number that the API reports says of the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    /// The service read less than there was.
    Cut,
    /// The count was wrong.
    Wrong,
    /// They agree.
    Agrees,
}

/// Holds the reported number of input tokens against the count.
pub(super) fn compare(measurement: &Measurement, reported: u64) -> Audit {
    let counted = measurement.prompt;
    let is_much = |difference: u64| {
        difference > SLACK && TOLERANCE.is_exceeded_by(difference - SLACK, reported.max(1))
    };
    if reported < counted.lower() && is_much(counted.lower() - reported) {
        return Audit::Cut;
    }
    let above = counted
        .upper()
        .map_or(0, |upper| reported.saturating_sub(upper));
    // A calibrated bound is expected to be passed by one document in a hundred.
    let is_firm = !matches!(
        counted.provenance(),
        Provenance::Calibrated { .. } | Provenance::Assumed
    );
    if is_firm && is_much(above) {
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
        let severity = self.severity(Trouble::PromptCut, &measurement.model, cx.now());
        cx.emit(severity, kind);
    }

    /// `reported` is what the API said, if it said more than that the prompt was too long.
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
        let severity = self.severity(Trouble::CountWrong, &measurement.model, cx.now());
        cx.emit(severity, kind);
    }

    fn severity(&mut self, trouble: Trouble, model: &ModelName, now: Timestamp) -> Severity {
        let last = self.0.entry((trouble, model.clone()));
        let mut is_first = false;
        let last = last.or_insert_with(|| {
            is_first = true;
            now
        });
        if is_first || now.since(*last) >= ONCE_IN {
            *last = now;
            return Severity::Page;
        }
        Severity::Warning
    }
}
