//! The documents that arrive in a drill.

use std::time::Duration;

use crate::confidence::Confidence;
use crate::error::Error;
use crate::name::{DocumentType, Field};
use crate::ratio::Ratio;

/// Documents of one type that arrive at even intervals, and how their calls go without a fault.
///
/// By default a document has 1,000 tokens, its call takes 20 seconds, the confidence of its field
/// `total` is 0.95, and reviewers correct 3 % of the answers one hour later.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub(super) document_type: DocumentType,
    pub(super) gap: Duration,
    pub(super) tokens: u64,
    pub(super) latency: Duration,
    pub(super) field: Field,
    pub(super) confidence: Confidence,
    pub(super) corrections: Ratio,
    pub(super) correction_delay: Duration,
}

impl Traffic {
    /// `per_hour` documents of a type in an hour; an error when the type is empty, or when the
    /// number is not from 1 to 3,600,000.
    pub fn of(document_type: impl AsRef<str>, per_hour: u32) -> Result<Self, Error> {
        let gap = 3_600_000_u32.checked_div(per_hour).unwrap_or(0);
        if gap == 0 {
            return Err(Error::invalid(
                "drill traffic per hour",
                per_hour,
                "1 to 3600000 documents",
            ));
        }
        Ok(Self {
            document_type: DocumentType::new(document_type)?,
            gap: Duration::from_millis(gap.into()),
            tokens: 1_000,
            latency: Duration::from_secs(20),
            field: Field::new("total")?,
            confidence: Confidence::percent(95),
            corrections: Ratio::percent(3),
            correction_delay: Duration::from_secs(3_600),
        })
    }

    /// The tokens of each document.
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// The time that each call takes.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The field that each answer has, and its confidence.
    pub fn confidence(mut self, field: Field, confidence: Confidence) -> Self {
        self.field = field;
        self.confidence = confidence;
        self
    }

    /// The share of the answers that reviewers correct, and the delay of each correction.
    pub fn corrections(mut self, share: Ratio, delay: Duration) -> Self {
        self.corrections = share;
        self.correction_delay = delay;
        self
    }
}
