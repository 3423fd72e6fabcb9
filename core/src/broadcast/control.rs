//! IHAVE, GRAFT, PRUNE, NOTHAVE, optimisation, and neighbours that come and go (`broadcast` 4.3 to 4.6, 8.10).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::machine::{Broadcast, Departed, Timer};
use super::missing::{Announcer, Entry};
use super::store::Serial;
use super::{Announcement, Id, Message, Output, Violation};
use crate::machine::Context;
use crate::stats::{count, count_by};

/// Former neighbours whose answers are awaited at once.
const DEPARTED_MAX: usize = 32;

impl<P: Copy + Ord + Debug> Broadcast<P> {
    /// 4.3.
    pub(super) fn on_ihave(
        &mut self,
        from: P,
        announcements: &[Announcement],
        cx: &mut Context<'_, Output<P>>,
    ) {
        let Some(extended) = self.peers.get(&from).map(|peer| peer.extended) else {
            self.stranger(from, cx);
            return;
        };
        count(&mut self.stats.ihaves_received);
        let excess = announcements.len().saturating_sub(self.config.ihave_ids);
        count_by(&mut self.stats.announcements_shed, excess);
        for announcement in announcements.iter().take(self.config.ihave_ids) {
            // 4.5: a plain peer announces the hop at which it received the message.
            let hop = if extended { announcement.hop.max(1) } else { announcement.hop.saturating_add(1) };
            self.on_announcement(from, announcement.id, hop, cx);
        }
    }

