//! The handshake port: hellos and goodbyes (`bob-relay.md` 6.1, 6.2, 6.3, 6.7, 6.8).

use alloc::vec::Vec;

use bytes::Bytes;

use super::link::{Client, Part, Peer, Server, State};
use super::machine::{Relay, Timer};
use super::outbox::Outbox;
use super::{Cx, Departure, Event, Output, Role};
use crate::bob::Identity;
use crate::bob::packet::{Body, PUBLIC_LEN, Packet, Uid};
use crate::link::{How, LinkId};
use crate::stats::count;

impl Relay {
    pub(super) fn hall_received(&mut self, id: LinkId, mut bytes: Bytes, cx: &mut Cx<'_>) {
        loop {
            let Some(link) = self.links.get_mut(&id) else { return };
            // What follows a packet that has ended the link is not looked at.
            let State::Hall(hall) = &mut link.state else { return };
            if hall.peer.as_ref().is_some_and(|peer| peer.outbox.is_broken) {
                return;
            }
            match hall.decoder.next(&mut bytes) {
                Ok(Some(packet)) => self.packet(id, packet, cx),
                Ok(None) => return,
                Err(_) => {
                    count(&mut self.stats.malformed);
                    return self.depart(id, Departure::Violation, cx);
                }
            }
        }
    }

    fn packet(&mut self, id: LinkId, packet: Packet, cx: &mut Cx<'_>) {
        match packet.body {
            Body::HelloAsServer { public } => self.hello(id, Some(public), cx),
            Body::HelloAsClient => self.hello(id, None, cx),
            Body::RelayFailure(_) => count(&mut self.stats.reported),
            Body::ClientValidator { .. }
            | Body::ServerShare { .. }
            | Body::ClientShare { .. }
            | Body::Agreement
            | Body::Accepted
            | Body::Refused
            | Body::SpokeFailure(_) => self.route(id, packet, cx),
            Body::ServerIdentity { .. }
            | Body::ClientIdentity { .. }
            | Body::NewServer { .. }
            | Body::Closed { .. }
            | Body::Done
            | Body::Timeout => count(&mut self.stats.dropped_direction),
        }
    }

    /// A server says hello if it shows its public, else a client.
    fn hello(&mut self, id: LinkId, public: Option<[u8; PUBLIC_LEN]>, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let role = if public.is_some() { Role::Server } else { Role::Client };
        let Some(peer) = link.peer_mut() else { return self.register(id, public, cx) };
        if peer.role() != role {
            return count(&mut self.stats.hellos_ignored);
        }
        if peer.repeats >= self.config.hello_repeats_max {
            count(&mut self.stats.hellos_excessive);
            return self.depart(id, Departure::Violation, cx);
        }
        peer.repeats = peer.repeats.saturating_add(1);
        match &mut peer.part {
            Part::Server(server) => self.servers.repeat(server, public, id),
            Part::Client(client) => client.position = 0,
        }
        self.welcome(id, cx);
    }

    fn register(&mut self, id: LinkId, public: Option<[u8; PUBLIC_LEN]>, cx: &mut Cx<'_>) {
        let Some(uid) = self.free_uid() else {
            count(&mut self.stats.uids_exhausted);
            return self.close(id, How::Flush, cx);
        };
        if !self.admit(id, cx) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let State::Hall(hall) = &mut link.state else { return };
        let part = public.map_or_else(
            || {
                self.clients.insert(id);
                Part::Client(Client::default())
            },
            |public| Part::Server(self.servers.add(public, id)),
        );
        let identity = Identity::of(link.remote);
        let peer = Peer { uid, identity: identity.clone(), repeats: 0, outbox: Outbox::default(), part };
        let role = peer.role();
        hall.peer = Some(peer);
        self.last_uid = uid;
        self.peers.insert(uid, id);
        count(&mut self.stats.registered);
        cx.emit(Output::Event(Event::Registered { uid, role, identity }));
        self.welcome(id, cx);
    }

    /// The next uid that nobody has (6.3).
    fn free_uid(&self) -> Option<Uid> {
        let after = self.last_uid.0;
        let all = (after.saturating_add(1)..=u16::MAX).chain(1..=after);
        all.map(Uid).find(|uid| *uid != Uid::RELAY && !self.peers.contains_key(uid))
    }

