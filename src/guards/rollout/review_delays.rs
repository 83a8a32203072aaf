//! How long reviews take, and from that the share of corrections that is still to come.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::DocumentType;
use crate::stats::{BoundedMap, Delays, Tracked};
use crate::time::Timestamp;

/// With fewer delays than this nothing is known.
const MIN_DELAYS: u32 = 20;

/// The delays of one document type, or of all types.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct DelaySample {
    delays: Delays,
    /// When the oldest of the reviewed documents was admitted.
    first: Option<Timestamp>,
}

impl DelaySample {
    fn merge(&mut self, other: &Self) {
        self.delays.merge(&other.delays);
        self.first = match (self.first, other.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn add(&mut self, admitted_at: Timestamp, now: Timestamp) {
        self.delays.add(now.since(admitted_at));
        self.first = Some(
            self.first
                .map_or(admitted_at, |first| first.min(admitted_at)),
        );
    }

    /// Whether there are enough delays, observed for at least twice their 90th percentile: before
    /// that, long delays cannot have been observed.
    fn is_known(&self, now: Timestamp) -> bool {
        let watched = self.first.map_or(Duration::ZERO, |first| now.since(first));
        self.delays.count() >= MIN_DELAYS && watched >= self.delays.percentile_90() * 2
    }
}

/// Delays of answers from before the current rollout, and of answers since.
///
/// They are separate because of recent answers only short delays have been observed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Delayed {
    before: DelaySample,
    since: DelaySample,
}

/// The review delays of all answers, with or without a rollout.
#[derive(Debug)]
pub(super) struct ReviewDelays {
    types: BoundedMap<DocumentType, Tracked<Delayed>>,
    all: Delayed,
}

impl ReviewDelays {
    pub(super) fn new(types: usize) -> Self {
        Self {
            types: BoundedMap::new(types),
            all: Delayed::default(),
        }
    }

    /// As if these delays had been observed for long: of all types, and of those that have their
    /// own.
    pub(super) fn known(
        all: Delays,
        own: impl IntoIterator<Item = (DocumentType, Delays)>,
    ) -> Self {
        let long_known = |delays| Delayed {
            before: DelaySample {
                delays,
                first: Some(Timestamp::EPOCH),
            },
            since: DelaySample::default(),
        };
        let own: Vec<_> = own.into_iter().collect();
        let mut known = Self::new(own.len());
        for (document_type, delays) in own {
            known
                .types
                .entry(&document_type, || Tracked::new(long_known(delays)));
        }
        known.all = long_known(all);
        known
    }

    /// Records the review of an answer; `begun` is the start of the current rollout, if there is
    /// one.
    pub(super) fn add(
        &mut self,
        document_type: &DocumentType,
        admitted_at: Timestamp,
        begun: Option<Timestamp>,
        now: Timestamp,
    ) {
        let (own, _) = self.types.entry(document_type, Tracked::default);
        for delayed in [own.change(), &mut self.all] {
            let known = match begun {
                Some(begun) if admitted_at >= begun => &mut delayed.since,
                _ => &mut delayed.before,
            };
            known.add(admitted_at, now);
        }
    }

    /// Starts another rollout: the delays since the last start become old.
    pub(super) fn begin(&mut self) {
        let (own, other) = self.types.all_mut();
        let types = own
            .map(|(_, delayed)| delayed)
            .chain(other)
            .map(Tracked::change);
        for delayed in types.chain([&mut self.all]) {
            let since = std::mem::take(&mut delayed.since);
            delayed.before.merge(&since);
        }
    }

    /// The delays of a document type, or of all types while it has too few; `None` while both are
    /// unknown.
    pub(super) fn of(&self, document_type: &DocumentType, now: Timestamp) -> Option<&Delays> {
        self.own(document_type, now).or_else(|| self.of_all(now))
    }

    /// The delays of a document type where they are known better than those of all types.
    pub(super) fn own(&self, document_type: &DocumentType, now: Timestamp) -> Option<&Delays> {
        let own = self.types.get::<DocumentType>(document_type)?;
        let known = if own.before.is_known(now) {
            Some(&own.before)
        } else {
            let is_better = own.since.is_known(now) && !self.all.before.is_known(now);
            is_better.then_some(&own.since)
        };
        known.map(|known| &known.delays)
    }

    /// The delays of all types together, once they are known.
    pub(super) fn of_all(&self, now: Timestamp) -> Option<&Delays> {
        let both = [&self.all.before, &self.all.since];
        let known = both.into_iter().find(|known| known.is_known(now));
        known.map(|known| &known.delays)
    }

    /// What is stored, of the types with those that are wanted.
    pub(super) fn stored(&self, is_wanted: impl Fn(&DocumentType) -> bool) -> StoredDelays {
        StoredDelays {
            types: self.types.shared(is_wanted),
            other: self.types.other().map(Tracked::shared),
            all: self.all,
        }
    }

    /// The types that have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> impl Iterator<Item = &DocumentType> {
        self.types.take_changed()
    }

    pub(super) fn restore(&mut self, stored: StoredDelays) {
        let types = stored.types.into_iter();
        let types = types.map(|(name, delayed)| (name, Tracked::of(delayed)));
        self.types.refill(types, stored.other.map(Tracked::of));
        self.all = stored.all;
    }
}

/// Delays as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredDelays {
    pub(super) types: Vec<(DocumentType, Arc<Delayed>)>,
    other: Option<Arc<Delayed>>,
    all: Delayed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, minutes};

    #[test]
    fn delays_that_could_not_have_been_seen_yet_are_not_known() {
        let start = Timestamp::from_millis(1_000_000_000);
        let mut known = DelaySample::default();
        for n in 0..MIN_DELAYS {
            assert!(!known.is_known(start + hours(100)), "only {n}");
            known.add(start, start + hours(1));
        }
        assert!(!known.is_known(start + minutes(127)));
        assert!(
            known.is_known(start + minutes(128)),
            "the bin of an hour ends at 64 min"
        );
    }
}
