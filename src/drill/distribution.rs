//! What differs from one document to the next: confidences and delays, drawn from tables.

use std::fmt;
use std::time::Duration;

use statrs::distribution::{Beta, ContinuousCDF, Exp, LogNormal};

use super::document::Draw;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::stats::NORMAL_95_ONE_SIDED;

/// How many values stand for a distribution: its quantiles in the middle of as many equal parts.
const VALUES: u32 = 1_024;

/// The quantiles of a distribution, from the lowest to the highest.
fn quantiles<D: ContinuousCDF<f64, f64>>(distribution: &D) -> impl Iterator<Item = f64> {
    (0..VALUES).map(|n| distribution.inverse_cdf((f64::from(n) + 0.5) / f64::from(VALUES)))
}

/// Shows values by how many they are and between which they lie.
fn range<T: Ord + fmt::Debug>(name: &str, values: &[T], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("values", &values.len())
        .field("lowest", &values.iter().min())
        .field("highest", &values.iter().max())
        .finish()
}

/// The confidences of an answer in [`Traffic`](super::Traffic), from document to document.
///
/// A [`Confidence`] stands for itself in every document.
///
/// ```
/// use fusebox::{Confidence, Field};
/// use fusebox::drill::{ConfidenceDistribution, Traffic};
///
/// let scores = ConfidenceDistribution::beta(Confidence::percent(92), 0.05)?;
/// let invoices = Traffic::of("invoice", 600)?.confidence(Field::new("total")?, scores);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct ConfidenceDistribution(Vec<Confidence>);

impl ConfidenceDistribution {
    /// A beta distribution with this mean and this standard deviation, as 1,024 values.
    ///
    /// An error unless the mean is 0.001 to 0.999, and the deviation is at least 0.001 and below
    /// `sqrt(mean * (1 - mean))`, beyond which no scores from 0 to 1 scatter.
    pub fn beta(mean: Confidence, deviation: f64) -> Result<Self, Error> {
        const LEAST: f64 = 0.001;
        let mean = f64::from(mean.as_millionths()) / 1e6;
        let widest = (mean * (1.0 - mean)).sqrt();
        if !(0.001..=0.999).contains(&mean) {
            return Err(Error::invalid(
                "mean of confidences that scatter",
                mean,
                "0.001 to 0.999",
            ));
        }
        let refuse = || {
            let allowed = format!("at least {LEAST} and below {widest:.4} at a mean of {mean}");
            Error::invalid("standard deviation of confidences", deviation, allowed)
        };
        if !(LEAST..widest).contains(&deviation) {
            return Err(refuse());
        }
        // The moments of a beta distribution, solved for its shapes.
        let precision = (widest / deviation).powi(2) - 1.0;
        let beta = Beta::new(mean * precision, (1.0 - mean) * precision).map_err(|_| refuse())?;
        let scores = quantiles(&beta).map(|score| Confidence::new(score.clamp(0.0, 1.0)));
        Ok(Self(scores.collect::<Result<_, _>>()?))
    }

    /// Confidences that were seen, each as likely as the others; an error if there are none.
    pub fn recorded(scores: impl IntoIterator<Item = Confidence>) -> Result<Self, Error> {
        let scores: Vec<_> = scores.into_iter().collect();
        if scores.is_empty() {
            return Err(Error::invalid(
                "recorded confidences",
                "none",
                "at least one",
            ));
        }
        Ok(Self(scores))
    }

    pub(super) fn at(&self, draw: Draw) -> Confidence {
        draw.among(&self.0).unwrap_or(Confidence::CERTAIN)
    }
}

impl fmt::Debug for ConfidenceDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        range("ConfidenceDistribution", &self.0, f)
    }
}

impl From<Confidence> for ConfidenceDistribution {
    fn from(score: Confidence) -> Self {
        Self(vec![score])
    }
}

/// How long something takes in [`Traffic`](super::Traffic), from document to document: a call, or
/// the time until a correction.
///
/// A [`Duration`] stands for itself in every document.
#[derive(Clone, PartialEq)]
pub struct DelayDistribution(Vec<Duration>);

