//! A relay, and peers by hand.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::{Command, Config, Departure, Event, Input, Output, Port, Relay, Stats};
use crate::bob::Identity;
use crate::bob::packet::{Body, Decoder, PUBLIC_LEN, Packet, Uid};
use crate::link::{Address, Cause, How, LinkId, ListenerId, Via};
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};

/// A peer at one of the ports.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) link: LinkId,
    pub(super) uid: Uid,
    pub(super) name: Identity,
}

pub(super) struct Scene {
    pub(super) relay: Relay,
    pub(super) now: Instant,
    next: u64,
    rng: ChaCha8Rng,
    /// Who does not read: what is sent to them never leaves.
    pub(super) deaf: BTreeSet<LinkId>,
    /// Sent to the deaf and not written.
    pub(super) unwritten: BTreeMap<LinkId, usize>,
    heard: BTreeMap<LinkId, BytesMut>,
    pub(super) closed: BTreeMap<LinkId, How>,
    pub(super) paused: BTreeSet<LinkId>,
    pub(super) events: Vec<Event>,
}

pub(super) fn config() -> Config {
    let any = || Address::Socket(SocketAddr::new([127, 0, 0, 1].into(), 0));
    Config::new(any(), any())
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        let mut scene = Self {
            relay: Relay::new(config),
            now: Instant::from_micros(1_000_000),
            next: LinkId::ACCEPTED,
            rng: ChaCha8Rng::seed_from_u64(0),
            deaf: BTreeSet::new(),
            unwritten: BTreeMap::new(),
            heard: BTreeMap::new(),
            closed: BTreeMap::new(),
            paused: BTreeSet::new(),
            events: Vec::new(),
        };
        scene.call(None);
        scene
    }

    /// One call, and what a driver reports after it.
    fn call(&mut self, input: Option<Input>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            let at = At { now: self.now, wall: WallTime::default() };
            let mut cx = Context::new(at, &mut self.rng, &mut outputs);
            match input {
                Some(input) => self.relay.handle(input, &mut cx),
                None => self.relay.handle_timeout(&mut cx),
            }
            for output in outputs {
                inputs.extend(self.carry_out(output).map(Some));
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { link, bytes } => {
                assert!(!self.closed.contains_key(&link), "sent on a closed link");
                self.heard.entry(link).or_default().extend_from_slice(&bytes);
                if !self.deaf.contains(&link) {
                    return Some(Input::Written { link, count: bytes.len() });
                }
                *self.unwritten.entry(link).or_default() += bytes.len();
            }
            Output::Close { link, how } => {
                let before = self.closed.insert(link, how);
                assert!(before.is_none_or(|before| before == How::Flush && how == How::Abort));
                // What waits for the deaf keeps a link from closing in order.
                if how == How::Abort || !self.deaf.contains(&link) {
                    return Some(Input::Closed { link, cause: Cause::Finished });
                }
            }
            Output::Pause { link } => assert!(self.paused.insert(link), "paused twice"),
            Output::Resume { link } => assert!(self.paused.remove(&link), "it was not paused"),
            Output::Event(event) => self.events.push(event),
            Output::Listen { listener, address } => {
                return Some(Input::Listening { listener, local: address });
            }
            Output::Unlisten { .. } => {}
            other => panic!("a relay does not do that: {other:?}"),
        }
        None
    }

    pub(super) fn open(&mut self, port: Port, ip: impl Into<IpAddr>) -> LinkId {
        let number = u16::try_from(self.next - LinkId::ACCEPTED).unwrap();
        self.open_from(port, SocketAddr::new(ip.into(), 2000 + number))
    }

    pub(super) fn open_from(&mut self, port: Port, remote: SocketAddr) -> LinkId {
        let link = LinkId(self.next);
        self.next += 1;
        let via = Via::Accepted { listener: ListenerId(u32::from(port == Port::Room)) };
        let local = Address::Socket(SocketAddr::new([127, 0, 0, 1].into(), 9000));
        self.input(Input::Opened { link, via, local, remote: Address::Socket(remote) });
        link
    }

    pub(super) fn input(&mut self, input: Input) {
        self.call(Some(input));
    }

    pub(super) fn bytes(&mut self, link: LinkId, bytes: &[u8]) {
        if self.is_open(link) {
            self.input(Input::Received { link, bytes: Bytes::copy_from_slice(bytes) });
        }
    }

    pub(super) fn say(&mut self, link: LinkId, to: Uid, body: Body) {
        self.bytes(link, &encoded(to, body));
    }

    /// A server at `ip`, which has read what it was told.
    pub(super) fn server(&mut self, ip: impl Into<IpAddr>) -> Person {
        self.person(ip, Body::HelloAsServer { public: [7; PUBLIC_LEN] })
    }

    pub(super) fn client(&mut self, ip: impl Into<IpAddr>) -> Person {
        self.person(ip, Body::HelloAsClient)
    }

    fn person(&mut self, ip: impl Into<IpAddr>, hello: Body) -> Person {
        let link = self.open(Port::Handshake, ip);
        self.say(link, Uid::RELAY, hello);
        let registered = self.events.iter().rev().find_map(|event| match event {
            Event::Registered { uid, identity, .. } => Some((*uid, identity.clone())),
            _ => None,
        });
        let (uid, name) = registered.unwrap();
        self.hears(link);
        Person { link, uid, name }
    }

    /// What was sent to a link since it was last asked for, as packets.
    pub(super) fn hears(&mut self, link: LinkId) -> Vec<Packet> {
        let (mut bytes, mut decoder) = (self.hears_bytes(link), Decoder::new());
        let mut packets = Vec::new();
        while let Some(packet) = decoder.next(&mut bytes).unwrap() {
            packets.push(packet);
        }
        assert!(!decoder.is_inside_packet());
        packets
    }

    pub(super) fn hears_bytes(&mut self, link: LinkId) -> Bytes {
        self.heard.remove(&link).unwrap_or_default().freeze()
    }

    pub(super) fn is_open(&self, link: LinkId) -> bool {
        !self.closed.contains_key(&link)
    }

    /// The time goes on, and what is due is done when it is due.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.relay.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.call(None);
            assert!(self.relay.poll_timeout().is_none_or(|due| due > self.now), "L3");
        }
        self.now = end;
    }

    /// A deaf link reads again: all that waits leaves.
    pub(super) fn reads(&mut self, link: LinkId) {
        self.deaf.remove(&link);
        let count = self.unwritten.remove(&link).unwrap_or_default();
        self.input(Input::Written { link, count });
    }

    pub(super) fn leave(&mut self, link: LinkId) {
        self.input(Input::Finished { link });
    }

    /// A client asks, the server answers and agrees: what both heard is taken.
    pub(super) fn agree(&mut self, client: &Person, server: &Person) {
        self.say(client.link, server.uid, share_of(&client.name));
        self.say(server.link, client.uid, answer());
        self.say(client.link, server.uid, Body::ClientValidator { validator: [5; 64] });
        self.say(server.link, client.uid, Body::Agreement);
        self.hears(client.link);
        self.hears(server.link);
    }

    /// A pair with a promised room.
    pub(super) fn pair(&mut self, client_ip: [u8; 4], server_ip: [u8; 4]) -> (Person, Person) {
        let (server, client) = (self.server(server_ip), self.client(client_ip));
        self.agree(&client, &server);
        self.say(client.link, server.uid, Body::Accepted);
        self.hears(client.link);
        self.hears(server.link);
        (client, server)
    }

    /// A link to the room port that names a peer.
    pub(super) fn names(&mut self, ip: [u8; 4], name: &Identity) -> LinkId {
        let link = self.open(Port::Room, ip);
        self.bytes(link, &line(name));
        link
    }

    pub(super) fn stats(&self) -> &Stats {
        self.relay.stats()
    }

    pub(super) fn departures(&self) -> Vec<(Uid, Departure)> {
        let departed = self.events.iter().filter_map(|event| match event {
            Event::Departed { uid, why } => Some((*uid, *why)),
            _ => None,
        });
        departed.collect()
    }

    pub(super) fn shut(&mut self) {
        self.input(Input::Command(Command::Shutdown));
    }
}

pub(super) fn encoded(to: Uid, body: Body) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    Packet { uid: to, body }.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

pub(super) fn line(name: &Identity) -> Vec<u8> {
    [name.as_bytes().as_ref(), b"\n"].concat()
}

pub(super) fn share_of(name: &Identity) -> Body {
    Body::ClientShare { share: [3; 32], identity: name.clone() }
}

pub(super) fn answer() -> Body {
    Body::ServerShare { share: [4; 32], validator: [6; 64] }
}

pub(super) fn of_relay(body: Body) -> Packet {
    Packet::of_relay(body)
}

pub(super) fn closed(uid: Uid) -> Vec<Packet> {
    vec![of_relay(Body::Closed { peer: uid })]
}

/// The announcement of a server.
pub(super) fn announced(server: &Person, public: [u8; PUBLIC_LEN]) -> Packet {
    of_relay(Body::NewServer { server: server.uid, public, identity: server.name.clone() })
}