    /// Tells a peer what it is called, and clients of the servers that they have not heard of.
    fn welcome(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(peer) = self.links.get(&id).and_then(|link| link.peer()) else { return };
        let identity = peer.identity.clone();
        match peer.role() {
            Role::Server => {
                self.send(id, &Packet::of_relay(Body::ServerIdentity { identity }), cx);
                self.announce_to_all(cx);
            }
            Role::Client => {
                self.send(id, &Packet::of_relay(Body::ClientIdentity { identity }), cx);
                self.announce(id, cx);
            }
        }
    }

    /// A link leaves the handshake port, for whatever reason: unregistered, its candidates told, closed.
    pub(super) fn depart(&mut self, id: LinkId, why: Departure, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&id) else { return };
        if !matches!(link.state, State::Hall(_)) {
            return;
        }
        if let Some(peer) = self.unregister(id, cx) {
            match why {
                Departure::TimedOut => {
                    count(&mut self.stats.timed_out);
                    self.say(id, &Packet::of_relay(Body::Timeout), cx);
                }
                Departure::Shutdown => {
                    self.say(id, &Packet::of_relay(Body::Closed { peer: Uid::RELAY }), cx);
                }
                Departure::Slow => count(&mut self.stats.slow),
                Departure::Paired | Departure::Left | Departure::Violation => {}
            }
            let how = if why == Departure::Slow { How::Abort } else { How::Flush };
            self.close(id, how, cx);
            // A relay that shuts down tells each that it goes itself.
            if why != Departure::Shutdown {
                self.tell_candidates(&peer, cx);
            }
            cx.emit(Output::Event(Event::Departed { uid: peer.uid, why }));
        } else {
            self.close(id, How::Flush, cx);
        }
    }

    /// From now on nobody finds this peer. Its handshakes that were answered have failed.
    pub(super) fn unregister(&mut self, id: LinkId, cx: &mut Cx<'_>) -> Option<Peer> {
        let link = self.links.get_mut(&id)?;
        let who = link.subscriber();
        let State::Hall(hall) = &mut link.state else { return None };
        let peer = hall.peer.take()?;
        self.peers.remove(&peer.uid);
        match &peer.part {
            Part::Server(server) => {
                self.servers.remove(server);
                self.forget_delayed(|(_, server)| server == peer.uid);
            }
            Part::Client(client) => {
                self.clients.remove(&id);
                self.forget_delayed(|(client, _)| client == id);
                for slot in client.answered.iter() {
                    if let Some(server) = self.servers.uid_at(slot, &self.links) {
                        self.guess_failed(who, server, cx);
                    }
                }
            }
        }
        Some(peer)
    }

    /// Tells the other side of every announcement that this peer is gone, and servers that have a client's share; from a
    /// server's slot all its traces go.
    pub(super) fn tell_candidates(&mut self, peer: &Peer, cx: &mut Cx<'_>) {
        let gone = Packet::of_relay(Body::Closed { peer: peer.uid });
        match &peer.part {
            Part::Server(server) => {
                for client in self.forget_server(server) {
                    self.send(client, &gone, cx);
                }
            }
            Part::Client(client) => {
                for slot in client.told() {
                    if let Some(server) = self.servers.link_at(slot) {
                        self.send(server, &gone, cx);
                    }
                }
            }
        }
    }

    /// Takes all traces of a server from the clients. Those that counted it among their candidates.
    pub(super) fn forget_server(&mut self, server: &Server) -> Vec<LinkId> {
        let mut told = Vec::new();
        for id in &self.clients {
            let Some(client) = self.links.get_mut(id).and_then(|link| link.peer_mut()?.client_mut()) else {
                continue;
            };
            if client.candidates.contains(server.slot) {
                told.push(*id);
            }
            // A server that leaves is no failure of its clients.
            client.part_from(server.slot);
            client.known.remove(server.slot);
        }
        told
    }

    fn forget_delayed(&mut self, is_gone: impl Fn((LinkId, Uid)) -> bool) {
        let timers = &mut self.timers;
        self.delayed.retain(|(client, server), _| {
            let is_gone = is_gone((*client, *server));
            if is_gone {
                timers.remove(&Timer::Delayed(*client, *server));
            }
            !is_gone
        });
    }
}
