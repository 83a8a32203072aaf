//! What guards learn: how calls ended, and the truth about their answers that comes later.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::correction::Correction;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::Field;
use crate::ticket::Ticket;
use crate::time::millis;
use crate::verdict::Destination;

/// How sure the model is of one field: a number between 0 and 1, kept in millionths so that comparisons are exact.
///
/// Serialised as the number of millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Confidence(u32);

impl Confidence {
    const MILLIONTHS: u32 = 1_000_000;
    /// No doubt.
    pub const CERTAIN: Self = Self(Self::MILLIONTHS);

    /// From a number between 0 and 1, rounded to millionths; an error for anything else, `NaN` included.
    pub fn new(score: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&score) {
            return Err(Error::invalid("confidence", score, "a number from 0 to 1"));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a score from 0 to 1 times a million fits"
        )]
        let millionths = (score * f64::from(Self::MILLIONTHS)).round() as u32;
        Ok(Self(millionths))
    }

    /// Hundredths: `Confidence::percent(80)` is 0.80. More than 100 is taken as 100.
    pub const fn percent(percent: u32) -> Self {
        let percent = if percent < 100 { percent } else { 100 };
        Self(percent * (Self::MILLIONTHS / 100))
    }

    /// Millionths.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }

    /// So much higher, at most `highest`.
    pub(crate) fn raised_by(self, step: Self, highest: Self) -> Self {
        Self(self.0.saturating_add(step.0)).min(highest).max(self)
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", f64::from(self.0) / f64::from(Self::MILLIONTHS))
    }
}

impl fmt::Debug for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e-6", self.0)
    }
}

impl TryFrom<u32> for Confidence {
    type Error = Error;

    fn try_from(millionths: u32) -> Result<Self, Error> {
        if millionths > Self::MILLIONTHS {
            return Err(Error::invalid(
                "confidence",
                millionths,
                "0 to 1000000 millionths",
            ));
        }
        Ok(Self(millionths))
    }
}

impl From<Confidence> for u32 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// What the application says of an answer: how sure the model is of each field, what it cost, and whether an HTTP 200
/// was a failure after all.
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
    retry_after_millis: Option<u64>,
}

/// Tokens that the API says it read and wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Usage {
    input: u64,
    #[serde(default)]
    cached: u64,
    output: u64,
}

impl Report {
    /// Nothing but: there was an answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The model's confidence in a field, from 0 to 1.
    ///
    /// A score outside that range is kept as invalid: it can not be accepted, and the answer goes to a person. A score
    /// for a field without a name is left out.
    pub fn confidence(mut self, field: impl AsRef<str>, score: f64) -> Self {
        if let Ok(field) = Field::new(field) {
            self.confidences.push((field, Confidence::new(score).ok()));
        }
        self
    }

    /// Tokens that the API says it read and wrote.
    ///
    /// All that it read: where an API counts cached input apart, as Anthropic's does, add it with
    /// [`cached_input`](Self::cached_input). OpenAI's `prompt_tokens` are all already.
    pub fn usage(mut self, input: u64, output: u64) -> Self {
        let cached = self.usage.map_or(0, |usage| usage.cached);
        self.usage = Some(Usage {
            input,
            cached,
            output,
        });
        self
    }

    /// Tokens that the API says it read besides, from a cache or into it: `cache_creation_input_tokens` and
    /// `cache_read_input_tokens`.
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

    /// The finish or stop reason that the API gave; see [`FailureKind::from_finish_reason`].
    pub fn finish_reason(mut self, reason: &str) -> Self {
        self.failure = self.failure.or(FailureKind::from_finish_reason(reason));
        self
    }

    /// The API answered, and the answer is a failure all the same.
    pub fn failed(mut self, kind: FailureKind) -> Self {
        self.failure = Some(kind);
        self
    }

    /// The API asks to wait so long before the next call.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_millis = Some(millis(wait));
        self
    }

    /// How long the API asks to wait, if it does.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after_millis.map(Duration::from_millis)
    }

    /// The confidences as given; `None` where a score was invalid.
    pub fn confidences(&self) -> &[(Field, Option<Confidence>)] {
        &self.confidences
    }

    /// Tokens read, as the API says, cached ones among them.
    pub fn input_tokens(&self) -> Option<u64> {
        self.usage
            .map(|usage| usage.input.saturating_add(usage.cached))
    }

    /// Tokens written, as the API says.
    pub fn output_tokens(&self) -> Option<u64> {
        self.usage.map(|usage| usage.output)
    }

    /// What kind of failure the answer is, if it is one.
    pub fn failure(&self) -> Option<FailureKind> {
        self.failure
    }
}

