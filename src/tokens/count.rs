//! A token count: an interval and its provenance.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

use super::model::Encoding;

/// The number of tokens of a text: an interval that contains the true number, and how it was found.
///
/// The upper end decides whether a document fits, so that no document is sent on trust. Only the
/// lower end can show that a document cannot fit.
///
/// ```
/// use fusebox::tokens::TokenCount;
///
/// let prompt = TokenCount::exact(1_200);
/// let document = TokenCount::between(40, 5_000);
/// let both = prompt + document;
/// assert_eq!((both.lower(), both.upper()), (1_240, Some(6_200)));
/// assert!(!both.is_exact());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenCount {
    lower: u64,
    upper: Option<u64>,
    provenance: Provenance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
}

/// How a token count was found, from the most to the least certain. A sum has the provenance of its
/// least certain part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provenance {
    /// Counted with the model's own tokenizer.
    Exact,
    /// Counted by the provider, which may count a few tokens differently when it serves the call.
    Provider,
    /// An estimate whose upper end holds for this share of the documents, calibrated from this
    /// number of them.
    Calibrated {
        /// The share, in basis points: 9,900 for 99 %.
        coverage_bp: u16,
        /// The number of documents.
        samples: u32,
    },
    /// An estimate by another tokenizer and a fixed factor, used until there are enough documents
    /// to calibrate from.
    Assumed,
    /// Bounds that hold for every text, without a tokenizer.
    Bound,
}

impl TokenCount {
    /// No tokens.
    pub const ZERO: Self = Self::exact(0);

    /// Not counted: over every budget.
    pub const UNKNOWN: Self = Self::at_least(0);

    /// Exactly this many tokens.
    pub const fn exact(tokens: u64) -> Self {
        Self::new(tokens, Some(tokens), Provenance::Exact)
    }

    /// This many tokens or fewer.
    pub const fn at_most(tokens: u64) -> Self {
        Self::new(0, Some(tokens), Provenance::Bound)
    }

    /// This many tokens or more, without an upper bound.
    pub const fn at_least(tokens: u64) -> Self {
        Self::new(tokens, None, Provenance::Bound)
    }

    /// Between `lower` and `upper` tokens; swapped arguments are corrected.
    pub const fn between(lower: u64, upper: u64) -> Self {
        if lower <= upper {
            Self::new(lower, Some(upper), Provenance::Bound)
        } else {
            Self::new(upper, Some(lower), Provenance::Bound)
        }
    }

    /// The provider's own count.
    pub const fn by_provider(tokens: u64) -> Self {
        Self::new(tokens, Some(tokens), Provenance::Provider)
    }

    pub(crate) const fn new(lower: u64, upper: Option<u64>, provenance: Provenance) -> Self {
        Self {
            lower,
            upper,
            provenance,
            encoding: None,
        }
    }

    /// Says with which tokenizer it was counted, if that may not be the tokenizer of the model that
    /// will be called. A budget converts it to tokens of that model, as it does for a text.
    ///
    /// ```
    /// use fusebox::Call;
    /// use fusebox::tokens::{Encoding, TokenCount};
    ///
    /// let counted = TokenCount::exact(170_000).counted_with(Encoding::O200kBase);
    /// let call = Call::new("inv-1", "invoice")?.with_document_tokens(counted);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub const fn counted_with(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// The tokenizer that it was counted with, if that was said.
    pub const fn encoding(self) -> Option<Encoding> {
        self.encoding
    }

    /// The lower end of the interval.
    pub const fn lower(self) -> u64 {
        self.lower
    }

    /// The upper end of the interval; `None` if there is no upper bound.
    pub const fn upper(self) -> Option<u64> {
        self.upper
    }

    /// How it was found.
    pub const fn provenance(self) -> Provenance {
        self.provenance
    }

    /// Whether the model's own tokenizer counted it.
    pub fn is_exact(self) -> bool {
        self.provenance == Provenance::Exact
    }

    /// Whether there are certainly at most `limit` tokens.
    pub fn fits(self, limit: u64) -> bool {
        self.upper.is_some_and(|upper| upper <= limit)
    }
}

impl From<u64> for TokenCount {
    /// Exactly this many tokens.
    fn from(tokens: u64) -> Self {
        Self::exact(tokens)
    }
}

impl Add for TokenCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let upper = self.upper.zip(other.upper);
        let sum = Self::new(
            self.lower.saturating_add(other.lower),
            upper.map(|(one, other)| one.saturating_add(other)),
            self.provenance.less_sure(other.provenance),
        );
        match (self.encoding, other.encoding) {
            (None, None) => sum,
            // Tokens of two tokenizers do not add up.
            (Some(one), Some(other)) if one != other => Self::at_least(0),
            (one, other) => Self {
                encoding: one.or(other),
                ..sum
            },
        }
    }
}

impl Sum for TokenCount {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::ZERO, Add::add)
    }
}

impl Provenance {
    fn less_sure(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Calibrated {
                    coverage_bp,
                    samples,
                },
                Self::Calibrated {
                    coverage_bp: coverage,
                    samples: others,
                },
            ) => Self::Calibrated {
                coverage_bp: coverage_bp.min(coverage),
                samples: samples.min(others),
            },
            (one, other) => one.max(other),
        }
    }
}

impl fmt::Display for TokenCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lower, self.upper) {
            (lower, Some(upper)) if lower == upper => write!(f, "{upper} tokens"),
            (0, Some(upper)) => write!(f, "at most {upper} tokens"),
            (lower, Some(upper)) => write!(f, "{lower} to {upper} tokens"),
            (lower, None) => write!(f, "at least {lower} tokens"),
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Provider => f.write_str("the provider's count"),
            Self::Calibrated {
                coverage_bp,
                samples,
            } => {
                let percent = f64::from(*coverage_bp) / 100.0;
                write!(f, "calibrated: {percent} % over {samples} documents")
            }
            Self::Assumed => f.write_str("assumed from another tokenizer"),
            Self::Bound => f.write_str("a bound"),
        }
    }
}
