//! What a shadow run may do, and when it is evaluated.

use std::collections::BTreeSet;
use std::time::Duration;

use super::compare::JsonFields;
use super::corrections::Corrections;
use super::interval::IntervalMethod;
use super::judged::{DigestKey, Judged, JudgedSettings};
use crate::call::Ticket;
use crate::error::Error;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::Split;
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) candidate: VersionId,
    pub(super) experiment: String,
    /// Two experiments get different shares of the documents.
    pub(super) split: Split,
    pub(super) baseline_split: Split,
    pub(super) share: Ratio,
    pub(super) baseline_share: Ratio,
    /// Ascending; the last one ends the run.
    pub(super) checkpoints: BTreeSet<u64>,
    pub(super) threshold: Ratio,
    pub(super) interval: IntervalMethod,
    pub(super) timeout: Duration,
    pub(super) in_flight: usize,
    pub(super) max_calls: Option<u64>,
    pub(super) max_tokens: Option<u64>,
    /// If people's corrections judge the candidate.
    pub(super) key: Option<DigestKey>,
    pub(super) judging: JudgedSettings,
    pub(super) fields: JsonFields,
    pub(super) judged_documents: u64,
    pub(super) expected: BTreeSet<DocumentType>,
}

impl Settings {
    /// A new judgement by corrections, if there is one.
    pub(super) fn corrections(&self) -> Result<Option<Corrections>, Error> {
        let key = self.key.clone();
        let judged = key.map(|key| Judged::new(self.judging.clone(), key));
        let judged = judged.transpose()?;
        Ok(judged.map(|judged| Corrections::new(judged, self.fields.clone())))
    }

    /// Without the candidate and what follows from its name: each rollout has another.
    pub(super) fn as_text(&self) -> String {
        let Self {
            candidate: _,
            experiment: _,
            split: _,
            baseline_split: _,
            share,
            baseline_share,
            checkpoints,
            threshold,
            interval,
            timeout,
            in_flight,
            max_calls,
            max_tokens,
            key,
            judging,
            fields,
            judged_documents,
            expected,
        } = self;
        let is_judged = key.is_some();
        format!(
            "{share:?} {baseline_share:?} {checkpoints:?} {threshold:?} {interval:?} {timeout:?} \
             {in_flight} {max_calls:?} {max_tokens:?} {is_judged} {judging:?} {fields:?} \
             {judged_documents} {expected:?}"
        )
    }

    /// The number of compared documents at the first evaluation.
    pub(super) fn min(&self) -> u64 {
        self.checkpoints.first().copied().unwrap_or(u64::MAX)
    }

    /// The number of compared documents at the last one.
    pub(super) fn max(&self) -> u64 {
        self.checkpoints.last().copied().unwrap_or(u64::MAX)
    }

    pub(super) fn samples(&self, ticket: &Ticket) -> bool {
        self.split.contains(ticket.document().as_str(), self.share)
    }

    pub(super) fn samples_baseline(&self, ticket: &Ticket) -> bool {
        let document = ticket.document().as_str();
        self.baseline_split.contains(document, self.baseline_share)
    }

    pub(super) fn may_spend(&self, calls: u64, tokens: u64) -> bool {
        self.max_calls.is_none_or(|limit| calls < limit)
            && self.max_tokens.is_none_or(|limit| tokens < limit)
    }

    /// When a call that begins now is overdue.
    pub(super) fn until(&self, now: Timestamp) -> Timestamp {
        now + self.timeout
    }
}