/// How a call ended. Every ticket gets exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The permit was dropped unsaid: a cancelled future, an early return, a panic.
    Abandoned,
    /// An answer that may be acted on.
    Accepted,
    /// The call was not made; the document went elsewhere.
    Diverted(Destination),
    /// The call failed, or its answer is a failure.
    Failed(FailureKind),
    /// An answer that a person must look at.
    NeedsReview,
    /// The call was never made, by the caller's choice.
    Released,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.pad("abandoned"),
            Self::Accepted => f.pad("accepted"),
            Self::Diverted(destination) => write!(f, "diverted to {destination}"),
            Self::Failed(kind) => write!(f, "failed: {kind}"),
            Self::NeedsReview => f.pad("needs review"),
            Self::Released => f.pad("released"),
        }
    }
}

/// What came of comparing a candidate's answer with production's in a shadow run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Comparison {
    /// The candidate failed or did not answer in time. It counts as diverged: silence is not agreement.
    CandidateFailed(FailureKind),
    /// They differ in these fields (in none by name, if the whole differs).
    Diverged(Vec<Field>),
    /// They agree.
    Match,
    /// They cannot be compared: production itself failed, or the answer was a tool call.
    NotComparable,
}

/// Something that guards learn. The pipeline sends the first two; the application sends the others with
/// [`Pipeline::observe`](crate::Pipeline::observe) when a person or a shadow run has spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// A call was admitted.
    Opened {
        /// Its ticket.
        ticket: Ticket,
    },
    /// A call ended.
    Settled {
        /// Its ticket.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
        /// What the application said of the answer; empty when there was none.
        report: Report,
    },
    /// A person corrected a field of an answer.
    Corrected {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
        /// What was corrected.
        correction: Correction,
    },
    /// A correction was taken back: the answer was right.
    Retracted {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
        /// The correction, with the field and the id that it had.
        correction: Correction,
    },
    /// A person looked at an answer. Fields that were wrong are told apart, as corrections.
    Reviewed {
        /// The ticket of the call that gave the answer.
        ticket: Ticket,
    },
    /// A shadow run was compared with production.
    Compared {
        /// The ticket of production's call.
        ticket: Ticket,
        /// What came of it.
        comparison: Comparison,
    },
}

impl Signal {
    /// A person corrected the answer that `ticket` stands for: a [`Field`] will do, or a [`Correction`] that says more.
    pub fn corrected(ticket: Ticket, correction: impl Into<Correction>) -> Self {
        Self::Corrected {
            ticket,
            correction: correction.into(),
        }
    }

    /// A person took a correction back. It is found by its ticket, its field and its id.
    pub fn retracted(ticket: Ticket, correction: impl Into<Correction>) -> Self {
        Self::Retracted {
            ticket,
            correction: correction.into(),
        }
    }

    /// A person looked at the answer that `ticket` stands for, whatever came of it.
    pub fn reviewed(ticket: Ticket) -> Self {
        Self::Reviewed { ticket }
    }

    /// A candidate's answer was compared with the one that `ticket` stands for.
    pub fn compared(ticket: Ticket, comparison: Comparison) -> Self {
        Self::Compared { ticket, comparison }
    }

    /// The ticket that it is about.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Opened { ticket }
            | Self::Settled { ticket, .. }
            | Self::Corrected { ticket, .. }
            | Self::Retracted { ticket, .. }
            | Self::Reviewed { ticket }
            | Self::Compared { ticket, .. } => ticket,
        }
    }

    pub(crate) fn into_ticket(self) -> Ticket {
        match self {
            Self::Opened { ticket }
            | Self::Settled { ticket, .. }
            | Self::Corrected { ticket, .. }
            | Self::Retracted { ticket, .. }
            | Self::Reviewed { ticket }
            | Self::Compared { ticket, .. } => ticket,
        }
    }
}
