//! The links of one model node: at most one to each peer.

use pleach_core::Instant;

/// Links by peer, in order.
#[derive(Debug, Default)]
pub(super) struct Links {
    entries: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) peer: u32,
    /// Tells the attempts to link one pair apart.
    pub(super) serial: u64,
    pub(super) phase: Phase,
    /// Whether the machines of this node need it.
    pub(super) held: bool,
    /// When anything last came over it, or it was released.
    pub(super) used: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Held, and nothing more.
    Down,
    /// We dialled and have no answer.
    Dialling,
    Up,
}

impl Links {
    pub(super) fn get(&self, peer: u32) -> Option<&Link> {
        self.entries.get(self.rank(peer).ok()?)
    }

    pub(super) fn get_mut(&mut self, peer: u32) -> Option<&mut Link> {
        let rank = self.rank(peer).ok()?;
        self.entries.get_mut(rank)
    }

    /// The link to `peer`; a new one is down and not held.
    pub(super) fn entry(&mut self, peer: u32, now: Instant) -> Option<&mut Link> {
        let rank = self.rank(peer).unwrap_or_else(|rank| {
            let link = Link { peer, serial: 0, phase: Phase::Down, held: false, used: now };
            self.entries.insert(rank, link);
            rank
        });
        self.entries.get_mut(rank)
    }

    /// Forgets the link if it is neither up, nor dialled, nor held.
    pub(super) fn forget_unused(&mut self, peer: u32) {
        if let Ok(rank) = self.rank(peer)
            && self.entries.get(rank).is_some_and(|link| link.phase == Phase::Down && !link.held)
        {
            self.entries.remove(rank);
        }
    }

    /// All links that are up or dialled.
    pub(super) fn open(&self) -> impl Iterator<Item = &Link> {
        self.entries.iter().filter(|link| link.phase != Phase::Down)
    }

    fn rank(&self, peer: u32) -> Result<usize, usize> {
        self.entries.binary_search_by(|link| link.peer.cmp(&peer))
    }
}
