//! P7: feedback finds its answer by the id of the document.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::call::{Outcome, Signal, Ticket};
use crate::error::Error;
use crate::event::{EventKind, PipelineEvent, Severity};
use crate::guard::{Cx, Fact, Guard, Share, Trouble, Wanted};
use crate::time::{Timestamp, hours};

const NAME: &str = "ticket-book";
/// The kind of the tickets of answers.
pub(crate) const ANSWERED: &str = "ticket";
/// The kind of the tickets of diverted documents. They are apart, so that none takes the place of an
/// earlier answer.
pub(crate) const DIVERTED: &str = "diverted";
/// The most tickets that wait to be taken; above it the oldest go.
const MOST: usize = 100_000;
/// The most that are given away at once.
const AT_ONCE: usize = 5_000;

/// Gives the ticket of each answer and of each diverted document to the store, so that feedback can
/// come with nothing but the id of its document
/// ([`Keeper::feedback_for`](crate::keeper::Keeper::feedback_for)): for an application that has no
/// place to keep tickets with its documents.
///
/// It votes on nothing. A ticket is found as long as the store keeps facts (40 days, unless a
/// [`SqliteStore`](crate::store) is told otherwise); where a document has several answers, the latest
/// is found. Where it has none because it was diverted, that ticket is found, with which a reviewer
/// reports that they have picked the document up.
///
/// It needs a [`Keeper`](crate::keeper::Keeper): until one takes them, 100,000 tickets wait in
/// memory, and above that the oldest go, with a warning. `kill -9` loses those of the last quarter of
/// a second.
///
/// ```
/// use fusebox::keeper::Keeper;
/// use fusebox::store::MemoryStore;
/// use fusebox::{Call, Feedback, Field, LineUp, Pipeline, Report, TicketBook, Version};
///
/// # async fn service() -> Result<(), fusebox::Error> {
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(TicketBook::default())
///     .build()?;
/// let keeper = Keeper::builder("invoices", &pipeline)?.store(MemoryStore::new()).start().await?;
///
/// let permit = pipeline.admit(&Call::new("inv-2026-0417", "invoice")?).permit().unwrap();
/// drop(permit.answer(Report::new()));
/// // Days later, from a reviewer's form:
/// keeper.feedback_for("inv-2026-0417", Feedback::corrected(Field::new("total")?)).await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(service()).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct TicketBook(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Each with the kind of its fact.
    tickets: VecDeque<(&'static str, Timestamp, Ticket)>,
    dropped: u64,
    /// When the last of those was answered.
    dropped_until: Option<Timestamp>,
}

impl TicketBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Guard for TicketBook {
    fn name(&self) -> &str {
        NAME
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let Signal::Settled { outcome, .. } = signal else {
            return;
        };
        let kind = match outcome {
            Outcome::Accepted | Outcome::NeedsReview => ANSWERED,
            Outcome::Diverted(_) => DIVERTED,
            Outcome::Abandoned | Outcome::Failed(_) | Outcome::Released => return,
        };
        let ticket = ticket.clone();
        let mut waiting = self.0.lock();
        if waiting.tickets.len() >= MOST {
            if let Some((_, at, _)) = waiting.tickets.pop_front() {
                waiting.dropped += 1;
                waiting.dropped_until = Some(at);
            }
        }
        waiting.tickets.push_back((kind, cx.now(), ticket));
    }

    fn tick(&self, cx: &Cx<'_>) {
        let (facts, until) = {
            let mut waiting = self.0.lock();
            let dropped = std::mem::take(&mut waiting.dropped);
            (dropped, waiting.dropped_until.take())
        };
        if facts > 0 {
            let trouble = Trouble::new("facts-dropped")
                .seen()
                .held_open_for(hours(1))
                .told_as(Severity::Warning);
            let event = PipelineEvent::FactsDropped {
                facts,
                until,
                reason: format!("{MOST} tickets wait for a keeper"),
            };
            cx.page(&trouble, EventKind::Pipeline(event));
        }
    }

    fn share(&self, wanted: Wanted, _cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted != Wanted::Facts {
            return Ok(Share::default());
        }
        let tickets: Vec<_> = {
            let mut waiting = self.0.lock();
            let some = waiting.tickets.len().min(AT_ONCE);
            waiting.tickets.drain(..some).collect()
        };
        let facts = tickets.iter().map(|(kind, at, ticket)| {
            let fact = Fact::write(kind, ticket.id().to_string(), *at, ticket)?;
            Ok(fact.about(ticket.document().as_str()))
        });
        Ok(Share::of_facts(facts.collect::<Result<_, Error>>()?))
    }
}
