//! A small ordered map: one sorted vector, nothing allocated while empty, entries reachable by rank for random picks.

use alloc::vec::Vec;

/// Values by key, in key order. For tens to hundreds of entries.
#[derive(Clone, Debug)]
pub(super) struct Table<K, V> {
    entries: Vec<(K, V)>,
}

impl<K: Copy + Ord, V> Table<K, V> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Inserts or replaces; returns what was there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.rank(&key) {
            Ok(rank) => self.entries.get_mut(rank).map(|entry| core::mem::replace(&mut entry.1, value)),
            Err(rank) => {
                self.entries.insert(rank, (key, value));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let rank = self.rank(key).ok()?;
        Some(self.entries.remove(rank).1)
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(self.rank(key).ok()?).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let rank = self.rank(key).ok()?;
        self.entries.get_mut(rank).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.rank(key).is_ok()
    }

    /// The entry at this rank.
    pub(super) fn at(&self, rank: usize) -> Option<(K, &V)> {
        self.entries.get(rank).map(|(key, value)| (*key, value))
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = K> {
        self.entries.iter().map(|(key, _)| *key)
    }

    /// The first key, in order, whose value passes.
    pub(super) fn find(&self, mut passes: impl FnMut(&V) -> bool) -> Option<K> {
        self.entries.iter().find(|(_, value)| passes(value)).map(|(key, _)| *key)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|(_, value)| keep(value));
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn rank(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }
}