impl DelayDistribution {
    /// An exponential distribution with this mean, as 1,024 values: half of the delays are below
    /// 0.69 times the mean, and the longest is 7.6 times. An error if the mean is zero.
    pub fn exponential(mean: Duration) -> Result<Self, Error> {
        let refuse = || {
            let mean = humantime::format_duration(mean);
            Error::invalid("mean of delays that scatter", mean, "more than no time")
        };
        if mean.is_zero() {
            return Err(refuse());
        }
        let exponential = Exp::new(mean.as_secs_f64().recip()).map_err(|_| refuse())?;
        Self::of_seconds(quantiles(&exponential))
    }

    /// A log-normal distribution with this median, which 95 % of the delays do not exceed `p95` of,
    /// as 1,024 values. That is the shape of most work that people do. An error unless the median is
    /// more than no time and `p95` longer than it.
    pub fn log_normal(median: Duration, p95: Duration) -> Result<Self, Error> {
        let refuse = || {
            let allowed = format!(
                "longer than the median, {}",
                humantime::format_duration(median)
            );
            Error::invalid(
                "delay that 95 % do not exceed",
                humantime::format_duration(p95),
                allowed,
            )
        };
        if median.is_zero() || p95 <= median {
            return Err(refuse());
        }
        let location = median.as_secs_f64().ln();
        let scale = (p95.as_secs_f64().ln() - location) / *NORMAL_95_ONE_SIDED;
        let log_normal = LogNormal::new(location, scale).map_err(|_| refuse())?;
        Self::of_seconds(quantiles(&log_normal))
    }

    /// Delays that were seen, each as likely as the others; an error if there are none.
    pub fn recorded(delays: impl IntoIterator<Item = Duration>) -> Result<Self, Error> {
        let delays: Vec<_> = delays.into_iter().collect();
        if delays.is_empty() {
            return Err(Error::invalid("recorded delays", "none", "at least one"));
        }
        Ok(Self(delays))
    }

    fn of_seconds(seconds: impl Iterator<Item = f64>) -> Result<Self, Error> {
        let delay = |seconds| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| Error::invalid("delay in seconds", seconds, "a time that can pass"))
        };
        Ok(Self(seconds.map(delay).collect::<Result<_, _>>()?))
    }

    pub(super) fn at(&self, draw: Draw) -> Duration {
        draw.among(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for DelayDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        range("DelayDistribution", &self.0, f)
    }
}

impl From<Duration> for DelayDistribution {
    fn from(delay: Duration) -> Self {
        Self(vec![delay])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17: `beta.ppf([.5 / 1024, 511.5 / 1024, 1023.5 / 1024], 26.1648, 2.2752)`; these
    /// shapes have the mean .92 and the deviation .05.
    #[test]
    fn confidences_scatter_as_a_beta_distribution() {
        let scores = ConfidenceDistribution::beta(Confidence::percent(92), 0.05).unwrap();
        let score = |n: usize| f64::from(scores.0[n].as_millionths()) / 1e6;
        for (n, expected) in [(0, 0.672_742), (511, 0.929_677), (1_023, 0.997_973)] {
            assert!((score(n) - expected).abs() < 2e-6, "{n}: {}", score(n));
        }
    }

    /// The quantile p of an exponential distribution is -mean * ln(1 - p): the lowest of the values
    /// is that of 0.5 / 1024, the highest that of 1023.5 / 1024.
    #[test]
    fn delays_scatter_as_stated() {
        let hour = Duration::from_secs(3_600);
        let delays = DelayDistribution::exponential(hour).unwrap();
        let seconds = |delay: Option<&Duration>| delay.unwrap().as_secs_f64();
        assert!((seconds(delays.0.first()) - 1.758).abs() < 0.001);
        assert!((seconds(delays.0.last()) - 3_600.0 * 2_048_f64.ln()).abs() < 1.0);

        let delays = DelayDistribution::log_normal(hour, 4 * hour).unwrap();
        let within = |limit| delays.0.iter().filter(|delay| **delay <= limit).count();
        assert_eq!(within(hour), 512);
        assert_eq!(within(4 * hour), 973, "95 % of 1,024 are 972.8");
    }
}
