//! Which peers are connected, which links this topic holds, and temporary connections with the errand they serve.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::{Contact, DownReason, Message, Output, Overlay};
use crate::machine::Context;
use crate::stats::count;
use crate::time::Instant;

/// A peer that is connected or held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// A connection stands.
    pub(super) connected: bool,
    /// We said `Hold` and not yet `Release`.
    pub(super) held: bool,
    /// We said `Dial` and have no answer.
    pub(super) dialling: bool,
    /// The connection is one that we dialled.
    pub(super) dialled: bool,
    /// The peer has shown a field of 3.2: it is not plain.
    pub(super) extended: bool,
    /// A plain peer dialled us and has said nothing; it is looked at then (3.3 b).
    pub(super) silent_until: Option<Instant>,
}

impl Link {
    /// Notes what a message tells about its sender.
    pub(super) const fn heard<P>(&mut self, message: &Message<P>) {
        self.silent_until = None;
        self.extended |= match message {
            Message::Join { nonce, .. }
            | Message::ForwardJoin { nonce, .. }
            | Message::Shuffle { nonce, .. }
            | Message::ShuffleReply { nonce, .. } => nonce.is_some(),
            Message::Neighbor { epoch, .. } => epoch.is_some(),
            Message::Disconnect { epoch, backoff_s, .. } => epoch.is_some() || backoff_s.is_some(),
        };
    }
}

/// A link that is held for a while only.
#[derive(Clone, Debug)]
pub(super) struct Temporary<P> {
    pub(super) until: Instant,
    /// What to say once connected.
    pub(super) errand: Option<Box<Errand<P>>>,
}

/// What a temporary connection is for.
#[derive(Clone, Debug)]
pub(super) enum Errand<P> {
    /// Join through this bootstrap node.
    Join,
    /// Start a shuffle there (6.12).
    Shuffle,
    /// Hand over the reply to a shuffle; if that fails, back along the walk.
    Reply { nodes: Vec<Contact<P>>, nonce: Option<u64>, via: P },
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    pub(super) fn is_connected(&self, peer: &P) -> bool {
        self.links.get(peer).is_some_and(|link| link.connected)
    }

    /// Whether a connection stands that we dialled: then the addresses are right.
    pub(super) fn was_dialled(&self, peer: &P) -> bool {
        self.links.get(peer).is_some_and(|link| link.connected && link.dialled)
    }

