//! A shadow run over a restart.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::acknowledged::Acknowledgement;
use super::baseline::Baseline;
use super::core::{Core, TYPES};
use super::corrections::Corrections;
use super::counts::{Bucket, ShadowCounts};
use super::divergences::Divergences;
use super::ignore::IgnoreRules;
use super::in_flight::InFlight;
use super::judged::StoredJudged;
use super::settings::Settings;
use super::verdict::Evaluated;
use crate::call::{Ticket, TicketId};
use crate::error::Error;
use crate::format::Format;
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::stats::BoundedMap;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRun {
    format: Format<1>,
    candidate: VersionId,
    experiment: String,
    pub(super) not_sampled: u64,
    seen: BTreeMap<TicketId, Option<bool>>,
    in_flight: Vec<Ticket>,
    #[serde(default)]
    production: Option<VersionId>,
    total: ShadowCounts,
    types: Vec<(DocumentType, ShadowCounts)>,
    other: Option<ShadowCounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untold_type: Option<DocumentType>,
    divergences: Divergences,
    baseline: Baseline,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corrections: Option<StoredJudged>,
    surplus: u64,
    calls: u64,
    tokens: u64,
    evaluated: Option<Evaluated>,
    reviews: BTreeSet<VersionId>,
    acknowledged: Vec<Acknowledgement>,
    is_blindness_told: bool,
    finished: bool,
}

impl StoredRun {
    pub(super) fn is_of(&self, settings: &Settings) -> bool {
        self.candidate == settings.candidate && self.experiment == settings.experiment
    }

    /// What is to be stored.
    pub(super) fn of(core: &Core, not_sampled: u64, settings: &Settings) -> Self {
        let types = core.types.iter();
        let mut types: Vec<_> = types
            .map(|(document_type, counts)| (document_type.clone(), *counts))
            .collect();
        types.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            format: Format,
            candidate: settings.candidate.clone(),
            experiment: settings.experiment.clone(),
            not_sampled,
            seen: core.seen.clone(),
            in_flight: core.in_flight.documents().cloned().collect(),
            production: core.production.clone(),
            total: core.total,
            types,
            other: core.types.other().copied(),
            untold_type: core.untold_type.clone(),
            divergences: core.divergences.clone(),
            baseline: core.baseline.clone(),
            corrections: core.corrections.as_ref().map(Corrections::stored),
            surplus: core.surplus,
            calls: core.calls,
            tokens: core.tokens,
            evaluated: core.evaluated,
            reviews: core.reviews.clone(),
            acknowledged: core.acknowledged.clone(),
            is_blindness_told: core.is_blindness_told,
            finished: core.finished,
        }
    }

    /// The state that was stored; documents that were in flight then are cancelled.
    pub(super) fn into_core(
        self,
        mut corrections: Option<Corrections>,
        ignore: IgnoreRules,
        settings: &Settings,
        cx: &Cx<'_>,
    ) -> Result<Core, Error> {
        let compared = self.total.compared();
        let in_rate = self.seen.values().flatten();
        let diverging = in_rate.clone().filter(|diverges| **diverges).count() as u64;
        if self.divergences.all() != self.total.diverging()
            || in_rate.count() as u64 != compared
            || diverging != self.total.diverging()
        {
            let reason = "its counts do not match its tickets";
            return Err(Error::state(cx.guard(), reason));
        }
        if let (Some(corrections), Some(stored)) = (&mut corrections, self.corrections) {
            corrections.restore(cx.guard(), stored)?;
        }
        let mut types = BoundedMap::new(TYPES);
        types.refill(self.types, self.other);
        let mut core = Core {
            seen: self.seen,
            in_flight: InFlight::default(),
            production: self.production,
            total: self.total,
            types,
            untold_type: self.untold_type,
            divergences: self.divergences,
            baseline: self.baseline,
            corrections,
            ignore,
            surplus: self.surplus,
            calls: self.calls,
            tokens: self.tokens,
            evaluated: self.evaluated,
            reviews: self.reviews,
            acknowledged: self.acknowledged,
            is_blindness_told: self.is_blindness_told,
            finished: self.finished,
        };
        for ticket in self.in_flight {
            core.count(&ticket, Bucket::Cancelled);
        }
        // The run may be shorter now than it was.
        core.finished &= core.is_over(settings);
        if core.is_over(settings) && !core.finished {
            let first = core.divergences.kept().first();
            let production = first.map(|divergence| divergence.ticket.version().clone());
            let production = production.unwrap_or_else(VersionId::other);
            core.evaluate_at_checkpoint(settings, &production, cx);
        }
        Ok(core)
    }
}
