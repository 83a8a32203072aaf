//! What a version would divert before it ships, and how well the calibrated bounds hold.

use serde::{Deserialize, Serialize};

use super::TokenBudget;
use super::headroom::{CountRange, Headroom, Sizes, Space};
use super::models::Estimators;
use crate::call::{Call, Version};
use crate::error::Error;
use crate::name::{DocumentType, ModelName};
use crate::time::Timestamp;

/// What a version would do with the documents of one type: the result of [`TokenBudget::what_if`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhatIf {
    /// The document type.
    pub document_type: DocumentType,
    /// The number of its documents that were measured.
    pub documents: u64,
    /// The tokens that the version would leave for the document.
    pub room: u64,
    /// How many documents exceed the budget of the version that serves now.
    pub over_now: CountRange,
    /// How many would exceed the budget of this version, and go to a fallback model or to human
    /// review.
    pub over: CountRange,
    /// How many of these would fit no fallback model either, and go to human review.
    pub diverted: CountRange,
}

/// How well a calibrated bound holds: the result of [`TokenBudget::coverage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BoundReport {
    /// The document type.
    pub document_type: DocumentType,
    /// The model whose tokenizer is not published.
    pub model: ModelName,
    /// The number of documents that the bound is calibrated from.
    pub samples: u64,
    /// The number of documents that were compared with the bound in force when they were admitted,
    /// at most 200.
    pub judged: u64,
    /// How many of these had more tokens than the bound.
    pub above: u64,
}

impl TokenBudget {
    /// The document sizes of each type, and how many documents fit, from the calls of the last
    /// eight days.
    ///
    /// Sizes are known from reported usage, or if a text had to be counted; see
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

    /// How many documents of each type a longer prompt, another model or a larger answer would
    /// divert, if the documents of the last eight days arrived again. Returns an error if the
    /// version's model is unknown or its prompt not counted.
    ///
    /// If the model has another tokenizer than the one that measured the documents, the results are
    /// intervals, because the difference is not known yet.
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

    /// How many documents exceeded the calibrated bound of their type; the target is one in a
    /// hundred.
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

    /// Adds a document to the data of [`headroom`](Self::headroom) and [`what_if`](Self::what_if)
    /// without a call: from a folder of documents, or a trace of past traffic. The document is
    /// counted in full; returns an error if it cannot be counted.
    pub fn record(&self, call: &Call<'_>, version: &Version, at: Timestamp) -> Result<(), Error> {
        let estimators = self.models.estimators(version)?;
        let estimate = self.count_in_full(&estimators.own, call)?;
        let space = estimators.space;
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
            let space = Space::of(estimator, assumed);
            let room = space.limit.saturating_sub(space.own);
            let same = self
                .models
                .share_tokenizer(measured_by, estimator.model.name());
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
