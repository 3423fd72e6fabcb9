//! Forwarding: what waits for each link, and the frames it is sent in (H4, H5).

use alloc::vec::Vec;

use super::link::{Link, Progress};
use super::machine::Cx;
use super::table::Entry;
use super::{Announced, Heads, Output, Rules};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// Places of the table looked at for one frame: bounds the work when much of it is not for the link.
const LOOKED_AT_MAX: usize = 1024;

impl<R: Rules> Heads<R> {
    pub(super) fn on_link_up(&mut self, peer: R::Peer, now: Instant) {
        if self.links.contains_key(&peer) {
            return;
        }
        let mut link = Link::new(self.next_serial, self.config.entries);
        self.next_serial = self.next_serial.saturating_add(1);
        if self.is_empty() {
            link.progress = Progress::Done;
        }
        self.links.insert(peer, link);
        self.schedule(peer, now);
    }

    pub(super) fn on_drained(&mut self, peer: R::Peer, cx: Cx<'_, '_, R>) {
        let now = cx.now();
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.busy) else { return };
        link.busy = false;
        if link.due.is_some_and(|due| due <= now) {
            self.send_frame(peer, cx);
        } else {
            self.schedule(peer, now);
        }
    }

    /// The entry under `key` changed: every link but its source is to hear it.
    pub(super) fn announce(&mut self, key: &R::Key, now: Instant) {
        let Some(entry) = self.table.get(key) else { return };
        let mut hearers = Vec::new();
        for (peer, link) in &mut self.links {
            if !is_for(entry, *peer, link) || link.will_reach(entry.issued, key) {
                link.changed.remove(key);
            } else if link.changed.push(key.clone(), ()).is_none() {
                hearers.push(*peer);
            }
        }
        for peer in hearers {
            self.schedule(peer, now);
        }
    }

    /// Sees to it that what waits for `peer` goes in time, unless a frame is on its way to it.
    fn schedule(&mut self, peer: R::Peer, now: Instant) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.due = if link.is_waiting() {
            link.due.or_else(|| Some((now + self.config.batch_delay).max(now.next())))
        } else {
            None
        };
        let at = if link.busy { None } else { link.due };
        self.frames.set(peer, at);
    }

    /// Sends what may go now in one frame.
    pub(super) fn send_frame(&mut self, peer: R::Peer, cx: Cx<'_, '_, R>) {
        let now = cx.now();
        let Some(link) = self.links.get_mut(&peer).filter(|link| !link.busy) else { return };
        let allowance = link.allowance(now, &self.config);
        if allowance == 0 {
            link.due = Some(link.next_allowance(now));
            return self.schedule(peer, now);
        }
        let heads = self.next_heads(peer, allowance);
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.due = link.is_waiting().then(|| (now + self.config.frame_interval()).max(now.next()));
        if !heads.is_empty() {
            link.busy = true;
            link.note_sent(now, heads.len());
            count(&mut self.stats.frames_sent);
            count_by(&mut self.stats.heads_sent, heads.len());
            cx.emit(Output::Send { to: peer, heads });
        }
        self.schedule(peer, now);
    }

    /// Takes at most `count` HEADs for a link: what changed first, then the rest of the table.
    fn next_heads(&mut self, peer: R::Peer, count: usize) -> Vec<Announced<R::Head>> {
        let mut heads = Vec::new();
        let Some(link) = self.links.get_mut(&peer) else { return heads };
        while heads.len() < count {
            let Some((key, ())) = link.changed.pop() else { break };
            if let Some(entry) = self.table.get(&key) {
                heads.push(forwarded::<R>(entry));
            }
        }
        let mut looked_at = 0;
        while heads.len() < count && looked_at < LOOKED_AT_MAX && link.progress != Progress::Done {
            looked_at += 1;
            let place = match &link.progress {
                Progress::Down(issued, key) => Some((*issued, key.clone())),
                Progress::Start | Progress::Done => None,
            };
            let Some((issued, key)) = self.table.younger_to_older(place.as_ref()) else {
                link.progress = Progress::Done;
                break;
            };
            if let Some(entry) = self.table.get(key).filter(|entry| is_for(entry, peer, link)) {
                heads.push(forwarded::<R>(entry));
            }
            link.progress = Progress::Down(*issued, key.clone());
        }
        heads
    }
}

/// Whether an entry is to be sent on a link: it is spread, and did not come over it.
fn is_for<P: Eq, K, H>(entry: &Entry<P, H>, peer: P, link: &Link<K>) -> bool {
    let came_over_it =
        entry.source.as_ref().is_some_and(|from| from.peer == peer && from.serial == link.serial);
    entry.spread && !came_over_it
}

/// An entry as the next node is told it: one step farther, unless it is our own.
fn forwarded<R: Rules>(entry: &Entry<R::Peer, R::Head>) -> Announced<R::Head> {
    let step = if entry.source.is_some() { entry.step.saturating_add(1).min(R::STEP_MAX) } else { 0 };
    Announced { head: entry.head.clone(), step }
}
