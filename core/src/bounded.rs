//! Collections with a limit: each says what it sheds.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use crate::time::Instant;

mod keyed;

pub use keyed::Keyed;

/// Keys remembered for a while: at most `capacity`, each for `lifetime`; when full the oldest goes first.
///
/// For ids seen, requests answered, joins forwarded: whatever must not be done twice within a window. Owns no memory
/// once it is empty.
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    capacity: usize,
    lifetime: Duration,
    entries: BTreeMap<K, Entry<V>>,
    order: VecDeque<(u64, K)>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    serial: u64,
    expires: Instant,
    value: V,
}

impl<K: Clone + Ord, V> Recent<K, V> {
    /// Remembers at most `capacity` keys (none when 0), each for `lifetime`.
    #[must_use]
    pub const fn new(capacity: usize, lifetime: Duration) -> Self {
        Self { capacity, lifetime, entries: BTreeMap::new(), order: VecDeque::new(), next: 0 }
    }

    /// Remembers `key` from `now` on, replacing what was known of it. Returns what had to go for want of room.
    pub fn insert(&mut self, now: Instant, key: K, value: V) -> Option<(K, V)> {
        self.expire(now);
        if self.capacity == 0 {
            return Some((key, value));
        }
        let entry = Entry { serial: self.next, expires: now + self.lifetime, value };
        self.order.push_back((self.next, key.clone()));
        self.next = self.next.saturating_add(1);
        self.entries.insert(key, entry);
        let shed = if self.entries.len() > self.capacity { self.pop_oldest() } else { None };
        self.compact();
        shed
    }

    /// What is known of `key` and has not expired.
    #[must_use]
    pub fn get(&self, now: Instant, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.expires > now).map(|entry| &entry.value)
    }

    /// The same, to be changed in place; its age stays.
    pub fn get_mut(&mut self, now: Instant, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).filter(|entry| entry.expires > now).map(|entry| &mut entry.value)
    }

    /// Whether `key` is known and has not expired.
    #[must_use]
    pub fn contains(&self, now: Instant, key: &K) -> bool {
        self.get(now, key).is_some()
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.compact();
        Some(entry.value)
    }

    /// Forgets what has expired; returns when the next will.
    pub fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        while let Some((serial, key)) = self.order.front() {
            match self.entries.get(key) {
                Some(entry) if entry.serial == *serial && entry.expires > now => {
                    next = Some(entry.expires);
                    break;
                }
                Some(entry) if entry.serial == *serial => {
                    self.entries.remove(key);
                }
                _ => {}
            }
            self.order.pop_front();
        }
        self.compact();
        next
    }

    /// Takes the oldest key.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        while let Some((serial, key)) = self.order.pop_front() {
            if self.entries.get(&key).is_some_and(|entry| entry.serial == serial) {
                return self.entries.remove(&key).map(|entry| (key, entry.value));
            }
        }
        None
    }

    /// Keys and values in key order, expired ones left out.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.expires > now)
            .map(|(key, entry)| (key, &entry.value))
    }

    /// Keys and values, newest first, expired ones left out.
    pub fn newest_first(&self, now: Instant) -> impl Iterator<Item = (&K, &V)> {
        self.order.iter().rev().filter_map(move |(serial, key)| {
            let entry = self.entries.get(key)?;
            (entry.serial == *serial && entry.expires > now).then_some((key, &entry.value))
        })
    }

    /// How many keys are held, expired ones that were not yet removed included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys that were replaced or removed leave a mark in the order; at most as many as there are keys.
    fn compact(&mut self) {
        if self.entries.is_empty() {
            // An ordered map keeps a node when its last entry leaves.
            self.entries = BTreeMap::new();
            self.order = VecDeque::new();
        } else if self.order.len() > self.entries.len().saturating_mul(2).saturating_add(8) {
            let entries = &self.entries;
            self.order.retain(|(serial, key)| entries.get(key).is_some_and(|entry| entry.serial == *serial));
        }
    }
}

/// Gives memory back that a burst has left in a queue; all of it if the queue is empty.
pub fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() || queue.capacity() > queue.len().saturating_mul(4).max(8) {
        queue.shrink_to_fit();
    }
}

/// A rate limit: `burst` at once, then one more each `interval`.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    burst: u32,
    interval: Duration,
    spent: u32,
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, spent: 0, since: Instant::ORIGIN }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let granted = self.spent < self.burst;
        if granted {
            self.spent = self.spent.saturating_add(1);
        }
        granted
    }

    /// Whether it is full again: nothing would be lost by forgetting it.
    #[must_use]
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.spent == 0
    }

    fn refill(&mut self, now: Instant) {
        if self.spent == 0 || self.interval.is_zero() {
            self.spent = 0;
            self.since = now;
            return;
        }
        let elapsed = now.since(self.since).as_micros();
        let returned = u32::try_from(elapsed / self.interval.as_micros().max(1)).unwrap_or(u32::MAX);
        if returned >= self.spent {
            self.spent = 0;
            self.since = now;
        } else {
            self.spent = self.spent.saturating_sub(returned);
            self.since += self.interval.saturating_mul(returned);
        }
    }
}

#[cfg(test)]
mod tests;