    /// Holds the link to `peer`, and dials where there is none.
    pub(super) fn hold(&mut self, peer: P, addresses: &[Bytes], cx: &mut Context<'_, Output<P>>) {
        if !self.links.contains(&peer) {
            self.links.insert(peer, Link::default());
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        if !link.held {
            link.held = true;
            cx.emit(Output::Hold { peer });
        }
        if !link.connected && !link.dialling {
            link.dialling = true;
            cx.emit(Output::Dial { peer, addresses: addresses.to_vec() });
        }
    }

    /// Releases the link to `peer` if nothing needs it any more.
    pub(super) fn release_unused(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&peer) || self.pending.contains(&peer) || self.temporary.contains(&peer) {
            return;
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.held {
            link.held = false;
            link.dialling = false;
            cx.emit(Output::Release { peer });
        }
        if !link.connected {
            self.links.remove(&peer);
        }
    }

    /// Holds a connection for a while and runs the errand as soon as it stands. False if there are too many.
    pub(super) fn visit(
        &mut self,
        contact: &Contact<P>,
        errand: Option<Errand<P>>,
        cx: &mut Context<'_, Output<P>>,
    ) -> bool {
        let peer = contact.peer;
        if !self.can_visit(&peer) {
            count(&mut self.stats.temporaries_shed);
            return false;
        }
        let connected = self.is_connected(&peer);
        let stay = if connected { self.config.temporary_lifetime } else { self.request_deadline() };
        let until = cx.now() + stay;
        let errand = if connected {
            if let Some(errand) = errand {
                self.run_errand(peer, errand, cx);
            }
            None
        } else {
            errand.map(Box::new)
        };
        self.temporary.insert(peer, Temporary { until, errand });
        self.hold(peer, &contact.addresses, cx);
        true
    }

    /// Whether there is room for one more temporary connection, and no errand to this peer waits.
    pub(super) fn can_visit(&self, peer: &P) -> bool {
        self.temporary.get(peer).map_or_else(
            || self.temporary.len() < self.config.temporary_max,
            |temporary| temporary.errand.is_none(),
        )
    }

    /// Ends a temporary connection; what it was for fails if it was not done.
    pub(super) fn end_visit(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(temporary) = self.temporary.remove(&peer) else { return };
        self.release_unused(peer, cx);
        match temporary.errand.map(|errand| *errand) {
            Some(Errand::Join) => self.join_failed(cx),
            Some(Errand::Reply { nodes, nonce, via }) => {
                self.send(via, Message::ShuffleReply { nodes, nonce }, cx);
            }
            Some(Errand::Shuffle) | None => {}
        }
    }

    pub(super) fn on_connected(&mut self, peer: P, dialled: bool, cx: &mut Context<'_, Output<P>>) {
        if peer == self.me {
            return;
        }
        if !self.links.contains(&peer) {
            self.links.insert(peer, Link::default());
        }
        let watch = self.config.plain_peers && !dialled;
        let silent_until = cx.now() + self.config.plain_silence;
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.connected {
            return;
        }
        link.connected = true;
        link.dialled = dialled;
        link.dialling = false;
        link.silent_until = watch.then_some(silent_until);
        if dialled && let Some(candidate) = self.passive.get_mut(&peer) {
            candidate.reached();
        }
        if dialled && let Some(request) = self.pending.get_mut(&peer) {
            request.candidate.reached();
        }
        if self.pending.get(&peer).is_some_and(|request| !request.checking) {
            self.ask(peer, cx);
        }
        let until = cx.now() + self.config.temporary_lifetime;
        let errand = self.temporary.get_mut(&peer).and_then(|temporary| {
            temporary.until = until;
            temporary.errand.take()
        });
        if let Some(errand) = errand {
            self.run_errand(peer, *errand, cx);
        }
    }

    pub(super) fn on_disconnected(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.connected) else { return };
        link.connected = false;
        link.extended = false;
        link.silent_until = None;
        self.parking.forget_sender(&peer);
        if self.active.contains(&peer) {
            self.lose(peer, cx);
        }
        self.request_failed(peer, cx);
        self.end_visit(peer, cx);
        self.release_unused(peer, cx);
    }

    pub(super) fn on_dial_failed(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.dialling) else { return };
        link.dialling = false;
        self.request_failed(peer, cx);
        self.end_visit(peer, cx);
    }

    pub(super) fn on_unresponsive(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&peer) {
            self.send_disconnect(peer, true, None, cx);
            self.lose(peer, cx);
            self.release_unused(peer, cx);
        }
    }

    /// Neither lost nor in reserve: it would be asked back (6.13, 5.4).
    pub(super) fn on_misbehaved(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&peer) {
            let backoff = self.config.misconduct_backoff;
            self.send_disconnect(peer, true, Some(backoff), cx);
            self.back_off(peer, backoff, cx);
            self.deactivate(peer, DownReason::Local, cx);
            self.release_unused(peer, cx);
        }
    }

    /// A neighbour is gone without a word: it is remembered as lost (6.13).
    fn lose(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if let Some(neighbor) = self.deactivate(peer, DownReason::Lost, cx) {
            self.remember_lost(peer, neighbor.addresses, cx.now());
        }
    }

    fn run_errand(&mut self, peer: P, errand: Errand<P>, cx: &mut Context<'_, Output<P>>) {
        match errand {
            Errand::Join => self.send_join(peer, cx),
            Errand::Shuffle => self.send_shuffle(peer, cx),
            Errand::Reply { nodes, nonce, .. } => self.send(peer, Message::ShuffleReply { nodes, nonce }, cx),
        }
    }
}
