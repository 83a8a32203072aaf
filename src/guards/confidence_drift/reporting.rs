//! How often the answers of a type have a confidence of a field.

use serde::{Deserialize, Serialize};

use super::corrections::Reviews;
use super::review_queue::ReviewQueue;
use crate::stats::{Span, Window};
use crate::time::Timestamp;

/// The answers of one document type by one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answers {
    total: u64,
    recent: Window<1>,
    #[serde(default)]
    pub(super) reviews: Reviews,
    /// Kept while a threshold of the type is raised, if its reviewers have a capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<Box<ReviewQueue>>,
}

impl Answers {
    pub(super) fn new(span: Span) -> Self {
        Self {
            total: 0,
            recent: Window::new(span),
            reviews: Reviews::default(),
            queue: None,
        }
    }

    pub(super) fn span(&self) -> Span {
        self.recent.span()
    }

    pub(super) fn add(&mut self, now: Timestamp) {
        self.total = self.total.saturating_add(1);
        self.recent.add(now, [1]);
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn recent(&mut self, now: Timestamp) -> u64 {
        let [answers] = self.recent.total(now);
        answers
    }
}

/// How many answers had a confidence of a field: at first, and in the window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reporting {
    /// The answers of the type before the first that had one.
    before: u64,
    /// Of the first answers, how many had one ..
    documents: u64,
    /// .. and how many there were.
    answers: u64,
    recent: Window<1>,
}

impl Reporting {
    /// `total` is the number of answers up to the first that has a confidence.
    pub(super) fn from(total: u64, span: Span) -> Self {
        Self {
            before: total.saturating_sub(1),
            documents: 0,
            answers: 0,
            recent: Window::new(span),
        }
    }

    pub(super) fn change_span(&mut self, span: Span) {
        self.recent = Window::new(span);
    }

    /// An answer has a confidence, the one with number `total` of its type.
    pub(super) fn add(&mut self, total: u64, at_first: u64, now: Timestamp) {
        if self.documents < at_first {
            self.documents += 1;
            self.answers = total.saturating_sub(self.before);
        }
        self.recent.add(now, [1]);
    }

    /// How many of the recent answers have a confidence, if that is less than half of the share that
    /// had one at first.
    pub(super) fn missing(
        &mut self,
        recent_answers: u64,
        at_first: u64,
        now: Timestamp,
    ) -> Option<u64> {
        let [documents] = self.recent.total(now);
        let [share_now, share_at_first] = [
            u128::from(documents) * u128::from(self.answers),
            u128::from(recent_answers) * u128::from(self.documents),
        ];
        let is_missing = self.documents >= at_first && 2 * share_now < share_at_first;
        is_missing.then_some(documents)
    }
}
