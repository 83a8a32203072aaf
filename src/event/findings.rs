//! The evidence about a candidate, and the decision of a rollout.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hold_reason::HoldReason;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// So many document types are named in a text; the data have all.
const SHOWN: usize = 10;

/// What a rollout counts for each version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Calls whose permit was dropped without an outcome.
    Abandonments,
    /// Answers that reviewers corrected.
    Corrections,
    /// Documents that were diverted, or whose answer went to human review.
    Diversions,
    /// Calls that failed.
    Failures,
    /// Answers that were cut at their length limit; not counted as failures.
    Truncations,
}

impl Measure {
    fn participle(self) -> &'static str {
        match self {
            Self::Abandonments => "abandoned",
            Self::Corrections => "corrected",
            Self::Diversions => "diverted or sent to review",
            Self::Failures => "failed",
            Self::Truncations => "truncated",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Abandonments => "abandonments",
            Self::Corrections => "corrections",
            Self::Diversions => "diversions",
            Self::Failures => "failures",
            Self::Truncations => "truncations",
        })
    }
}

/// The documents of one version, and how many of them had the event that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Documents that could have the event.
    pub documents: u64,
    /// Documents that had it; the documents of a batch count once.
    pub events: u64,
}

impl Tally {
    pub(crate) fn new(events: u64, documents: u64) -> Self {
        Self { documents, events }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.events, self.documents)
    }
}

/// The counts for a candidate and for production, and how they compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// What is counted.
    pub measure: Measure,
    /// The candidate's documents.
    pub candidate: Tally,
    /// Production's documents in the same strata.
    pub stable: Tally,
    /// The candidate's rate divided by production's (Mantel-Haenszel estimate over the strata:
    /// stage and document type). `None` when production had no such event.
    pub ratio: Option<f64>,
    /// Natural logarithm of the e-value against "no worse than production".
    pub ln_e: f64,
    /// Probability that the ratio is above the tolerated one, with a prior that is normal in the
    /// logarithm of the ratio.
    pub p_exceeds: f64,
    /// The number of events that the candidate would have at exactly the tolerated ratio: a measure
    /// of how much the counts can show.
    pub information: f64,
    /// Whether the ratio itself is above the tolerated one.
    pub exceeds: bool,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.measure.participle();
        write!(f, "{what} {}, production {}", self.candidate, self.stable)?;
        match self.ratio {
            Some(ratio) => write!(f, ", ratio {ratio:.2}")?,
            None => f.write_str(", no ratio yet")?,
        }
        let e_value = self.ln_e.exp();
        if e_value < 1e6 {
            write!(f, " (e-value {e_value:.3}")?;
        } else {
            write!(f, " (e-value {e_value:.1e}")?;
        }
        let p = self.p_exceeds * 100.0;
        write!(f, ", {p:.1} % likely above the limit)")
    }
}

/// The share of the expected corrections that have arrived, from 0 to 1. Zero while the review
/// delay is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Maturity {
    /// For the candidate's documents.
    pub candidate: f64,
    /// For production's documents.
    pub stable: f64,
}

impl Maturity {
    pub(crate) fn new(candidate: f64, stable: f64) -> Self {
        Self { candidate, stable }
    }

    /// The smaller of the two.
    pub fn least(self) -> f64 {
        self.candidate.min(self.stable)
    }
}

/// The decision that follows from the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum Decision {
    /// The stage did not meet its conditions in time: the operator must promote or abort.
    Escalate,
    /// Wait, for this reason.
    Hold(HoldReason),
    /// Start the next stage; after the last one, the candidate serves all documents.
    Promote,
    /// The candidate is worse: take it out of service, or exclude the document type for which it is
    /// worse.
    RollBack,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escalate => f.pad("escalate"),
            Self::Hold(reason) => write!(f, "hold: {reason}"),
            Self::Promote => f.pad("promote"),
            Self::RollBack => f.pad("roll back"),
        }
    }
}

/// The evidence behind a decision. Printed as one line of text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Findings {
    /// The document type that decided; `None` when all types together did.
    pub document_type: Option<DocumentType>,
    /// The counts that decided.
    pub evidence: Evidence,
    /// The share of the expected corrections that have arrived.
    pub maturity: Maturity,
    /// Whether corrections are compared as if reviewers looked at the answers of both versions alike,
    /// because no reviews are reported to divide by.
    #[serde(default)]
    pub equal_review_assumed: bool,
    /// Whether the candidate's corrections take longer to come than production's.
    #[serde(default)]
    pub slow_reviews: bool,
    /// Expected document types of which the candidate has answered too few documents.
    pub uncovered: Vec<DocumentType>,
    /// Document types with too few corrections to evaluate the candidate for them alone.
    #[serde(default)]
    pub unjudged: Vec<DocumentType>,
    /// Document types that are excluded from the rollout, because the candidate was worse for them;
    /// production serves them.
    pub excluded: Vec<DocumentType>,
    /// The versions that do not serve what the split gives them.
    #[serde(default)]
    pub not_serving: Vec<NotServing>,
    /// The tolerated ratio.
    pub max_ratio: Ratio,
    /// The next decision that needs no new evidence: the end of the stage or of the watch after a
    /// promotion, the next expected time of an uncovered type, or the escalation. `None` while the
    /// rollout is paused, and when there is no such moment.
    pub next_evaluation: Option<Timestamp>,
    /// Whether the operator decided.
    pub by_operator: bool,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by_operator {
            f.write_str("by operator; ")?;
        }
        if let Some(document_type) = &self.document_type {
            write!(f, "{document_type}: ")?;
        }
        let limit = self.max_ratio.as_f64();
        write!(f, "{}; limit {limit:.2}", self.evidence)?;
        let percent = 100.0 * self.maturity.least();
        write!(f, "; {percent:.0} % of expected corrections in")?;
        if self.slow_reviews {
            f.write_str(", the candidate's take longer than production's")?;
        } else if self.equal_review_assumed {
            f.write_str(", if both versions are reviewed alike")?;
        }
        for (what, types) in [
            ("too few documents of", &self.uncovered),
            ("too few corrections to evaluate alone", &self.unjudged),
            ("excluded", &self.excluded),
        ] {
            if !types.is_empty() {
                let shown = types.iter().take(SHOWN).map(ToString::to_string);
                let names: Vec<_> = shown.collect();
                write!(f, "; {what}: {}", names.join(", "))?;
            }
            if types.len() > SHOWN {
                write!(f, " and {} more", types.len() - SHOWN)?;
            }
        }
        self.not_serving
            .iter()
            .try_for_each(|away| write!(f, "; {away}"))
    }
}

/// A version that does not serve the documents that a rollout's split gives it, because another
/// guard sends them elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotServing {
    /// The version.
    pub version: VersionId,
    /// The document type; `None` for all documents.
    pub document_type: Option<DocumentType>,
    /// The version that served the latest of the documents; `None` if it was diverted.
    pub instead: Option<VersionId>,
}

impl NotServing {
    pub(crate) fn new(
        version: &VersionId,
        document_type: Option<&DocumentType>,
        instead: Option<VersionId>,
    ) -> Self {
        Self {
            version: version.clone(),
            document_type: document_type.cloned(),
            instead,
        }
    }
}

impl fmt::Display for NotServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serves: &dyn fmt::Display = match &self.instead {
            Some(version) => version,
            None => &"no version",
        };
        write!(f, "{serves} serves ")?;
        if let Some(document_type) = &self.document_type {
            write!(f, "{document_type} ")?;
        }
        write!(f, "instead of {}", self.version)
    }
}
