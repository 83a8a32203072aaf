//! Feedback on its way to the store.

use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::trouble::tell_of_dropped;
use crate::call::{Feedback, Ticket};
use crate::error::Error;
use crate::pipeline::Pipeline;
use crate::store::Fact;
use crate::time::Timestamp;

/// The kind of these facts.
pub(super) const KIND: &str = "feedback";
/// The most that waits while the store is down.
const MOST: usize = 100_000;

/// Feedback that is not in the store yet, and what the guards have been given of all feedback.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: Mutex<Queue>,
    counted: Mutex<GivenIds>,
}

/// Oldest first.
#[derive(Debug, Default)]
struct Queue {
    waits: VecDeque<Waits>,
    /// How many came before the oldest.
    stored: u64,
    /// The number of each, by the id of its fact.
    numbers: HashMap<String, u64>,
}

/// The ids of the feedback that the guards were given last, as hashes: it comes again where it is
/// reported again, to this process or to another, and where the answer of a store was lost.
#[derive(Debug, Default)]
struct GivenIds {
    latest: HashSet<u64>,
    before: HashSet<u64>,
}

impl GivenIds {
    /// Whether it is new.
    fn insert(&mut self, fact: &Fact) -> bool {
        let id = XxHash3_64::oneshot(fact.id.as_bytes());
        if self.before.contains(&id) || !self.latest.insert(id) {
            return false;
        }
        if self.latest.len() >= MOST {
            self.before = std::mem::take(&mut self.latest);
        }
        true
    }
}

#[derive(Debug)]
struct Waits {
    fact: Fact,
    ticket: Ticket,
    feedback: Feedback,
    /// Whether the guards have it.
    is_counted: bool,
    /// How often a write has begun; the answer to an earlier one may have been lost.
    tries: u32,
}

#[derive(Serialize, Deserialize)]
struct Reported {
    ticket: Ticket,
    feedback: Feedback,
}

impl Reports {
    /// The answer is its number.
    pub(super) fn push(
        &self,
        ticket: &Ticket,
        feedback: Feedback,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let reported = Reported {
            ticket: ticket.clone(),
            feedback: without_value(&feedback),
        };
        let unreadable = |error| Error::unreadable(KIND, error);
        let as_json = serde_json::to_string(&reported.feedback).map_err(unreadable)?;
        let id = id(ticket, &feedback, &as_json);
        let value = serde_json::to_value(&reported).map_err(unreadable)?;
        let mut queue = self.queue.lock();
        // Whose request was not answered reports it again.
        if let Some(number) = queue.numbers.get(&id) {
            return Ok(*number);
        }
        let before = queue.waits.len();
        if before >= MOST {
            let allowed = format!("at most {MOST} that wait for the store");
            return Err(Error::invalid("feedback", before + 1, allowed));
        }
        let number = queue.stored + before as u64;
        queue.numbers.insert(id.clone(), number);
        queue.waits.push_back(Waits {
            fact: Fact::new(KIND, id, now, value).about(ticket.document().as_str()),
            ticket: reported.ticket,
            feedback,
            is_counted: false,
            tries: 0,
        });
        Ok(number)
    }

    /// Whether the store has the feedback with this number.
    pub(super) fn is_stored(&self, number: u64) -> bool {
        number < self.queue.lock().stored
    }

    /// Whether the guards have some that the store may not have.
    pub(super) fn has_counted(&self) -> bool {
        self.queue.lock().waits.iter().any(|one| one.is_counted)
    }

    /// Begins to write all that waits: the facts. Each is tried until a write of it
    /// [ends](Self::end) well; only one at a time.
    pub(super) fn begin(&self) -> Vec<Fact> {
        let waiting = &mut self.queue.lock().waits;
        for one in waiting.iter_mut() {
            one.tries = one.tries.saturating_add(1);
        }
        waiting.iter().map(|one| one.fact.clone()).collect()
    }

    /// The write of the oldest `begun` has ended: which of them were new to the store, or `None` if
    /// it failed. The guards learn of each once, also of one that the store has not taken yet.
    pub(super) fn end(&self, pipeline: &Pipeline, begun: usize, is_new: Option<&[bool]>) {
        let mut new = Vec::new();
        let mut queue = self.queue.lock();
        for (at, one) in queue.waits.iter_mut().take(begun).enumerate() {
            // It may be known from a try whose answer was lost: then nobody has counted it.
            let is_known = is_new.is_some_and(|new| new.get(at) == Some(&false)) && one.tries <= 1;
            if !one.is_counted && !is_known && self.counted.lock().insert(&one.fact) {
                new.push((one.ticket.clone(), one.feedback.clone()));
            }
            one.is_counted = true;
        }
        if is_new.is_some() {
            let Queue {
                waits,
                stored,
                numbers,
            } = &mut *queue;
            let begun = begun.min(waits.len());
            for written in waits.drain(..begun) {
                numbers.remove(&written.fact.id);
            }
            *stored += begun as u64;
        }
        drop(queue);
        for (ticket, feedback) in new {
            pipeline.observe(&ticket, feedback);
        }
    }

    /// Gives the guards feedback that was reported to another process, or to one that ended before
    /// the state of its guards was written. What cannot be read is told.
    pub(super) fn count<'a>(&self, pipeline: &Pipeline, facts: impl Iterator<Item = &'a Fact>) {
        let (mut unreadable, mut until) = (0, None);
        for fact in facts.filter(|fact| fact.kind == KIND) {
            let Ok(reported) = Reported::deserialize(&fact.value) else {
                unreadable += 1;
                until = until.max(Some(fact.at));
                continue;
            };
            let is_new = self.counted.lock().insert(fact);
            if is_new {
                pipeline.observe(&reported.ticket, reported.feedback);
            }
        }
        let reason = "another process wrote them, and this version of fusebox cannot read them";
        tell_of_dropped(pipeline, unreadable, until, reason);
    }
}

/// What feedback is known by: the ticket, what was reported, and of which field.
fn id(ticket: &Ticket, feedback: &Feedback, as_json: &str) -> String {
    let name = match feedback {
        Feedback::Compared(_) => "compared",
        Feedback::Corrected(_) => "corrected",
        Feedback::PickedUp => "picked-up",
        Feedback::Retracted(_) => "retracted",
        Feedback::Reviewed => "reviewed",
    };
    let hash = XxHash3_64::oneshot(as_json.as_bytes());
    format!("{} {name} {hash:016x}", ticket.id())
}

/// The feedback without the content of a document.
fn without_value(feedback: &Feedback) -> Feedback {
    match feedback {
        Feedback::Corrected(correction) => Feedback::Corrected(correction.without_value()),
        Feedback::Retracted(correction) => Feedback::Retracted(correction.without_value()),
        other => other.clone(),
    }
}
