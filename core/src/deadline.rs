//! An ordered index of deadlines by key, for machines with a timer per peer, id or child.
//!
//! Memory follows the live keys, never the rate of updates: moving a deadline leaves nothing behind.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::time::Instant;

/// Deadlines by key. The earliest is at hand at once; equal instants come in key order.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Clone + Ord> Deadlines<K> {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets, moves or (with `None`) removes the deadline of `key`.
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        match at {
            Some(at) if self.by_key.get(&key) == Some(&at) => {}
            Some(at) => {
                if let Some(before) = self.by_key.insert(key.clone(), at) {
                    self.by_time.remove(&(before, key.clone()));
                }
                self.by_time.insert((at, key));
            }
            None => {
                self.remove(&key);
            }
        }
    }

    /// Removes the deadline of `key` and returns it.
    pub fn remove(&mut self, key: &K) -> Option<Instant> {
        let at = self.by_key.remove(key)?;
        self.by_time.remove(&(at, key.clone()));
        Some(at)
    }

    /// Takes the earliest key that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let key = key.clone();
        self.remove(&key);
        Some(key)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The deadline of `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).copied()
    }

    /// How many keys have a deadline.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

impl<K: Clone + Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The earlier of two optional deadlines.
#[must_use]
pub fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
