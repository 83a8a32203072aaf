//! What a version would divert before it ships, and how the budget has been doing.

use serde::{Deserialize, Serialize};

use super::headroom::{AtLeast, Headroom, Sizes};
use super::models::Readers;
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
    pub over_now: AtLeast,
    /// How many would go over the budget of this version: to a fallback model, or to people.
    pub over: AtLeast,
    /// How many of these would fit no fallback model either, and go to people.
    pub diverted: AtLeast,
}

/// How a learnt bound has been doing: what [`TokenBudget::coverage`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CoverageReport {
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
    /// [`measure_every_document`](crate::TokenBudgetBuilder::measure_every_document).
    pub fn headroom(&self) -> Vec<Headroom> {
        let learnt = self.learnt.lock();
        let sizes = learnt.sizes();
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
        let readers = self.models.readers(version)?;
        let learnt = self.learnt.lock();
        let sizes = learnt.sizes();
        let mut all: Vec<_> = sizes
            .map(|((document_type, model), sizes)| {
                self.forecast(document_type, model, sizes, &readers)
            })
            .collect();
        all.sort_by(|one, other| one.document_type.cmp(&other.document_type));
        Ok(all)
    }

    /// How many documents lay above the bound that was learnt for their type: one in a hundred is what is promised.
    pub fn coverage(&self) -> Vec<CoverageReport> {
        let learnt = self.learnt.lock();
        let calibrations = learnt.calibrations();
        let mut all: Vec<_> = calibrations
            .map(|((document_type, model), calibration)| {
                let (judged, above) = calibration.observed();
                CoverageReport {
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
        let readers = self.models.readers(version)?;
        let reading = self.count_in_full(&readers.own, call)?;
        let space = space(&readers.own, self.models.assumed_factor());
        let size = reading.account.brought();
        let mut learnt = self.learnt.lock();
        learnt.record(call.document_type(), version, size, space, at);
        Ok(())
    }

    fn forecast(
        &self,
        document_type: &DocumentType,
        measured_by: &ModelName,
        sizes: &Sizes,
        readers: &Readers,
    ) -> WhatIf {
        let assumed = self.models.assumed_factor();
        let over = |reader: &super::Reader| {
            let space = space(reader, assumed);
            let room = space.limit.saturating_sub(space.own);
            let same = self.models.read_alike(measured_by, reader.model.name());
            let over = if same {
                sizes.over(room, |room| room, |room| room)
            } else {
                sizes.over(room, |room| assumed.most(room), |room| assumed.raw_of(room))
            };
            (room, over)
        };
        let (room, own) = over(&readers.own);
        let least = readers.fallbacks.iter().map(|reader| over(reader).1);
        let diverted = least.fold(own, |best, next| AtLeast {
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