    fn on_announcement(&mut self, from: P, id: Id, hop: u32, cx: &mut Context<'_, Output<P>>) {
        if let Some(serial) = self.store.find(self.now, &id, &self.config) {
            // It has the message: telling it would be a waste.
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.dequeue(serial);
            }
            self.measure(&from, hop, serial);
            if self.may_be_faster(serial) {
                self.optimise(from, hop, serial, cx);
            }
            return;
        }
        let announcer = Announcer { peer: from, hop, asked: false };
        if let Some(waiting) = self.validating.get_mut(&id).filter(|waiting| waiting.swarm.is_some()) {
            if waiting.announcers.iter().all(|known| known.peer != from) {
                waiting.announcers.push(announcer);
            }
            return;
        }
        self.track(announcer, id, cx);
    }

    /// Notes who announced a payload that is not here.
    fn track(&mut self, announcer: Announcer<P>, id: Id, cx: &mut Context<'_, Output<P>>) {
        let known = self.missing.get(&id);
        if known.is_some_and(|entry| entry.announcers.iter().any(|other| other.peer == announcer.peer)) {
            return;
        }
        let full = known.is_none() && self.missing.len() >= self.config.missing;
        let limit = self.config.missing_per_peer;
        let Some(peer) = self.peers.get_mut(&announcer.peer).filter(|peer| !full && peer.promises < limit)
        else {
            count(&mut self.stats.missing_shed);
            return;
        };
        peer.promises = peer.promises.saturating_add(1);
        let entry = self.missing.entry(id).or_insert_with(Entry::new);
        let starts = entry.announcers.is_empty();
        entry.announcers.push(announcer);
        if starts {
            // With no eager neighbour nothing will be pushed: ask at once.
            let idle = self.peers.eager().next().is_none();
            let at = if idle { self.now } else { self.now + self.config.first_graft(cx.rng()) };
            self.timers.set(Timer::Missing(id), Some(at));
            self.schedule_sweep();
        }
    }

    /// 4.4.
    pub(super) fn on_graft(&mut self, from: P, ids: &[Id], cx: &mut Context<'_, Output<P>>) {
        let Some(peer) = self.peers.get_mut(&from) else {
            self.stranger(from, cx);
            return;
        };
        count(&mut self.stats.grafts_received);
        peer.eager = true;
        let excess = ids.len().saturating_sub(self.config.graft_ids);
        count_by(&mut self.stats.grafts_shed, excess);
        let mut not_have = Vec::new();
        for id in ids.iter().take(self.config.graft_ids) {
            if !self.may_serve(from, cx) {
                count(&mut self.stats.grafts_shed);
            } else if !self.serve(from, *id, cx) {
                not_have.push(*id);
            }
        }
        // A plain peer would ban us for a message without an action it knows.
        if !not_have.is_empty() && self.peers.get(&from).is_some_and(|peer| peer.extended) {
            self.send_to(from, Message::NotHave(not_have), cx);
        }
    }

    /// Takes one from what this neighbour may graft within a second. Beyond it is reported once a second.
    fn may_serve(&mut self, from: P, cx: &mut Context<'_, Output<P>>) -> bool {
        let Some(spent) = self.grafted.get_mut(self.now, &from) else {
            if self.grafted.insert(self.now, from, 1).is_some() {
                count(&mut self.stats.memory_shed);
            }
            self.schedule_sweep();
            return true;
        };
        *spent = spent.saturating_add(1);
        if *spent == self.config.grafts_per_second.saturating_add(1) {
            self.violation(from, Violation::RateExceeded, cx);
            return false;
        }
        *spent <= self.config.grafts_per_second
    }

    /// Sends a grafted payload if that is allowed; false if it cannot be had here.
    fn serve(&mut self, from: P, id: Id, cx: &mut Context<'_, Output<P>>) -> bool {
        let Some(serial) = self.store.find(self.now, &id, &self.config) else {
            // What waits for its verdict will be pushed.
            return self.validating.contains(&id);
        };
        let Some((seen, payload)) = self.store.payload(self.now, serial, &self.config) else {
            return !self.was_announced(&from, serial);
        };
        let message = Message::Payload { id, hop: seen.hop.saturating_add(1), payload: payload.clone() };
        let times = self.served.get(self.now, &(from, id)).copied().unwrap_or(0);
        if times >= self.config.serve_times {
            count(&mut self.stats.grafts_shed);
            return true;
        }
        if self.served.insert(self.now, (from, id), times.saturating_add(1)).is_some() {
            count(&mut self.stats.memory_shed);
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.dequeue(serial);
        }
        count(&mut self.stats.grafts_answered);
        self.send_to(from, message, cx);
        true
    }

    /// Whether this neighbour may have been told of an id whose payload is gone.
    fn was_announced(&self, peer: &P, serial: Serial) -> bool {
        let (Some(seen), Some(peer)) = (self.store.seen(serial), self.peers.get(peer)) else { return false };
        seen.relayed && seen.at + self.config.recent >= peer.since
    }

    /// 4.4.
    pub(super) fn on_prune(&mut self, from: P) {
        if let Some(peer) = self.peers.get_mut(&from) {
            count(&mut self.stats.prunes_received);
            peer.eager = false;
        }
    }

    /// 4.4: the peer does not have it any more, so that the next announcer is asked at once.
    pub(super) fn on_not_have(&mut self, from: P, ids: &[Id], cx: &mut Context<'_, Output<P>>) {
        if !self.peers.contains(&from) {
            self.stranger(from, cx);
            return;
        }
        count(&mut self.stats.not_haves_received);
        for id in ids.iter().take(self.config.graft_ids) {
            if self.asked.remove(&(from, *id)).is_some() {
                self.abandon(&from, *id);
                self.fruitless(from, cx);
            }
        }
    }

    /// Strikes an announcer out. If it was the one asked, the next is asked at once.
    fn abandon(&mut self, peer: &P, id: Id) {
        let Some(entry) = self.missing.get_mut(&id) else { return };
        let was_asked = entry.open == Some(*peer);
        if was_asked {
            entry.open = None;
        }
        if entry.forget(peer)
            && let Some(peer) = self.peers.get_mut(peer)
        {
            peer.promises = peer.promises.saturating_sub(1);
        }
        if entry.announcers.is_empty() {
            let at = self.now + self.config.graft_delay.saturating_mul(2);
            self.timers.set(Timer::Missing(id), Some(at));
        } else if was_asked && entry.has_unasked() {
            self.timers.set(Timer::Missing(id), Some(self.now));
        }
    }

    /// 8.6: counts a GRAFT that led to nothing.
    pub(super) fn fruitless(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.broken_promises);
        let Some(broken) = self.promises.get_mut(self.now, &peer) else {
            if self.promises.insert(self.now, peer, 1).is_some() {
                count(&mut self.stats.memory_shed);
            }
            return;
        };
        *broken = broken.saturating_add(1);
        if *broken >= self.config.broken_promises {
            self.promises.remove(&peer);
            self.violation(peer, Violation::BrokenPromises, cx);
        }
    }

    /// Notes how much farther than ours a neighbour's copy of a message has come.
    pub(super) fn measure(&mut self, peer: &P, hop: u32, serial: Serial) {
        let Some(own) = self.store.seen(serial).map(|seen| seen.hop) else { return };
        if let Some(peer) = self.peers.get_mut(peer) {
            let distance = i64::from(hop).saturating_sub(i64::from(own));
            // The greatest value says that nothing is known.
            peer.distance = i32::try_from(distance).unwrap_or(i32::MAX).min(i32::MAX - 1);
        }
    }

    /// Whether a payload that is announced now could have been here as early as ours was. Its announcement was held back
    /// for one batch period at most: if it comes later than that after our delivery, then so would the payload have,
    /// and fewer hops would only make the way slower.
    fn may_be_faster(&self, serial: Serial) -> bool {
        self.store.seen(serial).is_some_and(|seen| self.now <= seen.at + self.config.batch)
    }

    /// 4.5: a lazy link that promises a much shorter way replaces the one that delivered.
    pub(super) fn optimise(
        &mut self,
        announcer: P,
        hop: u32,
        serial: Serial,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let (Some(seen), Some(sender)) = (self.store.seen(serial), self.store.sender(serial)) else { return };
        if announcer == sender || seen.hop < hop.saturating_add(self.config.optimise_threshold) {
            return;
        }
        let lazy = self.peers.get(&announcer).is_some_and(|peer| !peer.eager);
        let eager = self.peers.get(&sender).is_some_and(|peer| peer.eager);
        if !lazy || !eager {
            return;
        }
        let pair = Self::pair(announcer, sender);
        if self.now < self.swap_again || self.swaps.contains(self.now, &pair) {
            count(&mut self.stats.optimisations_deferred);
            return;
        }
        self.swap_again = self.now + self.config.optimise_interval;
        if self.swaps.insert(self.now, pair, ()).is_some() {
            count(&mut self.stats.memory_shed);
        }
        self.set_eager(&announcer, true);
        self.set_eager(&sender, false);
        count(&mut self.stats.optimisations);
        self.send_to(announcer, Message::Graft(Vec::new()), cx);
        self.send_to(sender, Message::Prune, cx);
    }

    pub(super) fn set_eager(&mut self, peer: &P, eager: bool) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.eager = eager;
        }
    }

    /// 4.6.
    pub(super) fn on_up(&mut self, peer: P, extended: bool) {
        if !self.peers.insert(peer, extended, self.now) {
            if let Some(peer) = self.peers.get_mut(&peer) {
                peer.extended |= extended;
            }
            return;
        }
        self.departed.retain(|departed| departed.peer != peer);
        let since = self.now - self.config.recent.min(self.config.cache_lifetime);
        let mut recent: VecDeque<Serial> =
            self.store.newest_first(since).take(self.config.ihave_ids).collect();
        recent.make_contiguous().reverse();
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.queue = recent;
            if !peer.queue.is_empty() {
                self.start_batch();
            }
        }
    }

    /// 4.6, and 8.9 for what it was asked.
    pub(super) fn on_down(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(lost) = self.peers.remove(&peer) else { return };
        let supplied = self.supplier == Some(peer);
        if supplied {
            self.supplier = None;
        }
        let announced: Vec<Id> = if lost.promises == 0 {
            Vec::new()
        } else {
            let of_peer = |entry: &Entry<P>| entry.announcers.iter().any(|announcer| announcer.peer == peer);
            self.missing.iter().filter(|(_, entry)| of_peer(entry)).map(|(id, _)| *id).collect()
        };
        let mut open = Vec::new();
        for id in announced {
            if self.missing.get(&id).is_some_and(|entry| entry.open == Some(peer)) {
                open.push(id);
                self.timers.set(Timer::Missing(id), Some(self.now));
            }
            self.abandon(&peer, id);
        }
        if !open.is_empty() {
            let (now, until) = (self.now, self.now + self.config.farewell);
            self.departed.retain(|departed| departed.until > now);
            if self.departed.len() < DEPARTED_MAX {
                self.departed.push(Departed { peer, until, ids: open });
            }
        }
        if lost.eager {
            self.repair(supplied, cx);
        }
    }

    /// Whether a former neighbour's payload answers a GRAFT that was open when it left.
    pub(super) fn is_awaited(&self, peer: &P, id: &Id) -> bool {
        let of_peer =
            self.departed.iter().filter(|departed| departed.peer == *peer && departed.until > self.now);
        of_peer.into_iter().any(|departed| departed.ids.contains(id)) && self.missing.contains_key(id)
    }

    /// 4.6: an eager link is lost. If it was the last, or the one that delivers, a lazy one takes its place now instead
    /// of after the next announcement. The nearest is taken; where others are left, only one that was not behind us in
    /// the tree: a descendant is at least three hops farther, and would tie a knot instead of a tree.
    fn repair(&mut self, supplied: bool, cx: &mut Context<'_, Output<P>>) {
        let alone = self.peers.eager().next().is_none();
        let nearest = self.peers.iter().filter(|peer| !peer.eager).min_by_key(|peer| peer.distance);
        let Some((peer, distance)) = nearest.map(|peer| (peer.id, peer.distance)) else { return };
        if alone || (supplied && distance <= 2) {
            count(&mut self.stats.repairs);
            self.set_eager(&peer, true);
            self.send_to(peer, Message::Graft(Vec::new()), cx);
        }
    }

    /// 8.10.
    pub(super) fn on_shed(&mut self, peer: P, announcements: &[Announcement]) {
        for announcement in announcements {
            if let Some(serial) = self.store.find(self.now, &announcement.id, &self.config) {
                self.queue(&peer, serial);
            }
        }
    }

    /// Ends the search for a payload; who announced it.
    pub(super) fn forget_missing(&mut self, id: &Id) -> Vec<Announcer<P>> {
        let Some(entry) = self.missing.remove(id) else { return Vec::new() };
        self.timers.remove(&Timer::Missing(*id));
        for announcer in &entry.announcers {
            if let Some(peer) = self.peers.get_mut(&announcer.peer) {
                peer.promises = peer.promises.saturating_sub(1);
            }
        }
        entry.announcers
    }
}
