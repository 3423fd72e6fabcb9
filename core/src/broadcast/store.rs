//! Ids seen and payloads held: one list in order of arrival, of which the payloads are the newest part.
//!
//! Ids live longer than payloads and both leave in order of arrival, so payloads need no index of their own.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::index::Index;
use super::{Config, Id};
use crate::bounded::shrink;
use crate::time::Instant;

/// Up to so many ids are looked through one by one.
const UNINDEXED: usize = 64;

/// Where an id stands in the order of arrival.
pub(super) type Serial = u64;

/// What is known of an id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) id: Id,
    /// When it came.
    pub(super) at: Instant,
    /// Transmissions behind it; 0 for our own.
    pub(super) hop: u32,
    /// Whether it was relayed, and so may have been announced.
    pub(super) relayed: bool,
}

#[derive(Clone, Debug)]
struct Held<P> {
    payload: Option<Bytes>,
    sender: Option<P>,
}

#[derive(Clone, Debug)]
pub(super) struct Store<P> {
    /// Of all ids, or without any room while there are so few that looking through them is as fast: most topics of
    /// most nodes never need it.
    index: Index,
    order: VecDeque<Seen>,
    /// The serial of the first of `order`.
    first: Serial,
    /// Of the last entries of `order`.
    held: VecDeque<Held<P>>,
    bytes: usize,
}

impl<P: Copy> Store<P> {
    pub(super) const fn new() -> Self {
        Self { index: Index::new(), order: VecDeque::new(), first: 0, held: VecDeque::new(), bytes: 0 }
    }

    /// The serial of an id that is remembered.
    pub(super) fn find(&self, now: Instant, id: &Id, config: &Config) -> Option<Serial> {
        let serial = if self.index.room() == 0 {
            let at = self.order.iter().position(|seen| seen.id == *id)?;
            self.first.saturating_add(count(at))
        } else {
            self.index.get(id)?
        };
        self.seen(serial).filter(|seen| seen.at + config.seen_for() > now).map(|_| serial)
    }

    pub(super) fn seen(&self, serial: Serial) -> Option<&Seen> {
        self.order.get(offset(serial, self.first)?)
    }

    /// The payload of an id, while it is kept.
    pub(super) fn payload(&self, now: Instant, serial: Serial, config: &Config) -> Option<(&Seen, &Bytes)> {
        let seen = self.seen(serial).filter(|seen| seen.at + config.cache_lifetime > now)?;
        Some((seen, self.held(serial)?.payload.as_ref()?))
    }

    /// The neighbour that an id came from, while its payload is kept.
    pub(super) fn sender(&self, serial: Serial) -> Option<P> {
        self.held(serial)?.sender
    }

    /// Remembers an id that is not remembered; without a payload it is never announced or sent.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        (id, hop): (Id, u32),
        sender: Option<P>,
        payload: Option<Bytes>,
        config: &Config,
    ) -> Serial {
        // An expired entry of the same id is removed here: its place in the index is free.
        self.expire(now, config);
        // Room is made before, or lists that are full would grow to twice their size.
        self.shed(config, 1);
        let serial = self.first.saturating_add(count(self.order.len()));
        self.order.push_back(Seen { id, at: now, hop, relayed: payload.is_some() });
        if self.order.len() <= self.index.room().max(UNINDEXED) {
            self.index.insert(&id, serial);
        } else {
            self.reindex();
        }
        self.bytes = self.bytes.saturating_add(payload.as_ref().map_or(0, Bytes::len));
        self.held.push_back(Held { payload, sender });
        self.shed(config, 0);
        serial
    }

    /// Serials whose payload is kept and came after `since`, newest first.
    pub(super) fn newest_first(&self, since: Instant) -> impl Iterator<Item = Serial> {
        let next = self.first.saturating_add(count(self.order.len()));
        self.order
            .iter()
            .rev()
            .zip((self.first..next).rev())
            .zip(self.held.iter().rev())
            .take_while(move |((seen, _), _)| seen.at >= since)
            .filter(|(_, held)| held.payload.is_some())
            .map(|((_, serial), _)| serial)
    }

    /// Forgets what has expired.
    pub(super) fn expire(&mut self, now: Instant, config: &Config) {
        while self.oldest_held().is_some_and(|seen| seen.at + config.cache_lifetime <= now) {
            self.drop_payload();
        }
        while self.order.front().is_some_and(|seen| seen.at + config.seen_for() <= now) {
            self.drop_id();
        }
    }

    /// Gives memory back that a burst has left.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.held);
        shrink(&mut self.order);
        if self.order.len() <= UNINDEXED {
            self.index = Index::new();
        } else if self.index.room() > self.order.len().saturating_mul(8) {
            self.reindex();
        }
    }

    /// When the next payload or id expires.
    pub(super) fn next_expiry(&self, config: &Config) -> Option<Instant> {
        let id = self.order.front().map(|seen| seen.at + config.seen_for());
        let payload = self.oldest_held().map(|seen| seen.at + config.cache_lifetime);
        crate::deadline::earliest(id, payload)
    }

    /// How many payloads are held.
    pub(super) fn payloads(&self) -> usize {
        self.held.len()
    }

    fn held(&self, serial: Serial) -> Option<&Held<P>> {
        let before = self.order.len().saturating_sub(self.held.len());
        self.held.get(offset(serial, self.first)?.checked_sub(before)?)
    }

    fn oldest_held(&self) -> Option<&Seen> {
        if self.held.is_empty() {
            None
        } else {
            self.order.get(self.order.len().saturating_sub(self.held.len()))
        }
    }

    /// Keeps the limits, with this many to come.
    fn shed(&mut self, config: &Config, coming: usize) {
        while self.held.len().saturating_add(coming) > config.cache_entries.max(coming)
            || self.bytes > config.cache_bytes
        {
            self.drop_payload();
        }
        while self.order.len().saturating_add(coming) > config.seen_max() {
            self.drop_id();
        }
    }

    /// Makes the index anew, for as many ids as there are.
    fn reindex(&mut self) {
        self.index = Index::with_room(self.order.len());
        for (seen, serial) in self.order.iter().zip(self.first..) {
            self.index.insert(&seen.id, serial);
        }
    }

    fn drop_payload(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.bytes = self.bytes.saturating_sub(held.payload.as_ref().map_or(0, Bytes::len));
        }
    }

    fn drop_id(&mut self) {
        if let Some(seen) = self.order.pop_front() {
            self.index.remove(&seen.id);
            self.first = self.first.saturating_add(1);
        }
    }
}

fn offset(serial: Serial, first: Serial) -> Option<usize> {
    usize::try_from(serial.checked_sub(first)?).ok()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
