//! What peers say to one another (`bob-relay.md` 6.4, 6.5, 6.6, 6.9).

use bytes::{Bytes, BytesMut};

use super::guesses::Verdict;
use super::link::Client;
use super::machine::{Relay, Timer};
use super::{Cx, Departure, Event, Output, Role};
use crate::bob::packet::{Body, Packet, Uid};
use crate::ip::Prefix;
use crate::link::{How, LinkId};
use crate::stats::{count, count_by};

/// A client and a server, one of which has said something to the other.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) client: LinkId,
    pub(super) client_uid: Uid,
    pub(super) server: LinkId,
    pub(super) server_uid: Uid,
    /// The server's.
    slot: usize,
}

/// Whether a peer of this role may say this to one of the other.
const fn may_say(role: Role, body: &Body) -> bool {
    match role {
        Role::Client => matches!(
            body,
            Body::ClientValidator { .. }
                | Body::ClientShare { .. }
                | Body::Accepted
                | Body::Refused
                | Body::SpokeFailure(_)
        ),
        Role::Server => matches!(body, Body::ServerShare { .. } | Body::Agreement | Body::SpokeFailure(_)),
    }
}

impl Relay {
    /// A packet from one peer to another. What must not pass is dropped and counted.
    pub(super) fn route(&mut self, from: LinkId, packet: Packet, cx: &mut Cx<'_>) {
        let Some(sender) = self.links.get(&from).and_then(|link| link.peer()) else {
            return count(&mut self.stats.dropped_unregistered);
        };
        let (role, uid) = (sender.role(), sender.uid);
        if !may_say(role, &packet.body) {
            return count(&mut self.stats.dropped_direction);
        }
        let Some(to) = self.peers.get(&packet.uid).copied() else {
            return count(&mut self.stats.dropped_unknown);
        };
        let pair = match role {
            Role::Client => self.pair(from, uid, to, packet.uid),
            Role::Server => self.pair(to, packet.uid, from, uid),
        };
        let Some(pair) = pair else { return count(&mut self.stats.dropped_role) };
        match &packet.body {
            Body::ClientValidator { .. } => {
                self.forward(to, &Packet { uid, ..packet }, cx);
            }
            Body::ClientShare { .. } => self.ask(pair, packet, cx),
            Body::ServerShare { .. } => self.answer(pair, packet, cx),
            Body::Agreement => self.agree(pair, packet, cx),
            Body::Accepted => self.accept(pair, cx),
            Body::Refused => self.part(pair, cx),
            Body::SpokeFailure(_) => {
                let is_heard = self.forward(to, &Packet { uid, ..packet }, cx);
                self.part(pair, cx);
                if (is_heard || role == Role::Server)
                    && let Some(client) = self.client(pair.client)
                {
                    client.known.remove(pair.slot);
                }
            }
            // Nobody may say these to a peer.
            Body::HelloAsServer { .. }
            | Body::HelloAsClient
            | Body::ServerIdentity { .. }
            | Body::ClientIdentity { .. }
            | Body::NewServer { .. }
            | Body::Closed { .. }
            | Body::RelayFailure(_)
            | Body::Done
            | Body::Timeout => {}
        }
    }

    /// None if the two are not a client and a server.
    fn pair(&self, client: LinkId, client_uid: Uid, server: LinkId, server_uid: Uid) -> Option<Pair> {
        self.links.get(&client)?.peer()?.client()?;
        let slot = self.links.get(&server)?.peer()?.server()?.slot;
        Some(Pair { client, client_uid, server, server_uid, slot })
    }

    fn client(&mut self, id: LinkId) -> Option<&mut Client> {
        self.links.get_mut(&id)?.peer_mut()?.client_mut()
    }

    /// A client's share goes to a server, now or later: it is what a guess begins with.
    fn ask(&mut self, pair: Pair, packet: Packet, cx: &mut Cx<'_>) {
        let Some(peer) = self.links.get(&pair.client).and_then(|link| link.peer()) else { return };
        let Body::ClientShare { identity, .. } = &packet.body else { return };
        let is_own = *identity == peer.identity || !self.config.own_identity_only;
        if !is_own || !identity.is_writable() {
            return count(&mut self.stats.dropped_identity);
        }
        let who = self.subscriber(pair.client);
        if self.client(pair.client).is_some_and(|client| client.end_handshake(pair.slot)) {
            self.guess_failed(who, pair.server_uid, cx);
        }
        self.try_now(pair, packet, who, cx);
    }

