//! A queue in which a newer value takes the place of an older one.

use alloc::collections::BTreeMap;

/// A queue with one value per key: a newer value replaces the older one and keeps its place.
///
/// A slow receiver so gets the newest state of everything, never a backlog. Holds at most `capacity` keys.
#[derive(Clone, Debug)]
pub struct Keyed<K, V> {
    capacity: usize,
    values: BTreeMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K: Clone + Ord, V> Keyed<K, V> {
    /// Holds at most `capacity` keys; none when 0.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, values: BTreeMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// Queues `value`, in the place of an older one under the same key. Returns what had to go: the older value, or,
    /// when the queue is full, the key at its head.
    pub fn push(&mut self, key: K, value: V) -> Option<(K, V)> {
        if let Some((_, before)) = self.values.get_mut(&key) {
            return Some((key, core::mem::replace(before, value)));
        }
        if self.capacity == 0 {
            return Some((key, value));
        }
        let shed = if self.values.len() >= self.capacity { self.pop() } else { None };
        self.order.insert(self.next, key.clone());
        self.values.insert(key, (self.next, value));
        self.next = self.next.saturating_add(1);
        shed
    }

    /// Takes the key that has waited longest.
    pub fn pop(&mut self) -> Option<(K, V)> {
        let (_, key) = self.order.pop_first()?;
        let (_, value) = self.values.remove(&key)?;
        Some((key, value))
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (place, value) = self.values.remove(key)?;
        self.order.remove(&place);
        Some(value)
    }

    /// The value that waits under `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// How many keys wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}
