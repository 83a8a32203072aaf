//! What is decided for every process of the pipeline.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::store::{Instance, Slot};
use crate::time::Timestamp;

/// The last number that every store can keep. Nobody comes there by counting.
const LAST: u64 = i64::MAX as u64;

/// The decisions in the store, and what the guards propose.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The latest of each name, as the guards know it ..
    decided: BTreeMap<String, Slot>,
    /// .. and those that the store does not have.
    unwritten: BTreeSet<String>,
    proposed: BTreeMap<String, Value>,
    /// The proposals of which the store may have one without our knowledge.
    unanswered: BTreeSet<String>,
}

impl Slots {
    pub(super) fn of(stored: &[Slot]) -> Self {
        let decided = stored.iter().map(|slot| (slot.name.clone(), slot.clone()));
        Self {
            decided: decided.collect(),
            ..Self::default()
        }
    }

    /// The store has nothing of them any more.
    pub(super) fn forget(&mut self) {
        self.unwritten = self.decided.keys().cloned().collect();
    }

    /// What the guards propose now. What they proposed before is withdrawn, but for what the store may
    /// have decided: its answer is asked for once more.
    pub(super) fn propose(&mut self, proposed: impl IntoIterator<Item = (String, Value)>) {
        self.proposed
            .retain(|name, _| self.unanswered.contains(name));
        self.proposed.extend(proposed);
    }

    /// Begins to write what the store has lost, and each proposal as the decision after the last one
    /// that its guard knows: all, or those that the store may have.
    pub(super) fn begin(&mut self, all: bool, by: Instance, at: Timestamp) -> Vec<Slot> {
        if all {
            self.unanswered.extend(self.proposed.keys().cloned());
        }
        let lost = self.unwritten.iter();
        let lost = lost.filter_map(|name| self.decided.get(name).cloned());
        let proposed = self.proposed.iter();
        let proposed = proposed.filter(|(name, _)| self.unanswered.contains(*name));
        let proposed = proposed.filter_map(|(name, value)| {
            let last = self.decided.get(name).map_or(0, |slot| slot.number);
            let next = last.checked_add(1).filter(|next| *next <= LAST)?;
            Some(Slot::new(name.clone(), next, at, by, value.clone()))
        });
        lost.chain(proposed).collect()
    }

    /// The store has answered with what was decided: what of it is news to the guards, in its order.
    pub(super) fn decided(&mut self, mut answer: Vec<Slot>) -> Vec<Slot> {
        answer.sort_by(|a, b| (&a.name, a.number).cmp(&(&b.name, b.number)));
        let mut news = Vec::new();
        for slot in answer {
            let known = self.decided.get(&slot.name);
            if known.is_some_and(|known| slot.number < known.number) {
                continue;
            }
            self.unwritten.remove(&slot.name);
            self.unanswered.remove(&slot.name);
            // A store that has lost its last writes may have decided a number twice.
            if known != Some(&slot) {
                self.proposed.remove(&slot.name);
                self.decided.insert(slot.name.clone(), slot.clone());
                news.push(slot);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite has no greater number, and would refuse the whole batch.
    #[test]
    fn nobody_proposes_what_no_store_can_number() {
        const BY: Instance = Instance::new(1);
        const AT: Timestamp = Timestamp::EPOCH;
        let after = |number| {
            let mut slots = Slots::of(&[Slot::new("latch", number, AT, BY, Value::Null)]);
            slots.propose([("latch".to_owned(), Value::from(1))]);
            slots.begin(true, BY, AT).len()
        };
        assert_eq!(after(LAST - 1), 1);
        assert_eq!((after(LAST), after(u64::MAX)), (0, 0));
    }
}
