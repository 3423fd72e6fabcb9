//! The entries, in order of key, of age and of expiry.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::deadline::Deadlines;
use crate::time::Instant;

/// A HEAD in the table.
#[derive(Clone, Debug)]
pub struct Entry<P, H> {
    pub(super) head: H,
    pub(super) step: u32,
    pub(super) issued: u64,
    /// Whether it is passed on; not if its owner is not admitted (H6).
    pub(super) spread: bool,
    /// The link it came from: never sent back there. None for our own.
    pub(super) source: Option<Source<P>>,
}

/// One link of a peer: a later link of the same peer is another source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Source<P> {
    pub(super) peer: P,
    pub(super) serial: u64,
}

impl<P, H> Entry<P, H> {
    /// The HEAD, verbatim.
    pub const fn head(&self) -> &H {
        &self.head
    }

    /// Its distance when it came; 0 for our own.
    pub const fn step(&self) -> u32 {
        self.step
    }
}

#[derive(Debug)]
pub(super) struct Table<P, K, H> {
    entries: BTreeMap<K, Entry<P, H>>,
    by_age: BTreeSet<(u64, K)>,
    expiry: Deadlines<K>,
}

impl<P, K: Clone + Ord, H> Table<P, K, H> {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), by_age: BTreeSet::new(), expiry: Deadlines::new() }
    }

    /// Puts an entry in, in the place of an older one. Without `expires` it stays until it is removed.
    pub(super) fn put(&mut self, key: K, entry: Entry<P, H>, expires: Option<Instant>) {
        self.remove(&key);
        self.by_age.insert((entry.issued, key.clone()));
        self.expiry.set(key.clone(), expires);
        self.entries.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Entry<P, H>> {
        let entry = self.entries.remove(key)?;
        self.by_age.remove(&(entry.issued, key.clone()));
        self.expiry.remove(key);
        Some(entry)
    }

    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<K> {
        let key = self.expiry.pop_due(now)?;
        self.remove(&key);
        Some(key)
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiry.next()
    }

    pub(super) fn get(&self, key: &K) -> Option<&Entry<P, H>> {
        self.entries.get(key)
    }

    /// To change step or spreading; what the orders depend on stays.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut Entry<P, H>> {
        self.entries.get_mut(key)
    }

    /// The youngest entry that comes after `place` when the youngest come first; the youngest of all without a place.
    pub(super) fn younger_to_older(&self, place: Option<&(u64, K)>) -> Option<&(u64, K)> {
        match place {
            Some(place) => self.by_age.range(..place).next_back(),
            None => self.by_age.last(),
        }
    }

    /// Keys, those issued first in front.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &(u64, K)> {
        self.by_age.iter()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Entry<P, H>)> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
