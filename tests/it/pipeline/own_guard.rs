//! A guard of one's own does what built-in guards do, through the public API alone, and is tested
//! without a pipeline.

use fusebox::call::{Outcome, Signal, TicketId};
use fusebox::event::Outbox;
use fusebox::guard::{Cx, State, Verdict};
use fusebox::tokens::{Conversation, Image, Measurement, Message, TokenCount};
use fusebox::{
    Call, Destination, DocumentType, Error, EventKind, Guard, LineUp, Reason, Report, Role,
    Severity, Ticket, Timestamp, Version,
};
use serde_json::json;

use crate::support::{Bench, line_up, version};

/// Counts words, and diverts what has more than a hundred of them.
#[derive(Debug)]
struct WordBudget;

impl WordBudget {
    fn words(call: &Call<'_>, version: &Version) -> Option<u64> {
        let words = |text: &str| text.split_whitespace().count() as u64;
        let prompt = match version.system_prompt() {
            Some(text) => words(text),
            None => version.system_prompt_tokens()?,
        };
        let document = match call.document_text() {
            Some(text) => words(text),
            None => call
                .document_tokens()
                .and_then(TokenCount::upper)
                .unwrap_or(0),
        };
        let history = match call.conversation() {
            Some(messages) => {
                let texts = messages.messages().iter().flat_map(Message::texts);
                texts.map(words).sum()
            }
            None => call.history_tokens()?.upper()?,
        };
        let tools = version.tools().map_or(0, |tools| words(&tools.to_string()));
        Some(prompt + document + history + tools + 10 * call.images().len() as u64)
    }
}

impl Guard for WordBudget {
    fn name(&self) -> &'static str {
        "words"
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
        let Some(words) = Self::words(call, version) else {
            return Verdict::divert(Destination::HumanReview, Reason::Unmeasured);
        };
        let count = TokenCount::exact(words);
        cx.mark_measurement(Measurement::new(version.model().clone(), count));
        if words > 100 {
            let scoped = cx.only_for(call.document_type());
            scoped.emit(
                Severity::Page,
                EventKind::custom("too-long", words.to_string()),
            );
            let reason = Reason::Other(format!("{words} words"));
            return Verdict::divert(Destination::HumanReview, reason);
        }
        Verdict::Proceed
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let Signal::Settled { report, .. } = signal else {
            return;
        };
        let own = ticket.measurement();
        let own = own.filter(|measurement| measurement.guard() == Some(cx.guard()));
        if own.map(|own| own.prompt().upper()) != Some(report.input_tokens()) {
            cx.emit(Severity::Warning, EventKind::custom("miscounted", "words"));
        }
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        State::write(&"nothing to keep", cx).map(Some)
    }
}

#[test]
fn it_measures_marks_diverts_and_pages() {
    let prompt = version("v7").with_system_prompt("one two three");
    let tools = json!("four");
    let bench = Bench::with(LineUp::new(prompt.with_tools(tools)), |builder| {
        builder.guard(WordBudget)
    });
    let conversation: Conversation = [Message::user("five six")].into_iter().collect();
    let call = Call::new("inv-1", "invoice")
        .unwrap()
        .with_document("seven")
        .with_history(&conversation)
        .with_image(Image::new(100, 100));
    let permit = bench.pipeline.admit(&call).permit().unwrap();
    let measured = permit.ticket().measurement().unwrap();
    assert_eq!(measured.prompt(), TokenCount::exact(3 + 1 + 2 + 1 + 10));
    let _ = permit.answer(Report::new().usage(17, 5));
    assert_eq!(bench.events(), []);
    let long = Call::new("inv-2", "invoice").unwrap();
    let admission = bench.pipeline.admit(&long.with_document_tokens(101));
    assert!(admission.permit().is_none());
    let events = bench.events();
    let page = events.iter().find(|event| event.severity == Severity::Page);
    let invoice = DocumentType::new("invoice").unwrap();
    assert_eq!(page.unwrap().only_for, Some(invoice));
}

#[test]
fn it_is_tested_with_a_ticket_a_context_and_an_outbox() {
    let (line_up, outbox) = (line_up(), Outbox::new());
    let now = Timestamp::from_millis(1_000);
    let cx = Cx::new(now, &line_up, &outbox, "words");
    let call = Call::new("inv-1", "invoice").unwrap();
    let v6 = line_up.previous().unwrap();
    let ticket = Ticket::new(&call, v6)
        .with_id(TicketId::new(7, 42))
        .with_role(Role::Previous)
        .with_stage(1)
        .with_admitted_at(now);
    assert_eq!((ticket.role(), ticket.stage()), (Role::Previous, Some(1)));
    assert_eq!(ticket.id().to_string(), "0000000000000007-42");
    assert!(ticket.id().is_of_pipeline(TicketId::new(7, 43)));
    assert!(!ticket.id().is_of_pipeline(TicketId::new(8, 42)));
    assert_eq!(ticket.admitted_at(), now);
    let settled = Signal::Settled {
        outcome: Outcome::Accepted,
        report: Report::new().usage(10, 1),
    };
    WordBudget.observe(&ticket, &settled, &cx);
    let events = outbox.drain();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].at, events[0].guard.as_str()), (now, "words"));
    assert!(WordBudget.snapshot(&cx).unwrap().is_some());
}
