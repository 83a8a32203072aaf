//! A map with a cardinality limit that a snapshot shares: of large values, of which even a reference
//! for each would take too long under a lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;

/// With 10,000 keys, a change beside a snapshot copies the references of about 80.
const SHARDS: usize = 128;

type Shard<K, V> = Arc<HashMap<K, Arc<V>, RandomState>>;

/// Entries by key, at most `limit`, and one overflow entry for all other keys. A change copies what
/// a snapshot still shares: the references of one shard, and the value.
#[derive(Debug)]
pub(crate) struct SharedMap<K, V> {
    hasher: RandomState,
    shards: Entries<K, V>,
    len: usize,
    other: Option<V>,
    limit: usize,
}

/// The keys with their own entry, as they were at one moment.
#[derive(Debug)]
pub(crate) struct Entries<K, V>(Box<[Shard<K, V>]>);

impl<K, V> Entries<K, V> {
    fn iter(&self) -> impl Iterator<Item = (&K, &Arc<V>)> {
        self.0.iter().flat_map(|shard| shard.iter())
    }

    /// The entries as a list, to be written.
    pub(crate) fn list(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        let entries = self.iter();
        entries
            .map(|(key, value)| (key.clone(), Arc::clone(value)))
            .collect()
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SharedMap<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default());
        Self {
            hasher: RandomState::default(),
            shards: Entries(shards.collect()),
            len: 0,
            other: None,
            limit,
        }
    }

    fn place(&self, key: &K) -> usize {
        // The low bits; those that a shard's own table uses come from another seed.
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0)
    }

    /// The key's own entry, created if missing, or the overflow entry.
    pub(crate) fn entry(&mut self, key: &K, make: impl Fn() -> V) -> &mut V {
        let place = self.place(key);
        if let Some(shard) = self.shards.0.get_mut(place) {
            let shard = Arc::make_mut(shard);
            if self.len < self.limit && !shard.contains_key(key) {
                shard.insert(key.clone(), Arc::new(make()));
                self.len += 1;
            }
            if let Some(value) = shard.get_mut(key) {
                return Arc::make_mut(value);
            }
        }
        self.other.get_or_insert_with(make)
    }

    /// The key's own entry, or the overflow entry if there is one.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let own = self.shards.0.get(self.place(key));
        let own = own.and_then(|shard| shard.get(key));
        own.map(|value| &**value).or(self.other.as_ref())
    }

    /// Changes the entries of some keys.
    pub(crate) fn change(&mut self, is_meant: impl Fn(&K) -> bool, change: impl Fn(&mut V)) {
        for shard in &mut self.shards.0 {
            if shard.keys().any(&is_meant) {
                let meant = Arc::make_mut(shard).iter_mut();
                for (_, value) in meant.filter(|(key, _)| is_meant(key)) {
                    change(Arc::make_mut(value));
                }
            }
        }
    }

    /// Every key with its own entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().map(|(key, value)| (key, &**value))
    }

    /// The entries as they are now, in a time that does not grow with their number.
    pub(crate) fn shared(&self) -> Entries<K, V> {
        Entries(self.shards.0.clone())
    }

    /// Restores stored entries.
    pub(crate) fn refill(&mut self, entries: impl IntoIterator<Item = (K, V)>) {
        *self = Self::new(self.limit);
        for (key, value) in entries {
            let place = self.place(&key);
            if let Some(shard) = self.shards.0.get_mut(place) {
                let before = Arc::make_mut(shard).insert(key, Arc::new(value));
                self.len += usize::from(before.is_none());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn past_the_limit_new_keys_share_one_entry() {
        let mut map = SharedMap::new(2);
        for key in ["a", "b", "c", "d", "a"] {
            *map.entry(&key, || 0) += 1;
        }
        let found: BTreeMap<_, _> = map.iter().collect();
        assert_eq!(found, [(&"a", &2), (&"b", &1)].into());
        assert_eq!((map.get(&"c"), map.get(&"e")), (Some(&2), Some(&2)));
    }

    #[test]
    fn what_is_shared_stays_as_it_was() {
        let mut map = SharedMap::new(1_000);
        for key in 0..1_000 {
            *map.entry(&key, || 0) = key;
        }
        let before = map.shared();
        for key in 0..500 {
            *map.entry(&key, || 0) = 0;
        }
        map.refill([(1, 7), (1, 8), (2, 9)]);
        assert_eq!((map.get(&1), map.iter().count()), (Some(&8), 2));
        let list: BTreeMap<_, _> = before.list().into_iter().collect();
        assert_eq!(list, (0..1_000).map(|key| (key, Arc::new(key))).collect());
    }

    #[test]
    fn restored_entries_count_against_the_limit() {
        let mut map = SharedMap::new(2);
        map.refill([("a", 1), ("a", 2), ("b", 3)]);
        *map.entry(&"c", || 0) += 1;
        assert_eq!(map.iter().count(), 2);
        assert_eq!(map.get(&"d"), Some(&1), "the overflow entry");
    }
}
