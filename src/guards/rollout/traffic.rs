//! The documents that a rollout will meet: how many come, how often answers are corrected, and when.

use std::time::Duration;

use crate::error::Error;
use crate::name::DocumentType;
use crate::ratio::Ratio;

/// What you expect of the documents: how many come, how often reviewers correct the answers to
/// them, and how long reviews take.
///
/// ```
/// use std::time::Duration;
/// use fusebox::{DocumentType, Ratio};
/// use fusebox::rollout::Traffic;
///
/// // 500 invoices an hour; of 100 answers, reviewers correct 3, on average after 6 hours.
/// let invoices = [(DocumentType::new("invoice")?, 500.0)];
/// let traffic = Traffic::new(invoices, Ratio::percent(3))?
///     .reviewed_after(Duration::from_secs(6 * 3_600));
/// assert_eq!(traffic.per_hour(), 500.0);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it only describes what comes"]
pub struct Traffic {
    pub(super) types: Vec<(DocumentType, f64)>,
    pub(super) corrections: Ratio,
    pub(super) delay: Option<Duration>,
}

impl Traffic {
    /// The documents of each type per hour, of the hours in which documents come, and the share of
    /// production's answers that reviewers correct. Returns an error if there is no type or a number
    /// is out of range (more than 0 and at most 10,000,000 documents per hour, more than 0 % and at
    /// most 50 % corrections).
    pub fn new(
        types: impl IntoIterator<Item = (DocumentType, f64)>,
        corrections: Ratio,
    ) -> Result<Self, Error> {
        let types: Vec<_> = types.into_iter().collect();
        if types.is_empty() {
            let field = "traffic: document types";
            return Err(Error::invalid(field, "none", "at least one"));
        }
        for (document_type, per_hour) in &types {
            if !(*per_hour > 0.0 && *per_hour <= 1e7) {
                let field = format!("traffic: {document_type}");
                let allowed = "more than 0 and at most 10000000 documents per hour";
                return Err(Error::invalid(field, per_hour, allowed));
            }
        }
        if corrections == Ratio::ZERO || corrections > Ratio::percent(50) {
            let allowed = "more than 0 % and at most 50 %, because the simulation doubles them";
            return Err(Error::invalid("traffic: corrections", corrections, allowed));
        }
        Ok(Self {
            types,
            corrections,
            delay: None,
        })
    }

    /// The mean time from an answer to its review, for a policy that has not learnt how long
    /// reviews take; zero if they come at once. Half of the reviews come within 0.7 times the mean,
    /// nine of ten within 2.3 times (exponential).
    pub fn reviewed_after(mut self, mean: Duration) -> Self {
        self.delay = Some(mean);
        self
    }

    /// The documents of all types per hour.
    pub fn per_hour(&self) -> f64 {
        self.types.iter().map(|(_, per_hour)| per_hour).sum()
    }

    /// The corrections of all answers per hour, if the candidate is as good as production.
    pub(super) fn corrections_per_hour(&self) -> f64 {
        self.per_hour() * self.corrections.as_f64()
    }
}
