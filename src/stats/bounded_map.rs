//! A map with a cardinality limit: above it, new keys share one visible overflow entry.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::tracked::Tracked;

/// The default limit of keys per guard.
pub(crate) const DEFAULT_KEYS: usize = 10_000;

/// Entries by key, at most `limit`, and one overflow entry for all other keys.
///
/// They come in the order in which their keys came: what a guard says of many keys at once is the
/// same each time.
#[derive(Clone, Debug)]
pub(crate) struct BoundedMap<K, V> {
    entries: IndexMap<K, V, RandomState>,
    other: Option<V>,
    limit: usize,
}

/// Which entry [`BoundedMap::entry`] returned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The key's own entry.
    Own,
    /// The overflow entry, which this call created.
    FirstOverflow,
    /// The overflow entry.
    Overflow,
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: IndexMap::default(),
            other: None,
            limit,
        }
    }

    /// The entry of a key, created if missing.
    pub(crate) fn entry(&mut self, key: &K, make: impl Fn() -> V) -> (&mut V, Place) {
        let known = self.entries.contains_key(key);
        if known || self.entries.len() < self.limit {
            if !known {
                self.entries.insert(key.clone(), make());
            }
            if let Some(entry) = self.entries.get_mut(key) {
                return (entry, Place::Own);
            }
        }
        let place = if self.other.is_none() {
            Place::FirstOverflow
        } else {
            Place::Overflow
        };
        (self.other.get_or_insert_with(make), place)
    }

    /// The key's own entry, or the overflow entry if there is one.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key).or(self.other.as_ref())
    }

    pub(crate) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.entries.get_mut(key) {
            Some(entry) => Some(entry),
            None => self.other.as_mut(),
        }
    }

    /// The key's own entry.
    pub(crate) fn get_own_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get_mut(key)
    }

    /// Whether a key has its own entry.
    pub(crate) fn has_own<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.contains_key(key)
    }

    /// Every key with its own entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut()
    }

    /// Every key with its own entry, and the overflow entry.
    pub(crate) fn all_mut(&mut self) -> (impl Iterator<Item = (&K, &mut V)>, Option<&mut V>) {
        (self.entries.iter_mut(), self.other.as_mut())
    }

    /// Forgets the keys with their own entry that are not to be kept; whether there were any.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&K) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|key, _| is_kept(key));
        self.entries.len() < before
    }

    /// The overflow entry.
    pub(crate) fn other(&self) -> Option<&V> {
        self.other.as_ref()
    }

    /// The largest number of keys with their own entry.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Restores stored entries.
    pub(crate) fn refill(&mut self, entries: impl IntoIterator<Item = (K, V)>, other: Option<V>) {
        self.entries = entries.into_iter().collect();
        self.other = other;
    }
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, Tracked<V>> {
    /// The keys with their own entry of which that is wanted, each as it is now, to be written
    /// without the lock of the map. This is fast, because the values are shared.
    pub(crate) fn shared(&self, is_wanted: impl Fn(&K) -> bool) -> Vec<(K, Arc<V>)> {
        let wanted = self.iter().filter(|(key, _)| is_wanted(key));
        wanted
            .map(|(key, value)| (key.clone(), value.shared()))
            .collect()
    }

    /// The keys with their own entry that has changed since this was last asked.
    pub(crate) fn take_changed(&mut self) -> impl Iterator<Item = &K> {
        let own = self.iter_mut();
        own.filter_map(|(key, value)| value.take_changed().then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_their_keys_coming() {
        let keys: Vec<u32> = (0..100).map(|n| n * 37 % 101).collect();
        let mut map = BoundedMap::new(keys.len());
        for key in keys.iter().chain(&keys) {
            map.entry(key, || ());
        }
        assert!(map.iter().map(|(key, ())| key).eq(&keys));
        map.retain(|key| key % 3 > 0);
        let kept = keys.iter().filter(|key| *key % 3 > 0);
        assert!(map.iter_mut().map(|(key, ())| key).eq(kept));
    }

    #[test]
    fn past_the_limit_new_keys_share_one_entry() {
        let mut map = BoundedMap::new(2);
        for (key, place) in [
            ("a", Place::Own),
            ("b", Place::Own),
            ("c", Place::FirstOverflow),
            ("d", Place::Overflow),
            ("a", Place::Own),
        ] {
            let (count, found) = map.entry(&key, || 0);
            *count += 1;
            assert_eq!(found, place, "{key}");
        }
        assert_eq!(map.get("a"), Some(&2));
        assert_eq!(map.get("c"), Some(&2));
        assert_eq!(map.other(), Some(&2));
        assert_eq!(map.iter().count(), 2);
        assert_eq!(map.get_own_mut("c"), None);
        map.retain(|key| *key == "b");
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&"b", &1)]);
    }

    #[test]
    fn what_has_changed_is_named_once() {
        let mut map = BoundedMap::new(2);
        for key in ["a", "b", "c"] {
            map.entry(&key, || Tracked::new(0));
        }
        let changed = |map: &mut BoundedMap<_, _>| map.take_changed().copied().collect::<Vec<_>>();
        assert_eq!(changed(&mut map), ["a", "b"]);
        assert!(changed(&mut map).is_empty());
        *map.get_mut("b").unwrap().change() += 1;
        *map.get_mut("a").unwrap().read() += 0;
        assert_eq!(map.shared(|_| true).len(), 2);
        assert_eq!(changed(&mut map), ["b"]);
        assert!(changed(&mut map).is_empty());
    }

    #[test]
    fn a_change_beside_a_write_copies_the_value() {
        let mut map = BoundedMap::new(2);
        map.entry(&"a", || Tracked::new(1));
        map.entry(&"b", || Tracked::new(1));
        let copy = map.shared(|_| true);
        *map.get_mut("a").unwrap().change() += 1;
        let copied: Vec<_> = copy.iter().map(|(key, value)| (*key, **value)).collect();
        assert_eq!(copied, [("a", 1), ("b", 1)]);
        assert_eq!(map.shared(|key| *key == "a"), [("a", Arc::new(2))]);
        assert!(Arc::ptr_eq(&copy[1].1, &map.get("b").unwrap().shared()));
    }
}
