//! What became of the calls that are corrected later.

use std::collections::HashMap;

use crate::call::Ticket;
use crate::name::DocumentId;

/// What has become of a call.
#[derive(Debug)]
pub(super) enum Answer {
    Diverted,
    Failed,
    Given(Box<Ticket>),
    Open,
}

/// The answers of documents for which corrections are still to come.
#[derive(Debug)]
pub(super) struct Answers<'r> {
    /// Which documents are corrected, and in how many rows.
    corrected: &'r HashMap<DocumentId, u32>,
    latest: HashMap<DocumentId, Latest>,
}

/// The latest call of a document.
#[derive(Debug)]
struct Latest {
    number: u64,
    answer: Answer,
    /// How many corrections may still come.
    left: u32,
}

impl<'r> Answers<'r> {
    pub(super) fn new(corrected: &'r HashMap<DocumentId, u32>) -> Self {
        Self {
            corrected,
            latest: HashMap::new(),
        }
    }

    /// A call of this document has begun.
    pub(super) fn begin(&mut self, document: &DocumentId, number: u64) {
        let Some(rows) = self.corrected.get(document) else {
            return;
        };
        let latest = self.latest.entry(document.clone()).or_insert(Latest {
            number,
            answer: Answer::Open,
            left: *rows,
        });
        latest.number = number;
        latest.answer = Answer::Open;
    }

    /// What has become of the call with this number, if it is the latest of its document and its
    /// document is corrected.
    pub(super) fn becomes(
        &mut self,
        document: &DocumentId,
        number: u64,
        answer: impl FnOnce() -> Answer,
    ) {
        let latest = self.latest.get_mut(document);
        if let Some(latest) = latest.filter(|latest| latest.number == number) {
            latest.answer = answer();
        }
    }

    /// The answer that a correction of this document is about; `None` if no call of it has begun.
    pub(super) fn corrected(&self, document: &DocumentId) -> Option<&Answer> {
        let latest = self.latest.get(document)?;
        Some(&latest.answer)
    }

    /// Lets the answer go if that was the document's last correction.
    pub(super) fn let_go(&mut self, document: &DocumentId) {
        if let Some(latest) = self.latest.get_mut(document) {
            latest.left = latest.left.saturating_sub(1);
            if latest.left == 0 {
                self.latest.remove(document);
            }
        }
    }
}
