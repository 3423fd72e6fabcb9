//! The neighbours: eager and lazy ones, and what waits to be announced to each.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::store::Serial;
use crate::bounded::shrink;
use crate::time::Instant;

/// A neighbour.
#[derive(Clone, Debug)]
pub(super) struct Peer<P> {
    pub(super) id: P,
    /// Whether payloads are pushed to it, or announced.
    pub(super) eager: bool,
    /// Whether it has shown a field of `overlay` 3.2.
    pub(super) extended: bool,
    /// Hops of its latest copy or announcement less those of ours, for the same message; none yet: `i32::MAX`.
    pub(super) distance: i32,
    /// How many missing payloads it has announced.
    pub(super) promises: usize,
    /// Since when it is a neighbour.
    pub(super) since: Instant,
    /// Before this no further PRUNE is sent on a lazy link.
    pub(super) prune_again: Instant,
    /// What it is to be told of with the next batch, in order.
    pub(super) queue: VecDeque<Serial>,
}

impl<P> Peer<P> {
    /// Queues an id; how many others had to go for want of room.
    pub(super) fn enqueue(&mut self, serial: Serial, limit: usize) -> usize {
        if self.queue.back().is_none_or(|last| *last < serial) {
            self.queue.push_back(serial);
        } else if let Err(at) = self.queue.binary_search(&serial) {
            self.queue.insert(at, serial);
        }
        if self.queue.len() <= limit {
            return 0;
        }
        self.queue.pop_front();
        1
    }

    /// Takes an id out of the queue: the neighbour has it.
    pub(super) fn dequeue(&mut self, serial: Serial) {
        if let Ok(at) = self.queue.binary_search(&serial) {
            self.queue.remove(at);
            shrink(&mut self.queue);
        }
    }
}

/// All neighbours, in the order of their ids.
#[derive(Clone, Debug)]
pub(super) struct Peers<P>(Vec<Peer<P>>);

impl<P: Copy + Ord> Peers<P> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an eager neighbour. False if it is one already.
    pub(super) fn insert(&mut self, id: P, extended: bool, now: Instant) -> bool {
        let Err(at) = self.position(&id) else { return false };
        let peer = Peer {
            id,
            eager: true,
            extended,
            distance: i32::MAX,
            promises: 0,
            since: now,
            prune_again: Instant::ORIGIN,
            queue: VecDeque::new(),
        };
        self.0.insert(at, peer);
        true
    }

    pub(super) fn remove(&mut self, id: &P) -> Option<Peer<P>> {
        self.position(id).ok().map(|at| self.0.remove(at))
    }

    pub(super) fn get(&self, id: &P) -> Option<&Peer<P>> {
        self.0.get(self.position(id).ok()?)
    }

    pub(super) fn get_mut(&mut self, id: &P) -> Option<&mut Peer<P>> {
        let at = self.position(id).ok()?;
        self.0.get_mut(at)
    }

    pub(super) fn contains(&self, id: &P) -> bool {
        self.position(id).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer<P>> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer<P>> {
        self.0.iter_mut()
    }

    pub(super) fn eager(&self) -> impl Iterator<Item = P> {
        self.0.iter().filter(|peer| peer.eager).map(|peer| peer.id)
    }

    pub(super) fn lazy(&self) -> impl Iterator<Item = P> {
        self.0.iter().filter(|peer| !peer.eager).map(|peer| peer.id)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, id: &P) -> Result<usize, usize> {
        self.0.binary_search_by(|peer| peer.id.cmp(id))
    }
}
