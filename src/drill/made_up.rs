//! Documents that are made up: when they arrive, and how their calls go.

use std::time::Duration;

use super::distribution::{ConfidenceDistribution, DelayDistribution};
use super::document::{Document, Drawn};
use super::rates::Rates;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{DocumentType, Field};
use crate::ratio::Ratio;
use crate::time::Timestamp;

pub(super) const USUAL_FIELD: &str = "total";
pub(super) const USUAL_CONFIDENCE: Confidence = Confidence::percent(95);

/// Documents of one type; see [`Traffic`](super::Traffic).
#[derive(Clone, Debug)]
pub(super) struct MadeUp {
    pub(super) document_type: DocumentType,
    /// The mean time between two documents at the usual rate.
    gap: Duration,
    /// The times between two documents, if they come at random.
    gaps: Option<DelayDistribution>,
    /// `None` if the rate never changes.
    rates: Option<Rates>,
    pub(super) tokens: u64,
    pub(super) latency: DelayDistribution,
    pub(super) failing: Option<(FailureKind, Ratio)>,
    /// The fields that were asked for; without any it is `usual_field`.
    fields: Vec<(Field, ConfidenceDistribution)>,
    usual_field: (Field, ConfidenceDistribution),
    pub(super) corrections: Ratio,
    pub(super) correction_delay: DelayDistribution,
}

impl MadeUp {
    pub(super) fn of(document_type: impl AsRef<str>, per_hour: u32) -> Result<Self, Error> {
        const MOST: u32 = 3_600_000;
        if per_hour == 0 || per_hour > MOST {
            return Err(Error::invalid(
                "drill traffic per hour",
                per_hour,
                "1 to 3600000 documents",
            ));
        }
        Ok(Self {
            document_type: DocumentType::new(document_type)?,
            gap: Duration::from_secs(3_600) / per_hour,
            gaps: None,
            rates: None,
            tokens: 1_000,
            latency: Duration::from_secs(20).into(),
            failing: None,
            fields: Vec::new(),
            usual_field: (Field::new(USUAL_FIELD)?, USUAL_CONFIDENCE.into()),
            corrections: Ratio::percent(3),
            correction_delay: Duration::from_secs(3_600).into(),
        })
    }

    pub(super) fn at_random(&mut self) {
        self.gaps = DelayDistribution::exponential(self.gap).ok();
    }

    pub(super) fn rates_mut(&mut self) -> &mut Rates {
        self.rates.get_or_insert_default()
    }

    /// Sets the confidence of a field, which each answer then has.
    pub(super) fn set_confidence(&mut self, field: Field, scores: ConfidenceDistribution) {
        match self.fields.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = scores,
            None => self.fields.push((field, scores)),
        }
    }

    /// The fields of each answer, at least one.
    pub(super) fn fields(&self) -> &[(Field, ConfidenceDistribution)] {
        if self.fields.is_empty() {
            std::slice::from_ref(&self.usual_field)
        } else {
            &self.fields
        }
    }

    pub(super) fn usual_field(&self) -> &Field {
        &self.usual_field.0
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let rates = self.rates.as_ref();
        rates.map_or(Ok(()), |rates| rates.check(self.gap))
    }

    /// When the first document comes, since the beginning.
    pub(super) fn first(&self, begin: Timestamp) -> Duration {
        let rates = self.rates.as_ref();
        rates.map_or(Duration::ZERO, |rates| {
            rates.next(Duration::ZERO, Duration::ZERO, begin)
        })
    }

    /// When the one after this document comes, which came at `last`.
    pub(super) fn next(
        &self,
        document: Document,
        last: Duration,
        begin: Timestamp,
        seed: u64,
    ) -> Duration {
        let drawn = |gaps: &DelayDistribution| gaps.at(document.draw(Drawn::Gap, seed));
        let gap = self.gaps.as_ref().map_or(self.gap, drawn);
        let rates = self.rates.as_ref();
        rates.map_or(last.saturating_add(gap), |rates| {
            rates.next(last, gap, begin)
        })
    }
}
