//! The event queue: a calendar of 1 ms buckets, so that a push costs no comparison and a pop touches warm memory.
//!
//! Events within the horizon (about 33 s) go to the bucket of their millisecond; later ones wait in a heap until the
//! horizon reaches them. A bucket is sorted when its turn comes. The order is that of (time, sequence), always: two
//! events of one instant come in the order in which they were pushed.

mod alarm;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use pleach_core::Instant;

pub use alarm::Alarm;

/// Buckets of the ring; a power of two.
const BUCKETS: usize = 1 << 15;
/// Microseconds of a bucket.
const WIDTH: u64 = 1000;
/// Buckets that were emptied lend their memory to the next: at most so many, each of at most this capacity, or those of
/// the whole ring would in time hold more than all the nodes.
const SPARES: usize = 1024;
const SPARE_CAPACITY: usize = 16;

/// Events by time, then by order of arrival.
#[derive(Debug)]
pub struct Calendar<T> {
    /// The bucket whose turn it is, latest event first.
    current: Vec<Entry<T>>,
    /// Events that were pushed for a millisecond that is current or past.
    late: BinaryHeap<Entry<T>>,
    ring: Vec<Vec<Entry<T>>>,
    /// Empty ones.
    spares: Vec<Vec<Entry<T>>>,
    /// One bit for each bucket of the ring that is not empty.
    occupied: Vec<u64>,
    overflow: BinaryHeap<Entry<T>>,
    /// The slot (millisecond) of `current`.
    slot: u64,
    sequence: u64,
    len: usize,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    sequence: u64,
    event: T,
}

impl<T> Calendar<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self {
            current: Vec::new(),
            late: BinaryHeap::new(),
            ring: std::iter::repeat_with(Vec::new).take(BUCKETS).collect(),
            spares: Vec::new(),
            occupied: vec![0; BUCKETS / 64],
            overflow: BinaryHeap::new(),
            slot: 0,
            sequence: 0,
            len: 0,
        }
    }

    /// Adds an event. One in the past comes at once, before everything that is later than it.
    pub fn push(&mut self, at: Instant, event: T) {
        let entry = Entry { at, sequence: self.sequence, event };
        self.sequence += 1;
        self.len += 1;
        self.place(entry);
    }

    /// When the next event is due.
    pub fn next_at(&mut self) -> Option<Instant> {
        self.advance();
        match (self.current.last(), self.late.peek()) {
            (Some(one), Some(other)) => Some(one.at.min(other.at)),
            (one, other) => one.or(other).map(|entry| entry.at),
        }
    }

    /// Takes the next event if it is due at `until`.
    pub fn pop_until(&mut self, until: Instant) -> Option<(Instant, T)> {
        if self.next_at()? > until {
            return None;
        }
        let late_first = match (self.current.last(), self.late.peek()) {
            (Some(sorted), Some(late)) => late.key() < sorted.key(),
            (sorted, _) => sorted.is_none(),
        };
        let entry = if late_first { self.late.pop() } else { self.current.pop() }?;
        self.len -= 1;
        Some((entry.at, entry.event))
    }

    /// How many events wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(&mut self, entry: Entry<T>) {
        let slot = entry.at.as_micros() / WIDTH;
        if slot <= self.slot {
            self.late.push(entry);
        } else if slot - self.slot < BUCKETS as u64 {
            let index = ring_index(slot);
            if let (Some(bucket), Some(word)) = (self.ring.get_mut(index), self.occupied.get_mut(index / 64))
            {
                if bucket.capacity() == 0 {
                    *bucket = self.spares.pop().unwrap_or_default();
                }
                bucket.push(entry);
                *word |= 1 << (index % 64);
            }
        } else {
            self.overflow.push(entry);
        }
    }

    /// Makes `current` or `late` hold the earliest event, if there is one.
    fn advance(&mut self) {
        while self.current.is_empty() && self.late.is_empty() && self.len > 0 {
            let in_ring = self.next_occupied();
            let in_overflow = self.overflow.peek().map(|entry| entry.at.as_micros() / WIDTH);
            // Whatever has come within the horizon goes to the ring before a bucket is opened.
            match (in_ring, in_overflow) {
                (Some(slot), _) => self.open(slot),
                (None, Some(slot)) => self.slot = slot - 1,
                (None, None) => return,
            }
            self.refill();
        }
    }

    fn open(&mut self, slot: u64) {
        let index = ring_index(slot);
        self.slot = slot;
        if let (Some(bucket), Some(word)) = (self.ring.get_mut(index), self.occupied.get_mut(index / 64)) {
            *word &= !(1 << (index % 64));
            let emptied = std::mem::replace(&mut self.current, std::mem::take(bucket));
            if (1..=SPARE_CAPACITY).contains(&emptied.capacity()) && self.spares.len() < SPARES {
                self.spares.push(emptied);
            }
        }
        self.current.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
    }

    fn refill(&mut self) {
        while self
            .overflow
            .peek()
            .is_some_and(|entry| (entry.at.as_micros() / WIDTH).saturating_sub(self.slot) < BUCKETS as u64)
        {
            if let Some(entry) = self.overflow.pop() {
                self.place(entry);
            }
        }
    }

    /// The slot of the first bucket after the current one that is not empty.
    fn next_occupied(&self) -> Option<u64> {
        let start = ring_index(self.slot + 1);
        let words = self.occupied.len();
        for step in 0..=words {
            let index = (start / 64 + step) % words;
            let mut word = *self.occupied.get(index)?;
            if step == 0 {
                word &= u64::MAX << (start % 64);
            } else if step == words {
                word &= !(u64::MAX << (start % 64));
            }
            if word != 0 {
                let found = index * 64 + word.trailing_zeros() as usize;
                let ahead = (found + BUCKETS - start) % BUCKETS;
                return Some(self.slot + 1 + ahead as u64);
            }
        }
        None
    }
}

impl<T> Default for Calendar<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Entry<T> {
    const fn key(&self) -> (Instant, u64) {
        (self.at, self.sequence)
    }
}

// A heap gives its greatest element: the earliest entry is the greatest.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

fn ring_index(slot: u64) -> usize {
    usize::try_from(slot % BUCKETS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests;
