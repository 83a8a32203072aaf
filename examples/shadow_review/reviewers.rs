//! The people who look at production's answers, hours later.

use std::collections::VecDeque;
use std::time::Duration;

use fusebox::{Correction, Error, Feedback, Field, Pipeline, Ticket, Timestamp};
use serde_json::Value;

use crate::chance::Chance;
use crate::documents::Document;

/// A reviewer gets to an answer after this time on average.
const REVIEW: Duration = Duration::from_secs(2 * 3_600);
/// The share of answers that a reviewer looks at.
const REVIEWED: f64 = 0.85;

#[derive(Debug)]
struct Review {
    due: Timestamp,
    ticket: Ticket,
    /// What the reviewer settles on, for each field that is wrong.
    corrections: Vec<Correction>,
}

/// In the order in which they are due.
#[derive(Debug, Default)]
pub(crate) struct Reviewers(VecDeque<Review>);

impl Reviewers {
    /// An answer of production that somebody may look at.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        ticket: &Ticket,
        answer: &Value,
        document: &Document,
        chance: &mut Chance,
    ) -> Result<(), Error> {
        if chance.uniform() >= REVIEWED {
            return Ok(());
        }
        let review = Review {
            due: now + chance.wait(REVIEW),
            ticket: ticket.clone(),
            corrections: corrections(answer, &document.right)?,
        };
        let place = self.0.partition_point(|other| other.due <= review.due);
        self.0.insert(place, review);
        Ok(())
    }

    /// What they have found by now.
    pub(crate) fn report(&mut self, pipeline: &Pipeline, now: Timestamp) {
        while self.0.front().is_some_and(|review| review.due <= now) {
            let Some(review) = self.0.pop_front() else {
                return;
            };
            for correction in review.corrections {
                pipeline.observe(&review.ticket, Feedback::corrected(correction));
            }
            pipeline.observe(&review.ticket, Feedback::Reviewed);
        }
    }

    /// When the last of them is done.
    pub(crate) fn done(&self) -> Option<Timestamp> {
        self.0.back().map(|review| review.due)
    }
}

fn corrections(answer: &Value, right: &Value) -> Result<Vec<Correction>, Error> {
    let fields = right.as_object().into_iter().flatten();
    let wrong = fields.filter(|(name, value)| answer.get(name) != Some(value));
    let settled = wrong.map(|(name, value)| {
        let field = Field::new(format!("/{name}"))?;
        Ok(Correction::new(field).settled_on(value.clone()))
    });
    settled.collect()
}
