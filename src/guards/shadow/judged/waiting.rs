//! What people told of documents that were not compared, or not yet.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::told::Told;
use crate::call::TicketId;
use crate::time::Timestamp;

/// The number of documents that wait for their comparison; the one that was told of first goes
/// first. A candidate answers within minutes, so that many are enough.
pub(super) const WAITING: usize = 2_000;

/// What people told of documents before their comparison came, if it comes at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<(TicketId, Told)>", into = "Vec<(TicketId, Told)>")]
pub(super) struct Waiting {
    told: HashMap<TicketId, Told, RandomState>,
    order: VecDeque<TicketId>,
}

impl Waiting {
    /// What was told of this document so far.
    pub(super) fn entry(&mut self, id: TicketId) -> &mut Told {
        if !self.told.contains_key(&id) {
            self.order.push_back(id);
            if self.order.len() > WAITING {
                if let Some(first) = self.order.pop_front() {
                    self.told.remove(&first);
                }
            }
        }
        self.told.entry(id).or_default()
    }

    /// What was told of a document whose comparison has come.
    pub(super) fn take(&mut self, id: TicketId) -> Told {
        let told = self.told.remove(&id);
        if told.is_some() {
            self.order.retain(|waiting| *waiting != id);
        }
        told.unwrap_or_default()
    }

    pub(super) fn contains(&self, id: TicketId) -> bool {
        self.told.contains_key(&id)
    }

    /// Whether a stored one is what this type can hold.
    pub(super) fn is_possible(&self, now: Timestamp) -> bool {
        self.told.values().all(|told| told.is_possible(now))
    }
}

impl From<Waiting> for Vec<(TicketId, Told)> {
    fn from(mut waiting: Waiting) -> Self {
        let order = waiting.order.into_iter();
        order
            .filter_map(|id| Some((id, waiting.told.remove(&id)?)))
            .collect()
    }
}

impl TryFrom<Vec<(TicketId, Told)>> for Waiting {
    type Error = String;

    fn try_from(stored: Vec<(TicketId, Told)>) -> Result<Self, String> {
        let order: VecDeque<_> = stored.iter().map(|(id, _)| *id).collect();
        let told: HashMap<_, _, _> = stored.into_iter().collect();
        if told.len() != order.len() || order.len() > WAITING {
            let count = order.len();
            return Err(format!(
                "{count} documents that wait are too many, or twice there"
            ));
        }
        Ok(Self { told, order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_the_first_goes_first() {
        let mut waiting = Waiting::default();
        for n in 0..=WAITING as u64 {
            waiting
                .entry(TicketId::new(0, n))
                .review(Timestamp::from_millis(n));
        }
        assert!(!waiting.contains(TicketId::new(0, 0)));
        assert!(waiting.contains(TicketId::new(0, 1)));
        assert_eq!(waiting.order.len(), WAITING);
        let told = waiting.take(TicketId::new(0, 7));
        assert_eq!(told.reviewed_at, Some(Timestamp::from_millis(7)));
        assert_eq!(
            (waiting.order.len(), waiting.told.len()),
            (WAITING - 1, WAITING - 1)
        );
    }

    #[test]
    fn what_is_stored_twice_is_not_read() {
        let mut waiting = Waiting::default();
        waiting.entry(TicketId::new(0, 1)).review(Timestamp::EPOCH);
        let stored = serde_json::to_string(&waiting).unwrap();
        assert!(serde_json::from_str::<Waiting>(&stored).is_ok());
        let one = stored.trim_start_matches('[').trim_end_matches(']');
        let twice = format!("[[{one}],[{one}]]");
        assert!(serde_json::from_str::<Waiting>(&twice).is_err());
    }
}
