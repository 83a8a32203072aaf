//! How a review report is put together.

use serde::Serialize;
use twox_hash::XxHash3_64;

use super::ReviewReport;
use super::item::ReviewItem;
use super::summary::{Corrections, Count, DivergenceRate, ReviewVerdict, Summary, TypeRate};
use crate::error::Error;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::shadow::{Acknowledgement, BaselineNoise};
use crate::time::Timestamp;

impl ReviewReport {
    /// Puts a report together: of the shadow run of a candidate beside a production version, with
    /// this verdict on how often they diverge, and this rate with its threshold.
    pub fn builder(
        production: VersionId,
        candidate: VersionId,
        verdict: ReviewVerdict,
        rate: DivergenceRate,
        threshold: Ratio,
    ) -> ReviewReportBuilder {
        ReviewReportBuilder {
            summary: Summary {
                name: String::new(),
                production,
                candidate,
                from: None,
                to: None,
                corrections: None,
                verdict,
                rate,
                threshold,
                noise: None,
                eligible: rate.compared,
                funnel: vec![
                    Count::new("agreed", rate.compared - rate.diverging.min(rate.compared)),
                    Count::new("diverged", rate.diverging),
                ],
                types: Vec::new(),
                not_covered: Vec::new(),
                acknowledgements: Vec::new(),
            },
            items: Vec::new(),
        }
    }
}

/// Puts a [`ReviewReport`] together.
#[derive(Clone, Debug)]
#[must_use = "there is no report until `build` is called"]
pub struct ReviewReportBuilder {
    summary: Summary,
    items: Vec<ReviewItem>,
}

impl ReviewReportBuilder {
    /// The name of the pipeline or the experiment (none by default).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.summary.name = name.into();
        self
    }

    /// The times of the first and the last document (not told by default).
    pub fn between(mut self, from: Timestamp, to: Timestamp) -> Self {
        (self.summary.from, self.summary.to) = (Some(from), Some(to));
        self
    }

    /// What people's corrections say of both versions, with the counts behind it. The page shows it
    /// first.
    pub fn corrections<N: Into<String>>(
        mut self,
        verdict: ReviewVerdict,
        counts: impl IntoIterator<Item = (N, u64)>,
    ) -> Self {
        let counts = counts.into_iter().map(Count::of).collect();
        self.summary.corrections = Some(Corrections { verdict, counts });
        self
    }

    /// How often production diverges from itself. By default the page says that this was not
    /// measured.
    pub fn noise(mut self, noise: BaselineNoise) -> Self {
        self.summary.noise = Some(noise);
        self
    }

    /// The number of documents that could have run, and where each of them ended: the counts add up
    /// to it. By default these are the compared documents.
    pub fn funnel<N: Into<String>>(
        mut self,
        eligible: u64,
        counts: impl IntoIterator<Item = (N, u64)>,
    ) -> Self {
        self.summary.eligible = eligible;
        self.summary.funnel = counts.into_iter().map(Count::of).collect();
        self
    }

    /// Adds the rate of one document type.
    pub fn type_rate(mut self, document_type: DocumentType, rate: DivergenceRate) -> Self {
        let row = TypeRate {
            document_type,
            rate,
        };
        self.summary.types.push(row);
        self
    }

    /// The document types with too few documents to say anything.
    pub fn not_covered(mut self, types: impl IntoIterator<Item = DocumentType>) -> Self {
        self.summary.not_covered = types.into_iter().collect();
        self
    }

    /// Adds an acknowledgement.
    pub fn acknowledged(mut self, acknowledgement: Acknowledgement) -> Self {
        self.summary.acknowledgements.push(acknowledgement);
        self
    }

    /// Adds documents that diverge, in the order of their arrival.
    pub fn items(mut self, items: impl IntoIterator<Item = ReviewItem>) -> Self {
        self.items.extend(items);
        self
    }

    /// Builds the report. An error if the counts of the funnel do not add up, if the period ends
    /// before it begins, or if there are more documents than diverge.
    pub fn build(self) -> Result<ReviewReport, Error> {
        let Self { summary, items } = self;
        let counts = summary.funnel.iter().map(|row| u128::from(row.count));
        let sum: u128 = counts.sum();
        if sum != u128::from(summary.eligible) {
            let allowed = format!("counts that add up to the {} eligible", summary.eligible);
            return Err(Error::invalid("review: funnel", sum, allowed));
        }
        if let (Some(from), Some(to)) = (summary.from, summary.to) {
            if from > to {
                let value = format!("{from} to {to}");
                return Err(Error::invalid(
                    "review: period",
                    value,
                    "an end after its start",
                ));
            }
        }
        if u64::try_from(items.len()).is_ok_and(|items| items > summary.rate.diverging) {
            let allowed = format!("at most the {} that diverge", summary.rate.diverging);
            return Err(Error::invalid("review: items", items.len(), allowed));
        }
        let id = fingerprint(&summary, &items)?;
        Ok(ReviewReport { summary, items, id })
    }
}

impl Count {
    fn new(name: &str, count: u64) -> Self {
        Self::of((name, count))
    }

    fn of<N: Into<String>>((name, count): (N, u64)) -> Self {
        Self {
            name: name.into(),
            count,
        }
    }
}

/// A hash of all that a report says.
fn fingerprint(summary: &Summary, items: &[ReviewItem]) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Whole<'a>(&'a Summary, &'a [ReviewItem]);
    let json = serde_json::to_vec(&Whole(summary, items))
        .map_err(|error| Error::unreadable("review report", error))?;
    Ok(format!("{:016x}", XxHash3_64::oneshot(&json)))
}
