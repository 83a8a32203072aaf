//! How much a sequential test may bet, so that false alarms stay within their number a month.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ratio::Ratio;
use crate::stats::float;
use crate::time::{hours, millis};

const MONTH: Duration = hours(24 * 30);

/// What bounds the false alarms of the sequential test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FalseAlarms {
    /// Their number in a month, of all segments together.
    InMonth(Ratio),
    /// The documents of one segment until one, on average.
    RunLength(u64),
}

impl FalseAlarms {
    /// What one of the segments may bet, in buckets of this length.
    pub(super) fn allow(self, bucket: Duration, pace: &Pace) -> Allowance {
        match self {
            Self::InMonth(number) => {
                Allowance::OfBucket(bets_in(bucket, number) / float(pace.segments()))
            }
            Self::RunLength(documents) => Allowance::OfDocument(1.0 / float(documents)),
        }
    }
}

/// What one segment may bet: an alarm takes bets of 1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Allowance {
    /// This much in a bucket, whatever comes in it.
    OfBucket(f64),
    /// This much on each document.
    OfDocument(f64),
}

impl Allowance {
    /// The usual bet on a document.
    pub(super) fn a_bet(self, documents_a_bucket: f64) -> f64 {
        match self {
            Self::OfBucket(allowed) => allowed / documents_a_bucket.max(1.0),
            Self::OfDocument(bet) => bet,
        }
    }
}

/// How many segments share the bets of a bucket: those that began before it. So the bets of all
/// never exceed what the month allows, however many begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pace {
    bucket: u64,
    segments: u64,
    /// Those that began up to now.
    known: u64,
}

impl Pace {
    /// Moves on to the bucket with this number.
    pub(super) fn advance(&mut self, bucket: u64) {
        if bucket > self.bucket {
            (self.bucket, self.segments) = (bucket, self.known);
        }
    }

    pub(super) fn add_segment(&mut self) {
        self.known = self.known.saturating_add(1);
    }

    /// Says how many segments there are now.
    pub(super) fn set_segments(&mut self, segments: u64) {
        self.known = segments;
    }

    /// The segments that share what the false alarms allow, at least 1.
    pub(super) fn segments(&self) -> u64 {
        self.segments.max(1)
    }
}

/// What all segments together may bet in one bucket: an alarm takes bets of 1, so this many a month
/// give that many false alarms.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds of a bucket and of a month are far below 2^53"
)]
fn bets_in(bucket: Duration, false_alarms_a_month: Ratio) -> f64 {
    false_alarms_a_month.as_f64() * millis(bucket) as f64 / millis(MONTH) as f64
}

/// What one segment may still bet in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bets {
    bucket: u64,
    left: f64,
}

impl Bets {
    /// Nothing in the bucket in which the segment begins: it has no part in it.
    pub(super) fn from(bucket: u64) -> Self {
        Self { bucket, left: 0.0 }
    }

    /// The bet on the next document: the usual one, as long as the bucket has it.
    pub(super) fn next(
        &mut self,
        bucket: u64,
        allowance: Allowance,
        documents_a_bucket: f64,
    ) -> f64 {
        let usual = allowance.a_bet(documents_a_bucket);
        let Allowance::OfBucket(allowed) = allowance else {
            return usual;
        };
        if bucket > self.bucket {
            (self.bucket, self.left) = (bucket, allowed);
        }
        let bet = usual.min(self.left);
        self.left -= bet;
        bet
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::minutes;

    /// 30 days have 8,640 times five minutes.
    #[test]
    fn a_month_of_buckets_has_the_bets_of_its_false_alarms() {
        let bets = bets_in(minutes(5), Ratio::percent(200));
        assert!((bets * 8_640.0 - 2.0).abs() < 1e-12, "{bets}");
    }

    #[test]
    fn a_segment_bets_from_the_bucket_after_its_first() {
        let (mut pace, mut bets) = (Pace::default(), Bets::from(7));
        pace.add_segment();
        pace.advance(7);
        pace.add_segment();
        assert_eq!(pace.segments(), 1, "the second has no part in this bucket");
        let next = |bets: &mut Bets, bucket| bets.next(bucket, Allowance::OfBucket(0.5), 2.0);
        assert!(next(&mut bets, 7) <= 0.0);
        pace.advance(8);
        assert_eq!(pace.segments(), 2);
        assert!((next(&mut bets, 8) - 0.25).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn no_bucket_has_more_bets_than_it_allows(
            documents in prop::collection::vec((0_u64..20, 0_f64..5.0), 0..200),
        ) {
            let (mut bets, mut by_bucket) = (Bets::from(0), [0.0; 20]);
            let mut latest = 0;
            for (bucket, usual) in documents {
                latest = bucket.max(latest);
                by_bucket[usize::try_from(latest).unwrap()] += bets.next(latest, Allowance::OfBucket(0.01), usual);
            }
            prop_assert!(by_bucket.iter().all(|bets| *bets <= 0.01 + 1e-12), "{by_bucket:?}");
        }
    }
}
