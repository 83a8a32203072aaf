//! The usage that the API of a drill reports.

use super::arrival::Arrival;
use super::fault::{Fault, What};
use crate::call::{LineUp, Report, Ticket, Version};

/// The output tokens of a made-up answer.
const ANSWER_TOKENS: u64 = 100;

/// The report with the usage of a document with so many tokens more than usual, after what faults
/// make of it. It has none where that is not known: where the version does not say how many tokens
/// its prompt has, or where another model than its own served the call.
pub(super) fn reported(
    report: Report,
    arrival: &Arrival<'_>,
    added: u64,
    ticket: &Ticket,
    line_up: &LineUp,
    met: &[&Fault],
) -> Report {
    let version = line_up.version(ticket.version());
    let counted =
        version.filter(|version| version.tools().is_none() && version.model() == ticket.model());
    let prompt = counted.and_then(Version::system_prompt_tokens);
    let sent = prompt.and_then(|prompt| arrival.usage(prompt, added));
    let Some(sent) = sent.or(report.input_tokens()) else {
        return report;
    };
    let input = met.iter().fold(sent, |tokens, fault| match fault.what {
        What::AddUsage(more) => tokens.saturating_add(more),
        What::CutPrompts(at) => tokens.min(at),
        _ => tokens,
    });
    let output = report.output_tokens().unwrap_or(ANSWER_TOKENS);
    report.usage(input, output)
}
