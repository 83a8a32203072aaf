//! What a version would divert before it ships, and how the budget has been doing.

use serde::{Deserialize, Serialize};

use super::headroom::{CountRange, Headroom, Sizes};
use super::models::Estimators;
use super::{TokenBudget, space};
use crate::call::{Call, Version};
use crate::error::Error;
use crate::name::{DocumentType, ModelName};
use crate::time::Timestamp;

/// What a version would do with the documents of one type: what [`TokenBudget::what_if`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhatIf {
    /// The type.
    pub document_type: DocumentType,
    /// How many of its documents were measured.
    pub documents: u64,
    /// What the version would leave for the document.
    pub room: u64,
    /// How many documents go over the budget of the version that serves now.
    pub over_now: CountRange,
    /// How many would go over the budget of this version: to a fallback model, or to people.
    pub over: CountRange,
    /// How many of these would fit no fallback model either, and go to people.
    pub diverted: CountRange,
}

/// How a learnt bound has been doing: what [`TokenBudget::coverage`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BoundReport {
    /// The type of document.
    pub document_type: DocumentType,
    /// The model whose tokenizer is not published.
    pub model: ModelName,
    /// How many documents the bound is learnt from.
    pub samples: u64,
    /// How many documents were held against the bound that was in force when they came, 200 at most.
    pub judged: u64,
    /// How many of these had more tokens than the bound said.
    pub above: u64,
}

impl TokenBudget {
    /// How large the documents of each type are, and how many of them fit, from the calls of the last eight days.
    ///
    /// Sizes are known from the usage that you report, or where a text had to be counted; see
    /// [`measure_every_document`](crate::budget::TokenBudgetBuilder::measure_every_document).
    pub fn headroom(&self) -> Vec<Headroom> {
        let usage = self.usage.lock();
        let sizes = usage.sizes();
        let mut all: Vec<_> = sizes
            .map(|((document_type, model), sizes)| sizes.headroom(document_type, model))
            .collect();
        all.sort_by(|one, other| one.document_type.cmp(&other.document_type));
        all
    }

    /// What a longer prompt, another model or a larger answer would divert, type by type, if the documents of the last
    /// eight days came again. An error when the version's model is not known or its prompt not counted.
    ///
    /// Where the model reads with another tokenizer than the one the documents were measured with, the numbers become
    /// intervals: the difference is not known before it has been seen.
    pub fn what_if(&self, version: &Version) -> Result<Vec<WhatIf>, Error> {
        let estimators = self.models.estimators(version)?;
        let usage = self.usage.lock();
        let sizes = usage.sizes();
        let mut all: Vec<_> = sizes
            .map(|((document_type, model), sizes)| {
                self.forecast(document_type, model, sizes, &estimators)
            })
            .collect();
        all.sort_by(|one, other| one.document_type.cmp(&other.document_type));
        Ok(all)
    }

    /// How many documents lay above the bound that was learnt for their type: one in a hundred is what is promised.
    pub fn coverage(&self) -> Vec<BoundReport> {
        let usage = self.usage.lock();
        let calibrations = usage.calibrations();
        let mut all: Vec<_> = calibrations
            .map(|((document_type, model), calibration)| {
                let (judged, above) = calibration.observed();
                BoundReport {
                    document_type: document_type.clone(),
                    model: model.clone(),
                    samples: calibration.samples() as u64,
                    judged,
                    above,
                }
            })
            .collect();
        all.sort_by(|one, other| one.document_type.cmp(&other.document_type));
        all
    }

    /// Adds a document to what [`headroom`](Self::headroom) and [`what_if`](Self::what_if) know, without a call: from a
    /// folder of documents, or a trace of past traffic. It is counted in full. An error when it cannot be counted.
    pub fn record(&self, call: &Call<'_>, version: &Version, at: Timestamp) -> Result<(), Error> {
        let estimators = self.models.estimators(version)?;
        let estimate = self.count_in_full(&estimators.own, call)?;
        let space = space(&estimators.own, self.models.assumed_factor());
        let size = estimate.breakdown.brought();
        let mut usage = self.usage.lock();
        usage.record(call.document_type(), version, size, space, at);
        Ok(())
    }

    fn forecast(
        &self,
        document_type: &DocumentType,
        measured_by: &ModelName,
        sizes: &Sizes,
        estimators: &Estimators,
    ) -> WhatIf {
        let assumed = self.models.assumed_factor();
        let over = |estimator: &super::Estimator| {
            let space = space(estimator, assumed);
            let room = space.limit.saturating_sub(space.own);
            let same = self.models.count_alike(measured_by, estimator.model.name());
            let over = if same {
                sizes.over(room, |room| room, |room| room)
            } else {
                sizes.over(room, |room| assumed.most(room), |room| assumed.raw_of(room))
            };
            (room, over)
        };
        let (room, own) = over(&estimators.own);
        let least = estimators
            .fallbacks
            .iter()
            .map(|estimator| over(estimator).1);
        let diverted = least.fold(own, |best, next| CountRange {
            at_least: best.at_least.min(next.at_least),
            at_most: best.at_most.min(next.at_most),
        });
        WhatIf {
            document_type: document_type.clone(),
            documents: sizes.documents(),
            room,
            over_now: sizes.over(sizes.room, |room| room, |room| room),
            over: own,
            diverted,
        }
    }
}
