//! The documents that diverged, with their texts, as far as memory is bounded.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::{Comparison, Difference, ShadowEnd, Ticket};
use crate::time::Timestamp;

/// The number of documents that are kept.
const DOCUMENTS: usize = 2_000;
/// The number of fields that are kept of one document.
const FIELDS: usize = 100;
/// The bytes of text that are kept of one document.
const TEXT: usize = 32 << 10;

/// A document on which the candidate diverges from production, or gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The ticket of production's call: document, type, version and model.
    pub ticket: Ticket,
    /// The fields that differ, or how the candidate failed. Of a document with more than 100 fields
    /// or 32 KB of text the critical fields are kept first, and then fields without their values.
    pub end: ShadowEnd,
    /// When it ended.
    pub at: Timestamp,
}

/// In order of arrival.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Divergences {
    kept: Vec<Arc<Divergence>>,
    left_out: u64,
}

impl Divergences {
    pub(super) fn add(&mut self, ticket: &Ticket, end: &ShadowEnd, at: Timestamp) {
        if self.kept.len() >= DOCUMENTS {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.kept.push(Arc::new(Divergence {
            ticket: ticket.clone(),
            end: bounded(end),
            at,
        }));
    }

    pub(super) fn kept(&self) -> &[Arc<Divergence>] {
        &self.kept
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All that diverged, kept or not.
    pub(super) fn all(&self) -> u64 {
        self.left_out.saturating_add(self.kept.len() as u64)
    }
}

/// The end with as much as is kept of it.
fn bounded(end: &ShadowEnd) -> ShadowEnd {
    let ShadowEnd::Compared(Comparison::Diverged(differences)) = end else {
        return end.clone();
    };
    let mut kept: Vec<&Difference> = differences.iter().collect();
    kept.sort_by_key(|difference| !difference.critical);
    let mut room = TEXT;
    let kept = kept.into_iter().take(FIELDS).map(|difference| {
        let texts = [&difference.production, &difference.candidate];
        let bytes: usize = texts.into_iter().flatten().map(String::len).sum();
        let fits = bytes <= room;
        room -= if fits { bytes } else { 0 };
        Difference {
            production: difference.production.clone().filter(|_| fits),
            candidate: difference.candidate.clone().filter(|_| fits),
            comparable: None,
            field: difference.field.clone(),
            ..*difference
        }
    });
    Comparison::Diverged(kept.collect()).into()
}
