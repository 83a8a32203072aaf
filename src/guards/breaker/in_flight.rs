//! Open calls, by the second in which they were admitted: detects calls that hang before they end.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::call::{Ticket, TicketId};
use crate::time::Timestamp;

const SECOND_MILLIS: u64 = 1_000;
/// The number of seconds with an entry of their own; the oldest are merged.
const SECONDS: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    /// The second of each open call: only what began here ends here.
    calls: HashMap<TicketId, u64, RandomState>,
    by_second: BTreeMap<u64, u64>,
}

impl InFlight {
    pub(super) fn begin(&mut self, ticket: &Ticket) {
        self.begin_at(ticket.id(), ticket.admitted_at());
    }

    fn begin_at(&mut self, call: TicketId, admitted_at: Timestamp) {
        let second = admitted_at.as_millis() / SECOND_MILLIS;
        if self.calls.insert(call, second).is_some() {
            return;
        }
        *self.by_second.entry(second).or_default() += 1;
        if self.by_second.len() > SECONDS {
            let oldest = self.by_second.pop_first();
            if let (Some((_, calls)), Some(mut next)) = (oldest, self.by_second.first_entry()) {
                *next.get_mut() += calls;
            }
        }
    }

    /// Ends a call; nothing, if it did not begin here.
    pub(super) fn end(&mut self, call: TicketId) {
        let Some(begun) = self.calls.remove(&call) else {
            return;
        };
        let mut from = self.by_second.range_mut(begun..);
        let Some((second, calls)) = from.next() else {
            return;
        };
        *calls -= 1;
        if *calls == 0 {
            let second = *second;
            self.by_second.remove(&second);
        }
    }

    /// The number of calls that have been open for longer than `age`, to the second.
    pub(super) fn older_than(&self, age: Duration, now: Timestamp) -> u64 {
        let age = crate::time::millis(age);
        let limit = now.as_millis().saturating_sub(age) / SECOND_MILLIS;
        let old = self.by_second.range(..limit);
        old.map(|(_, calls)| calls).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn call(n: u64) -> TicketId {
        TicketId::new(0, n)
    }

    #[test]
    fn calls_grow_old_and_end() {
        let mut open = InFlight::default();
        for millis in [0, 500, 1_500, 9_000] {
            open.begin_at(call(millis), at(millis));
        }
        let age = Duration::from_secs(5);
        assert_eq!(open.older_than(age, at(5_999)), 0);
        assert_eq!(
            open.older_than(age, at(6_000)),
            2,
            "the whole second 0 is older than 5 s"
        );
        assert_eq!(open.older_than(age, at(7_000)), 3);
        open.end(call(500));
        assert_eq!(open.older_than(age, at(60_000)), 3);
        for n in [500, 99_000] {
            open.end(call(n));
        }
        assert_eq!(
            open.older_than(age, at(60_000)),
            3,
            "what has ended or never began ends nothing"
        );
    }

    #[test]
    fn it_stays_small_and_loses_nobody() {
        let mut open = InFlight::default();
        for n in 0..5_000 {
            open.begin_at(call(n), at(n * 1_000));
        }
        assert_eq!(open.by_second.len(), SECONDS);
        assert_eq!(open.older_than(Duration::ZERO, at(10_000_000)), 5_000);
        for n in 0..5_000 {
            open.end(call(n));
        }
        assert_eq!(open.older_than(Duration::ZERO, at(10_000_000)), 0);
        assert!(open.calls.is_empty());
    }
}
