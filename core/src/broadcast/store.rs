//! Ids seen and payloads held: one list in order of arrival, of which the payloads are the newest part.
//!
//! Ids live longer than payloads and both leave in order of arrival, so payloads need no index of their own.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

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
    /// By the number that an id is: one comparison of a register pair instead of sixteen bytes. Empty while there are
    /// so few ids that looking through all is as fast: most topics of most nodes never need it.
    index: BTreeMap<u128, Serial>,
    order: VecDeque<Seen>,
    /// The serial of the first of `order`.
    first: Serial,
    /// Of the last entries of `order`.
    held: VecDeque<Held<P>>,
    bytes: usize,
}

impl<P: Copy> Store<P> {
    pub(super) const fn new() -> Self {
        Self { index: BTreeMap::new(), order: VecDeque::new(), first: 0, held: VecDeque::new(), bytes: 0 }
    }

    /// The serial of an id that is remembered.
    pub(super) fn find(&self, now: Instant, id: &Id, config: &Config) -> Option<Serial> {
        let serial = if self.index.is_empty() {
            let at = self.order.iter().position(|seen| seen.id == *id)?;
            self.first.saturating_add(count(at))
        } else {
            *self.index.get(&number(id))?
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
        self.expire(now, config);
        let serial = self.first.saturating_add(count(self.order.len()));
        self.order.push_back(Seen { id, at: now, hop, relayed: payload.is_some() });
        // An expired entry of the same id was removed just now: its place in the index is free.
        if !self.index.is_empty() {
            self.index.insert(number(&id), serial);
        } else if self.order.len() > UNINDEXED {
            self.index = self.order.iter().map(|seen| number(&seen.id)).zip(self.first..).collect();
        }
        self.bytes = self.bytes.saturating_add(payload.as_ref().map_or(0, Bytes::len));
        self.held.push_back(Held { payload, sender });
        self.shed(config);
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
            self.index = BTreeMap::new();
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

    fn shed(&mut self, config: &Config) {
        while self.held.len() > config.cache_entries || self.bytes > config.cache_bytes {
            self.drop_payload();
        }
        while self.order.len() > config.seen_max() {
            self.drop_id();
        }
    }

    fn drop_payload(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.bytes = self.bytes.saturating_sub(held.payload.as_ref().map_or(0, Bytes::len));
        }
    }

    fn drop_id(&mut self) {
        if let Some(seen) = self.order.pop_front() {
            self.index.remove(&number(&seen.id));
            self.first = self.first.saturating_add(1);
        }
    }
}

const fn number(id: &Id) -> u128 {
    u128::from_be_bytes(id.0)
}

fn offset(serial: Serial, first: Serial) -> Option<usize> {
    usize::try_from(serial.checked_sub(first)?).ok()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
