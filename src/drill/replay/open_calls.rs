//! The calls of a replay that have begun and not ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::pipeline::Permit;
use crate::time::Timestamp;

/// A call that has begun: `C` is what was recorded of it.
pub(super) struct OpenCall<C> {
    pub(super) number: u64,
    pub(super) recorded: C,
    pub(super) permit: Permit,
}

/// Open calls by the time at which they end, and at one time by their number.
pub(super) struct OpenCalls<C> {
    ends: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    places: Vec<Option<OpenCall<C>>>,
    free: Vec<usize>,
}

impl<C> OpenCalls<C> {
    pub(super) fn new() -> Self {
        Self {
            ends: BinaryHeap::new(),
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, ends: Timestamp, call: OpenCall<C>) {
        let place = self.free.pop().unwrap_or(self.places.len());
        self.ends.push(Reverse((ends, call.number, place)));
        match self.places.get_mut(place) {
            Some(free) => *free = Some(call),
            None => self.places.push(Some(call)),
        }
    }

    /// When the next one ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let Reverse((ends, _, _)) = self.ends.peek()?;
        Some(*ends)
    }

    /// The one that ends next.
    pub(super) fn take_next(&mut self) -> Option<OpenCall<C>> {
        let Reverse((_, _, place)) = self.ends.pop()?;
        self.free.push(place);
        self.places.get_mut(place)?.take()
    }
}
