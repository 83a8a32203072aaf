//! What a review page says before its divergences.

use serde::Serialize;

use crate::error::Error;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::shadow::{Acknowledgement, BaselineNoise, IntervalMethod};
use crate::time::Timestamp;

/// A verdict as a page shows it: the words, what they mean, and what to do next.
///
/// ```
/// use fusebox::report::{ReviewVerdict, VerdictTone};
///
/// let verdict = ReviewVerdict::new(VerdictTone::Caution, "Review required")
///     .meaning("The candidate diverges on more than 8 % of the documents.")
///     .next_step("Mark the divergences below, then decide about the deployment.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct ReviewVerdict {
    /// How the page marks it.
    pub tone: VerdictTone,
    /// The verdict in a few words.
    pub verdict: String,
    /// What it means, in plain words.
    pub meaning: String,
    /// What to do next.
    pub next_step: String,
}

/// How much attention a verdict asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerdictTone {
    /// The candidate is worse, or cannot be judged at all.
    Alarm,
    /// Nothing speaks against the candidate.
    Calm,
    /// A person has to look, or there is not enough to say more.
    Caution,
}

impl ReviewVerdict {
    /// A verdict in a few words.
    pub fn new(tone: VerdictTone, verdict: impl Into<String>) -> Self {
        Self {
            tone,
            verdict: verdict.into(),
            meaning: String::new(),
            next_step: String::new(),
        }
    }

    /// The same with what it means.
    pub fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self
    }

    /// The same with what to do next.
    pub fn next_step(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = next_step.into();
        self
    }
}

/// How many documents diverge, of how many, with the 95 % interval of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DivergenceRate {
    /// The documents that diverge.
    pub diverging: u64,
    /// The documents that were compared.
    pub compared: u64,
    /// The lower end of the interval.
    pub low: Ratio,
    /// The upper end of the interval.
    pub high: Ratio,
}

impl DivergenceRate {
    /// A rate with its interval; an error if more documents diverge than were compared, or if the
    /// interval's ends are not in order or above 100 %.
    pub fn new(diverging: u64, compared: u64, (low, high): (Ratio, Ratio)) -> Result<Self, Error> {
        if diverging > compared {
            let allowed = format!("at most the {compared} documents that were compared");
            return Err(Error::invalid("review: diverging", diverging, allowed));
        }
        if low > high || high > Ratio::ONE {
            let value = format!("{low} to {high}");
            return Err(Error::invalid(
                "review: interval",
                value,
                "0 % <= low <= high <= 100 %",
            ));
        }
        Ok(Self {
            diverging,
            compared,
            low,
            high,
        })
    }

    /// The rate of a part with Wilson's interval.
    pub(super) fn of_part(diverging: u64, compared: u64) -> Result<Self, Error> {
        let interval = IntervalMethod::Wilson.interval(diverging, compared);
        Self::new(diverging, compared, interval)
    }
}

/// Everything in a report but its divergences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) name: String,
    pub(super) production: VersionId,
    pub(super) candidate: VersionId,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) corrections: Option<Corrections>,
    pub(super) verdict: ReviewVerdict,
    pub(super) rate: DivergenceRate,
    pub(super) threshold: Ratio,
    /// `None` where nothing was measured, which is not the same as no noise.
    pub(super) noise: Option<BaselineNoise>,
    pub(super) eligible: u64,
    pub(super) funnel: Vec<Count>,
    pub(super) types: Vec<TypeRate>,
    pub(super) not_covered: Vec<DocumentType>,
    pub(super) acknowledgements: Vec<Acknowledgement>,
}

/// What people's corrections say of both versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Corrections {
    pub(super) verdict: ReviewVerdict,
    pub(super) counts: Vec<Count>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) name: String,
    pub(super) count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TypeRate {
    pub(super) document_type: DocumentType,
    pub(super) rate: DivergenceRate,
}
