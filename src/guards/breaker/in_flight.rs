//! Open calls, by the second in which they were admitted: detects calls that hang before they end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Timestamp;

const SECOND_MILLIS: u64 = 1_000;
/// The number of seconds with an entry of their own; the oldest are merged.
const SECONDS: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(BTreeMap<u64, u64>);

impl InFlight {
    pub(super) fn begin(&mut self, admitted_at: Timestamp) {
        *self.0.entry(second(admitted_at)).or_default() += 1;
        if self.0.len() > SECONDS {
            if let (Some((_, calls)), Some(mut next)) = (self.0.pop_first(), self.0.first_entry()) {
                *next.get_mut() += calls;
            }
        }
    }

    pub(super) fn end(&mut self, admitted_at: Timestamp) {
        let mut from = self.0.range_mut(second(admitted_at)..);
        let Some((second, calls)) = from.next() else {
            return;
        };
        *calls -= 1;
        if *calls == 0 {
            let second = *second;
            self.0.remove(&second);
        }
    }

    /// The number of calls that have been open for longer than `age`, to the second.
    pub(super) fn older_than(&self, age: Duration, now: Timestamp) -> u64 {
        let age = crate::time::millis(age);
        let limit = now.as_millis().saturating_sub(age) / SECOND_MILLIS;
        self.0.range(..limit).map(|(_, calls)| calls).sum()
    }
}

fn second(at: Timestamp) -> u64 {
    at.as_millis() / SECOND_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn calls_grow_old_and_end() {
        let mut open = InFlight::default();
        for millis in [0, 500, 1_500, 9_000] {
            open.begin(at(millis));
        }
        let age = Duration::from_secs(5);
        assert_eq!(open.older_than(age, at(5_999)), 0);
        assert_eq!(
            open.older_than(age, at(6_000)),
            2,
            "the whole second 0 is older than 5 s"
        );
        assert_eq!(open.older_than(age, at(7_000)), 3);
        open.end(at(500));
        assert_eq!(open.older_than(age, at(60_000)), 3);
        open.end(at(99_000));
        assert_eq!(
            open.older_than(age, at(60_000)),
            3,
            "no call as young as that is open"
        );
    }

    #[test]
    fn it_stays_small_and_loses_nobody() {
        let mut open = InFlight::default();
        for n in 0..5_000 {
            open.begin(at(n * 1_000));
        }
        assert_eq!(open.0.len(), SECONDS);
        assert_eq!(open.older_than(Duration::ZERO, at(10_000_000)), 5_000);
        for n in 0..5_000 {
            open.end(at(n * 1_000));
        }
        assert_eq!(open.older_than(Duration::ZERO, at(10_000_000)), 0);
    }
}
