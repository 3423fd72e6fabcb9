//! Payloads that wait for a verdict (`broadcast` 5).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::missing::Announcer;
use super::{Config, Id};

/// A payload that is neither delivered nor relayed until its verdict.
#[derive(Clone, Debug)]
pub(super) struct Waiting<P> {
    pub(super) payload: Bytes,
    /// Who sent it first, and the transmissions behind it; none while it came for neighbours only.
    pub(super) swarm: Option<(P, u32)>,
    /// Who sent it as well.
    pub(super) others: Vec<P>,
    /// Who announced it.
    pub(super) announcers: Vec<Announcer<P>>,
    /// Who sent it for neighbours only, once for each time.
    pub(super) direct: Vec<P>,
}

impl<P: Copy + Ord> Waiting<P> {
    /// Everybody who sent this content, in order, each once.
    pub(super) fn senders(&self) -> Vec<P> {
        let swarm = self.swarm.iter().map(|(peer, _)| *peer);
        let mut senders: Vec<P> =
            swarm.chain(self.others.iter().copied()).chain(self.direct.iter().copied()).collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    fn weight_of(&self, peer: &P) -> usize {
        let first = usize::from(self.swarm.is_some_and(|(sender, _)| sender == *peer));
        first.saturating_add(self.direct.iter().filter(|sender| *sender == peer).count())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Validating<P> {
    waiting: BTreeMap<Id, Waiting<P>>,
    bytes: usize,
}

impl<P: Copy + Ord> Validating<P> {
    pub(super) const fn new() -> Self {
        Self { waiting: BTreeMap::new(), bytes: 0 }
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.waiting.contains_key(id)
    }

    pub(super) fn get_mut(&mut self, id: &Id) -> Option<&mut Waiting<P>> {
        self.waiting.get_mut(id)
    }

    /// Whether another payload of this sender may wait.
    pub(super) fn has_room(&self, sender: &P, size: usize, config: &Config) -> bool {
        self.waiting.len() < config.validations
            && self.bytes.saturating_add(size) <= config.validation_bytes
            && self.sender_has_room(sender, config)
    }

    /// Whether this sender has not used up its share.
    pub(super) fn sender_has_room(&self, sender: &P, config: &Config) -> bool {
        let of_sender: usize = self.waiting.values().map(|waiting| waiting.weight_of(sender)).sum();
        of_sender < config.validations_per_peer
    }

    pub(super) fn insert(&mut self, id: Id, waiting: Waiting<P>) {
        self.bytes = self.bytes.saturating_add(waiting.payload.len());
        self.waiting.insert(id, waiting);
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Waiting<P>> {
        let waiting = self.waiting.remove(id)?;
        self.bytes = self.bytes.saturating_sub(waiting.payload.len());
        Some(waiting)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
