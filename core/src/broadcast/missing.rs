//! Payloads that were announced and are not here, and whom to ask for each.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Id;

/// Who announced a missing payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcer<P> {
    pub(super) peer: P,
    /// The hop that its copy would carry.
    pub(super) hop: u32,
    /// Whether it was asked in this round.
    pub(super) asked: bool,
}

/// A missing payload. Its one timer is kept with the others.
#[derive(Clone, Debug)]
pub(super) struct Entry<P> {
    /// In the order of their announcements.
    pub(super) announcers: Vec<Announcer<P>>,
    /// Who was asked last and has not answered.
    pub(super) open: Option<P>,
    /// GRAFTs sent.
    pub(super) attempts: u8,
}

impl<P: Copy + Ord> Entry<P> {
    pub(super) const fn new() -> Self {
        Self { announcers: Vec::new(), open: None, attempts: 0 }
    }

    /// The next to ask: the first not yet asked, or from the start again.
    pub(super) fn next_to_ask(&mut self) -> Option<P> {
        if self.announcers.iter().all(|announcer| announcer.asked) {
            self.announcers.iter_mut().for_each(|announcer| announcer.asked = false);
        }
        let next = self.announcers.iter_mut().find(|announcer| !announcer.asked)?;
        next.asked = true;
        Some(next.peer)
    }

    pub(super) fn has_unasked(&self) -> bool {
        self.announcers.iter().any(|announcer| !announcer.asked)
    }

    /// Whether this peer was among the announcers.
    pub(super) fn forget(&mut self, peer: &P) -> bool {
        let before = self.announcers.len();
        self.announcers.retain(|announcer| announcer.peer != *peer);
        self.announcers.len() < before
    }
}

pub(super) type Missing<P> = BTreeMap<Id, Entry<P>>;
