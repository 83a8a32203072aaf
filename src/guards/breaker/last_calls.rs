//! The last calls of a version, however old: for keys with too few calls for a window.

use serde::{Deserialize, Serialize};

const BITS: u32 = u64::BITS;

/// Which of the last `size` calls failed, in a ring of bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(super) struct LastCalls {
    size: u32,
    seen: u32,
    next: u32,
    errors: u32,
    failed: Box<[u64]>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    size: u32,
    seen: u32,
    next: u32,
    failed: Vec<u64>,
}

impl LastCalls {
    /// A ring for `size` calls; empty when the rule is off.
    pub(super) fn new(size: Option<u32>) -> Self {
        let size = size.unwrap_or(0);
        Self {
            size,
            failed: vec![0; size.div_ceil(BITS) as usize].into_boxed_slice(),
            ..Self::default()
        }
    }

    pub(super) fn has_size(&self, size: Option<u32>) -> bool {
        self.size == size.unwrap_or(0)
    }

    pub(super) fn add(&mut self, failed: bool) {
        let (word, bit) = ((self.next / BITS) as usize, 1_u64 << (self.next % BITS));
        let Some(word) = self.failed.get_mut(word) else {
            return;
        };
        self.errors -= u32::from(*word & bit != 0);
        self.errors += u32::from(failed);
        *word = if failed { *word | bit } else { *word & !bit };
        self.next = (self.next + 1) % self.size;
        self.seen = self.size.min(self.seen + 1);
    }

    /// Failures and calls, once the ring is full.
    pub(super) fn full(&self) -> Option<(u64, u64)> {
        let is_full = self.size > 0 && self.seen == self.size;
        is_full.then(|| (u64::from(self.errors), u64::from(self.size)))
    }
}

impl From<LastCalls> for Stored {
    fn from(last_calls: LastCalls) -> Self {
        Self {
            size: last_calls.size,
            seen: last_calls.seen,
            next: last_calls.next,
            failed: last_calls.failed.into_vec(),
        }
    }
}

impl TryFrom<Stored> for LastCalls {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let spare = stored.size.next_multiple_of(BITS) - stored.size;
        let tail = stored.failed.last().copied().unwrap_or(0);
        let fits = stored.failed.len() == stored.size.div_ceil(BITS) as usize
            && stored.seen <= stored.size
            && (stored.next < stored.size || stored.size == 0)
            && (spare == 0 || tail.leading_zeros() >= spare);
        if !fits {
            return Err("the stored last calls do not match their size");
        }
        Ok(Self {
            size: stored.size,
            seen: stored.seen,
            next: stored.next,
            errors: stored.failed.iter().map(|word| word.count_ones()).sum(),
            failed: stored.failed.into_boxed_slice(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue_of_the_last_calls(size in 1_u32..200, calls in prop::collection::vec(any::<bool>(), 0..600)) {
            let mut last_calls = LastCalls::new(Some(size));
            let mut queue = VecDeque::new();
            for failed in calls {
                last_calls.add(failed);
                queue.push_back(failed);
                if queue.len() > size as usize {
                    queue.pop_front();
                }
                let errors = queue.iter().filter(|failed| **failed).count() as u64;
                let expected = (queue.len() == size as usize).then_some((errors, u64::from(size)));
                prop_assert_eq!(last_calls.full(), expected);
            }
            let text = serde_json::to_string(&last_calls).unwrap();
            prop_assert_eq!(serde_json::from_str::<LastCalls>(&text).unwrap(), last_calls);
        }
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut last_calls = LastCalls::new(None);
        last_calls.add(true);
        assert_eq!(last_calls.full(), None);
    }

    #[test]
    fn a_stored_ring_that_does_not_fit_is_refused() {
        for text in [
            r#"{"size":3,"seen":4,"next":0,"failed":[0]}"#,
            r#"{"size":3,"seen":1,"next":3,"failed":[0]}"#,
            r#"{"size":3,"seen":1,"next":1,"failed":[]}"#,
            r#"{"size":3,"seen":1,"next":1,"failed":[8]}"#,
        ] {
            assert!(serde_json::from_str::<LastCalls>(text).is_err(), "{text}");
        }
        let text = r#"{"size":3,"seen":1,"next":1,"failed":[1]}"#;
        assert!(serde_json::from_str::<LastCalls>(text).is_ok());
    }
}
