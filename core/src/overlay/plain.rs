//! Living with nodes of the original library, which show no field of 3.2 (`overlay` 3.3, rules a to e).
//!
//! All of it is off unless `plain_peers` is set. Rule (e), no message to a plain peer on a topic it may not have, holds
//! by construction: we speak first only to bootstrap nodes and to peers that others named on this topic; rule (b) is
//! the exception and looks at it.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use super::{Contact, Message, Output, Overlay, Priority};
use crate::machine::Context;
use crate::time::Instant;

/// So long after our JOIN a stranger's dial is taken for its consequence.
const JOINED_LATELY: Duration = Duration::from_secs(60);

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Whether the rules for plain peers apply to this one.
    pub(super) fn is_plain(&self, peer: &P) -> bool {
        self.config.plain_peers && !self.is_extended(peer)
    }

    pub(super) fn is_extended(&self, peer: &P) -> bool {
        self.links.get(peer).is_some_and(|link| link.extended)
    }

    /// It has shown a field of 3.2 on another topic.
    pub(super) fn on_extended(&mut self, peer: P) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| link.connected) {
            link.extended = true;
        }
    }

    /// A message came from a peer that is not active: rules (a) and (c).
    pub(super) fn plain_spoke(&mut self, from: P, message: &Message<P>, cx: &mut Context<'_, Output<P>>) {
        if !self.is_plain(&from) {
            return;
        }
        match message {
            Message::Disconnect { .. } => {}
            Message::Join { .. } | Message::Neighbor { .. } | Message::ShuffleReply { .. } => {
                self.plain_accepted(from, cx);
            }
            Message::ForwardJoin { .. } | Message::Shuffle { .. } => {
                self.plain_accepted(from, cx);
                self.adopt(from, cx);
            }
        }
    }

    /// A message of the broadcast layer came from a peer that is not active (6.2, 3.3 c).
    pub(super) fn on_stranger(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&peer) {
            return;
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.silent_until = None;
        }
        if self.is_plain(&peer) {
            self.plain_accepted(peer, cx);
            self.adopt(peer, cx);
        }
        if !self.active.contains(&peer) && !self.pending.contains(&peer) {
            self.turn_away(peer, cx);
        }
    }

    /// Rule (b): peers that dialled us and said nothing may believe in a link.
    pub(super) fn ask_silent(&mut self, cx: &mut Context<'_, Output<P>>) {
        let now = cx.now();
        let due = |silent_until: Option<Instant>| silent_until.is_some_and(|until| until <= now);
        while let Some(peer) = self.links.find(|link| due(link.silent_until)) {
            if let Some(link) = self.links.get_mut(&peer) {
                link.silent_until = None;
            }
            let known = self.joining.is_recent(now, JOINED_LATELY) || self.passive.contains(&peer);
            let free = self.active.len() + self.pending.len() < self.capacity.active;
            if known && free && self.is_plain(&peer) && !self.is_backed_off(&peer, now) {
                self.request(peer, &[], Priority::Low, cx);
            }
        }
    }

    /// Rule (a): whatever it says on the topic, it takes us for a neighbour.
    fn plain_accepted(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.pending.get(&peer).is_some_and(|request| request.asked) {
            self.accepted(peer, Vec::new(), None, cx);
        }
    }

    /// Rule (c): it takes us for a neighbour; with a free place it becomes one.
    fn adopt(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let known = self.active.contains(&peer) || self.pending.contains(&peer);
        if known || !self.is_connected(&peer) || self.active.len() >= self.capacity.active {
            return;
        }
        if self.config.check_registration {
            self.request(peer, &[], Priority::Low, cx);
        } else {
            self.link(Contact { peer, addresses: Vec::new() }, cx);
        }
    }
}
