//! Whose answers count, and what is tolerated.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ratio::Ratio;
use crate::time::{hours, minutes};

/// The tolerated multiple of production's rate of corrections: 1.5.
const MAX_RATIO: Ratio = Ratio::percent(150);
/// The time by which corrections come.
const SETTLES_AFTER: Duration = hours(48);
/// The time after a review by which its corrections are told.
const REVIEW_GRACE: Duration = minutes(10);
/// The number of documents that are remembered.
const DOCUMENTS: usize = 20_000;
/// The time for which a document is remembered.
const AGE: Duration = hours(30 * 24);
/// More documents than this are not allowed: about 150 bytes each.
const MOST_DOCUMENTS: usize = 1_000_000;
const LARGEST_RATIO: Ratio = Ratio::percent(1_000);

/// Which compared documents count as looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LookedAt {
    /// Every compared document: one without a correction after 48 h was accepted. That is right only
    /// where people look at every document.
    All,
    /// The documents of which a review was told
    /// ([`Feedback::Reviewed`](crate::Feedback::Reviewed)).
    #[default]
    Reviewed,
}

/// Whose answers count, and what is tolerated.
#[derive(Clone, Debug)]
pub(crate) struct JudgedSettings {
    pub(crate) looked_at: LookedAt,
    /// The tolerated multiple of production's rate of corrections.
    pub(crate) max_ratio: Ratio,
    /// The time by which corrections come, if every document counts as looked at.
    pub(crate) settles_after: Duration,
    /// How long a document that was reviewed waits for its corrections. A review tool may tell of
    /// the review first: until the corrections are there, a candidate that is right where production
    /// is wrong would look as if it alone were wrong.
    pub(crate) review_grace: Duration,
    /// The bytes up to which a candidate's value is kept that has no form that all equal values
    /// share.
    pub(crate) kept_bytes: usize,
    /// The number of documents that are remembered.
    pub(crate) documents: usize,
    /// The time for which a document is remembered.
    pub(crate) age: Duration,
}

impl JudgedSettings {
    /// The same settings, if they are allowed.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if self.max_ratio <= Ratio::ONE || self.max_ratio > LARGEST_RATIO {
            let allowed = "more than 100 % and at most 1000 %";
            return Err(Error::invalid("tolerated ratio", self.max_ratio, allowed));
        }
        if self.documents == 0 || self.documents > MOST_DOCUMENTS {
            let allowed = "1 to 1000000 documents";
            return Err(Error::invalid(
                "remembered documents",
                self.documents,
                allowed,
            ));
        }
        for (field, time) in [
            ("time until corrections have come", self.settles_after),
            (
                "time between a review and its corrections",
                self.review_grace,
            ),
        ] {
            if time >= self.age {
                let value = humantime::format_duration(time);
                let allowed = "less than the time for which documents are remembered";
                return Err(Error::invalid(field, value, allowed));
            }
        }
        Ok(self)
    }
}

impl Default for JudgedSettings {
    fn default() -> Self {
        Self {
            looked_at: LookedAt::default(),
            max_ratio: MAX_RATIO,
            settles_after: SETTLES_AFTER,
            review_grace: REVIEW_GRACE,
            kept_bytes: 0,
            documents: DOCUMENTS,
            age: AGE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl Fn(&mut JudgedSettings)) -> String {
        let mut settings = JudgedSettings::default();
        change(&mut settings);
        settings
            .checked()
            .map_or_else(|error| error.to_string(), |_| "allowed".to_owned())
    }

    #[test]
    fn settings_that_decide_nothing_are_refused() {
        assert_eq!(error(|_| {}), "allowed");
        assert_eq!(
            error(|s| s.max_ratio = Ratio::ONE),
            "tolerated ratio: got `100 %`, expected more than 100 % and at most 1000 %"
        );
        assert_eq!(error(|s| s.max_ratio = Ratio::percent(101)), "allowed");
        assert_eq!(error(|s| s.max_ratio = Ratio::percent(1_000)), "allowed");
        assert_ne!(error(|s| s.max_ratio = Ratio::percent(1_001)), "allowed");
        assert_eq!(
            error(|s| s.documents = 0),
            "remembered documents: got `0`, expected 1 to 1000000 documents"
        );
        assert_eq!(error(|s| s.documents = 1_000_000), "allowed");
        assert_ne!(error(|s| s.documents = 1_000_001), "allowed");
        assert_eq!(
            error(|s| s.settles_after = s.age),
            "time until corrections have come: got `30days`, expected less than the time for which \
             documents are remembered"
        );
        assert_ne!(error(|s| s.review_grace = s.age), "allowed");
    }
}
