//! How many tokens something has: an interval, and how it was found.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// How many tokens a text has: an interval that holds the true number, and how it was found.
///
/// A document is sent on by the upper end, so that what may not fit is never sent on trust; only the lower end can say
/// that something is impossible.
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
}

/// How a token count was found, the surest first. A sum is as sure as its least sure part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provenance {
    /// Counted with the model's own tokenizer.
    Exact,
    /// The provider counted; it may count a few tokens otherwise when it serves.
    Provider,
    /// The upper end is an estimate that holds for this share of the documents, learnt from so many of them.
    Calibrated {
        /// The share, in basis points: 9,900 for 99 %.
        coverage_bp: u16,
        /// How many documents it was learnt from.
        samples: u32,
    },
    /// An estimate by another tokenizer and a fixed factor, before there is anything to learn from.
    Assumed,
    /// Bounds that hold for every text, without a tokenizer.
    Bound,
}

impl TokenCount {
    /// None at all.
    pub const ZERO: Self = Self::exact(0);

    /// Nobody counted: over every budget.
    pub const UNKNOWN: Self = Self::at_least(0);

    /// Exactly this many tokens.
    pub const fn exact(tokens: u64) -> Self {
        Self::new(tokens, Some(tokens), Provenance::Exact)
    }

    /// This many tokens or fewer.
    pub const fn at_most(tokens: u64) -> Self {
        Self::new(0, Some(tokens), Provenance::Bound)
    }

    /// This many tokens or more; how many more is not known.
    pub const fn at_least(tokens: u64) -> Self {
        Self::new(tokens, None, Provenance::Bound)
    }

    /// Between `lower` and `upper` tokens; given the wrong way round, they are exchanged.
    pub const fn between(lower: u64, upper: u64) -> Self {
        if lower <= upper {
            Self::new(lower, Some(upper), Provenance::Bound)
        } else {
            Self::new(upper, Some(lower), Provenance::Bound)
        }
    }

    /// What the provider says it counts.
    pub const fn by_provider(tokens: u64) -> Self {
        Self::new(tokens, Some(tokens), Provenance::Provider)
    }

    pub(crate) const fn new(lower: u64, upper: Option<u64>, provenance: Provenance) -> Self {
        Self {
            lower,
            upper,
            provenance,
        }
    }

    /// The fewest tokens that it can be.
    pub const fn lower(self) -> u64 {
        self.lower
    }

    /// The most tokens that it can be; `None` when there is no telling.
    pub const fn upper(self) -> Option<u64> {
        self.upper
    }

    /// How it was found.
    pub const fn provenance(self) -> Provenance {
        self.provenance
    }

    /// Whether it is the number that the model's own tokenizer gives.
    pub fn is_exact(self) -> bool {
        self.provenance == Provenance::Exact
    }

    /// Whether it is certain that there are `limit` tokens at most.
    pub fn fits(self, limit: u64) -> bool {
        self.upper.is_some_and(|upper| upper <= limit)
    }
}

impl From<u64> for TokenCount {
    /// Exactly this many.
    fn from(tokens: u64) -> Self {
        Self::exact(tokens)
    }
}

impl Add for TokenCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let upper = self.upper.zip(other.upper);
        Self::new(
            self.lower.saturating_add(other.lower),
            upper.map(|(one, other)| one.saturating_add(other)),
            self.provenance.less_sure(other.provenance),
        )
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
