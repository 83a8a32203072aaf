//! A guard that writes down what a drill does.

use std::sync::{Arc, Mutex};

use fusebox::call::Signal;
use fusebox::guard::{Cx, Verdict};
use fusebox::{Call, Guard, Ticket, Timestamp, Version};

/// Writes down all that a pipeline tells its guards: calls, ends and feedback.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary(Arc<Mutex<Vec<(Timestamp, String)>>>);

impl Diary {
    fn write(&self, cx: &Cx<'_>, line: String) {
        self.0.lock().unwrap().push((cx.now(), line));
    }

    /// When the first line was written.
    pub(super) fn begins(&self) -> Timestamp {
        self.0
            .lock()
            .unwrap()
            .first()
            .map_or(Timestamp::default(), |(at, _)| *at)
    }

    /// Each with the milliseconds since the first.
    pub(super) fn lines(&self) -> Vec<String> {
        let begins = self.begins();
        let lines = self.0.lock().unwrap();
        let after = |at: Timestamp| at.since(begins).as_millis();
        lines
            .iter()
            .map(|(at, line)| format!("{} {line}", after(*at)))
            .collect()
    }
}

impl Guard for Diary {
    fn name(&self) -> &'static str {
        "diary"
    }

    fn check(&self, call: &Call<'_>, _: &Version, cx: &Cx<'_>) -> Verdict {
        let tokens = call.document_tokens();
        let tokens = tokens.map_or("no tokens".to_owned(), |count| count.to_string());
        let (document, kind) = (call.document(), call.document_type());
        self.write(cx, format!("{document} {kind} of {tokens}"));
        Verdict::Proceed
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if let Signal::Settled { outcome, report } = signal {
            self.write(cx, format!("{} {outcome:?} {report:?}", ticket.document()));
        } else if let Signal::Feedback(feedback) = signal {
            self.write(cx, format!("{} {feedback:?}", ticket.document()));
        }
    }
}
