//! What the application reports about an answer when it arrives.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::failure::{FailureKind, FinishReason};
use crate::name::{Field, FinishWord};
use crate::time::millis;

/// What the application reports about an answer: the confidence of each field, the token usage, and
/// whether an HTTP 200 is a failure all the same.
///
/// ```
/// use fusebox::Report;
///
/// let report = Report::new()
///     .confidence("total", 0.97)
///     .confidence("vendor", 0.88)
///     .finish_reason("stop");
/// assert_eq!(report.failure(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    confidences: Vec<(Field, Option<Confidence>)>,
    usage: Option<Usage>,
    failure: Option<FailureKind>,
    #[serde(default)]
    unclear_finish: Option<FinishWord>,
    #[serde(default)]
    retry_after_millis: Option<u64>,
}

/// The token usage that the API reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Usage {
    input: u64,
    #[serde(default)]
    cached: u64,
    output: u64,
}

impl Report {
    /// An answer without further details.
    pub fn new() -> Self {
        Self::default()
    }

    /// The model's confidence in a field, from 0 to 1.
    ///
    /// A score outside this range is kept as invalid, and a confidence drift monitor sends the
    /// answer to human review. A score for a field without a name is ignored.
    pub fn confidence(self, field: impl AsRef<str>, score: f64) -> Self {
        match Field::new(field) {
            Ok(field) => self.confidence_in(field, score),
            Err(_) => self,
        }
    }

    /// The same for a name that is already checked; it copies no text.
    pub(crate) fn confidence_in(mut self, field: Field, score: f64) -> Self {
        self.confidences.push((field, Confidence::new(score).ok()));
        self
    }

    /// With room for so many confidences, and for no more.
    pub(crate) fn with_room_for(mut self, confidences: usize) -> Self {
        self.confidences.reserve_exact(confidences);
        self
    }

    /// The same with other confidences, or without those that `other` omits; what is invalid stays
    /// so.
    pub(crate) fn with_confidences(
        mut self,
        other: impl Fn(&Field, Confidence) -> Option<Confidence>,
    ) -> Self {
        self.confidences.retain_mut(|(field, score)| {
            let Some(valid) = *score else { return true };
            *score = other(field, valid);
            score.is_some()
        });
        self
    }

    /// The input and output tokens that the API reports.
    ///
    /// Input includes cached tokens: where an API reports them separately, as Anthropic's does, add
    /// them with [`cached_input`](Self::cached_input). OpenAI's `prompt_tokens` already include
    /// them.
    pub fn usage(mut self, input: u64, output: u64) -> Self {
        let cached = self.usage.map_or(0, |usage| usage.cached);
        self.usage = Some(Usage {
            input,
            cached,
            output,
        });
        self
    }

    /// Input tokens that the API reports in addition, as written to a cache or read from it:
    /// `cache_creation_input_tokens` and `cache_read_input_tokens`.
    pub fn cached_input(mut self, creation: u64, read: u64) -> Self {
        let usage = self.usage.unwrap_or(Usage {
            input: 0,
            cached: 0,
            output: 0,
        });
        self.usage = Some(Usage {
            cached: creation.saturating_add(read),
            ..usage
        });
        self
    }

    /// The finish or stop reason that the API returned, as its word or as what it means.
    ///
    /// A word that does not say that the answer is complete sends it to human review
    /// ([`Reason::UnclearFinish`](crate::Reason::UnclearFinish)); see [`FinishReason`]. Of several
    /// reasons, the first that is not complete counts.
    pub fn finish_reason(mut self, reason: impl Into<FinishReason>) -> Self {
        match reason.into() {
            FinishReason::Complete => {}
            FinishReason::Failed(kind) => self.failure = self.failure.or(Some(kind)),
            FinishReason::Unclear(word) => {
                self.unclear_finish = self.unclear_finish.or(Some(word));
            }
        }
        self
    }

    /// The API answered, but the answer is a failure of this kind.
    pub fn failed(mut self, kind: FailureKind) -> Self {
        self.failure = Some(kind);
        self
    }

    /// The API asks to wait this long before the next call.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_millis = Some(millis(wait));
        self
    }

    /// How long the API asks to wait, if it does.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after_millis.map(Duration::from_millis)
    }

    /// The confidences in the order given; `None` where a score was invalid.
    pub fn confidences(&self) -> &[(Field, Option<Confidence>)] {
        &self.confidences
    }

    /// Input tokens that the API reports, cached ones included. A usage of zero is none: no prompt
    /// has no tokens.
    pub fn input_tokens(&self) -> Option<u64> {
        let usage = self.usage?;
        let input = usage.input.saturating_add(usage.cached);
        (input > 0).then_some(input)
    }

    /// Output tokens that the API reports.
    pub fn output_tokens(&self) -> Option<u64> {
        self.usage.map(|usage| usage.output)
    }

    /// The kind of failure, if the answer is one.
    pub fn failure(&self) -> Option<FailureKind> {
        self.failure
    }

    /// The finish reason, if it does not say that the answer is complete.
    pub fn unclear_finish(&self) -> Option<&FinishWord> {
        self.unclear_finish.as_ref()
    }
}