    fn try_now(&mut self, pair: Pair, packet: Packet, who: Prefix, cx: &mut Cx<'_>) {
        let open = self.links_of(who).filter(|id| {
            let client = self.links.get(id).and_then(|link| link.peer()?.client());
            client.is_some_and(|client| client.asked.contains(pair.slot))
        });
        let open = open.take(self.config.guessing.parallel_max.max(1)).count();
        let key = (pair.client, pair.server_uid);
        match self.guesses.judge(cx.now(), who, pair.server_uid, open) {
            Verdict::Free => {
                self.wait_ends(key);
                let packet = Packet { uid: pair.client_uid, ..packet };
                if self.forward(pair.server, &packet, cx)
                    && let Some(client) = self.client(pair.client)
                {
                    client.asked.insert(pair.slot);
                    client.known.insert(pair.slot);
                }
            }
            Verdict::Wait { until, failures } => {
                let is_new = !self.delayed.contains_key(&key);
                if is_new && self.delayed.len() >= self.config.guessing.waiting_max {
                    return count(&mut self.stats.guesses_dropped);
                }
                self.delayed.insert(key, packet);
                self.timers.set(Timer::Delayed(key.0, key.1), Some(until));
                if is_new && let Some(link) = self.links.get(&pair.client) {
                    let (address, server) = (link.ip(), pair.server_uid);
                    count(&mut self.stats.guesses_delayed);
                    cx.emit(Output::Event(Event::Guessing { address, server, failures }));
                }
            }
            Verdict::Cut => {
                self.wait_ends(key);
                count(&mut self.stats.guesses_cut);
            }
        }
    }

    /// A share waits no more, if one did.
    fn wait_ends(&mut self, key: (LinkId, Uid)) {
        if self.delayed.remove(&key).is_some() {
            self.timers.remove(&Timer::Delayed(key.0, key.1));
        }
    }

    /// A share has waited long enough, or must wait again: it keeps its place until it goes.
    pub(super) fn try_again(&mut self, client: LinkId, server_uid: Uid, cx: &mut Cx<'_>) {
        let Some(packet) = self.delayed.get(&(client, server_uid)).cloned() else { return };
        let Some(server) = self.peers.get(&server_uid).copied() else { return };
        let Some(client_uid) = self.links.get(&client).and_then(|link| Some(link.peer()?.uid)) else {
            return;
        };
        let Some(pair) = self.pair(client, client_uid, server, server_uid) else { return };
        let who = self.subscriber(client);
        self.try_now(pair, packet, who, cx);
    }

    fn answer(&mut self, pair: Pair, packet: Packet, cx: &mut Cx<'_>) {
        if self.forward(pair.client, &Packet { uid: pair.server_uid, ..packet }, cx)
            && let Some(client) = self.client(pair.client)
            && client.asked.contains(pair.slot)
        {
            client.answered.insert(pair.slot);
        }
    }

    fn agree(&mut self, pair: Pair, packet: Packet, cx: &mut Cx<'_>) {
        if !self.forward(pair.client, &Packet { uid: pair.server_uid, ..packet }, cx) {
            return;
        }
        let who = self.subscriber(pair.client);
        let Some(client) = self.client(pair.client) else { return };
        client.agreed.insert(pair.slot);
        if client.end_handshake(pair.slot) {
            self.guesses.succeeded(who, pair.server_uid);
        }
    }

    /// The two are no candidates of each other any more.
    fn part(&mut self, pair: Pair, cx: &mut Cx<'_>) {
        let who = self.subscriber(pair.client);
        self.wait_ends((pair.client, pair.server_uid));
        if self.client(pair.client).is_some_and(|client| client.part_from(pair.slot)) {
            self.guess_failed(who, pair.server_uid, cx);
        }
    }

