//! The active view: activation, the end of a link, and whom to evict (`overlay` 5.3, 6.6, 6.10).

use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::passive::Candidate;
use super::{DownReason, Event, Message, Output, Overlay, Priority};
use crate::machine::Context;
use crate::rng;
use crate::stats::count;
use crate::time::Instant;

/// What is known of a neighbour.
#[derive(Clone, Debug)]
pub(super) struct Neighbor {
    /// Since when.
    pub(super) since: Instant,
    /// When it last said something on this topic.
    pub(super) heard: Instant,
    /// When it was last sent a NEIGHBOR.
    pub(super) told: Option<Instant>,
    /// The highest epoch of a NEIGHBOR from it; 0 if it has none.
    pub(super) epoch: u64,
    /// Whether we asked for the link.
    pub(super) ours: bool,
    /// Where it may be reached.
    pub(super) addresses: Vec<Bytes>,
}

impl Neighbor {
    /// Whether it was said before the latest NEIGHBOR from it (6.3). Without an epoch there is no telling.
    pub(super) fn is_stale(&self, epoch: Option<u64>) -> bool {
        epoch.is_some_and(|epoch| epoch != 0 && epoch < self.epoch)
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Makes `peer` a neighbour. There is room: the caller has seen to it.
    pub(super) fn activate(
        &mut self,
        peer: P,
        addresses: Vec<Bytes>,
        epoch: Option<u64>,
        ours: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        let known = self.pending.remove(&peer).map(|request| request.candidate);
        let known = self.passive.remove(&peer).or(known);
        let addresses = match known {
            Some(candidate) if addresses.is_empty() => candidate.addresses,
            Some(_) | None => addresses,
        };
        self.hold(peer, &addresses, cx);
        let neighbor =
            Neighbor { since: now, heard: now, told: None, epoch: epoch.unwrap_or(0), ours, addresses };
        self.active.insert(peer, neighbor);
        self.answers.refusals = 0;
        self.unsettled = true;
        if self.active.len() >= self.capacity.active {
            self.refilling = false;
        }
        self.lost.retain(|lost| lost.peer != peer);
        self.joined(cx);
        count(&mut self.stats.neighbors_won);
        cx.emit(Output::Event(Event::NeighborUp { peer }));
    }

    /// Ends being neighbours. What becomes of the peer and of its link is the caller's business.
    pub(super) fn deactivate(
        &mut self,
        peer: P,
        reason: DownReason,
        cx: &mut Context<'_, Output<P>>,
    ) -> Option<Neighbor> {
        let neighbor = self.active.remove(&peer)?;
        self.refilling = true;
        self.unsettled = true;
        count(&mut self.stats.neighbors_lost);
        cx.emit(Output::Event(Event::NeighborDown { peer, reason }));
        Some(neighbor)
    }

    /// Whether there is a place, or one can be made for `newcomer` within the budget of 6.6.
    pub(super) fn make_room(&mut self, newcomer: P, cx: &mut Context<'_, Output<P>>) -> bool {
        if self.active.len() < self.capacity.active {
            return true;
        }
        if !self.may_evict(cx.now()) {
            count(&mut self.stats.evictions_withheld);
            return false;
        }
        let Some(victim) = self.choose_victim(newcomer, cx) else { return false };
        self.evictions.push(cx.now());
        self.evict(victim, cx);
        true
    }

    /// Whether the budget allows one more eviction: A / 2 in 10 s, at least one.
    pub(super) fn may_evict(&mut self, now: Instant) -> bool {
        let window = self.config.eviction_window;
        self.evictions.retain(|evicted| now.since(*evicted) < window);
        self.evictions.len() < (self.capacity.active / 2).max(1)
    }

    /// Evicts a random member if there are too many (1.1).
    pub(super) fn trim_active(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.active.len() > self.capacity.active
            && let Some(victim) = self.choose_victim(self.me, cx)
        {
            self.evict(victim, cx);
        }
    }

    fn evict(&mut self, victim: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.evictions);
        self.send_disconnect(victim, true, Some(self.config.eviction_backoff), cx);
        self.send_parting_sample(victim, cx);
        self.back_off(victim, self.config.eviction_backoff, cx);
        if let Some(neighbor) = self.deactivate(victim, DownReason::Evicted, cx) {
            self.keep(victim, Candidate::verified(neighbor.addresses, victim), cx);
        }
        self.release_unused(victim, cx);
    }

    /// A random neighbour; if possible not one linked a moment ago (4.4), then not one that we asked for ourselves, so
    /// that newcomers displace one another before they displace our own choices (T-44).
    fn choose_victim(&self, newcomer: P, cx: &mut Context<'_, Output<P>>) -> Option<P> {
        let now = cx.now();
        let class = |neighbor: &Neighbor| (now.since(neighbor.since) < self.config.fresh_link, neighbor.ours);
        let others = || self.active.iter().filter(|(peer, _)| *peer != newcomer);
        let best = others().map(|(_, neighbor)| class(neighbor)).min()?;
        let eligible = || others().filter(|(_, neighbor)| class(neighbor) == best);
        let rank = rng::index(cx.rng(), eligible().count())?;
        eligible().nth(rank).map(|(peer, _)| peer)
    }

    /// Sends every silent neighbour a NEIGHBOR: it repairs a link that only one side has (6.2).
    pub(super) fn refresh(&mut self, cx: &mut Context<'_, Output<P>>) {
        let now = cx.now();
        let period = self.config.refresh_period;
        let silent: Vec<P> = self
            .active
            .iter()
            .filter(|(_, neighbor)| now.since(neighbor.heard) >= period)
            .map(|(peer, _)| peer)
            .collect();
        for peer in silent {
            self.send_neighbor(peer, Priority::Low, cx);
        }
    }

    /// Sends NEIGHBOR with the present epoch.
    pub(super) fn send_neighbor(&mut self, to: P, priority: Priority, cx: &mut Context<'_, Output<P>>) {
        if let Some(neighbor) = self.active.get_mut(&to) {
            neighbor.told = Some(cx.now());
        }
        let message = Message::Neighbor { peer: self.own_contact(), priority, epoch: Some(self.epoch) };
        self.send(to, message, cx);
    }

    /// Sends a NEIGHBOR that starts a link: the epoch advances (6.3).
    pub(super) fn start_link(&mut self, to: P, priority: Priority, cx: &mut Context<'_, Output<P>>) {
        self.epoch = self.epoch.saturating_add(1);
        self.send_neighbor(to, priority, cx);
    }
}
