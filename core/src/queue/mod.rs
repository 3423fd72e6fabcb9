//! What waits to be sent to one peer, within limits, and what goes first when a peer does not read.
//!
//! A queue is taken in the order control, gossip, bulk, each first in, first out. When it is full, gossip (announcements
//! that a later one makes up for) is shed first, oldest first, then bulk (payloads that can be announced instead), then
//! control. The caller is told what was shed, so that nothing is lost in silence. [`Outgoing::full_since`] tells how
//! long a peer has not kept up; the queue itself owns no timer.
//!
//! Where only the newest value under a key matters, use [`Keyed`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;

pub use crate::bounded::Keyed;
use crate::time::Instant;

/// What a message is to the peer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// Small, and the protocol does not go on without it: shed last.
    Control,
    /// Announcements: shed first.
    Gossip,
    /// Payloads: shed second, to be announced instead.
    Bulk,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Messages. Default 256 (`broadcast` 8.10). With 0 everything is shed.
    pub messages: usize,
    /// Bytes of all messages. Default 4 MiB (`broadcast` 8.10); at least one frame, or the largest can never be sent.
    pub bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { messages: 256, bytes: 4 << 20 }
    }
}

/// The messages that wait for one peer.
#[derive(Clone, Debug)]
pub struct Outgoing<M> {
    config: Config,
    control: VecDeque<Waiting<M>>,
    gossip: VecDeque<Waiting<M>>,
    bulk: VecDeque<Waiting<M>>,
    bytes: usize,
    full_since: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Waiting<M> {
    size: usize,
    message: M,
}

impl<M> Outgoing<M> {
    /// An empty queue.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            control: VecDeque::new(),
            gossip: VecDeque::new(),
            bulk: VecDeque::new(),
            bytes: 0,
            full_since: None,
        }
    }

    /// Queues a message of `size` bytes. Returns what had to go, in the order it was shed: possibly `message` itself,
    /// when nothing of its class or below is left to make room.
    #[must_use]
    pub fn push(&mut self, now: Instant, class: Class, size: usize, message: M) -> Vec<(Class, M)> {
        self.queue(class).push_back(Waiting { size, message });
        self.bytes = self.bytes.saturating_add(size);
        let mut shed = Vec::new();
        while self.len() > self.config.messages || self.bytes > self.config.bytes {
            self.full_since.get_or_insert(now);
            let Some(gone) = self.shed_one() else { break };
            shed.push(gone);
        }
        shed
    }

    /// Takes the next message to send.
    pub fn pop(&mut self) -> Option<M> {
        let class =
            [Class::Control, Class::Gossip, Class::Bulk].into_iter().find(|class| self.has(*class))?;
        let message = self.take_oldest(class)?;
        let half_empty = self.len() <= self.config.messages / 2 && self.bytes <= self.config.bytes / 2;
        if half_empty {
            self.full_since = None;
        }
        Some(message)
    }

    /// Takes all that waits, in the order in which it would have been sent, as for another link to the same peer.
    pub fn drain(&mut self) -> impl Iterator<Item = (Class, M)> + use<M> {
        let all = core::mem::replace(self, Self::new(self.config));
        let of = |class| move |waiting: Waiting<M>| (class, waiting.message);
        (all.control.into_iter().map(of(Class::Control)))
            .chain(all.gossip.into_iter().map(of(Class::Gossip)))
            .chain(all.bulk.into_iter().map(of(Class::Bulk)))
    }

    /// Since when messages had to be shed without the queue having been half empty in between: a peer for which that
    /// is 10 s ago counts as failed (`broadcast` 8.10).
    #[must_use]
    pub const fn full_since(&self) -> Option<Instant> {
        self.full_since
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.control.len().saturating_add(self.gossip.len()).saturating_add(self.bulk.len())
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything, as when the link is gone.
    pub fn clear(&mut self) {
        *self = Self::new(self.config);
    }

    fn shed_one(&mut self) -> Option<(Class, M)> {
        let class =
            [Class::Gossip, Class::Bulk, Class::Control].into_iter().find(|class| self.has(*class))?;
        Some((class, self.take_oldest(class)?))
    }

    fn take_oldest(&mut self, class: Class) -> Option<M> {
        let waiting = self.queue(class).pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.size);
        Some(waiting.message)
    }

    fn has(&self, class: Class) -> bool {
        match class {
            Class::Control => !self.control.is_empty(),
            Class::Gossip => !self.gossip.is_empty(),
            Class::Bulk => !self.bulk.is_empty(),
        }
    }

    const fn queue(&mut self, class: Class) -> &mut VecDeque<Waiting<M>> {
        match class {
            Class::Control => &mut self.control,
            Class::Gossip => &mut self.gossip,
            Class::Bulk => &mut self.bulk,
        }
    }
}

#[cfg(test)]
mod tests;
