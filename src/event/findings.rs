//! What counts say about a candidate, and what a rollout decides from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::DocumentType;
use crate::ratio::Ratio;
use crate::time::Timestamp;

/// What is counted of a version's documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Calls whose end was never said.
    Abandonments,
    /// Answers that people corrected.
    Corrections,
    /// Documents that went to a person or a queue instead of straight through.
    Diversions,
    /// Calls that failed.
    Failures,
    /// Answers that were cut at their length limit.
    Truncations,
}

impl Measure {
    /// What happened to the documents, as it stands in a sentence.
    fn participle(self) -> &'static str {
        match self {
            Self::Abandonments => "abandoned",
            Self::Corrections => "corrected",
            Self::Diversions => "sent to people",
            Self::Failures => "failed",
            Self::Truncations => "cut short",
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

/// Documents of one version, and to how many of them it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Documents that it could happen to.
    pub documents: u64,
    /// Those that it happened to; of a batch of corrections one.
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

/// What the counts say about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// What was counted.
    pub measure: Measure,
    /// The candidate's documents.
    pub candidate: Tally,
    /// Production's documents at the same time.
    pub stable: Tally,
    /// How many times as often it happens to the candidate: Mantel-Haenszel over stages, document types and time. `None`
    /// when it did not happen to production at all.
    pub ratio: Option<f64>,
    /// Natural logarithm of the e-value against "no worse than production".
    pub ln_e: f64,
    /// Probability that the ratio is above the tolerated one, for a prior that is normal in the logarithm.
    pub p_exceeds: f64,
    /// Events to expect of the candidate if it were exactly at the tolerated ratio: how much the counts can tell.
    pub information: f64,
    /// Whether the ratio is above the tolerated one.
    pub exceeds: bool,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.measure.participle();
        write!(f, "{what} {} against {}", self.candidate, self.stable)?;
        match self.ratio {
            Some(ratio) => write!(f, ", {ratio:.2} times as often")?,
            None => f.write_str(", no ratio yet")?,
        }
        let p = self.p_exceeds * 100.0;
        let e_value = self.ln_e.exp();
        if e_value < 1e6 {
            write!(
                f,
                " (e-value {e_value:.3}, above the limit with a probability of {p:.1} %)"
            )
        } else {
            write!(
                f,
                " (e-value {e_value:.1e}, above the limit with a probability of {p:.1} %)"
            )
        }
    }
}

/// Which share of the corrections that are to be expected has come, between 0 and 1. Zero while it is not known how long they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Maturity {
    /// Of the candidate's documents.
    pub candidate: f64,
    /// Of production's.
    pub stable: f64,
}

impl Maturity {
    pub(crate) fn new(candidate: f64, stable: f64) -> Self {
        Self { candidate, stable }
    }

    /// The smaller of both.
    pub fn least(self) -> f64 {
        self.candidate.min(self.stable)
    }
}

/// Why a rollout waits. In this order: of several reasons the first is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldReason {
    /// A person paused it.
    Paused,
    /// The time of the stage is not over.
    NotDue,
    /// There are too few corrections, on either side, to tell anything.
    NoEvidence,
    /// Too many corrections are still to come.
    Immature,
    /// The candidate does not get the share of documents that it should: what is compared may not be comparable.
    #[doc(alias = "sample ratio mismatch")]
    SplitBroken,
    /// A document type was not seen often enough.
    Coverage,
    /// The corrections speak neither clearly for nor clearly against it.
    Unclear,
    /// All else speaks for the next stage: a person must approve it.
    Approval,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approval => "a person must approve the next stage",
            Self::Coverage => "some document types were not seen often enough",
            Self::Immature => "too many corrections are still to come",
            Self::NoEvidence => "too few corrections to tell",
            Self::NotDue => "the time of the stage is not over",
            Self::Paused => "a person paused it",
            Self::SplitBroken => "the candidate does not get its share of the documents",
            Self::Unclear => "the corrections are not clear",
        })
    }
}

/// What the evidence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum Decision {
    /// A person must decide: the time for this stage is over, and it is not clear.
    Escalate,
    /// Wait.
    Hold(HoldReason),
    /// Go on to the next stage, or through after the last.
    Promote,
    /// The candidate is worse.
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

/// What a decision was made on. Printed as one line for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Findings {
    /// The document type that decided alone; `None` for all together.
    pub document_type: Option<DocumentType>,
    /// The counts that decided.
    pub evidence: Evidence,
    /// Which share of the corrections to expect has come.
    pub maturity: Maturity,
    /// Whether corrections take longer for one version than for the other, so that only older documents were compared.
    pub only_old_enough: bool,
    /// Expected document types that the candidate has not answered often enough.
    pub uncovered: Vec<DocumentType>,
    /// Document types that production serves although the candidate is under way, because it was worse for them.
    pub excluded: Vec<DocumentType>,
    /// The tolerated ratio.
    pub max_ratio: Ratio,
    /// When something is decided even if nothing new is learnt: the end of the stage or of the watch after a promotion, the next
    /// time of a type that was not seen, or the moment at which a person is asked. `None` while it is paused, and when there is
    /// no such moment.
    pub next_look: Option<Timestamp>,
    /// Whether a person decided.
    pub by_a_person: bool,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by_a_person {
            f.write_str("by a person; ")?;
        }
        if let Some(document_type) = &self.document_type {
            write!(f, "{document_type}: ")?;
        }
        write!(f, "{}", self.evidence)?;
        let percent = 100.0 * self.maturity.least();
        write!(f, "; {percent:.0} % of the corrections are in")?;
        if self.only_old_enough {
            f.write_str(", only older documents compared")?;
        }
        for (what, types) in [
            ("not seen often enough", &self.uncovered),
            ("left to production", &self.excluded),
        ] {
            if !types.is_empty() {
                let names: Vec<_> = types.iter().map(ToString::to_string).collect();
                write!(f, "; {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}
