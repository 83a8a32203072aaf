//! The documents that arrive in a drill.

use std::time::Duration;

use super::distribution::{ConfidenceDistribution, DelayDistribution};
use super::rates::Rates;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{DocumentType, Field, VersionId};
use crate::ratio::Ratio;

/// Documents of one type that arrive, and how their calls go without a fault.
///
/// By default they arrive at even intervals, a document has 1,000 tokens, its call takes 20 seconds
/// and is answered, the confidence of its field `total` is 0.95, and reviewers correct 3 % of the
/// answers one hour later. Times of the day, weekends and months are those of UTC.
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::{ConfidenceDistribution, DelayDistribution, Traffic};
/// use fusebox::{Confidence, FailureKind, Field, Ratio};
///
/// let mut office_hours = [10; 24];
/// office_hours[8..18].fill(100);
/// let hour = Duration::from_secs(3_600);
/// let invoices = Traffic::of("invoice", 600)?
///     .at_random()
///     .by_hour(office_hours)
///     .on_weekends(Ratio::percent(20))
///     .at_month_end(3)
///     .latency(DelayDistribution::log_normal(Duration::from_secs(12), Duration::from_secs(60))?)
///     .failing(FailureKind::Truncated, Ratio::percent(1))
///     .confidence(Field::new("total")?, ConfidenceDistribution::beta(Confidence::percent(94), 0.04)?)
///     .corrections(Ratio::percent(3), DelayDistribution::exponential(4 * hour)?);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Traffic {
    pub(super) document_type: DocumentType,
    /// The mean time between two documents at the usual rate.
    pub(super) gap: Duration,
    /// The times between two documents, if they come at random.
    pub(super) gaps: Option<DelayDistribution>,
    /// `None` if the rate never changes.
    pub(super) rates: Option<Rates>,
    pub(super) tokens: u64,
    pub(super) latency: DelayDistribution,
    pub(super) failing: Option<(FailureKind, Ratio)>,
    pub(super) field: Field,
    pub(super) confidence: ConfidenceDistribution,
    pub(super) corrections: Ratio,
    pub(super) correction_delay: DelayDistribution,
    /// The candidate of a shadow run, and the share of the answers that it is compared on.
    pub(super) compared: Option<(VersionId, Ratio)>,
}

impl Traffic {
    /// `per_hour` documents of a type in an hour; an error when the type is empty, or when the
    /// number is not from 1 to 3,600,000.
    pub fn of(document_type: impl AsRef<str>, per_hour: u32) -> Result<Self, Error> {
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
            field: Field::new("total")?,
            confidence: Confidence::percent(95).into(),
            corrections: Ratio::percent(3),
            correction_delay: Duration::from_secs(3_600).into(),
            compared: None,
        })
    }

    /// Documents arrive at random, each without regard to the others (a Poisson process).
    pub fn at_random(mut self) -> Self {
        self.gaps = DelayDistribution::exponential(self.gap).ok();
        self
    }

    /// How many documents arrive in each hour of the day, in percent of the usual number.
    pub fn by_hour(mut self, percent: [u32; 24]) -> Self {
        self.rates_mut().by_hour = percent;
        self
    }

    /// The share of the usual number that arrives on Saturdays and Sundays.
    pub fn on_weekends(mut self, share: Ratio) -> Self {
        self.rates_mut().weekend = share;
        self
    }

    /// How many times as many documents arrive on the last three days of a month.
    pub fn at_month_end(mut self, times: u32) -> Self {
        self.rates_mut().month_end = times;
        self
    }

    /// The tokens of each document.
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// The time that a call takes: a [`Duration`], or a distribution.
    pub fn latency(mut self, latency: impl Into<DelayDistribution>) -> Self {
        self.latency = latency.into();
        self
    }

    /// The share of the calls that always fails, and how.
    pub fn failing(mut self, kind: FailureKind, share: Ratio) -> Self {
        self.failing = Some((kind, share));
        self
    }

    /// The field that each answer has, and its confidence: a [`Confidence`], or a distribution.
    pub fn confidence(
        mut self,
        field: Field,
        confidence: impl Into<ConfidenceDistribution>,
    ) -> Self {
        self.field = field;
        self.confidence = confidence.into();
        self
    }

    /// The share of the answers that reviewers correct, and the time until each correction: a
    /// [`Duration`], or a distribution.
    pub fn corrections(mut self, share: Ratio, delay: impl Into<DelayDistribution>) -> Self {
        self.corrections = share;
        self.correction_delay = delay.into();
        self
    }

    /// The share of the answers that a shadow run compares with those of this candidate. They agree,
    /// but for [`Fault::diverge`](super::Fault::diverge).
    pub fn compared_with(mut self, candidate: VersionId, share: Ratio) -> Self {
        self.compared = Some((candidate, share));
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.rates
            .as_ref()
            .map_or(Ok(()), |rates| rates.check(self.gap))
    }

    fn rates_mut(&mut self) -> &mut Rates {
        self.rates.get_or_insert_default()
    }
}
