//! Failures that come in a burst: a provider that is out for two minutes fails every call of that
//! time for one cause, so they count once. So do those of a longer outage that both versions have.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::documents::Failure;
use crate::name::DocumentType;
use crate::time::{Timestamp, minutes};

/// A burst begins with so many failures in a row, and ends with as many calls that do not fail.
const IN_A_ROW: usize = 3;
/// What fails for longer, while the other version does not, is no burst: every document of it counts.
const LONGEST: Duration = minutes(5);
/// Failures in a row within this time of a burst belong to it.
const APART: Duration = minutes(15);
/// A burst with more documents is none.
const MOST: usize = 10_000;

/// A document that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) at: Timestamp,
    pub(super) failure: Failure,
    pub(super) document_type: DocumentType,
    pub(super) stage: usize,
}

/// The failures of one version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Bursts {
    /// The latest failures in a row; they count.
    row: Vec<Failed>,
    last: Option<Burst>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Burst {
    began: Timestamp,
    latest: Timestamp,
    /// Its documents without the first, which counts for all; none once every document counts.
    rest: Vec<Failed>,
    is_on: bool,
    /// Whether it lasts too long to be one, so that every document counts.
    counts_all: bool,
    /// How many calls in a row have not failed.
    well: usize,
}

/// What a failure changes in the counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Whether it counts itself.
    pub(super) counts: bool,
    /// Documents that were counted and no longer are.
    pub(super) take_back: Vec<Failed>,
    /// Documents that were not counted and are now.
    pub(super) give_back: Vec<Failed>,
}

impl Effect {
    fn counts() -> Self {
        Self {
            counts: true,
            ..Self::default()
        }
    }
}

impl Burst {
    /// From now on every document counts.
    fn count_all(&mut self) -> Effect {
        self.counts_all = true;
        Effect {
            give_back: std::mem::take(&mut self.rest),
            ..Effect::counts()
        }
    }
}

