//! Compares the usage that the API reports with the count, because a guard that counts wrong must
//! say so.

use std::time::Duration;

use crate::call::Ticket;
use crate::event::{BudgetEvent, EventKind};
use crate::guard::{Cx, Trouble};
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::time::hours;
use crate::tokens::{Basis, Measurement};

/// The relative error that the API's own framing explains ..
const TOLERANCE: Ratio = Ratio::percent(2);
/// .. above this many tokens, which are more than 2 % of a short prompt.
const SLACK: u64 = 16;
/// A mismatch goes on until a model has had none for this time.
const HOLD_OPEN: Duration = hours(24);

/// The result of comparing the reported usage with the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    /// The service read less than the prompt: it cut the prompt, and so many other prompts at the
    /// very same length.
    Cut { alike: u64 },
    /// The count was wrong.
    Wrong,
    /// They agree.
    Agrees,
}

/// Compares the reported input tokens with the count. `alike`: how many other prompts were reported
/// with the very same usage, where that shows a cut.
pub(super) fn compare(measurement: &Measurement, reported: u64, alike: Option<u64>) -> Audit {
    let counted = measurement.prompt;
    let is_significant = |difference: u64| {
        difference > SLACK && TOLERANCE.is_exceeded_by(difference - SLACK, reported.max(1))
    };
    let is_below = reported < counted.lower() && is_significant(counted.lower() - reported);
    if is_below || alike.is_some() {
        return Audit::Cut {
            alike: alike.unwrap_or(0),
        };
    }
    let above = counted
        .upper()
        .map_or(0, |upper| reported.saturating_sub(upper));
    // One document in a hundred is expected to exceed a calibrated bound.
    if measurement.basis != Basis::Factor && is_significant(above) {
        Audit::Wrong
    } else {
        Audit::Agrees
    }
}

/// Reports that a service cut a prompt.
pub(super) fn prompt_cut(
    ticket: &Ticket,
    measurement: &Measurement,
    reported: u64,
    alike: u64,
    cx: &Cx<'_>,
) {
    let kind = EventKind::Budget(BudgetEvent::PromptCut {
        document: ticket.document().clone(),
        document_type: ticket.document_type().clone(),
        model: measurement.model.clone(),
        counted: measurement.prompt,
        reported,
        alike,
    });
    cx.page(&mismatch("prompt-cut", &measurement.model), kind);
}

/// Reports that a count was wrong. `reported` is `None` if the API only reported that the prompt
/// was too long.
pub(super) fn count_wrong(
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
    cx.page(&mismatch("count-wrong", &measurement.model), kind);
}

fn mismatch<'a>(what: &'static str, model: &'a ModelName) -> Trouble<'a> {
    let trouble = Trouble::new(what).about(model.as_str()).seen().worse();
    trouble.held_open_for(HOLD_OPEN)
}
