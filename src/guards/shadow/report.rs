//! The findings of a shadow run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::acknowledged::Acknowledgement;
use super::baseline::BaselineNoise;
use super::core::Core;
use super::corrections::Corrections;
use super::counts::ShadowCounts;
use super::divergences::Divergence;
use super::judged::JudgedReport;
use super::settings::Settings;
use super::verdict::ShadowVerdict;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;

/// The findings of a shadow run so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShadowReport {
    /// The version that runs beside production.
    pub candidate: VersionId,
    /// The name of the experiment.
    pub experiment: String,
    /// The verdict on the candidate, as of the latest evaluation.
    pub verdict: ShadowVerdict,
    /// Production's version, as of the latest document that was compared.
    pub production: Option<VersionId>,
    /// The 95 % interval of the rate, by the method of the configuration.
    pub interval: (Ratio, Ratio),
    /// The rate above which a review is requested.
    pub threshold: Ratio,
    /// How the documents of all types ended.
    pub total: ShadowCounts,
    /// Documents on which the candidate runs at the moment.
    pub in_flight: u64,
    /// How the documents of each type ended, those aside that were not sampled.
    pub types: BTreeMap<DocumentType, ShadowCounts>,
    /// The counts of the types above the limit of 1,000; `None` while no type is above it.
    pub other: Option<ShadowCounts>,
    /// The types of which nothing is known: expected, or begun on, and never compared.
    pub uncovered: BTreeSet<DocumentType>,
    /// How often production's version differs from itself; `None` if it was not measured.
    pub baseline: Option<BaselineNoise>,
    /// What people's corrections say of the candidate, if they judge it.
    pub judged: Option<JudgedReport>,
    /// Results that arrived after the run was over; they are counted nowhere else.
    pub surplus: u64,
    /// Calls of the run, to the candidate and to production's version.
    pub calls: u64,
    /// The tokens that these calls have used, as far as it was reported.
    pub tokens: u64,
    /// Production's versions for which the review was requested.
    pub reviews: BTreeSet<VersionId>,
    /// Who has taken note of the reviews.
    pub acknowledged: Vec<Acknowledgement>,
    /// The documents that diverged, or on which the candidate gave no answer, in order of arrival:
    /// the first 2,000.
    pub divergences: Vec<Arc<Divergence>>,
    /// The documents that diverged after the first 2,000.
    pub left_out: u64,
}

impl ShadowReport {
    /// The counts of one document type.
    pub fn of(&self, document_type: impl AsRef<str>) -> ShadowCounts {
        let counts = self.types.get(document_type.as_ref());
        counts.copied().unwrap_or_default()
    }

    /// Every document that the run was offered: those that ended, and those in flight.
    pub fn offered(&self) -> u64 {
        self.total.ended().saturating_add(self.in_flight)
    }

    pub(super) fn new(core: &Core, not_sampled: u64, settings: &Settings) -> Self {
        let types = core.types.iter();
        let types: BTreeMap<_, _> = types
            .map(|(document_type, counts)| (document_type.clone(), *counts))
            .collect();
        let is_compared = |name: &DocumentType| {
            let counts: Option<&ShadowCounts> = types.get(name);
            counts.is_some_and(|counts| counts.compared() > 0)
        };
        let begun = types.iter().filter(|(_, counts)| counts.begun() > 0);
        let known = begun.map(|(name, _)| name).chain(&settings.expected);
        let uncovered = known.filter(|name| !is_compared(name)).cloned().collect();
        Self {
            candidate: settings.candidate.clone(),
            experiment: settings.experiment.clone(),
            verdict: core.verdict(settings),
            production: core.production.clone(),
            interval: core.total.interval_by(settings.interval),
            threshold: settings.threshold,
            total: ShadowCounts {
                not_sampled,
                ..core.total
            },
            in_flight: core.in_flight.documents().count() as u64,
            uncovered,
            types,
            other: core.types.other().copied(),
            baseline: core.baseline.noise(&core.seen),
            judged: core.corrections.as_ref().map(Corrections::report),
            surplus: core.surplus,
            calls: core.calls,
            tokens: core.tokens,
            reviews: core.reviews.clone(),
            acknowledged: core.acknowledged.clone(),
            divergences: core.divergences.kept().to_vec(),
            left_out: core.divergences.left_out(),
        }
    }
}