impl Bursts {
    /// Whether a burst goes on.
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|burst| burst.is_on && now.since(burst.latest) <= APART)
    }

    /// Takes in a document that failed; `with_other`: while a burst of the other version goes on.
    pub(super) fn failed(&mut self, failed: Failed, with_other: bool) -> Effect {
        let now = failed.at;
        let lasts = |burst: &Burst| now.since(burst.began) > LONGEST && !with_other;
        self.last.take_if(|burst| now.since(burst.latest) > APART);
        if let Some(burst) = self.last.as_mut().filter(|burst| burst.is_on) {
            (burst.latest, burst.well) = (now, 0);
            return if burst.counts_all {
                Effect::counts()
            } else if lasts(burst) || burst.rest.len() >= MOST {
                burst.count_all()
            } else {
                burst.rest.push(failed);
                Effect::default()
            };
        }
        self.row.retain(|before| now.since(before.at) <= LONGEST);
        self.row.push(failed);
        if self.row.len() < IN_A_ROW {
            return Effect::counts();
        }
        let mut row = std::mem::take(&mut self.row);
        if let Some(burst) = &mut self.last {
            (burst.latest, burst.well, burst.is_on) = (now, 0, true);
            if burst.counts_all {
                return Effect::counts();
            }
            if lasts(burst) {
                return burst.count_all();
            }
        } else {
            let began = row.remove(0).at;
            self.last = Some(Burst {
                began,
                latest: now,
                rest: Vec::new(),
                is_on: true,
                counts_all: false,
                well: 0,
            });
        }
        // The failure itself has not been counted yet.
        let counted = row.len() - 1;
        let take_back = row.iter().take(counted).cloned().collect();
        if let Some(burst) = &mut self.last {
            burst.rest.extend(row);
        }
        Effect {
            take_back,
            ..Effect::default()
        }
    }

    /// Takes in a call that did not fail.
    pub(super) fn went_well(&mut self) {
        self.row.clear();
        if let Some(burst) = self.last.as_mut().filter(|burst| burst.is_on) {
            burst.well += 1;
            burst.is_on = burst.well < IN_A_ROW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Call, Ticket, Version};
    use crate::event::Measure;
    use crate::guards::rollout::documents::Documents;

    fn failed(second: u64) -> Failed {
        let call = Call::new(second.to_string(), "invoice").unwrap();
        let ticket = Ticket::new(&call, &Version::new("v8", "gpt-4o").unwrap());
        let added = Documents::default().ended(&ticket, Some(Measure::Failures), false);
        Failed {
            at: Timestamp::EPOCH + Duration::from_secs(second),
            failure: Failure::new(&ticket, added),
            document_type: DocumentType::new("invoice").unwrap(),
            stage: 0,
        }
    }

    /// The documents that count after failures at these seconds, each after so many calls that went
    /// well.
    fn counted(history: &[(u32, u64)]) -> Vec<u64> {
        let mut bursts = Bursts::default();
        let mut counted = Vec::new();
        for (well, second) in history {
            (0..*well).for_each(|_| bursts.went_well());
            let effect = bursts.failed(failed(*second), false);
            counted.extend(effect.counts.then_some(*second));
            let seconds = |failed: &Failed| failed.at.since(Timestamp::EPOCH).as_secs();
            let taken_back: Vec<_> = effect.take_back.iter().map(seconds).collect();
            counted.retain(|second| !taken_back.contains(second));
            counted.extend(effect.give_back.iter().map(seconds));
            let stored = serde_json::to_string(&bursts).unwrap();
            bursts = serde_json::from_str(&stored).unwrap();
        }
        counted.sort_unstable();
        counted
    }

    #[test]
    fn a_burst_counts_once() {
        let row = |seconds: std::ops::Range<u64>| seconds.map(|second| (0, second));
        let all: Vec<_> = row(0..100).collect();
        assert_eq!(counted(&all), [0]);
        // Two that fail are no burst, and neither are three that do not come in a row.
        assert_eq!(counted(&[(0, 1), (0, 2)]), [1, 2]);
        assert_eq!(counted(&[(0, 1), (0, 2), (1, 3), (1, 4)]), [1, 2, 3, 4]);
        // A failure after three calls that went well counts again, one after two does not.
        assert_eq!(counted(&[(0, 1), (0, 2), (0, 3), (2, 4)]), [1]);
        assert_eq!(counted(&[(0, 1), (0, 2), (0, 3), (3, 4)]), [1, 4]);
        // Another row within the quarter of an hour belongs to it: after that it is a new burst.
        let again = [(0, 1), (0, 2), (0, 3), (3, 60), (0, 61), (0, 62), (0, 63)];
        assert_eq!(counted(&again), [1]);
        let later = [(0, 1), (0, 2), (0, 3), (3, 1_000), (0, 1_001), (0, 1_002)];
        assert_eq!(counted(&later), [1, 1_000]);
    }

    #[test]
    fn what_lasts_is_no_burst() {
        let lasting: Vec<_> = (0..40).map(|n| (0, n * 10)).collect();
        assert_eq!(counted(&lasting).len(), 40, "more than five minutes");
        let short: Vec<_> = (0..31).map(|n| (0, n * 10)).collect();
        assert_eq!(counted(&short), [0], "five minutes");
        // It comes again and again for a quarter of an hour.
        let again = [
            (0, 1),
            (0, 2),
            (0, 3),
            (3, 600),
            (0, 601),
            (0, 602),
            (0, 603),
        ];
        assert_eq!(counted(&again), [1, 2, 3, 600, 601, 602, 603]);
        // So few calls that three failures are no burst.
        assert_eq!(
            counted(&[(0, 0), (0, 200), (0, 400), (0, 600)]),
            [0, 200, 400, 600]
        );
    }

    /// One in ten seconds for ten minutes, of which the other version fails, too, for eight.
    #[test]
    fn an_outage_of_both_versions_is_no_fault_of_one() {
        let mut bursts = Bursts::default();
        let mut fail = |second: u64| bursts.failed(failed(second), second < 480);
        for second in (0..480).step_by(10) {
            let effect = fail(second);
            assert_eq!(effect.counts, second < 20, "{second}");
            assert_eq!(effect.give_back, [], "{second}");
        }
        let effect = fail(480);
        assert!(effect.counts && effect.give_back.len() == 47, "{effect:?}");
        let is_on = |second: u64| bursts.is_on(Timestamp::EPOCH + Duration::from_secs(second));
        assert!(is_on(480 + 900) && !is_on(480 + 901));
        (0..3).for_each(|_| bursts.went_well());
        assert!(!bursts.is_on(Timestamp::EPOCH + Duration::from_secs(490)));
    }

    #[test]
    fn a_burst_has_a_limit() {
        let many: Vec<_> = (0..20_000).map(|n| (0, n / 100)).collect();
        let mut bursts = Bursts::default();
        let counts = many
            .iter()
            .filter(|(_, second)| bursts.failed(failed(*second), false).counts);
        assert_eq!(
            counts.count(),
            20_001 - MOST,
            "two before it began, and all after the limit"
        );
    }
}
