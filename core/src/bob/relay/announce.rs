//! The table of servers, and how clients hear of it (`bob-relay.md` 6.2, 6.9).
//!
//! Servers stand in the order of their last hello. A client holds the position up to which it was told; what is still to
//! be told is written when there is room in its queue. So a newcomer to a busy relay costs nobody a queue.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::BytesMut;

use super::link::{Link, Server};
use super::machine::Relay;
use super::{Cx, Output};
use crate::bob::packet::{Body, PUBLIC_LEN, Packet, Uid};
use crate::link::LinkId;
use crate::stats::count;

/// Registered servers by their last hello, and by slots that are used again.
#[derive(Debug, Default)]
pub(super) struct Servers {
    last: u64,
    by_sequence: BTreeMap<u64, LinkId>,
    slots: Vec<Option<LinkId>>,
    free: Vec<usize>,
}

impl Servers {
    pub(super) fn add(&mut self, public: [u8; PUBLIC_LEN], id: LinkId) -> Server {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = Some(id),
            None => self.slots.push(Some(id)),
        }
        let mut server = Server { public, slot, sequence: 0 };
        self.repeat(&mut server, None, id);
        server
    }

    /// A server goes to the end, with its new public if it shows one.
    pub(super) fn repeat(&mut self, server: &mut Server, public: Option<[u8; PUBLIC_LEN]>, id: LinkId) {
        self.by_sequence.remove(&server.sequence);
        self.last = self.last.saturating_add(1);
        server.sequence = self.last;
        server.public = public.unwrap_or(server.public);
        self.by_sequence.insert(self.last, id);
    }

    pub(super) fn remove(&mut self, server: &Server) {
        self.by_sequence.remove(&server.sequence);
        if let Some(place) = self.slots.get_mut(server.slot)
            && place.take().is_some()
        {
            self.free.push(server.slot);
        }
    }

    pub(super) fn link_at(&self, slot: usize) -> Option<LinkId> {
        self.slots.get(slot).copied().flatten()
    }

    pub(super) fn uid_at(&self, slot: usize, links: &BTreeMap<LinkId, Link>) -> Option<Uid> {
        Some(links.get(&self.link_at(slot)?)?.peer()?.uid)
    }

    pub(super) fn len(&self) -> usize {
        self.by_sequence.len()
    }

    fn after(&self, position: u64) -> impl Iterator<Item = (u64, LinkId)> + '_ {
        self.by_sequence.range(position.saturating_add(1)..).map(|(sequence, id)| (*sequence, *id))
    }
}

impl Relay {
    pub(super) fn announce_to_all(&mut self, cx: &mut Cx<'_>) {
        let clients: Vec<LinkId> = self.clients.iter().copied().collect();
        for client in clients {
            self.announce(client, cx);
        }
    }

    /// Tells a client of the servers behind its position, as many as its queue has room for.
    pub(super) fn announce(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(client) = self.links.get(&id).and_then(|link| link.peer()) else { return };
        if client.outbox.is_broken {
            return;
        }
        let Some(mut position) = client.client().map(|client| client.position) else { return };
        let room = self.config.announced_bytes_max.saturating_sub(client.outbox.bytes());
        let mut bytes = BytesMut::new();
        let mut slots = Vec::new();
        for (sequence, server) in self.servers.after(position) {
            if bytes.len() >= room {
                break;
            }
            position = sequence;
            let Some(peer) = self.links.get(&server).and_then(|link| link.peer()) else { continue };
            let Some(server) = peer.server() else { continue };
            let body =
                Body::NewServer { server: peer.uid, public: server.public, identity: peer.identity.clone() };
            if Packet::of_relay(body).encode(&mut bytes).is_ok() {
                slots.push(server.slot);
            }
        }
        let Some(peer) = self.links.get_mut(&id).and_then(|link| link.peer_mut()) else { return };
        if let Some(client) = peer.client_mut() {
            client.position = position;
            slots.iter().for_each(|slot| client.candidates.insert(*slot));
        }
        if bytes.is_empty() {
            return;
        }
        slots.iter().for_each(|_| count(&mut self.stats.announced));
        peer.outbox.sent(Uid::RELAY, bytes.len());
        cx.emit(Output::Send { link: id, bytes: bytes.freeze() });
    }
}