    /// 6.5: both are told, unregistered and closed, and a room waits for them.
    fn accept(&mut self, pair: Pair, cx: &mut Cx<'_>) {
        let has_agreed = self.client(pair.client).is_some_and(|client| client.agreed.contains(pair.slot));
        if !has_agreed {
            return count(&mut self.stats.dropped_unagreed);
        }
        if !self.promise_room(pair, cx) {
            return count(&mut self.stats.dropped_rooms);
        }
        let accepted = Packet { uid: pair.client_uid, body: Body::Accepted };
        let client = self.unregister(pair.client, cx);
        let server = self.unregister(pair.server, cx);
        self.say(pair.server, &accepted, cx);
        self.close(pair.server, How::Flush, cx);
        self.say(pair.client, &Packet::of_relay(Body::Done), cx);
        self.close(pair.client, How::Flush, cx);
        for peer in [&client, &server].into_iter().flatten() {
            if self.config.tell_losers {
                self.tell_candidates(peer, cx);
            } else if let Some(server) = peer.server() {
                self.forget_server(server);
            }
            let why = Departure::Paired;
            cx.emit(Output::Event(Event::Departed { uid: peer.uid, why }));
        }
        cx.emit(Output::Event(Event::Agreed { client: pair.client_uid, server: pair.server_uid }));
    }

    pub(super) fn guess_failed(&mut self, who: Prefix, server: Uid, cx: &Cx<'_>) {
        count(&mut self.stats.guesses_failed);
        let forgotten = self.guesses.failed(cx.now(), who, server);
        count_by(&mut self.stats.guesses_forgotten, forgotten);
    }

    fn subscriber(&self, id: LinkId) -> Prefix {
        let unknown = Prefix::subscriber(core::net::Ipv4Addr::UNSPECIFIED.into());
        self.links.get(&id).map_or(unknown, |link| link.subscriber())
    }

    /// Passes a packet of another peer on. Whether it was sent.
    fn forward(&mut self, to: LinkId, packet: &Packet, cx: &mut Cx<'_>) -> bool {
        let sender = packet.uid;
        let Some(bytes) = encode(packet) else { return false };
        let Some(peer) = self.links.get_mut(&to).and_then(|link| link.peer_mut()) else { return false };
        let waiting = peer.outbox.bytes_of(sender);
        if waiting > 0 && waiting.saturating_add(bytes.len()) > self.config.queued_bytes_per_sender_max {
            count(&mut self.stats.dropped_flooding);
            return false;
        }
        let sent = self.queue(to, sender, bytes, cx);
        if sent {
            count(&mut self.stats.forwarded);
        }
        sent
    }

    /// Sends a packet of the relay to a registered peer.
    pub(super) fn send(&mut self, to: LinkId, packet: &Packet, cx: &mut Cx<'_>) {
        if let Some(bytes) = encode(packet) {
            self.queue(to, Uid::RELAY, bytes, cx);
        }
    }

    /// Sends the last words to a link that is registered no more.
    pub(super) fn say(&self, to: LinkId, packet: &Packet, cx: &mut Cx<'_>) {
        if self.links.contains_key(&to)
            && let Some(bytes) = encode(packet)
        {
            cx.emit(Output::Send { link: to, bytes });
        }
    }

    /// Sends bytes, unless the peer has not read what it was sent: then it is given up.
    fn queue(&mut self, to: LinkId, sender: Uid, bytes: Bytes, cx: &mut Cx<'_>) -> bool {
        let Some(peer) = self.links.get_mut(&to).and_then(|link| link.peer_mut()) else { return false };
        if peer.outbox.is_broken {
            return false;
        }
        if peer.outbox.bytes().saturating_add(bytes.len()) > self.config.queued_bytes_max {
            peer.outbox.is_broken = true;
            self.doom(to, Departure::Slow);
            return false;
        }
        peer.outbox.sent(sender, bytes.len());
        cx.emit(Output::Send { link: to, bytes });
        true
    }

    /// So much has left: a client may hear of further servers, a room may go on.
    pub(super) fn written(&mut self, id: LinkId, count: usize, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(peer) = link.peer_mut() {
            peer.outbox.written(count);
            self.announce(id, cx);
        } else {
            self.room_written(id, count, cx);
        }
    }
}

fn encode(packet: &Packet) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(Packet::WRITTEN_MAX);
    packet.encode(&mut bytes).ok()?;
    Some(bytes.freeze())
}
