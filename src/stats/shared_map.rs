//! A map with a cardinality limit that a snapshot shares: of large values, of which even a reference
//! for each would take too long under a lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::tracked::Tracked;

/// With 10,000 keys, a change beside a snapshot copies the references of about 80.
const SHARDS: usize = 128;

type Shard<K, V> = Arc<HashMap<K, Tracked<V>, RandomState>>;

/// Entries by key, at most `limit`, and one overflow entry for all other keys. A change copies what
/// a snapshot still shares: the references of one shard, and the value.
#[derive(Debug)]
pub(crate) struct SharedMap<K, V> {
    hasher: RandomState,
    shards: Entries<K, V>,
    /// The shards that have an entry that has changed.
    changed: u128,
    len: usize,
    other: Option<V>,
    limit: usize,
}

/// The keys with their own entry, as they were at one moment.
#[derive(Debug)]
pub(crate) struct Entries<K, V>(Box<[Shard<K, V>]>);

impl<K, V> Entries<K, V> {
    fn iter(&self) -> impl Iterator<Item = (&K, &Tracked<V>)> {
        self.0.iter().flat_map(|shard| shard.iter())
    }

    /// The entries as a list, to be written.
    pub(crate) fn list(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        let entries = self.iter();
        entries
            .map(|(key, value)| (key.clone(), value.shared()))
            .collect()
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SharedMap<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default());
        Self {
            hasher: RandomState::default(),
            shards: Entries(shards.collect()),
            changed: 0,
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
                shard.insert(key.clone(), Tracked::new(make()));
                self.len += 1;
            }
            if let Some(value) = shard.get_mut(key) {
                self.changed |= 1 << place;
                return value.change();
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
        for (place, shard) in self.shards.0.iter_mut().enumerate() {
            if shard.keys().any(&is_meant) {
                self.changed |= 1 << place;
                let meant = Arc::make_mut(shard).iter_mut();
                for (_, value) in meant.filter(|(key, _)| is_meant(key)) {
                    change(value.change());
                }
            }
        }
    }

    /// The entries that have changed since this was last asked, as they are now.
    pub(crate) fn take_changed(&mut self) -> Vec<(K, Arc<V>)> {
        let changed = std::mem::take(&mut self.changed);
        let mut entries = Vec::new();
        for (place, shard) in self.shards.0.iter_mut().enumerate() {
            if changed >> place & 1 == 1 {
                let of_shard = Arc::make_mut(shard).iter_mut();
                let changed = of_shard.filter_map(|(key, value)| {
                    let has_changed = value.take_changed();
                    has_changed.then(|| (key.clone(), value.shared()))
                });
                entries.extend(changed);
            }
        }
        entries
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
                let before = Arc::make_mut(shard).insert(key, Tracked::new(value));
                self.len += usize::from(before.is_none());
                self.changed |= 1 << place;
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
    fn what_has_changed_is_named_once() {
        let mut map = SharedMap::new(1_000);
        for key in 0..1_000 {
            *map.entry(&key, || 0) = key;
        }
        let changed = |map: &mut SharedMap<_, _>| {
            let changed = map.take_changed().into_iter();
            changed
                .map(|(key, value)| (key, *value))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(changed(&mut map).len(), 1_000);
        *map.entry(&7, || 0) = 70;
        map.change(|key| *key == 8, |value| *value += 1);
        *map.entry(&1_000, || 0) = 1;
        assert_eq!(map.get(&7), Some(&70));
        assert_eq!(changed(&mut map), [(7, 70), (8, 9)].into());
        assert!(changed(&mut map).is_empty());
        map.refill([(1, 1)]);
        assert_eq!(changed(&mut map), [(1, 1)].into());
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
