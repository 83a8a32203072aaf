//! How often production's version differs from itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::Bucket;
use crate::call::{ShadowEnd, TicketId};
use crate::stats::McNemar;

/// The number of second runs that are kept.
const RUNS: usize = 100_000;

/// How often production's own version, run a second time, differs from its first answer; and how
/// that compares with the candidate on the same documents.
///
/// Models are not deterministic: a candidate that is production's twin diverges as often as
/// production does from itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BaselineNoise {
    /// Documents on which both answers of production's version were compared.
    pub compared: u64,
    /// Documents on which these differ.
    pub diverging: u64,
    /// Second runs that could not be compared: they failed, timed out or were cancelled.
    pub lost: u64,
    /// Documents on which only the candidate differs from production's first answer.
    pub only_candidate: u64,
    /// Documents on which only production's second answer does.
    pub only_baseline: u64,
    /// Documents on which both do.
    pub both: u64,
    /// Documents on which neither does.
    pub neither: u64,
}

impl BaselineNoise {
    /// The noise on documents on which both the candidate and the second run were compared: how many
    /// of them differ from production's first answer in the candidate alone, in the second run
    /// alone, in both, and in neither.
    pub fn of_pairs(only_candidate: u64, only_baseline: u64, both: u64, neither: u64) -> Self {
        let pairs = Self {
            only_candidate,
            only_baseline,
            both,
            neither,
            ..Self::default()
        };
        Self {
            compared: pairs.paired(),
            diverging: pairs.baseline_diverging(),
            ..pairs
        }
    }

    /// Of the [paired](Self::paired) documents, those on which the candidate differs from
    /// production's first answer.
    pub fn candidate_diverging(&self) -> u64 {
        self.only_candidate.saturating_add(self.both)
    }

    /// Of the [paired](Self::paired) documents, those on which production's second answer does.
    pub fn baseline_diverging(&self) -> u64 {
        self.only_baseline.saturating_add(self.both)
    }

    /// The documents on which the candidate and the second run were both compared.
    pub fn paired(&self) -> u64 {
        [
            self.only_candidate,
            self.only_baseline,
            self.both,
            self.neither,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// The one-sided p-value of McNemar's exact test on these: how likely a candidate that differs
    /// no more often than production does from itself shows at least this excess by chance. For one
    /// look at the end of the run.
    pub fn p_value(&self) -> f64 {
        McNemar::exact(self.only_candidate, self.only_baseline).one_sided
    }

    /// Whether the candidate's excess is more than chance explains, at 5 %.
    pub fn is_distinguishable(&self) -> bool {
        self.p_value() < 0.05
    }
}

/// The second runs that ended; whether they differ, where they could be compared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline(BTreeMap<TicketId, Option<bool>>);

impl Baseline {
    pub(super) fn contains(&self, ticket: TicketId) -> bool {
        self.0.contains_key(&ticket)
    }

    pub(super) fn add(&mut self, ticket: TicketId, end: &ShadowEnd) {
        if self.contains(ticket) || self.0.len() >= RUNS {
            return;
        }
        let differs = match Bucket::of(end) {
            Bucket::Diverged => Some(true),
            Bucket::Ignored | Bucket::Matched => Some(false),
            _ => None,
        };
        self.0.insert(ticket, differs);
    }

    /// `None` if no second run ended.
    pub(super) fn noise(&self, seen: &BTreeMap<TicketId, Option<bool>>) -> Option<BaselineNoise> {
        if self.0.is_empty() {
            return None;
        }
        let mut noise = BaselineNoise::default();
        for (ticket, baseline) in &self.0 {
            let Some(baseline) = *baseline else {
                noise.lost += 1;
                continue;
            };
            noise.compared += 1;
            noise.diverging += u64::from(baseline);
            let Some(candidate) = seen.get(ticket).copied().flatten() else {
                continue;
            };
            let count = match (candidate, baseline) {
                (true, true) => &mut noise.both,
                (true, false) => &mut noise.only_candidate,
                (false, true) => &mut noise.only_baseline,
                (false, false) => &mut noise.neither,
            };
            *count += 1;
        }
        Some(noise)
    }
}
